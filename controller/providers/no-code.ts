import { RefusedFault } from '../errors.ts'
import type { RefHost } from '../jobs/evidence.ts'

/** Refs of a provider that only runs pipelines. A project of it names where its code is, so nobody should get here. */
export function noCode(provider: string): RefHost {
  const refuse = async (): Promise<never> => {
    throw new RefusedFault(`${provider} holds no code; the project must name where it is (integration.code).`)
  }
  return { resolveRef: refuse, ciEvidence: refuse }
}

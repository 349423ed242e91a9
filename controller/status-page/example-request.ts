import type { DesiredState, Environment, Ref } from '../model/desired-state.ts'
import type { Iso } from './moments.ts'

/** A request file that could be added right now, for readers who have none yet. */
export interface ExampleRequest {
  path: string
  yaml: string
}

/** For the given environment, or for the first that takes requests; null when there is none. */
export function exampleRequest(desired: DesiredState | null, now: Iso, key?: string): ExampleRequest | null {
  const all = [...(desired?.environments.values() ?? [])]
  const environment = all.find((one) => (key === undefined ? one.enabled && one.promoteFrom === null : one.key === key))
  if (!environment) return null
  const ref = exampleRef(environment, desired?.projects.get(environment.project)?.integration.defaultBranch ?? 'main')
  return {
    path: `requests/${environment.project}/${environment.name}/${now.slice(0, 10)}-first.yaml`,
    yaml: `apiVersion: draven/v1\nkind: DeployRequest\ntype: deploy\nref: { ${ref.type}: ${ref.name} }\nreason: The first deploy\n`,
  }
}

/** A ref that the policy would not refuse for its name alone: a wrong example teaches a wrong thing. */
function exampleRef({ policy }: Environment, defaultBranch: string): Ref {
  if (!policy.allowedRefTypes.includes('branch')) return { type: 'tag', name: 'v1.0.0' }
  const plain = policy.allowedBranches.map((pattern) => pattern.source).filter((source) => /^[A-Za-z][\w/-]*$/.test(source))
  return { type: 'branch', name: plain.includes(defaultBranch) ? defaultBranch : (plain[0] ?? defaultBranch) }
}

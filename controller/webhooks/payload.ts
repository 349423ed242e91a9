import type { Nudge } from '../jobs/state-store.ts'
import { isDeeperThan } from './json-depth.ts'

const MAX_JSON_DEPTH = 64

/** The config repository and the branch that is in force there. */
export interface ConfigBranch {
  fullName: string
  branch: string
}

/** For integrations that never speak of the config repository: no repository has this name. */
export const NOT_CONFIG: ConfigBranch = { fullName: '', branch: '' }

/** Undefined when it is no JSON, or nests too deep. */
export function parseJson(bytes: Uint8Array): unknown {
  if (isDeeperThan(MAX_JSON_DEPTH, bytes)) return undefined
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  } catch {
    return undefined
  }
}

/** A property of whatever arrived; undefined when it is not there. */
export function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}

/** Is this the config repository? Names differ in nothing but case for the same repository; null when no config is at stake. */
export function isInConfig(repoFullName: string, config: ConfigBranch | null): boolean | null {
  return config === null ? null : repoFullName.toLowerCase() === config.fullName.toLowerCase()
}

/** A look at a pull request by its number, as forges count them: 32-bit integers. */
export function pullRequestNudge(number: unknown): Nudge | null {
  return typeof number === 'number' && Number.isInteger(number) && number > 0 && number < 2 ** 31
    ? { kind: 'pull_request', number }
    : null
}

/** Null also for an id beyond 2^53, which JSON.parse has already rounded: a wrong name is worse than the repository's. */
export function runNudge(id: unknown): Nudge | null {
  const text = typeof id === 'number' && Number.isSafeInteger(id) ? String(id) : id
  return typeof text === 'string' && /^[1-9]\d{0,19}$/.test(text) ? { kind: 'run', externalId: text } : null
}

/** The branch of an event as GitHub and its likes spell it: `refs/heads/x` of a push; `x` of a branch that was created or deleted. */
export function movedBranch(payload: unknown): string | null {
  const ref = field(payload, 'ref')
  if (typeof ref !== 'string' || field(payload, 'ref_type') === 'tag') return null
  return field(payload, 'ref_type') === 'branch' ? ref : (/^refs\/heads\/(.+)$/.exec(ref)?.[1] ?? null)
}

/** `owner/name`, where repositories have two names and no more. */
export function repositoryOf(payload: unknown): string | null {
  const name = field(field(payload, 'repository'), 'full_name')
  return typeof name === 'string' && /^[\w.-]{1,100}\/[\w.-]{1,100}$/.test(name) ? name : null
}

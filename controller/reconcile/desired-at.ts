import type { DesiredState } from '../model/desired-state.ts'
import { loadDesiredState } from '../model/load.ts'
import type { CommitSha } from '../model/names.ts'
import type { Engine } from './engine.ts'

/** For when what is in force cannot be read: nothing is known, so nothing may be created, canceled or started by it. */
export function unreadableAt(commit: CommitSha): DesiredState {
  return {
    commit,
    repository: { id: '', title: '', approvalExpiryMs: 0, queueExpiryMs: 0 },
    people: new Map(),
    bindings: [],
    projects: new Map(),
    unusableProjects: new Set(),
    environments: new Map(),
    unusableEnvironments: new Map(),
    freezes: [],
    holds: [],
    requests: new Map(),
    unusableRequests: new Map(),
    findings: [],
    closed: [],
  }
}

/** The branch, the rules in force, and what a few open pull requests would make of them. */
const MOST_KEPT = 8

/**
 * Desired state of two commits: everything but requests/ is taken from the first, requests/ from the second (null: there are
 * none). What a commit holds never changes, so an open pull request that is judged every minute is put together once.
 */
export async function desiredAt(engine: Engine, rules: CommitSha, requests: CommitSha | null): Promise<DesiredState> {
  const { source, memory } = engine
  const key = `${rules} ${requests}`
  const known = memory.desiredAt.get(key)
  if (known !== undefined) {
    memory.desiredAt.delete(key)
    memory.desiredAt.set(key, known)
    return known
  }
  const rulesFiles = await source.snapshot(rules)
  const requestFiles =
    requests === null ? { commit: rules, entries: [] } : requests === rules ? rulesFiles : await source.snapshot(requests)
  const desired = await loadDesiredState({
    rules: rulesFiles,
    requests: requestFiles,
    readBlobs: source.readBlobs,
    cache: memory.documents,
  })
  memory.desiredAt.set(key, desired)
  const [oldest] = memory.desiredAt.keys()
  if (memory.desiredAt.size > MOST_KEPT && oldest !== undefined) memory.desiredAt.delete(oldest)
  return desired
}

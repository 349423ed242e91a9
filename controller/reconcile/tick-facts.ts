import type { PullRequestFacts, PullRequestSummary } from '../approvals/evidence.ts'
import { ageMs, driftOf, type Instant, MINUTE_MS, SECOND_MS, wasSet } from '../clock.ts'
import { isOperatingFault, messageOf, RefusedFault } from '../errors.ts'
import type { Project, Ref } from '../model/desired-state.ts'
import type { CommitSha, JobId } from '../model/names.ts'
import type { Fact } from '../policy/decision.ts'
import type { CiEvidence, ResolvedRef } from '../policy/facts.ts'
import type { Engine, Read } from './engine.ts'

/** Facts read in one tick, each at most once: a hundred jobs on one tag cost one question. */
export interface TickFacts {
  startedAt: Instant
  /** Of the clock at that moment. */
  drift: number
  /** Jobs whose runs were looked at in this tick, so that no nudge has it done twice. */
  followed: Set<JobId>
  /** `fresh`: read in this tick; otherwise what was read before may do, as long as the forge's list says that nothing changed. */
  pull(number: number, options: { fresh: boolean }): Promise<Read<PullRequestFacts>>
  pullsSince(since: Instant): Promise<Read<readonly PullRequestSummary[]>>
  ref(project: Project, ref: Ref): Promise<Read<ResolvedRef>>
  ci(project: Project, sha: CommitSha): Promise<Read<CiEvidence>>
}

/** Even an unchanged pull request is read again after this long: accounts can be suspended without a trace on it. */
const PULL_MAX_AGE_MS = 10 * MINUTE_MS
/** Forges tell whole seconds: a change in the very second of the last look would not show in `updatedAt`. */
const CHANGE_MARGIN_MS = 2 * SECOND_MS

export function tickFacts(engine: Engine): TickFacts {
  const { clock, memory } = engine
  const drift = driftOf(clock)
  if (memory.drift !== null && wasSet(clock, memory.drift)) {
    memory.pulls.clear()
    memory.evidence.clear()
  }
  memory.drift = drift
  const asked = new Map<string, Promise<unknown>>()
  function once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const known = asked.get(key) as Promise<T> | undefined
    if (known !== undefined) return known
    const answer = ask()
    answer.catch(() => {})
    asked.set(key, answer)
    return answer
  }
  const host = () => {
    if (engine.host === null) throw new RefusedFault('The config repository is a plain directory: it has no pull requests.')
    return engine.host
  }
  async function dated<T>(read: Promise<T>): Promise<Read<T>> {
    // Facts are as old as the question, not as the answer.
    const at = clock.now()
    return { value: await read, at }
  }
  return {
    startedAt: clock.now(),
    drift,
    followed: new Set(),
    async pull(number, { fresh }) {
      const known = memory.pulls.get(number)
      if (!fresh && known !== undefined && isUnchanged(known, memory.pullUpdatedAt.get(number), clock.now())) return known
      return once(`pull:${number}`, async () => {
        const read = await dated(host().reviews.pullRequest(number))
        memory.pulls.set(number, read)
        // One that was merged before the list begins is known to be unchanged by its absence from later lists.
        if (!memory.pullUpdatedAt.has(number)) memory.pullUpdatedAt.set(number, read.value.updatedAt)
        return read
      })
    },
    pullsSince: (since) =>
      once(`pulls:${since}`, async () => {
        const list = await dated(host().reviews.pullRequests({ baseRef: engine.config.branch, since }))
        // Whoever asked: what the list says has changed is not answered from memory, nor by what this pass read before.
        for (const { number, updatedAt } of list.value) {
          const known = memory.pulls.get(number)
          memory.pullUpdatedAt.set(number, updatedAt)
          if (known !== undefined && !isUnchanged(known, updatedAt, clock.now())) asked.delete(`pull:${number}`)
        }
        return list
      }),
    ref: (project, ref) =>
      once(`ref:${project.name}:${ref.type}:${ref.name}`, () => dated(engine.connections.refs(project).resolveRef(ref))),
    ci: (project, sha) => once(`ci:${project.name}:${sha}`, () => dated(engine.connections.refs(project).ciEvidence(sha))),
  }
}

function isUnchanged(known: Read<PullRequestFacts>, updatedAt: Instant | undefined, now: Instant): boolean {
  const { value, at } = known
  return value.updatedAt === updatedAt && value.hostTime - value.updatedAt >= CHANGE_MARGIN_MS && ageMs(at, now) < PULL_MAX_AGE_MS
}

/** What is too old to be used again need not be kept. */
export function forgetOldReads(pulls: Map<number, Read<PullRequestFacts>>, now: Instant): void {
  for (const [number, { at }] of pulls) if (ageMs(at, now) >= PULL_MAX_AGE_MS) pulls.delete(number)
}

/** Reads one fact. Trouble becomes "not known, because …", which never allows anything; it never stops the tick. */
export async function fact<T>(engine: Engine, what: string, read: () => Promise<Read<T>>): Promise<Fact<T>> {
  const startedAt = engine.clock.now()
  try {
    return { known: true, ...(await read()) }
  } catch (error) {
    if (!isOperatingFault(error)) {
      engine.log.error('reading a fact failed unexpectedly', {
        what,
        error: error instanceof Error ? error.stack : String(error),
      })
    }
    // It becomes part of a sentence that ends by itself.
    return { known: false, why: `${what}: ${messageOf(error).replace(/\.$/, '')}`, at: startedAt }
  }
}

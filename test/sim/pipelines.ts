import { type Instant, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { RunHandle, RunObservation, Trigger } from '../../controller/jobs/executor.ts'
import type { Choices } from './choices.ts'

type Conclusion = 'success' | 'failed' | 'canceled' | 'timed_out'

export interface SimRun {
  id: string
  repo: string
  trigger: Trigger
  createdAt: Instant
  /** Lists show it from then on. */
  listedAt: Instant
  beginsAt: Instant
  endsAt: Instant
  conclusion: Conclusion
  /** How it ended before it was started again by hand. */
  conclusionBefore: Conclusion | null
  /** Somebody must release it first, at this time. */
  blockedUntil: Instant | null
  canceledAt: Instant | null
  ignoresCancel: boolean
  /** Deleted at the provider. */
  vanishedAt: Instant | null
  attempt: number
  /** Started again by hand after it had ended, or as a copy; nobody guards such a run. */
  byHand: boolean
  /** Of which run it is a copy. */
  copyOf: string | null
}

/** The provider's runs, told by the world's time. */
export interface Pipelines {
  runs: SimRun[]
  create(repo: string, trigger: Trigger): SimRun
  /** The same once more, by hand. */
  copy(run: SimRun): void
  /** One that is over once more, by hand. */
  again(run: SimRun): void
  cancel(run: SimRun): void
  /** Lists will show the next run as late as they may, and it will take its time. `made` is told when it is there. */
  nextDawdles(made: () => void): void
  /** It ends by itself, and badly. */
  fails(run: SimRun): void
  observe(repo: string, id: string): RunObservation
  find(repo: string, jobId: string, stale: boolean): RunHandle[]
}

const QUEUES_MS = [2 * SECOND_MS, 0, 40 * SECOND_MS]
const LENGTHS_MS = [20 * SECOND_MS, 5 * SECOND_MS, 2 * MINUTE_MS, 7 * MINUTE_MS]
const LONG_LENGTHS_MS = [12 * MINUTE_MS, 20 * SECOND_MS, 4 * MINUTE_MS, 30 * MINUTE_MS]
const LONGEST_LAG_MS = 100 * SECOND_MS
const LAGS_MS = [0, LONGEST_LAG_MS, 20 * SECOND_MS, SECOND_MS]
const CONCLUSIONS = ['success', 'failed', 'canceled', 'timed_out'] as const

export function createPipelines(now: () => Instant, choices: Choices, long: boolean, changed: (run: SimRun) => void): Pipelines {
  let dawdler: (() => void) | null = null
  const pipelines: Pipelines = {
    runs: [],
    create(repo, trigger) {
      const createdAt = now()
      const beginsAt = createdAt + QUEUES_MS[choices.pick(QUEUES_MS.length, 0.3)]!
      const blocked = choices.pick(2, 0.05) === 1 ? beginsAt + MINUTE_MS : null
      const run: SimRun = {
        id: String(1_000 + pipelines.runs.length),
        repo,
        trigger,
        createdAt,
        listedAt: createdAt + LAGS_MS[choices.pick(LAGS_MS.length, 0.3)]!,
        beginsAt,
        blockedUntil: blocked,
        endsAt: (blocked ?? beginsAt) + (long ? LONG_LENGTHS_MS : LENGTHS_MS)[choices.pick(LENGTHS_MS.length, 0.4)]!,
        conclusion: CONCLUSIONS[choices.pick(CONCLUSIONS.length, 0.2)]!,
        conclusionBefore: null,
        canceledAt: null,
        ignoresCancel: choices.pick(2, 0.1) === 1,
        vanishedAt: null,
        attempt: 1,
        byHand: false,
        copyOf: null,
      }
      if (dawdler !== null) {
        run.listedAt = createdAt + LONGEST_LAG_MS
        run.endsAt += LENGTHS_MS.at(-1)!
        dawdler()
        dawdler = null
      }
      pipelines.runs.push(run)
      changed(run)
      return run
    },
    copy(run) {
      const createdAt = now()
      const copy: SimRun = {
        ...run,
        // Its token is masked where people could copy it.
        trigger: { ...run.trigger, callback: null },
        id: String(1_000 + pipelines.runs.length),
        createdAt,
        // Lists lag, but they do not show the younger one first.
        listedAt: Math.max(createdAt, run.listedAt),
        beginsAt: createdAt,
        endsAt: createdAt + 3 * MINUTE_MS,
        conclusion: 'success',
        conclusionBefore: null,
        blockedUntil: null,
        canceledAt: null,
        ignoresCancel: false,
        attempt: 1,
        byHand: true,
        copyOf: run.id,
      }
      pipelines.runs.push(copy)
      changed(copy)
    },
    again(run) {
      run.attempt++
      run.conclusionBefore = run.conclusion
      run.byHand = true
      run.beginsAt = now()
      run.endsAt = now() + 3 * MINUTE_MS
      changed(run)
    },
    cancel(run) {
      if (!isLive(run, now()) || run.canceledAt !== null || run.ignoresCancel) return
      run.canceledAt = now()
      run.conclusion = 'canceled'
      run.endsAt = Math.min(run.endsAt, now() + LAGS_MS[choices.pick(LAGS_MS.length, 0.5)]!)
      changed(run)
    },
    nextDawdles(made) {
      dawdler = made
    },
    fails(run) {
      run.conclusion = 'failed'
      run.endsAt = Math.min(run.endsAt, now() + SECOND_MS)
      changed(run)
    },
    observe(repo, id) {
      const run = pipelines.runs.find((each) => each.id === id && each.repo === repo)
      const at = now()
      if (run === undefined || (run.vanishedAt !== null && run.vanishedAt <= at)) {
        return { state: 'vanished', externalAttempt: 1, url: null, detail: `no run ${id}` }
      }
      return { state: stateOf(run, at), externalAttempt: run.attempt, url: `https://forge.test/run/${id}`, detail: null }
    },
    find(repo, jobId, stale) {
      const at = now()
      return pipelines.runs
        .filter((run) => run.repo === repo && run.trigger.jobId === jobId && run.listedAt <= at)
        .filter((run) => run.vanishedAt === null && !(stale && run.createdAt > at - LONGEST_LAG_MS))
        .map((run) => ({ externalId: run.id, externalAttempt: run.attempt, url: null }))
    },
  }
  return pipelines
}

export function isLive(run: SimRun, at: Instant): boolean {
  return run.createdAt <= at && at < run.endsAt && (run.vanishedAt === null || at < run.vanishedAt)
}

function stateOf(run: SimRun, at: Instant): RunObservation['state'] {
  if (at >= run.endsAt) return run.conclusion
  if (at < run.beginsAt) return 'queued'
  return run.blockedUntil !== null && at < run.blockedUntil ? 'blocked' : 'active'
}

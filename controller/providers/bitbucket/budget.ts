import { type Clock, HOUR_MS, MINUTE_MS, toIso } from '../../clock.ts'
import { TransientFault } from '../../errors.ts'
import type { CallFailure } from '../http.ts'

/**
 * Calls of one token in the last hour. Bitbucket allows 1,000 in any 60 minutes (support.atlassian.com, "API request limits") and
 * more on some plans, which it says in `X-RateLimit-Limit`. What is spent on looking is held back before it runs dry, so that
 * a trigger, a stop or a word on a pull request can always be sent.
 */
export interface CallBudget {
  /** Counts a call. TransientFault, with the time to come back, for a read when the hour's share of reads is spent. */
  spend(kind: 'read' | 'write'): void
  /** What the host says about its limit. */
  learn(headers: Headers): void
  /** How old a list of runs may be now before it is read again: nothing while there is plenty, up to two minutes near the end. */
  patienceMs(): number
  used(): number
}

const DEFAULT_LIMIT = 1_000
/** Shares of the limit: reads slow down from the first on, stop at the second, and go on below the third. */
const SLOW_FROM = 0.5
const READS_END = 0.9
const READS_AGAIN = 0.8
const LONGEST_PATIENCE_MS = 2 * MINUTE_MS
/** Calls are counted by slices of the hour, each forgotten as a whole. */
const SLICE_MS = HOUR_MS / 120

export function callBudget(clock: Clock): CallBudget {
  let limit = DEFAULT_LIMIT
  let paused = false
  const slices: { at: number; calls: number }[] = []

  function used(): number {
    const now = clock.now()
    // A clock that was set back leaves slices of the future: they are as good as gone.
    while (slices[0] !== undefined && Math.abs(now - slices[0].at) >= HOUR_MS + SLICE_MS) slices.shift()
    return slices.reduce((sum, { calls }) => sum + calls, 0)
  }

  /** When enough of what was spent is an hour old. */
  function backAt(): number {
    let left = used()
    for (const { at, calls } of slices) {
      left -= calls
      if (left < limit * READS_AGAIN) return at + HOUR_MS + SLICE_MS
    }
    return clock.now() + HOUR_MS
  }

  function refuseWhenSpent(): void {
    const spent = used()
    paused = spent >= limit * (paused ? READS_AGAIN : READS_END)
    if (!paused) return
    const until = backAt()
    throw new TransientFault(
      `Bitbucket allows ${limit} calls an hour, and ${spent} were made; looking goes on at ${toIso(until)}. The rest is kept for triggers.`,
      Math.max(until - clock.now(), 1_000),
      { cause: { sent: false, status: null } satisfies CallFailure },
    )
  }

  return {
    spend(kind) {
      if (kind === 'read') refuseWhenSpent()
      const at = Math.floor(clock.now() / SLICE_MS) * SLICE_MS
      const newest = slices.at(-1)
      if (newest?.at === at) newest.calls++
      else slices.push({ at, calls: 1 })
    },
    learn(headers) {
      const stated = Number(headers.get('x-ratelimit-limit') ?? Number.NaN)
      if (Number.isInteger(stated) && stated > 0) limit = stated
    },
    patienceMs() {
      const share = used() / limit
      const strain = (share - SLOW_FROM) / (READS_END - SLOW_FROM)
      return Math.round(Math.min(Math.max(strain, 0), 1) * LONGEST_PATIENCE_MS)
    },
    used,
  }
}

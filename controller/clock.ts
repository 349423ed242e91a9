/** A moment in time: milliseconds since 1970-01-01T00:00:00Z, as `Date.now()` gives. */
export type Instant = number

export const SECOND_MS = 1_000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** The only source of time and of waiting. Nothing else reads the machine's clock, so a simulation can own it. */
export interface Clock {
  now(): Instant
  /** Milliseconds that have passed since some moment of this process. Nobody can set it; it may stand still while the machine sleeps. */
  elapsed(): number
  /** Resolves after `durationMs`, or at once (never rejecting) when `signal` aborts. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>
}

export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    elapsed: () => performance.now(),
    sleep(durationMs, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const done = () => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', done)
          resolve()
        }
        const timer = setTimeout(done, durationMs)
        signal?.addEventListener('abort', done)
      })
    },
  }
}

/** What two readings of one clock may differ by although nobody set it. */
const UNSTEADY_MS = 5 * SECOND_MS

/**
 * How long ago something was, by the same clock. What lies in the future happened before the clock was set back, nobody knows
 * how long ago: it counts as infinitely old, so that it is looked at again now and not when the clock has caught up.
 */
export function ageMs(at: Instant, now: Instant): number {
  return now < at - UNSTEADY_MS ? Number.POSITIVE_INFINITY : Math.max(now - at, 0)
}

/** What `now` is ahead of the time that has passed. Another one later tells that the clock was set, or the machine slept. */
export function driftOf(clock: Clock): number {
  return clock.now() - clock.elapsed()
}

/** Was the clock set since it had this drift? Then nobody can tell by it how old what was read before is. */
export function wasSet(clock: Clock, drift: number): boolean {
  return Math.abs(driftOf(clock) - drift) > UNSTEADY_MS
}

/** `2026-11-21T09:00:00.000Z`, the one form in which instants leave the process. */
export function toIso(instant: Instant): string {
  return new Date(instant).toISOString()
}

import { describe, expect, test } from 'vitest'
import { ageMs, type Clock, DAY_MS, driftOf, HOUR_MS, MINUTE_MS, SECOND_MS, systemClock, wasSet } from '../controller/clock.ts'

/** A clock that somebody sets: time passes on its own, and `now` is what it is set to. */
function settable(): Clock & { pass(ms: number): void; set(byMs: number): void } {
  let passed = 0
  let ahead = Date.parse('2026-11-21T09:00:00Z')
  return {
    now: () => passed + ahead,
    elapsed: () => passed,
    sleep: async () => {},
    pass(ms) {
      passed += ms
    },
    set(byMs) {
      ahead += byMs
    },
  }
}

describe('a clock', () => {
  test('that only runs was not set, however long it runs', () => {
    const clock = settable()
    const drift = driftOf(clock)
    clock.pass(7 * DAY_MS)
    expect(wasSet(clock, drift)).toBe(false)
  })

  test.each([2 * MINUTE_MS, -2 * MINUTE_MS, HOUR_MS, -DAY_MS])(
    'that was moved by %d ms was set, whatever time has passed since',
    (by) => {
      const clock = settable()
      const drift = driftOf(clock)
      clock.pass(Math.abs(by))
      clock.set(by)
      expect(wasSet(clock, drift)).toBe(true)
    },
  )

  test('that is corrected by a second was not set', () => {
    const clock = settable()
    const drift = driftOf(clock)
    clock.set(-SECOND_MS)
    expect(wasSet(clock, drift)).toBe(false)
  })

  test('that was set back says that what happened before is infinitely old, and never that it is younger than nothing', () => {
    expect(ageMs(10 * SECOND_MS, 0)).toBe(Number.POSITIVE_INFINITY)
    expect(ageMs(SECOND_MS, 0)).toBe(0)
    expect(ageMs(0, SECOND_MS)).toBe(SECOND_MS)
  })

  test('of this machine was not set while a test runs', async () => {
    const clock = systemClock()
    const drift = driftOf(clock)
    await clock.sleep(5)
    expect(wasSet(clock, drift)).toBe(false)
    expect(clock.elapsed()).toBeGreaterThan(0)
  })
})

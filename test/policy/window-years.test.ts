import { expect, it } from 'vitest'
import { MINUTE_MS } from '../../controller/clock.ts'
import { describeWindow, isWindowOpen } from '../../controller/policy/window.ts'
import { oracle, wallClock } from '../fuzz/windows.ts'
import { deployWindow, WINDOW_SHAPES } from './fixtures.ts'

it.each(['Europe/Rome', 'America/New_York'])(
  'a window agrees with Temporal at every half hour of 2024 to 2030 in %s',
  {
    // Three seconds alone, and more than the usual limit where ten other things run.
    timeout: 120_000,
  },
  (tz) => {
    const windows = Object.values(WINDOW_SHAPES).map((shape) => deployWindow({ tz, ...shape }))
    const wrong: string[] = []
    let asked = 0
    for (let at = Date.UTC(2024, 0, 1); at < Date.UTC(2031, 0, 1); at += 30 * MINUTE_MS) {
      const clock = wallClock(tz, at)
      for (const window of windows) {
        asked++
        if (isWindowOpen(window, at) !== oracle(window, clock))
          wrong.push(`${describeWindow(window)} at ${new Date(at).toISOString()}`)
      }
    }
    expect(wrong).toEqual([])
    expect(asked).toBe(3 * 48 * (7 * 365 + 2))
  },
)

import { Temporal } from 'temporal-polyfill'
import { describe, expect, it, vi } from 'vitest'
import { DAY_MS, HOUR_MS, type Instant, MINUTE_MS } from '../../controller/clock.ts'
import { type DeployWindow, WEEKDAYS } from '../../controller/model/desired-state.ts'
import { describeWindow, isWindowOpen, windowState } from '../../controller/policy/window.ts'
import { localLabel } from '../../controller/policy/zone.ts'
import { oracle, wallClock } from '../fuzz/windows.ts'
import { deployWindow, WHOLE_DAY, WINDOW_SHAPES } from './fixtures.ts'

describe('windowState agrees with Temporal', () => {
  // Lord Howe moves by half an hour, Chatham and Kathmandu stand at quarters, Cairo and Santiago change at midnight.
  it.each(['Australia/Lord_Howe', 'Pacific/Chatham', 'Asia/Kathmandu', 'Africa/Cairo', 'America/Santiago', 'Africa/Casablanca'])(
    'at every quarter of an hour of 2026 around the changes of the clocks in %s',
    (tz) => {
      const windows = Object.values(WINDOW_SHAPES).map((shape) => deployWindow({ tz, ...shape }))
      for (const change of clockChanges(tz, 2026)) {
        for (let at = change - DAY_MS; at < change + DAY_MS; at += 15 * MINUTE_MS) {
          const clock = clockAt(tz, at)
          for (const window of windows) expect(isWindowOpen(window, at)).toBe(oracle(window, clock))
        }
      }
    },
  )
})

/** Temporal is slow, and several windows are asked about the same minutes. */
const clocks = new Map<string, ReturnType<typeof wallClock>>()
function clockAt(tz: string, at: Instant): ReturnType<typeof wallClock> {
  const key = `${tz} ${at}`
  const clock = clocks.get(key) ?? wallClock(tz, at)
  clocks.set(key, clock)
  return clock
}

function clockChanges(tz: string, year: number): Instant[] {
  const changes: Instant[] = []
  let at: Temporal.ZonedDateTime | null = Temporal.ZonedDateTime.from({ timeZone: tz, year, month: 1, day: 1 })
  while (at) {
    at = at.getTimeZoneTransition('next')
    if (!at || at.year > year) break
    changes.push(at.epochMilliseconds)
  }
  return changes
}

describe('changesAt is the first minute at which the window opens or closes', () => {
  const inTheGap = { days: [...WEEKDAYS], fromMinute: 2 * 60 + 15, toMinute: 2 * 60 + 45 }
  const shapes = {
    ...WINDOW_SHAPES,
    'a window inside the hour that the clocks skip': inTheGap,
    'a window that begins in it': { ...inTheGap, toMinute: 240 },
  }
  const cases = ['Europe/Rome', 'America/New_York', 'Australia/Lord_Howe'].flatMap((tz) =>
    Object.entries(shapes).map(([name, shape]) => ({ name, tz, shape })),
  )

  it.each(cases)('$name in $tz', ({ tz, shape }) => {
    const window = deployWindow({ tz, ...shape })
    for (const change of clockChanges(tz, 2026)) {
      const begin = change - 20 * HOUR_MS
      const states = Array.from({ length: 40 * 60 }, (_, minute) => oracle(window, clockAt(tz, begin + minute * MINUTE_MS)))
      for (let minute = 0; minute < states.length; minute += 7) {
        // Off the full minute, because instants are.
        const { open, changesAt } = windowState(window, begin + minute * MINUTE_MS + 12_345)
        expect(open).toBe(states[minute])
        const next = states.findIndex((state, later) => later > minute && state !== open)
        if (next >= 0) expect(changesAt).toBe(begin + next * MINUTE_MS)
        else expect(changesAt === null || changesAt >= begin + states.length * MINUTE_MS).toBe(true)
      }
    }
  })

  it('is next Monday 09:00 on a Friday evening', () => {
    const friday = Date.UTC(2026, 10, 20, 18, 30)
    expect(windowState(deployWindow(), friday)).toEqual({ open: false, changesAt: Date.UTC(2026, 10, 23, 8) })
    expect(localLabel('Europe/Rome', Date.UTC(2026, 10, 23, 8))).toBe('Mon 2026-11-23 09:00 Europe/Rome')
    expect(localLabel('Europe/Nowhere', Date.UTC(2026, 10, 23, 8))).toBe('Mon 2026-11-23 08:00 UTC')
  })

  it('is two weeks off when the only minutes of this week fall into the skipped hour', () => {
    const window = deployWindow({ days: ['Sun'], fromMinute: 130, toMinute: 150 })
    const before = Date.UTC(2026, 2, 22, 12) // Sunday noon; on the 29th the clocks skip 02:00 to 03:00
    expect(windowState(window, before)).toEqual({ open: false, changesAt: Date.UTC(2026, 3, 5, 0, 10) })
  })

  it('belongs to the day on which the night begins', () => {
    const window = deployWindow({ days: ['Fri'], fromMinute: 22 * 60, toMinute: 6 * 60 })
    expect(windowState(window, Date.UTC(2026, 10, 21, 4))).toEqual({ open: true, changesAt: Date.UTC(2026, 10, 21, 5) }) // Sat 05:00
    expect(isWindowOpen(window, Date.UTC(2026, 10, 20, 4))).toBe(false) // Fri 05:00
  })
})

describe('a window that never changes', () => {
  it('is open for good when it covers the whole week', () => {
    expect(windowState(deployWindow({ ...WHOLE_DAY, days: [...WEEKDAYS] }), Date.UTC(2026, 0, 1))).toEqual({
      open: true,
      changesAt: null,
    })
    expect(windowState(deployWindow({ days: [...WEEKDAYS], fromMinute: 540, toMinute: 540 }), 0)).toEqual({
      open: true,
      changesAt: null,
    })
  })

  it.each<[string, Partial<DeployWindow>]>([
    ['has no days', { days: [] }],
    ['has a start that is no number', { fromMinute: Number.NaN }],
    ['has a start before the day', { fromMinute: -1 }],
    ['has a start between two minutes', { fromMinute: 0.5 }],
    ['has a start at the end of the day', { fromMinute: 1440 }],
    ['has an end beyond the day', { toMinute: 1441 }],
    ['is in a zone that nobody knows', { tz: 'Europe/Atlantis' }],
  ])('is closed for good when it %s', (_, overrides) => {
    const window = deployWindow({ ...WHOLE_DAY, days: [...WEEKDAYS], ...overrides })
    expect(windowState(window, Date.UTC(2026, 0, 1))).toEqual({ open: false, changesAt: null })
    expect(isWindowOpen(window, Date.UTC(2026, 0, 1))).toBe(false)
  })

  it('is closed when the time is no number', () => {
    expect(windowState(deployWindow(), Number.NaN)).toEqual({ open: false, changesAt: null })
    expect(isWindowOpen(deployWindow(), Number.NaN)).toBe(false)
  })
})

describe('the memory of a zone', () => {
  it('starts afresh when it is full, and tells the same as before', () => {
    const at = Date.UTC(2026, 10, 23, 8)
    const label = localLabel('Asia/Kathmandu', at)
    expect(label).toBe('Mon 2026-11-23 13:45 Asia/Kathmandu')
    for (let quarter = 1; quarter <= 5_000; quarter++) localLabel('Asia/Kathmandu', at + quarter * 15 * MINUTE_MS)
    expect(localLabel('Asia/Kathmandu', at)).toBe(label)
  })

  it('asks Intl once for each quarter of an hour, and forgets all of them when there are 4,096', async () => {
    vi.resetModules()
    const zone = await import('../../controller/policy/zone.ts')
    const asked = vi.spyOn(Intl.DateTimeFormat.prototype as { readonly format: unknown }, 'format', 'get')
    const ask = (quarter: number) => zone.localLabel('Asia/Kathmandu', (quarter * 15 + 7) * MINUTE_MS)
    try {
      for (let quarter = 0; quarter < 4_096; quarter++) ask(quarter)
      ask(0)
      ask(4_095)
      expect(asked).toHaveBeenCalledTimes(4_096)
      ask(4_096)
      ask(0)
      expect(asked).toHaveBeenCalledTimes(4_098)
    } finally {
      asked.mockRestore()
    }
  })

  it('has no word for a time that is none', () => {
    for (const at of [Number.NaN, Number.POSITIVE_INFINITY, 8.64e15]) expect(localLabel('UTC', at)).toBe('an unknown time')
    expect(localLabel('UTC', 8.64e15 - DAY_MS)).toContain('275760-09')
  })
})

describe('describeWindow', () => {
  it.each<[Partial<DeployWindow>, string]>([
    [{}, 'Mon–Fri 09:00–19:00 Europe/Rome'],
    [{ days: ['Mon', 'Tue', 'Wed'] }, 'Mon–Wed 09:00–19:00 Europe/Rome'],
    [{ days: ['Mon', 'Tue', 'Thu'] }, 'Mon, Tue, Thu 09:00–19:00 Europe/Rome'],
    [{ days: ['Sun', 'Mon', 'Wed', 'Sat'] }, 'Mon, Wed, Sat, Sun 09:00–19:00 Europe/Rome'],
    [{ days: [...WEEKDAYS], ...WHOLE_DAY, tz: 'America/New_York' }, 'Mon–Sun 00:00–24:00 America/New_York'],
    [{ days: [], fromMinute: 1320, toMinute: 360 }, 'no day 22:00–06:00 Europe/Rome'],
  ])('of %o is %s', (overrides, text) => {
    expect(describeWindow(deployWindow(overrides))).toBe(text)
  })
})

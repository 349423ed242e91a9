import fc from 'fast-check'
import { Temporal } from 'temporal-polyfill'
import { type Instant, MINUTE_MS } from '../../controller/clock.ts'
import { type DeployWindow, WEEKDAYS } from '../../controller/model/desired-state.ts'
import { isWindowOpen, windowState } from '../../controller/policy/window.ts'
import { assert, type Campaign, nothingToClose } from './campaign.ts'

/** The oracle: weekday and minute of the wall clock by Temporal, and the meaning of a window said once more, differently. */
export function wallClock(tz: string, at: Instant): { weekday: number; minute: number } {
  const { dayOfWeek, hour, minute } = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(tz)
  return { weekday: dayOfWeek - 1, minute: hour * 60 + minute }
}

export function oracle(window: DeployWindow, { weekday, minute }: { weekday: number; minute: number }): boolean {
  const length =
    window.toMinute > window.fromMinute ? window.toMinute - window.fromMinute : window.toMinute - window.fromMinute + 1440
  return window.days.some((day) => {
    const minuteOfWeek = weekday * 1440 + minute
    const begin = WEEKDAYS.indexOf(day) * 1440 + window.fromMinute
    return (minuteOfWeek - begin + 7 * 1440) % (7 * 1440) < length
  })
}

const ZONES = [
  'Europe/Rome',
  'America/New_York',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Asia/Kathmandu',
  'Africa/Cairo',
  'America/Santiago',
  'Africa/Casablanca',
  'Pacific/Apia',
  'Asia/Kolkata',
  'Asia/Tehran',
  'America/St_Johns',
  'America/Havana',
  'Europe/London',
  'Europe/Dublin',
  'Asia/Gaza',
  'Antarctica/Troll',
  'Pacific/Kiritimati',
  'America/Asuncion',
  'UTC',
]
const day = 24 * 60
const window = fc.record({
  place: fc.constant({ file: 'policies/prod.yaml', line: 1, column: 1, endColumn: 2 }),
  tz: fc.constantFrom(...ZONES),
  days: fc.subarray([...WEEKDAYS], { minLength: 1 }),
  fromMinute: fc.nat(day - 1),
  toMinute: fc.integer({ min: 0, max: day }),
})

export const windows: Campaign<{ window: DeployWindow; at: Instant; lookAhead: number }> = {
  name: 'windows',
  holds: 'a window is open exactly when an independent calendar says so, and changes when it is said to',
  nightly: 1_000_000,
  input: fc.record({
    window,
    at: fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2041, 0, 1) }),
    lookAhead: fc.nat(19),
  }),
  async open() {
    return {
      check({ window, at, lookAhead }) {
        const open = isWindowOpen(window, at)
        assert(open === oracle(window, wallClock(window.tz, at)), () => `open: ${open}`)
        if (lookAhead !== 0) return
        const state = windowState(window, at)
        assert(state.open === open, () => 'two answers to one question')
        if (state.changesAt === null) return
        assert(oracle(window, wallClock(window.tz, state.changesAt)) !== open, () => 'nothing changes at changesAt')
        assert(oracle(window, wallClock(window.tz, state.changesAt - 1)) === open, () => 'it changed before changesAt')
        for (let probe = 1; probe < 20; probe++) {
          const between = at + Math.floor(((state.changesAt - at) * probe) / 20)
          assert(oracle(window, wallClock(window.tz, between)) === open, () => `it changed within the time, at ${between}`)
        }
        assert(state.changesAt % MINUTE_MS === 0, () => 'not at a full minute')
      },
      close: nothingToClose,
    }
  },
}

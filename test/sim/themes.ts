import { type Instant, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { FaultRates } from './faults.ts'

export const TARGETS = ['shop/stage', 'shop/demo', 'shop/prod', 'blog/prod'] as const
export type Target = (typeof TARGETS)[number]

/** What can happen in a history besides its first requests; `story.ts` says how. */
export const EVENTS = [
  'request',
  'move a ref',
  'change CI',
  'review',
  'dismiss',
  'push',
  'retarget',
  'merge elsewhere',
  'merge',
  'delete a request',
  'edit a request',
  'push a request',
  'change rules',
  'push rules',
  'stop or go',
  'break or mend',
  'rewind',
  'meddle with a run',
  'crash',
  'outage',
  'undermine',
  'set a clock',
  'lose the database',
  'stop a controller',
  'replace a machine',
  'copy a run',
  'review an old page',
  'freeze soon',
  'move a ref in the dark',
  'merge unapproved',
  'forget and withdraw',
  'hide the branch',
  'overlook a run',
] as const
/** Takes hours, so only few histories have it. */
const LONG_EVENTS = ['refuse our messages'] as const
export type EventName = (typeof EVENTS)[number] | (typeof LONG_EVENTS)[number]

/** What a history is mostly about. All are told by one story; a theme only says what happens more often in it. */
export interface Theme {
  name: string
  /** Where requests go; the first is the plain answer. */
  targets: readonly Target[]
  starts: readonly Instant[]
  /** How many requests come first, one soon after the other. */
  requests: readonly number[]
  events: readonly EventName[]
  rates: Partial<FaultRates>
  /** Not one webhook arrives. */
  deaf: boolean
  /** Lengths of runs and of the times in which nobody is up: long ones matter only to few histories. */
  long: boolean
  /** Between two events: short where they should meet what is just being done, long where they should find it done. */
  pausesMs: readonly number[]
  /** The part of the histories that have two controllers. */
  pairs: number
  /** How often the controller looks without being told. */
  pollMs: number
  /** Are the clocks of the machines wrong from the beginning? */
  skewed: boolean
  /** Do pipelines ask before they act? */
  asksBack: boolean
}

const NOON = Date.parse('2026-11-18T10:00:00.250Z')
const FRIDAY = Date.parse('2026-11-20T17:59:10.250Z')
const STARTS: readonly Instant[] = [
  // A Wednesday noon in Rome, a Friday shortly before the window closes, the night in which summer time ends, a Monday before it opens.
  NOON,
  FRIDAY,
  Date.parse('2026-10-25T00:20:00.250Z'),
  Date.parse('2026-07-06T06:59:10.250Z'),
]

const ANY: Theme = {
  name: 'anything',
  targets: TARGETS,
  starts: STARTS,
  requests: [1, 2],
  events: EVENTS,
  rates: {},
  deaf: false,
  long: false,
  pausesMs: [5 * SECOND_MS, 20 * SECOND_MS, SECOND_MS, 70 * SECOND_MS],
  pairs: 0.1,
  pollMs: MINUTE_MS,
  skewed: false,
  asksBack: false,
}
const LONG_PAUSES_MS = [20 * SECOND_MS, 2 * MINUTE_MS, 4 * MINUTE_MS, 10 * MINUTE_MS]

const NOBODY: Theme = {
  ...ANY,
  name: 'nobody is there',
  targets: ['shop/stage', 'blog/prod'],
  starts: [NOON],
  events: ['crash', 'crash', 'crash', 'outage', 'outage', 'request', 'delete a request', 'set a clock', 'stop a controller'],
  rates: { pause: 0.01, crash_after: 0.01, accepted: 0.2, throws: 0.1, stale: 0.2 },
  pairs: 0.2,
  long: true,
  pausesMs: LONG_PAUSES_MS,
}

const TOUCHED: Theme = {
  ...ANY,
  name: 'runs that others touch',
  targets: ['shop/stage'],
  starts: [NOON],
  events: [
    'meddle with a run',
    'meddle with a run',
    'meddle with a run',
    'copy a run',
    'copy a run',
    'delete a request',
    'lose the database',
    'forget and withdraw',
  ],
  rates: { accepted: 0.2, throws: 0.1, unreachable: 0, refused: 0, webhook: 0 },
  pausesMs: [30 * SECOND_MS, 2 * MINUTE_MS, 10 * SECOND_MS, 4 * MINUTE_MS],
}

/** 0 is a bit of everything. */
export const THEMES: readonly Theme[] = [
  ANY,
  {
    ...ANY,
    name: 'a line at one environment',
    targets: ['shop/stage', 'shop/stage', 'shop/stage', 'blog/prod'],
    starts: [NOON],
    requests: [3, 2],
    events: [
      'request',
      'request',
      'crash',
      'meddle with a run',
      'undermine',
      'delete a request',
      'change CI',
      'stop a controller',
      'freeze soon',
      'hide the branch',
      'hide the branch',
    ],
    rates: { reorder: 0.4 },
  },
  {
    ...ANY,
    name: 'triggers that are refused',
    targets: ['shop/stage', 'shop/demo'],
    starts: [NOON],
    events: [
      'request',
      'undermine',
      'undermine',
      'hide the branch',
      'stop or go',
      'change rules',
      'delete a request',
      'outage',
      'break or mend',
      'freeze soon',
    ],
    rates: { unreachable: 0.3, busy: 0.1, pause: 0.02, slow: 0.1, accepted: 0, throws: 0 },
  },
  {
    ...ANY,
    name: 'triggers whose answer is lost',
    targets: ['shop/stage', 'shop/demo'],
    starts: [NOON],
    events: [
      'request',
      'crash',
      'outage',
      'meddle with a run',
      'delete a request',
      'edit a request',
      'overlook a run',
      'overlook a run',
    ],
    rates: { accepted: 0.3, throws: 0.2, lost: 0.05, crash_late: 0.05, stale: 0.2, unreachable: 0 },
  },
  NOBODY,
  {
    ...ANY,
    name: 'days and hours',
    targets: ['shop/prod', 'shop/stage', 'shop/prod'],
    starts: [FRIDAY, ...STARTS],
    events: ['stop or go', 'stop or go', 'stop or go', 'request', 'set a clock', 'change rules', 'freeze soon', 'freeze soon'],
    rates: { pause: 0.01, slow: 0.05, fail: 0, busy: 0, refused: 0 },
  },
  {
    ...ANY,
    name: 'reviews, and no webhook that tells of them',
    targets: ['shop/demo', 'blog/prod', 'shop/prod'],
    starts: [NOON],
    events: [
      'review',
      'review',
      'dismiss',
      'push',
      'merge',
      'change CI',
      'move a ref',
      'edit a request',
      'request',
      'review an old page',
      'merge unapproved',
      'merge unapproved',
    ],
    rates: {},
    deaf: true,
  },
  {
    ...ANY,
    name: 'pull requests into other branches',
    targets: ['shop/stage', 'shop/demo'],
    starts: [NOON],
    events: ['merge elsewhere', 'merge elsewhere', 'retarget', 'push a request', 'request', 'review', 'rewind'],
    rates: { stale: 0.3 },
  },
  {
    ...ANY,
    name: 'rules',
    starts: [NOON],
    events: ['change rules', 'push rules', 'stop or go', 'break or mend', 'rewind', 'request', 'review', 'merge'],
    rates: {},
  },
  {
    ...ANY,
    name: 'lost databases and wrong clocks',
    targets: ['shop/stage', 'shop/demo'],
    starts: [NOON],
    events: ['lose the database', 'set a clock', 'crash', 'request', 'meddle with a run', 'move a ref', 'copy a run'],
    rates: { lost: 0.03, stale: 0.1 },
  },
  {
    ...ANY,
    name: 'rewritten history and new machines',
    targets: ['shop/demo', 'shop/stage'],
    starts: [NOON],
    events: [
      'stop a controller',
      'rewind',
      'rewind',
      'replace a machine',
      'replace a machine',
      'stop a controller',
      'request',
      'push rules',
    ],
    rates: { refused: 0.05, fail: 0.05 },
    pairs: 0.5,
  },
  // Twice, like the last: what they are about comes in few of their histories, and nowhere else.
  TOUCHED,
  TOUCHED,
  {
    ...ANY,
    name: 'messages that are refused for hours',
    targets: ['shop/stage', 'shop/demo'],
    starts: [NOON],
    events: ['refuse our messages', 'request', 'crash', 'review'],
    rates: { refused: 0 },
    // Else such a history is all polling.
    pollMs: 10 * MINUTE_MS,
  },
  NOBODY,
  {
    ...ANY,
    name: 'refs that move while nobody can say who approved',
    targets: ['shop/demo'],
    starts: [NOON],
    requests: [3, 2],
    events: ['move a ref in the dark', 'move a ref in the dark', 'review', 'request', 'change CI', 'crash', 'set a clock'],
    rates: {},
    skewed: true,
  },
  {
    ...ANY,
    name: 'pipelines that ask before they act',
    targets: ['shop/stage', 'shop/demo'],
    starts: [NOON],
    events: [
      'crash',
      'meddle with a run',
      'meddle with a run',
      'copy a run',
      'request',
      'request',
      'delete a request',
      'stop a controller',
      'lose the database',
      'outage',
      'set a clock',
    ],
    rates: { accepted: 0.2, throws: 0.1, lost: 0.05, crash_late: 0.05, pause: 0.01, stale: 0.1 },
    pairs: 0.5,
    asksBack: true,
  },
]

import type { Choices } from './choices.ts'

/** What an effect is, as far as it matters to what can go wrong with it. */
export type EffectKind = 'store' | 'lease' | 'read' | 'list' | 'trigger' | 'cancel' | 'send' | 'delivery' | 'sleep'

export const FAULTS = [
  'slow',
  'pause',
  'crash_before',
  'crash_after',
  'crash_late',
  'fail',
  'busy',
  'lost',
  'refused',
  'stale',
  'unreachable',
  'accepted',
  'throws',
] as const
/**
 * slow, pause: the call, or its whole process, is held up. crash_*: the process dies before or after it, or while the request
 * travels. fail: nothing happened. busy: "not before …". lost: it happened, the answer did not come. refused: a definite no.
 * stale: what was so a while ago. unreachable: certainly nothing was sent. accepted: yes, without saying what was made.
 * throws: an adapter that breaks its contract after the call.
 */
export type Fault = (typeof FAULTS)[number]

/**
 * What can happen to what. A unit whose COMMIT got no answer ends its process (`onFatal` of the real stores), so of a unit no
 * answer is lost: that is `crash_after`. The lease is asked outside of any unit, and whoever asked lives on. A trigger's own
 * deadline ends it when its process sleeps.
 */
export const APPLICABLE: Readonly<Record<EffectKind, readonly Fault[]>> = {
  store: ['slow', 'pause', 'crash_before', 'crash_after', 'fail'],
  lease: ['slow', 'pause', 'crash_before', 'crash_after', 'fail', 'lost'],
  read: ['slow', 'pause', 'crash_before', 'crash_after', 'fail', 'busy', 'refused'],
  list: ['slow', 'pause', 'crash_before', 'crash_after', 'fail', 'busy', 'stale'],
  trigger: [
    'slow',
    'crash_before',
    'crash_after',
    'crash_late',
    'fail',
    'busy',
    'lost',
    'refused',
    'unreachable',
    'accepted',
    'throws',
  ],
  cancel: ['slow', 'pause', 'crash_before', 'crash_after', 'fail', 'busy', 'lost', 'refused'],
  send: ['slow', 'pause', 'crash_before', 'crash_after', 'fail', 'busy', 'lost', 'refused'],
  delivery: ['slow', 'crash_before', 'crash_after', 'fail', 'lost'],
  sleep: [],
}

export type FaultRates = Readonly<Record<Fault | 'reorder' | 'webhook', number>>

const KNOBS = [...FAULTS, 'reorder', 'webhook'] as const
const RATES = [0, 0.01, 0.05, 0.2]
/** A process that dies or sleeps at every fifth step gets nowhere, and shows nothing. */
const RARE_RATES = [0, 0.002, 0.01, 0.03]
/** There is one trigger in a history, or two. */
const OFTEN_RATES = [0, 0.05, 0.2, 0.5]
const OFTEN: ReadonlySet<string> = new Set(['unreachable', 'accepted', 'throws'])
const RARE: ReadonlySet<string> = new Set(['pause', 'crash_before', 'crash_after', 'crash_late'])

function ladder(knob: string): readonly number[] {
  if (OFTEN.has(knob)) return OFTEN_RATES
  return RARE.has(knob) ? RARE_RATES : RATES
}

/** Each history switches a random part of the faults on: what only shows when something else is quiet shows then. */
export function swarmRates(choices: Choices, often: Partial<FaultRates>): FaultRates {
  const calm = choices.pick(4, 0.75) === 0
  const rates = Object.fromEntries(KNOBS.map((knob) => [knob, ladder(knob)[calm ? 0 : choices.pick(4, 0.4)]])) as FaultRates
  // A theme's own faults are on in most of its histories, else it would be one in name only.
  return choices.pick(3) === 2 ? rates : { ...rates, ...often }
}

import type { Choices } from './choices.ts'
import type { Fault } from './faults.ts'

/**
 * What a history aims at: at some effects one fault each, which strikes when the effect comes. Chance alone takes very long to
 * bring a fault that is rare together with a step that is. Aims only shift odds, so a history that is told again needs none.
 */
export interface Aims {
  /** The odds of an effect's faults, with the aimed one far ahead of the others. */
  at(label: string, faults: readonly Fault[], odds: readonly number[]): readonly number[]
  /** One strike is enough. */
  struck(label: string, fault: Fault): void
}

/** The part of the effects that is aimed at; none in some histories: what only shows when nothing else is wrong shows there. */
const PARTS = [0, 0.05, 0.1, 0.4]
const STRIKES = 0.7
/** Effects that come in few histories: whoever aims at anything aims at these. */
const SELDOM: ReadonlySet<string> = new Set([
  'lease release',
  'git fetch commit',
  'pipeline cancel',
  ...[
    'config.freeze',
    'pull.left',
    'job.adopt',
    'job.stay',
    'job.retry',
    'job.successes',
    'run.lookup',
    'run.adopt',
    'run.cancel',
    'run.unreachable',
    'run.duplicate',
    'run.late',
    'outbox given up',
    'outbox refused',
  ].map((unit) => `store ${unit}`),
])
const SELDOM_PART = 0.8

export function drawnAims({ hint }: Pick<Choices, 'hint'>): Aims {
  const one = <T>(of: readonly T[]): T => of[Math.floor(hint() * of.length)]!
  const part = one(PARTS)
  const aims = new Map<string, Fault | null>()
  return {
    at(label, faults, odds) {
      if (part === 0) return odds
      let aim = aims.get(label)
      if (aim === undefined) {
        aim = hint() < (SELDOM.has(label) ? SELDOM_PART : part) ? one(faults) : null
        aims.set(label, aim)
      }
      return aim === null ? odds : faults.map((fault, place) => (fault === aim ? STRIKES : odds[place]! * (1 - STRIKES)))
    },
    struck(label, fault) {
      if (aims.get(label) === fault) aims.set(label, null)
    },
  }
}

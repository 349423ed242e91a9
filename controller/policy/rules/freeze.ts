import { type Instant, toIso } from '../../clock.ts'
import type { Freeze, Hold, Scope } from '../../model/desired-state.ts'
import type { WaitingFor } from '../../model/reason.ts'
import { type Answer, allow, wait } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { localLabel } from '../zone.ts'

const WANTED = 'no freeze and no hold'

/** Human stops: unreadable rules first, then holds (they end when a person ends them), then planned freezes. */
export function freezeRule(facts: PolicyFacts): Answer {
  const { desired, request, now } = facts
  const defect = desired.closed[0]
  if (defect) {
    return wait(
      facts,
      { saw: `${defect.place.file} is unreadable`, wanted: 'readable freezes, holds and access' },
      {
        code: 'config_unreadable',
        text: `Nothing may start while ${defect.place.file} is unreadable, because it may forbid this: ${defect.message}`,
        action: `Mend ${defect.place.file}.`,
      },
    )
  }
  const holds = desired.holds.filter((hold) => covers(hold.scope, request) && !isOver(hold.untilAt, now))
  if (holds.length > 0) return held(facts, holds)
  const freezes = desired.freezes.filter(
    (freeze) => covers(freeze.scope, request) && !(now < freeze.fromAt) && !isOver(freeze.toAt, now),
  )
  if (freezes.length > 0) return frozen(facts, freezes)
  return allow({ saw: 'none', wanted: WANTED })
}

function held(facts: PolicyFacts, holds: readonly Hold[]): Answer {
  const first = holds[0]!
  const until = lastEnd(holds.map(({ untilAt }) => untilAt))
  return wait(
    facts,
    { saw: `hold ${holds.map(({ name }) => name).join(', ')}`, wanted: WANTED },
    {
      code: 'held',
      text: `${facts.request.key} is held: ${first.reason}`,
      until,
      waitingFor: waitingFor(until),
      action: `When it is over, delete ${first.place.file}.`,
    },
  )
}

function frozen(facts: PolicyFacts, freezes: readonly Freeze[]): Answer {
  const until = lastEnd(freezes.map(({ toAt }) => toAt))
  const longest = freezes.find(({ toAt }) => toAt === until) ?? freezes[0]!
  return wait(
    facts,
    { saw: `freeze ${freezes.map(({ name }) => name).join(', ')}`, wanted: WANTED },
    {
      code: 'frozen',
      text: `${facts.request.key} is frozen until ${localLabel(longest.tz, longest.toAt)}: ${longest.reason}`,
      since: Math.min(...freezes.map(({ fromAt }) => fromAt)),
      until,
      waitingFor: waitingFor(until),
      action: `Nothing to do: the job goes on by itself when the freeze ends (${longest.place.file}).`,
    },
  )
}

/** Worded so that an end that is no number never ends. */
function isOver(end: Instant | null, now: Instant): boolean {
  return end !== null && now >= end
}

function covers(scope: Scope, { project, environment }: { project: string; environment: string }): boolean {
  return (scope.projects?.includes(project) ?? true) && (scope.environments?.includes(environment) ?? true)
}

/** When the last of them ends; null when one of them has no end. */
function lastEnd(ends: readonly (Instant | null)[]): Instant | null {
  const last = Math.max(...ends.map((end) => end ?? Number.POSITIVE_INFINITY))
  return Number.isFinite(last) ? last : null
}

function waitingFor(until: Instant | null): WaitingFor[] {
  return until === null ? [] : [{ kind: 'time', ref: toIso(until), done: false }]
}

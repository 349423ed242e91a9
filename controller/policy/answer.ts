import type { Instant } from '../clock.ts'
import type { ReasonCode, WaitingFor } from '../model/reason.ts'
import type { Fact, GateResult } from './decision.ts'
import type { PolicyFacts } from './facts.ts'

/** What a rule says; evaluate() adds the gate's name and whether a force overrode it. */
export type Answer = Omit<GateResult, 'gate' | 'forced'>

/** One gate as a pure function of the facts. It never throws, and what it cannot know it does not allow. */
export type Rule = (facts: PolicyFacts) => Answer

/** The two halves every answer shows: what there is, and what there should be. */
export interface Sight {
  saw: string
  wanted: string
}

export interface Why {
  code: ReasonCode
  text: string
  /** When it began, where that is known; else the moment of the decision, and who keeps the job keeps the older `since`. */
  since?: Instant
  until?: Instant | null
  waitingFor?: readonly WaitingFor[]
  /** What a person can do about it. */
  action?: string
}

export function allow({ saw, wanted }: Sight): Answer {
  return { verdict: 'allow', reason: null, saw, wanted }
}

/** It may still come right without a new request. */
export function wait(facts: PolicyFacts, sight: Sight, why: Why): Answer {
  return refuse('wait', facts, sight, why)
}

/** Only a new request can come right. */
export function deny(facts: PolicyFacts, sight: Sight, why: Why): Answer {
  return refuse('deny', facts, sight, why)
}

/** A fact that could not be read holds the gate, with the why of whoever tried. */
export function unavailable(facts: PolicyFacts, wanted: string, what: string, fact: Fact<unknown> | null): Answer {
  const why = fact === null || fact.known ? 'it has not been read yet' : fact.why
  return wait(
    facts,
    { saw: `unknown: ${why}`, wanted },
    {
      code: 'check_unavailable',
      text: `${what} could not be read: ${why}.`,
      waitingFor: [{ kind: 'provider', ref: facts.project.integration.provider, done: false }],
      action: 'Nothing to do at first: it is read again by itself. If it stays, check the connection to the provider.',
    },
  )
}

function refuse(verdict: 'wait' | 'deny', facts: PolicyFacts, { saw, wanted }: Sight, why: Why): Answer {
  return {
    verdict,
    reason: {
      code: why.code,
      text: why.text,
      since: why.since ?? facts.now,
      until: why.until ?? null,
      waitingFor: why.waitingFor ?? [],
      action: why.action === undefined ? null : { text: why.action, command: null, url: null },
    },
    saw,
    wanted,
  }
}

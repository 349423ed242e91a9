import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { REQUEST_TYPES } from '../../controller/model/desired-state.ts'
import { REASON_CODES } from '../../controller/model/reason.ts'
import type { Fact } from '../../controller/policy/decision.ts'
import { evaluate } from '../../controller/policy/evaluate.ts'
import type { PolicyFacts } from '../../controller/policy/facts.ts'
import {
  ALICE,
  BOB,
  CAROL,
  ciEvidence,
  ciResult,
  DAVE,
  demoPolicy,
  ERIN,
  EVENING,
  type FactsOverrides,
  finding,
  freeze,
  hold,
  known,
  NOW,
  OTHER_SHA,
  policy,
  policyFacts,
  prodPolicy,
  resolved,
  stagePolicy,
  success,
  tally,
  unknown,
} from './fixtures.ts'

/** Mostly the sound value, so that facts which are broken in one place only, or nowhere, come up as often as a heap of trouble. */
function mostly<T, U>(sound: T, ...others: readonly U[]): fc.Arbitrary<T | U> {
  return fc.oneof({ weight: 5, arbitrary: fc.constant(sound) }, { weight: 2, arbitrary: fc.constantFrom(...others) })
}

const TAG = { type: 'tag' as const, name: 'v1.4.2' }
const anyForce = fc.record({ skip: fc.subarray(['order', 'ci', 'window', 'freeze'] as const), reason: fc.constant('urgent') })

const overrides: fc.Arbitrary<FactsOverrides> = fc
  .record({
    type: fc.constantFrom(...REQUEST_TYPES),
    asked: mostly(
      TAG,
      { type: 'tag' as const, name: 'nightly' },
      { type: 'branch' as const, name: 'main' },
      { type: 'sha' as const, name: 'a'.repeat(40) },
      null,
    ),
    force: fc.option(anyForce, { freq: 2 }),
    policy: fc.constantFrom(prodPolicy(), prodPolicy({ allowForceDeploy: true }), demoPolicy(), stagePolicy(), policy()),
    now: mostly(NOW, EVENING, Number.NaN),
    person: mostly(ERIN, ALICE, BOB, null),
    where: mostly(
      resolved(),
      resolved({ sha: OTHER_SHA }),
      resolved({ reachable: false }),
      known({ found: false as const }),
      unknown(),
    ),
    ci: mostly(ciEvidence(), ciEvidence([]), ciEvidence([ciResult({ state: 'failed' })]), unknown(), null),
    tally: mostly(
      tally(),
      tally({ approvers: [] }),
      tally({ objectors: [DAVE] }),
      tally({ approvers: [CAROL], eligible: [] }),
      unknown(),
      null,
    ),
    successes: fc.constantFrom([], [success()]),
    promoteFrom: mostly(null, 'stage'),
    promoted: fc.constantFrom(true, false, null),
    holder: mostly(null, { jobId: 'job-9', since: NOW }),
    desired: mostly({}, { freezes: [freeze()] }, { holds: [hold()] }, { closed: [finding('access.yaml')] }),
  })
  .map(({ type, asked, force, person, where, promoteFrom, holder, ...rest }) => ({
    ...rest,
    request: { type, ref: asked, force },
    environment: { promoteFrom },
    requester: { person, label: person },
    ref: where,
    lock: { holder, aheadInQueue: [] },
  }))

function isUnknown(fact: Fact<unknown> | null): boolean {
  return fact === null || !fact.known
}

/** Facts that this request's gates must know: skipped gates need none. */
function lacks({ request, environment, ref: where, ci, tally: votes }: PolicyFacts): boolean {
  const skipsCi = request.type === 'dry_run' || request.force?.skip.includes('ci') === true
  return (
    isUnknown(where) ||
    (environment.policy.requireCiSuccess && !skipsCi && isUnknown(ci)) ||
    (environment.policy.requireApproval && request.type !== 'dry_run' && isUnknown(votes))
  )
}

describe('evaluate', () => {
  it('never allows while a fact that it needs is unknown', () => {
    let allowed = 0
    fc.assert(
      fc.property(overrides, (given) => {
        const facts = policyFacts(given)
        const { verdict } = evaluate(facts)
        if (verdict === 'allow') allowed++
        if (lacks(facts)) expect(verdict).not.toBe('allow')
      }),
      { numRuns: 3000 },
    )
    // Else the property would hold for a rule book that allows nothing.
    expect(allowed).toBeGreaterThan(0)
  })

  it('never allows without enough approvers or over an objection, whatever is forced', () => {
    let allowed = 0
    fc.assert(
      fc.property(overrides, (given) => {
        const facts = policyFacts(given)
        const { requireApproval, approvalsRequired } = facts.environment.policy
        if (evaluate(facts).verdict !== 'allow' || !requireApproval || facts.request.type === 'dry_run') return
        allowed++
        const votes = facts.tally?.known ? facts.tally.value : null
        expect(votes?.approvers.length).toBeGreaterThanOrEqual(approvalsRequired)
        expect(votes?.objectors).toEqual([])
      }),
      { numRuns: 3000 },
    )
    expect(allowed).toBeGreaterThan(0)
  })

  it('gives a reason with words exactly when it does not allow', () => {
    fc.assert(
      fc.property(overrides, (given) => {
        const { verdict, reason, gates } = evaluate(policyFacts(given))
        expect(reason === null).toBe(verdict === 'allow')
        for (const gate of gates) {
          expect(gate.reason === null).toBe(gate.verdict === 'allow')
          expect(gate.saw).not.toBe('')
          expect(gate.wanted).not.toBe('')
          expect(`${gate.saw} ${gate.wanted} ${gate.reason?.text}`).not.toMatch(/NaN|undefined \w|\[object| {2}/)
          if (!gate.reason) continue
          expect(REASON_CODES).toContain(gate.reason.code)
          expect(gate.reason.text).toMatch(/^[A-Za-z0-9].*[.]$|: .+$/)
        }
      }),
      { numRuns: 1500 },
    )
  })

  it('is a function of the facts alone', () => {
    fc.assert(
      fc.property(overrides, (given) => {
        expect(evaluate(policyFacts(given))).toEqual(evaluate(policyFacts(given)))
      }),
      { numRuns: 200 },
    )
  })
})

import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../controller/clock.ts'
import type { ReasonCode } from '../../controller/model/reason.ts'
import { GATES, type GateName, type GateResult, type Verdict } from '../../controller/policy/decision.ts'
import { evaluate, foldGates } from '../../controller/policy/evaluate.ts'
import {
  ALICE,
  BOB,
  CAROL,
  ciEvidence,
  ciResult,
  DAVE,
  demoPolicy,
  deployWindow,
  ERIN,
  EVENING,
  environment,
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
  SHA,
  stagePolicy,
  success,
  tally,
  unknown,
} from './fixtures.ts'

type Row = [outcome: string, gate: GateName, verdict: Verdict, code: ReasonCode | null, facts: FactsOverrides]

/** One row is one sentence: under these facts the gate gives this verdict with this reason, and it decides alone. */
function judged(rows: readonly Row[]) {
  it.each(rows)('%s', (_, gate, verdict, code, overrides) => {
    const facts = policyFacts(overrides)
    const decision = evaluate(facts)
    const result = decision.gates.find((one) => one.gate === gate)!
    expect({ verdict: result.verdict, code: result.reason?.code ?? null }).toEqual({ verdict, code })
    expect(decision.gates.filter((one) => one.verdict !== 'allow').map((one) => one.gate)).toEqual(
      verdict === 'allow' ? [] : [gate],
    )
    expect(decision.verdict).toBe(verdict)
    expect(decision.reason).toEqual(result.reason)
    expect(decision.at).toBe(facts.now)
    const skips: readonly GateName[] = decision.gates[1]!.verdict === 'allow' ? (facts.request.force?.skip ?? []) : []
    for (const one of decision.gates) {
      expect(one.forced).toBe(skips.includes(one.gate) && !(one.gate === 'freeze' && facts.desired.closed.length > 0))
      tellsAPerson(one)
    }
  })
}

/** Whatever a gate says, a person can read what it saw and wanted, why that is not enough, what is waited for and what to do. */
function tellsAPerson({ saw, wanted, reason }: GateResult) {
  expect(saw).toMatch(SENTENCE_PART)
  expect(wanted).toMatch(SENTENCE_PART)
  if (reason === null) return
  expect(reason.text).toMatch(/^\w.{10,}[.:]?.*$/)
  expect(reason.since).toBeLessThanOrEqual(EVENING)
  for (const { kind, ref, done } of reason.waitingFor) {
    expect(['person', 'ci', 'time', 'job', 'provider', 'lock']).toContain(kind)
    expect(ref).toMatch(SENTENCE_PART)
    expect(typeof done).toBe('boolean')
  }
  if (reason.action !== null)
    expect(reason.action).toEqual({ text: expect.stringMatching(/^[A-Z].{9,}\.$/), command: null, url: null })
}

const SENTENCE_PART = /^\S.*\S$/

const branch = (name: string) => ({ type: 'branch' as const, name })
const tag = (name: string) => ({ type: 'tag' as const, name })
const commit = { type: 'sha' as const, name: SHA as string }
const ROLLBACK = { type: 'rollback' as const }
const rollbackable = prodPolicy({ allowRollback: true })

describe('the plain request', () => {
  it('is allowed, and every gate says what it saw and wanted', () => {
    const decision = evaluate(policyFacts())
    expect(decision).toMatchObject({ verdict: 'allow', reason: null })
    expect(decision.gates.map(({ gate, saw, wanted }) => `${gate}: ${saw} (${wanted})`)).toEqual([
      'request: shop/prod is active and enabled (an active project and an enabled environment)',
      'role: alice (somebody who may deploy to shop/prod)',
      'ref: tag v1.4.2 at aaaaaaaaaaaa (ref type tag; tag v[0-9]+\\.[0-9]+\\.[0-9]+; a ref of acme/shop)',
      'order: no order (no earlier environment)',
      'ci: build success (build green by github-actions)',
      'approval: 2 approvals (bob and carol) (2 approvals)',
      'window: open (Mon–Fri 09:00–19:00 Europe/Rome)',
      'freeze: none (no freeze and no hold)',
      'lock: free (a free lock and nobody ahead)',
    ])
  })
})

// active, enabled: a document either says yes or no; nothing about it can be awaited.
describe('active and enabled', () => {
  judged([
    ['an unknown project is denied', 'request', 'deny', 'project_unknown', { desired: { projects: new Map() } }],
    ['an inactive project is denied', 'request', 'deny', 'project_inactive', { project: { active: false } }],
    ['an unknown environment is denied', 'request', 'deny', 'environment_unknown', { desired: { environments: new Map() } }],
    [
      'an environment with findings is denied',
      'request',
      'deny',
      'environment_unusable',
      { desired: { unusableEnvironments: new Map([[environment().key, [finding('policies/prod.yaml')]]]) } },
    ],
    ['a disabled environment is denied', 'request', 'deny', 'environment_disabled', { environment: { enabled: false } }],
  ])
})

describe('who asks', () => {
  judged([
    ['an operator may ask', 'role', 'allow', null, { requester: { person: ALICE, label: null } }],
    ['an account of nobody may not', 'role', 'deny', 'requester_unknown', { requester: { person: null, label: 'github:eve' } }],
    ['nobody at all may not', 'role', 'deny', 'requester_unknown', { requester: { person: null, label: null } }],
    ['somebody who left access.yaml may not', 'role', 'deny', 'requester_unknown', { desired: { people: new Map() } }],
    ['a person without a role may not', 'role', 'deny', 'requester_not_allowed', { desired: { bindings: [] } }],
    [
      'an operator of another environment may not',
      'role',
      'deny',
      'requester_not_allowed',
      { desired: { bindings: [{ role: 'operator', people: [ALICE], projects: null, environments: ['stage'] }] } },
    ],
  ])

  it('is not refused for good while access.yaml is unreadable', () => {
    const decision = evaluate(policyFacts({ desired: { people: new Map(), bindings: [], closed: [finding('access.yaml')] } }))
    expect(decision.verdict).toBe('wait')
    expect(decision.reason?.code).toBe('config_unreadable')
  })
})

// allowed_ref_types: a ref's type is written in the request, so there is nothing to wait for; the ref itself may be unreadable.
describe('allowed_ref_types', () => {
  judged([
    ['a listed type is allowed', 'ref', 'allow', null, { request: { ref: tag('v1.0.0') } }],
    ['a ref that cannot be read waits', 'ref', 'wait', 'check_unavailable', { policy: policy(), ref: unknown() }],
    ['another type is denied', 'ref', 'deny', 'ref_type_not_allowed', { request: { ref: branch('main') } }],
    ['a commit is denied where only tags go', 'ref', 'deny', 'ref_type_not_allowed', { request: { ref: commit } }],
    ['an empty list denies all', 'ref', 'deny', 'ref_type_not_allowed', { policy: prodPolicy({ allowedRefTypes: [] }) }],
  ])
})

// allowed_branches: the name is in the request; the nearest wait is a branch that the host cannot show now.
describe('allowed_branches', () => {
  const onDemo = (name: string): FactsOverrides => ({ policy: demoPolicy(), request: { ref: branch(name) } })
  judged([
    ['main goes to demo', 'ref', 'allow', null, onDemo('main')],
    ['release/2.0 goes to demo', 'ref', 'allow', null, onDemo('release/2.0')],
    ['feature/x goes to stage', 'ref', 'allow', null, { policy: stagePolicy(), request: { ref: branch('feature/x') } }],
    [
      'an allowed branch that cannot be read waits',
      'ref',
      'wait',
      'check_unavailable',
      { ...onDemo('main'), policy: demoPolicy({ requireCiSuccess: false }), ref: unknown() },
    ],
    ['main does not go to stage', 'ref', 'deny', 'ref_not_allowed', { policy: stagePolicy(), request: { ref: branch('main') } }],
    ['a name that only contains a pattern is denied', 'ref', 'deny', 'ref_not_allowed', onDemo('x/release/2.0')],
    ['a name that only begins with a pattern is denied', 'ref', 'deny', 'ref_not_allowed', onDemo('main2')],
    [
      'no pattern allows no branch',
      'ref',
      'deny',
      'ref_not_allowed',
      { policy: demoPolicy({ allowedBranches: [] }), request: { ref: branch('main') } },
    ],
  ])
})

// allowed_tags: as for branches.
describe('allowed_tags', () => {
  judged([
    ['v1.4.2 goes to prod', 'ref', 'allow', null, { request: { ref: tag('v1.4.2') } }],
    [
      'an allowed tag that cannot be read waits',
      'ref',
      'wait',
      'check_unavailable',
      { policy: prodPolicy({ requireCiSuccess: false }), ref: unknown() },
    ],
    ['v1.4.2-rc1 does not', 'ref', 'deny', 'ref_not_allowed', { request: { ref: tag('v1.4.2-rc1') } }],
    ['xv1.4.2 does not', 'ref', 'deny', 'ref_not_allowed', { request: { ref: tag('xv1.4.2') } }],
    ['no pattern allows no tag', 'ref', 'deny', 'ref_not_allowed', { policy: prodPolicy({ allowedTags: [] }) }],
  ])
})

describe('the ref itself', () => {
  const open = policy()
  judged([
    ['a commit of the default branch is allowed', 'ref', 'allow', null, { policy: open, request: { ref: commit } }],
    ['a ref that does not exist is denied', 'ref', 'deny', 'ref_missing', { policy: open, ref: known({ found: false }) }],
    [
      'a commit from elsewhere is denied',
      'ref',
      'deny',
      'ref_not_reachable',
      { policy: open, request: { ref: commit }, ref: resolved({ reachable: false }) },
    ],
  ])

  const refGate = (overrides: FactsOverrides) => evaluate(policyFacts(overrides)).gates.find(({ gate }) => gate === 'ref')!

  it('is told with everything that was wanted of it', () => {
    const refTypes = 'ref type branch, tag or sha'
    expect(refGate({ policy: open })).toMatchObject({
      saw: 'tag v1.4.2 at aaaaaaaaaaaa',
      wanted: `${refTypes}; tag .*; a ref of acme/shop`,
    })
    expect(refGate({ policy: open, request: { ref: commit } })).toMatchObject({ wanted: `${refTypes}; a ref of acme/shop` })
    const back = { request: ROLLBACK, successes: [success()] }
    const proven = 'a commit that succeeded in shop/prod before'
    expect(refGate({ policy: open, ...back })).toMatchObject({ wanted: `${refTypes}; ${proven}; a ref of acme/shop` })
    expect(refGate({ policy: open, ...back, request: { ...ROLLBACK, ref: null }, target: tag('v1.4.2') })).toMatchObject({
      wanted: `${proven}; a ref of acme/shop`,
    })
  })

  it('is refused with the key of the policy that would allow it', () => {
    const told = (overrides: FactsOverrides) => JSON.stringify(refGate(overrides).reason)
    expect(told({ request: { ref: tag('nightly') } })).toContain('(allowed_tags)')
    expect(told({ policy: demoPolicy(), request: { ref: branch('x') } })).toContain('(allowed_branches)')
  })

  it('is refused where there is none', () => {
    expect(refGate({ policy: open, request: { ref: null }, target: null })).toMatchObject({ reason: { code: 'ref_missing' } })
  })

  it('is not refused for its name while a rollback may still prove it', () => {
    const { gates } = evaluate(
      policyFacts({ policy: rollbackable, request: { ...ROLLBACK, ref: tag('nightly') }, ref: unknown() }),
    )
    expect(gates.find(({ gate }) => gate === 'ref')).toMatchObject({ verdict: 'wait', reason: { code: 'check_unavailable' } })
  })

  it('is refused for its name without asking the host', () => {
    const { gates } = evaluate(policyFacts({ request: { ref: tag('nightly') }, ref: unknown() }))
    expect(gates.find(({ gate }) => gate === 'ref')).toMatchObject({ verdict: 'deny', reason: { code: 'ref_not_allowed' } })
  })
})

// allow_rollback: the policy says yes or no; what may be awaited is only the ref's commit.
describe('allow_rollback', () => {
  judged([
    [
      'a rollback to a commit that succeeded here is allowed',
      'ref',
      'allow',
      null,
      { policy: rollbackable, request: ROLLBACK, successes: [success()] },
    ],
    [
      'a rollback whose commit cannot be read waits',
      'ref',
      'wait',
      'check_unavailable',
      { policy: policy(), request: ROLLBACK, successes: [success()], ref: unknown() },
    ],
    [
      'a rollback is denied where the policy says no',
      'ref',
      'deny',
      'rollback_not_allowed',
      { policy: prodPolicy({ allowRollback: false }), request: ROLLBACK, successes: [success()] },
    ],
    [
      'a rollback without an earlier success is denied',
      'ref',
      'deny',
      'rollback_no_target',
      { policy: policy(), request: { ...ROLLBACK, ref: null }, target: null },
    ],
    ['a deploy is not asked about rollbacks', 'ref', 'allow', null, { policy: prodPolicy({ allowRollback: false }) }],
    [
      'the one before, a commit that we chose, may come by any type',
      'ref',
      'allow',
      null,
      { policy: rollbackable, request: { ...ROLLBACK, ref: null }, target: commit, successes: [success({ ref: null })] },
    ],
    [
      'a proven commit need not be on the default branch',
      'ref',
      'allow',
      null,
      {
        policy: rollbackable,
        request: { ...ROLLBACK, ref: null },
        target: commit,
        ref: resolved({ reachable: false }),
        successes: [success()],
      },
    ],
    [
      'a proven commit may come by a tag of any name',
      'ref',
      'allow',
      null,
      { policy: rollbackable, request: { ...ROLLBACK, ref: tag('nightly') }, successes: [success()] },
    ],
  ])
})

// rollback_to_any_commit: it widens allow_rollback, so its "no" is a deny and its wait that of the ref.
describe('rollback_to_any_commit', () => {
  const any = prodPolicy({ rollbackToAnyCommit: true })
  judged([
    ['an unproven commit is allowed where the policy says yes', 'ref', 'allow', null, { policy: any, request: ROLLBACK }],
    [
      'it still waits for its ref to be read',
      'ref',
      'wait',
      'check_unavailable',
      { policy: policy({ rollbackToAnyCommit: true }), request: ROLLBACK, ref: unknown() },
    ],
    [
      'an unproven commit is denied where it says no',
      'ref',
      'deny',
      'rollback_not_proven',
      { policy: rollbackable, request: ROLLBACK, successes: [success({ sha: OTHER_SHA })] },
    ],
    [
      'an unproven commit needs an allowed name',
      'ref',
      'deny',
      'ref_not_allowed',
      { policy: any, request: { ...ROLLBACK, ref: tag('nightly') } },
    ],
  ])
})

// promote_from: the commit may yet succeed in the earlier environment, so order waits and never denies.
describe('promote_from', () => {
  const fromStage = { environment: { promoteFrom: 'stage' } }
  judged([
    ['no order is allowed', 'order', 'allow', null, {}],
    ['a commit that succeeded in stage is allowed', 'order', 'allow', null, { ...fromStage, promoted: true }],
    ['a commit that did not yet waits', 'order', 'wait', 'not_promoted', { ...fromStage, promoted: false }],
    ['an unread answer waits', 'order', 'wait', 'check_unavailable', { ...fromStage, promoted: null }],
    [
      'a rollback to a proven commit is not held up',
      'order',
      'allow',
      null,
      { ...fromStage, promoted: false, request: ROLLBACK, successes: [success()] },
    ],
  ])
})

describe('require_ci_success', () => {
  const twoChecks = { project: { integration: { ci: { requiredChecks: ['build', 'test'], apps: ['github-actions'] } } } }
  judged([
    ['a green check is allowed', 'ci', 'allow', null, {}],
    ['no CI is allowed where none is asked for', 'ci', 'allow', null, { policy: policy(), ci: null }],
    [
      'all named checks green are allowed',
      'ci',
      'allow',
      null,
      { ...twoChecks, ci: ciEvidence([ciResult(), ciResult({ name: 'test' })]) },
    ],
    [
      'a red check that nobody asked for is allowed',
      'ci',
      'allow',
      null,
      { ci: ciEvidence([ciResult(), ciResult({ name: 'lint', state: 'failed' })]) },
    ],
    ['a running check waits', 'ci', 'wait', 'ci_pending', { ci: ciEvidence([ciResult({ state: 'pending' })]) }],
    ['no result waits', 'ci', 'wait', 'ci_missing', { ci: ciEvidence([]) }],
    ['one of two missing waits', 'ci', 'wait', 'ci_missing', twoChecks],
    [
      'no named check waits',
      'ci',
      'wait',
      'ci_missing',
      { project: { integration: { ci: { requiredChecks: [], apps: ['github-actions'] } } } },
    ],
    [
      'no believed app waits',
      'ci',
      'wait',
      'ci_missing',
      { project: { integration: { ci: { requiredChecks: ['build'], apps: [] } } } },
    ],
    ['the same name by another app waits', 'ci', 'wait', 'ci_missing', { ci: ciEvidence([ciResult({ app: 'evil' })]) }],
    ['a bare commit status waits', 'ci', 'wait', 'ci_missing', { ci: ciEvidence([ciResult({ app: null })]) }],
    [
      'a green check of another commit waits',
      'ci',
      'wait',
      'evidence_stale',
      { ci: ciEvidence([ciResult()], { sha: OTHER_SHA }) },
    ],
    ['results that cannot be read wait', 'ci', 'wait', 'check_unavailable', { ci: unknown() }],
    ['results that were not asked for wait', 'ci', 'wait', 'check_unavailable', { ci: null }],
    ['a red check is denied', 'ci', 'deny', 'ci_failed', { ci: ciEvidence([ciResult({ state: 'failed' })]) }],
    [
      'one red of two with the same name is denied',
      'ci',
      'deny',
      'ci_failed',
      { ci: ciEvidence([ciResult(), ciResult({ state: 'failed' })]) },
    ],
    [
      'red is denied though another check is missing',
      'ci',
      'deny',
      'ci_failed',
      { ...twoChecks, ci: ciEvidence([ciResult({ state: 'failed' })]) },
    ],
  ])

  it('takes the worst of several results of one name, in whatever order they come', () => {
    const results = [ciResult(), ciResult({ state: 'pending' })]
    for (const order of [results, results.toReversed()]) {
      expect(evaluate(policyFacts({ ci: ciEvidence(order) })).reason?.code).toBe('ci_pending')
    }
  })

  it('says why a result was left out', () => {
    const ci = ciEvidence([], { ignored: [{ name: 'build', why: 'it is of another commit' }] })
    expect(evaluate(policyFacts({ ci })).reason?.text).toContain('; build does not count: it is of another commit')
  })

  it('says why a green check on the host does not count', () => {
    const { reason } = evaluate(policyFacts({ ci: ciEvidence([ciResult({ app: 'evil' })]) }))
    expect(reason?.text).toBe('There is no result of build on aaaaaaaaaaaa; build by evil does not count, only github-actions.')
  })
})

describe('require_approval and approvals_required', () => {
  judged([
    ['two of two are allowed', 'approval', 'allow', null, {}],
    ['none is allowed where none is asked for', 'approval', 'allow', null, { policy: policy(), tally: null }],
    [
      'one of one is allowed',
      'approval',
      'allow',
      null,
      { policy: prodPolicy({ approvalsRequired: 1 }), tally: tally({ needed: 1, approvers: [BOB] }) },
    ],
    ['one of two waits', 'approval', 'wait', 'approval_missing', { tally: tally({ approvers: [BOB], eligible: [CAROL, DAVE] }) }],
    ['none of two waits', 'approval', 'wait', 'approval_missing', { tally: tally({ approvers: [], eligible: [BOB, CAROL] }) }],
    [
      'the same person twice is one',
      'approval',
      'wait',
      'approval_missing',
      { tally: tally({ approvers: [BOB, BOB], eligible: [CAROL] }) },
    ],
    ['an objector holds two of two', 'approval', 'wait', 'approval_missing', { tally: tally({ objectors: [DAVE] }) }],
    [
      'an objector who may come round is not out of reach',
      'approval',
      'wait',
      'approval_missing',
      { tally: tally({ approvers: [BOB], objectors: [DAVE], eligible: [] }) },
    ],
    ['approvals that cannot be read wait', 'approval', 'wait', 'check_unavailable', { tally: unknown() }],
    ['approvals that were not asked for wait', 'approval', 'wait', 'check_unavailable', { tally: null }],
    [
      'fewer people than needed is denied',
      'approval',
      'deny',
      'approval_impossible',
      { tally: tally({ approvers: [BOB], eligible: [BOB] }) },
    ],
    [
      'zero of zero is denied',
      'approval',
      'deny',
      'approval_impossible',
      { policy: prodPolicy({ approvalsRequired: 0 }), tally: tally({ needed: 0, approvers: [] }) },
    ],
    [
      'a number that is none is denied',
      'approval',
      'deny',
      'approval_impossible',
      { policy: prodPolicy({ approvalsRequired: Number.NaN }) },
    ],
  ])

  it('names nobody to ask where a merged pull request takes no review', () => {
    const few = evaluate(policyFacts({ reviewsClosed: true, tally: tally({ approvers: [BOB], eligible: [CAROL, DAVE] }) }))
    expect(few.reason?.text).toBe('1 of 2 approvals; the pull request is merged and takes no review any more.')
    const objected = evaluate(policyFacts({ reviewsClosed: true, tally: tally({ objectors: [DAVE] }) }))
    expect(objected.reason?.text).toBe('dave asked for changes; the pull request is merged and takes no review any more.')
    for (const { reason } of [few, objected]) expect(reason?.action?.text).toContain('add a new one')
    expect(evaluate(policyFacts({ reviewsClosed: true })).verdict).toBe('allow')
  })

  it('names who approved and who still can', () => {
    const { reason } = evaluate(policyFacts({ tally: tally({ approvers: [BOB], eligible: [CAROL, DAVE] }) }))
    expect(reason).toMatchObject({
      text: '1 of 2 approvals; carol or dave can approve.',
      waitingFor: [
        { kind: 'person', ref: 'bob', done: true },
        { kind: 'person', ref: 'carol', done: false },
        { kind: 'person', ref: 'dave', done: false },
      ],
      action: { text: 'Ask carol or dave to review the pull request.' },
    })
  })
})

describe('restrict_deploy_window', () => {
  judged([
    ['an open window is allowed', 'window', 'allow', null, { now: NOW }],
    ['no window is allowed at any time', 'window', 'allow', null, { policy: prodPolicy({ window: null }), now: EVENING }],
    ['a closed window waits', 'window', 'wait', 'window_closed', { now: EVENING }],
    [
      'a window without days is denied',
      'window',
      'deny',
      'window_closed',
      { policy: prodPolicy({ window: deployWindow({ days: [] }) }) },
    ],
    [
      'a window in an unknown zone is denied',
      'window',
      'deny',
      'window_closed',
      { policy: prodPolicy({ window: deployWindow({ tz: 'Nowhere/Land' }) }) },
    ],
  ])

  it('tells when it opens', () => {
    const { reason } = evaluate(policyFacts({ now: EVENING }))
    const opens = Date.UTC(2026, 10, 19, 8)
    expect(reason).toMatchObject({
      text: 'The deploy window of shop/prod is closed; it opens Thu 2026-11-19 09:00 Europe/Rome.',
      until: opens,
      waitingFor: [{ kind: 'time', ref: '2026-11-19T08:00:00.000Z', done: false }],
    })
    expect(evaluate(policyFacts({ now: opens - 1 })).verdict).toBe('wait')
    expect(evaluate(policyFacts({ now: opens })).verdict).toBe('allow')
  })
})

// rollback_ignores_window: it only ever opens a closed window; a window that never opens is denied without it.
describe('rollback_ignores_window', () => {
  const back = { request: ROLLBACK, successes: [success()], now: EVENING }
  const ignoring = (window = deployWindow()) => prodPolicy({ rollbackIgnoresWindow: true, window })
  judged([
    ['a rollback starts in a closed window where the policy says yes', 'window', 'allow', null, { ...back, policy: ignoring() }],
    ['a rollback waits where it says no', 'window', 'wait', 'window_closed', back],
    ['a deploy waits either way', 'window', 'wait', 'window_closed', { now: EVENING, policy: ignoring() }],
    [
      'a rollback is denied where the window never opens',
      'window',
      'deny',
      'window_closed',
      { ...back, policy: prodPolicy({ window: deployWindow({ days: [] }) }) },
    ],
  ])
})

// Freezes and holds end, so they wait and never deny.
describe('freezes and holds', () => {
  const stageOnly = { projects: null, environments: ['stage'] }
  judged([
    [
      'a freeze of another environment is allowed',
      'freeze',
      'allow',
      null,
      { desired: { freezes: [freeze({ scope: stageOnly })] } },
    ],
    ['a freeze that is over is allowed', 'freeze', 'allow', null, { desired: { freezes: [freeze({ toAt: NOW })] } }],
    ['a freeze to come is allowed', 'freeze', 'allow', null, { desired: { freezes: [freeze({ fromAt: NOW + 1 })] } }],
    ['a hold that is over is allowed', 'freeze', 'allow', null, { desired: { holds: [hold({ untilAt: NOW })] } }],
    ['a freeze waits', 'freeze', 'wait', 'frozen', { desired: { freezes: [freeze()] } }],
    ['a freeze that begins now waits', 'freeze', 'wait', 'frozen', { desired: { freezes: [freeze({ fromAt: NOW })] } }],
    [
      'a freeze without a readable end waits',
      'freeze',
      'wait',
      'frozen',
      { desired: { freezes: [freeze({ toAt: Number.POSITIVE_INFINITY })] } },
    ],
    ['a hold waits', 'freeze', 'wait', 'held', { desired: { holds: [hold()] } }],
    ['a hold speaks before a freeze', 'freeze', 'wait', 'held', { desired: { holds: [hold()], freezes: [freeze()] } }],
    ['an unreadable freeze waits', 'freeze', 'wait', 'config_unreadable', { desired: { closed: [finding('freezes/x.yaml')] } }],
  ])

  it('tells when the last of several freezes ends', () => {
    const later = freeze({ name: 'new-year', toAt: NOW + 3 * DAY_MS, reason: 'Still nobody.' })
    const { reason } = evaluate(policyFacts({ desired: { freezes: [later, freeze()] } }))
    expect(reason).toMatchObject({
      text: 'shop/prod is frozen until Sat 2026-11-21 11:00 Europe/Rome: Still nobody.',
      since: NOW - HOUR_MS,
      until: NOW + 3 * DAY_MS,
    })
  })

  it('tells when a hold ends', () => {
    const { reason } = evaluate(policyFacts({ desired: { holds: [hold({ untilAt: NOW + HOUR_MS })] } }))
    expect(reason).toMatchObject({ until: NOW + HOUR_MS, waitingFor: [{ kind: 'time', done: false }] })
  })

  it('gives no end when one of two holds has none', () => {
    const { reason } = evaluate(policyFacts({ desired: { holds: [hold({ untilAt: NOW + 1 }), hold({ name: 'other' })] } }))
    expect(reason).toMatchObject({ code: 'held', until: null, waitingFor: [] })
  })
})

// lock_strategy: a lock is always given back, so it waits and never denies.
describe('lock_strategy', () => {
  const holder = { jobId: 'job-9', since: NOW - HOUR_MS }
  judged([
    ['a free lock is allowed', 'lock', 'allow', null, {}],
    ['a held lock waits', 'lock', 'wait', 'lock_held', { lock: { holder, aheadInQueue: [] } }],
    [
      'a job behind another waits',
      'lock',
      'wait',
      'queue_position',
      { lock: { holder: null, aheadInQueue: ['job-7', 'job-8'] } },
    ],
    [
      'no lock is taken where the strategy is none',
      'lock',
      'allow',
      null,
      { environment: { lockStrategy: 'none' }, lock: { holder, aheadInQueue: ['job-7'] } },
    ],
  ])

  it('tells the job right before it, whoever has the lock', () => {
    for (const lock of [
      { holder: null, aheadInQueue: ['job-7', 'job-8'] },
      { holder, aheadInQueue: ['job-7', 'job-8'] },
      { holder, aheadInQueue: ['job-8'] },
    ]) {
      const { reason } = evaluate(policyFacts({ lock }))
      expect(reason).toMatchObject({
        code: 'queue_position',
        text: 'Behind job job-8 in the queue of shop/prod.',
        waitingFor: [{ kind: 'job', ref: 'job-8', done: false }],
      })
    }
  })
})

// allow_force_deploy: a right that is there or not, so the role gate allows or denies. The gates that it does not name still wait.
describe('allow_force_deploy', () => {
  const forcing = prodPolicy({ allowForceDeploy: true })
  const force = (...skip: ('order' | 'ci' | 'window' | 'freeze')[]) => ({
    request: { force: { skip, reason: 'The shop is down.' } },
  })
  const byErin = { requester: { person: ERIN, label: 'github:erin' } }
  judged([
    [
      'an admin may force where the policy says yes',
      'role',
      'allow',
      null,
      { ...byErin, ...force('window'), policy: forcing, now: EVENING },
    ],
    ['nobody may where it says no', 'role', 'deny', 'force_not_allowed', { ...byErin, ...force('ci') }],
    ['an operator may not', 'role', 'deny', 'force_not_admin', { ...force('ci'), policy: forcing }],
    [
      'a gate that is not named still waits',
      'window',
      'wait',
      'window_closed',
      { ...byErin, ...force('ci'), policy: forcing, now: EVENING },
    ],
    [
      'a force does not skip approvals',
      'approval',
      'wait',
      'approval_missing',
      { ...byErin, ...force('order', 'ci', 'window', 'freeze'), policy: forcing, tally: tally({ approvers: [BOB] }) },
    ],
    [
      'a force does not skip an unreadable freeze',
      'freeze',
      'wait',
      'config_unreadable',
      { ...byErin, ...force('freeze'), policy: forcing, desired: { closed: [finding('holds/x.yaml')] } },
    ],
  ])

  it('shows what each skipped gate would have said', () => {
    const decision = evaluate(
      policyFacts({
        ...byErin,
        ...force('order', 'ci', 'window', 'freeze'),
        policy: forcing,
        environment: { promoteFrom: 'stage' },
        promoted: false,
        ci: ciEvidence([ciResult({ state: 'failed' })]),
        now: EVENING,
        desired: { holds: [hold()] },
      }),
    )
    expect(decision.verdict).toBe('allow')
    expect(decision.gates.filter(({ forced }) => forced).map(({ gate, saw }) => `${gate}: ${saw}`)).toEqual([
      'order: no success in stage',
      'ci: build failed',
      'window: closed',
      'freeze: hold shop-prod',
    ])
  })

  it('that is refused skips nothing', () => {
    const { gates } = evaluate(policyFacts({ ...force('window'), policy: forcing, now: EVENING }))
    expect(gates.filter(({ forced }) => forced)).toEqual([])
    expect(gates.filter(({ verdict }) => verdict !== 'allow').map(({ gate }) => gate)).toEqual(['role', 'window'])
  })
})

describe('a dry run', () => {
  const dry: FactsOverrides = {
    request: { type: 'dry_run' },
    environment: { promoteFrom: 'stage' },
    promoted: false,
    ci: unknown(),
    tally: unknown(),
    now: EVENING,
    lock: { holder: { jobId: 'job-9', since: NOW }, aheadInQueue: ['job-8'] },
    desired: { freezes: [freeze({ toAt: NOW + DAY_MS })], holds: [hold()] },
  }

  it('needs no promotion, CI, approval, window or lock, and no freeze or hold stops it', () => {
    const decision = evaluate(policyFacts(dry))
    expect(decision.verdict).toBe('allow')
    expect(decision.gates.filter(({ saw }) => saw === 'dry run').map(({ gate }) => gate)).toEqual([
      'order',
      'ci',
      'approval',
      'window',
      'freeze',
      'lock',
    ])
    expect(decision.gates.some(({ forced }) => forced)).toBe(false)
  })

  it.each<[string, FactsOverrides, ReasonCode]>([
    ['an enabled environment', { environment: { enabled: false } }, 'environment_disabled'],
    [
      'a requester who may ask',
      { requester: { person: BOB, label: 'github:bob' }, desired: { bindings: [] } },
      'requester_not_allowed',
    ],
    ['an allowed ref', { request: { type: 'dry_run', ref: branch('main') } }, 'ref_type_not_allowed'],
    ['a ref that can be read', { ref: unknown() }, 'check_unavailable'],
    ['readable rules', { desired: { closed: [finding('access.yaml')] } }, 'config_unreadable'],
  ])('still needs %s', (_, overrides, code) => {
    const decision = evaluate(policyFacts({ ...dry, ...overrides }))
    expect(decision.verdict).not.toBe('allow')
    expect(decision.reason?.code).toBe(code)
  })
})

describe('what a gate waits for', () => {
  const reasonOf = (gate: GateName, overrides: FactsOverrides) =>
    evaluate(policyFacts(overrides)).gates.find((one) => one.gate === gate)!.reason
  const twoChecks = { project: { integration: { ci: { requiredChecks: ['build', 'test'], apps: ['github-actions'] } } } }

  it('of CI is each named check, and which of them are done', () => {
    const waitingFor = [
      { kind: 'ci', ref: 'build', done: true },
      { kind: 'ci', ref: 'test', done: false },
    ]
    expect(reasonOf('ci', twoChecks)).toMatchObject({ code: 'ci_missing', waitingFor })
    const ci = ciEvidence([ciResult(), ciResult({ name: 'test', state: 'pending' })])
    expect(reasonOf('ci', { ...twoChecks, ci })).toMatchObject({ code: 'ci_pending', waitingFor })
  })

  it('of CI is what the project has to name first', () => {
    const sawWith = (requiredChecks: string[], apps: string[]) =>
      evaluate(policyFacts({ project: { integration: { ci: { requiredChecks, apps } } } })).gates.find(
        ({ gate }) => gate === 'ci',
      )!.saw
    expect(sawWith([], ['github-actions'])).toBe('shop names no required check')
    expect(sawWith(['build'], [])).toBe('shop names no app whose checks are believed')
  })

  it('of freezes is the end of the last, since the first began', () => {
    const toAt = NOW + 3 * DAY_MS
    const later = freeze({ name: 'new-year', fromAt: NOW, toAt, reason: 'Still nobody.' })
    for (const freezes of [
      [freeze(), later],
      [later, freeze()],
    ]) {
      expect(reasonOf('freeze', { desired: { freezes } })).toMatchObject({
        text: expect.stringContaining('Still nobody.'),
        since: NOW - HOUR_MS,
        waitingFor: [{ kind: 'time', ref: '2026-11-21T10:00:00.000Z', done: false }],
      })
    }
    expect(reasonOf('freeze', { desired: { freezes: [freeze({ toAt: Number.POSITIVE_INFINITY })] } })?.waitingFor).toEqual([])
  })

  it('of the lock is who has it, and of order a success before', () => {
    const lock = { holder: { jobId: 'job-9', since: NOW - HOUR_MS }, aheadInQueue: [] }
    expect(reasonOf('lock', { lock })).toMatchObject({
      since: NOW - HOUR_MS,
      waitingFor: [{ kind: 'lock', ref: 'job-9', done: false }],
    })
    expect(reasonOf('order', { environment: { promoteFrom: 'stage' }, promoted: false })?.waitingFor).toEqual([
      { kind: 'job', ref: 'shop/stage', done: false },
    ])
  })

  it('of approvals leaves out who objects, and who approved already', () => {
    const { gates } = evaluate(policyFacts({ tally: tally({ approvers: [BOB, DAVE], objectors: [DAVE], eligible: [] }) }))
    expect(gates.find(({ gate }) => gate === 'approval')?.saw).toBe('1 approval (bob); changes requested by dave')
    expect(reasonOf('approval', { tally: tally({ approvers: [BOB], eligible: [BOB, CAROL] }) })?.text).toBe(
      '1 of 2 approvals; carol can approve.',
    )
    const none = evaluate(policyFacts({ tally: tally({ approvers: [], eligible: [BOB, CAROL] }) }))
    expect(none.gates.find(({ gate }) => gate === 'approval')?.saw).toBe('no approval')
  })
})

describe('what cannot be judged', () => {
  const gateOf = (gate: GateName, overrides: FactsOverrides) => {
    const result = evaluate(policyFacts(overrides)).gates.find((one) => one.gate === gate)!
    tellsAPerson(result)
    return result
  }

  it('of approvals waits while the file that says who may approve is unreadable', () => {
    const closed = [finding('access.yaml')]
    expect(gateOf('approval', { tally: tally({ approvers: [], eligible: [] }), desired: { closed } })).toMatchObject({
      verdict: 'wait',
      reason: {
        code: 'config_unreadable',
        text: 'Who may approve cannot be judged while access.yaml is unreadable: it cannot be read',
        action: { text: 'Mend access.yaml.' },
      },
    })
  })

  it('of CI waits for the commit, and says why that is not known', () => {
    const reasonFor = (ref: FactsOverrides['ref']) => gateOf('ci', { ref: ref! }).reason?.text
    expect(reasonFor(unknown())).toBe('The commit whose CI results count could not be read: the host does not answer.')
    expect(reasonFor(known({ found: false }))).toBe(
      'The commit whose CI results count could not be read: it has not been read yet.',
    )
  })

  it('of a ref is refused where there is none, in the words of what was asked for', () => {
    const none = { target: null, policy: prodPolicy() }
    expect(gateOf('ref', { ...none, request: { ref: null } }).reason).toMatchObject({
      code: 'ref_missing',
      text: 'The request has no ref to run.',
    })
    expect(gateOf('ref', { ...none, request: { ...ROLLBACK, ref: null } }).reason?.code).toBe('rollback_no_target')
  })

  it('waits for the provider that is asked, which the reason names', () => {
    for (const [gate, facts] of [
      ['ci', { ci: unknown() }],
      ['approval', { tally: unknown() }],
      ['ref', { ref: unknown() }],
    ] as const) {
      expect(gateOf(gate, facts).reason).toMatchObject({
        since: NOW,
        until: null,
        waitingFor: [{ kind: 'provider', ref: 'github', done: false }],
      })
    }
  })
})

describe('folding', () => {
  it('of no gates at all is a mistake, not a yes', () => {
    expect(() => foldGates([], NOW)).toThrow('a decision without gates')
  })

  it.each([
    [[], 'nobody who did not take part may approve shop/prod'],
    [[BOB], 'only 1 who did not take part may approve shop/prod'],
  ])('says how many could approve when that is too few', (eligible, said) => {
    const { reason } = evaluate(policyFacts({ tally: tally({ approvers: [], eligible }) }))
    expect(reason?.text).toContain(said)
  })

  it('asks every gate, also behind a refusal', () => {
    const { gates } = evaluate(policyFacts({ project: { active: false }, now: EVENING }))
    expect(gates.map(({ gate }) => gate)).toEqual(GATES)
    expect(gates.find(({ gate }) => gate === 'window')?.verdict).toBe('wait')
  })

  it('gives the first deny before any wait', () => {
    const decision = evaluate(policyFacts({ tally: tally({ approvers: [], eligible: [] }), ci: ciEvidence([]), now: EVENING }))
    expect(decision).toMatchObject({ verdict: 'deny', reason: { code: 'approval_impossible' } })
  })

  it('gives the first wait when nothing is denied', () => {
    const decision = evaluate(
      policyFacts({ ci: ciEvidence([]), tally: tally({ approvers: [CAROL], eligible: [BOB] }), now: EVENING }),
    )
    expect(decision).toMatchObject({ verdict: 'wait', reason: { code: 'ci_missing' } })
  })
})

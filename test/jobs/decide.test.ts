import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../controller/clock.ts'
import { type DecideInput, decide, targetOf } from '../../controller/jobs/decide.ts'
import type { RequestOrigin } from '../../controller/jobs/evidence.ts'
import type { DesiredState } from '../../controller/model/desired-state.ts'
import {
  ALICE,
  BOB,
  deployRequest,
  environment,
  finding,
  known,
  NOW,
  OTHER_SHA,
  policy,
  prodPolicy,
  resolved,
  SHA,
  success,
  unknown,
} from '../policy/fixtures.ts'
import { evidence, openDesired, pull, requestNumber } from './fixtures.ts'

const request = requestNumber(1)
const ROLLBACK = { type: 'rollback' as const, ref: null }

function input(overrides: Partial<DecideInput> = {}, desired: DesiredState = openDesired([request])): DecideInput {
  return {
    now: NOW,
    desired,
    request,
    evidence: evidence(),
    pin: null,
    successes: [],
    promoted: new Set(),
    lock: null,
    aheadInQueue: [],
    config: { provider: 'github', branch: 'main', frozen: null },
    merged: true,
    ...overrides,
  }
}

function withPolicy(rules: ReturnType<typeof policy>, more: Partial<ReturnType<typeof environment>> = {}): DesiredState {
  const one = environment({ policy: rules, ...more })
  return openDesired([request], { environments: new Map([[one.key, one]]) })
}

function from(origin: RequestOrigin): Partial<DecideInput> {
  return { evidence: evidence({ origin: known(origin) }) }
}

const approved = withPolicy(prodPolicy({ window: null, requireCiSuccess: false }))

describe('what a request asks to run', () => {
  it('is the ref that it names, also for a rollback', () => {
    expect(targetOf(request, [])).toBe(request.ref)
    const rollback = deployRequest({ type: 'rollback' })
    expect(targetOf(rollback, [success(), success({ sha: OTHER_SHA })])).toBe(rollback.ref)
  })

  it('is, for a rollback without a ref, the last success of another commit', () => {
    const rollback = deployRequest(ROLLBACK)
    const history = [success(), success({ jobId: 'again' }), success({ jobId: 'before', sha: OTHER_SHA })]
    expect(targetOf(rollback, history)).toEqual({ type: 'sha', name: OTHER_SHA })
  })

  it('is nothing where a rollback has nothing to go back to', () => {
    const rollback = deployRequest(ROLLBACK)
    expect(targetOf(rollback, [])).toBeNull()
    expect(targetOf(rollback, [success(), success({ jobId: 'again' })])).toBeNull()
  })
})

describe('who asks', () => {
  it('is the person whose account opened the pull request', () => {
    expect(decide(input()).requester).toEqual({ person: ALICE, label: 'github:alice' })
  })

  it('is nobody when that account is gone, and nothing starts', () => {
    const origin = evidence().origin
    if (!origin.known || origin.value.kind !== 'pull_request') throw new Error('fixture')
    const { requester, decision } = decide(input(from({ ...origin.value, facts: pull({ author: null }) })))
    expect(requester).toEqual({ person: null, label: null })
    expect(decision.verdict).not.toBe('allow')
  })

  it('is, in a local repository, the person with the e-mail of the commit', () => {
    const asked = (authorEmail: string | null) => decide(input(from({ kind: 'local', authorEmail }))).requester
    expect(asked('bob@acme.test')).toEqual({ person: BOB, label: 'bob@acme.test' })
    expect(asked('stranger@acme.test')).toEqual({ person: null, label: 'stranger@acme.test' })
    expect(asked(null)).toEqual({ person: null, label: null })
  })
})

describe('facts that were not read', () => {
  it('of CI make a request wait where CI counts, and are not missed where it does not', () => {
    const unread = { evidence: evidence({ ci: null }) }
    const asked = decide(input(unread, withPolicy(policy({ requireCiSuccess: true }))))
    expect(asked.decision).toMatchObject({ verdict: 'wait', reason: { code: 'check_unavailable' } })
    expect(decide(input(unread)).decision.verdict).toBe('allow')
  })

  it('of the pull request or the ref leave approvals unknown, never given', () => {
    for (const unread of [evidence({ origin: unknown() }), evidence({ ref: unknown() })]) {
      const { decision, tally } = decide(input({ evidence: unread }, approved))
      expect(tally).toBeNull()
      expect(decision.gates.find(({ gate }) => gate === 'approval')).toMatchObject({ verdict: 'wait' })
    }
  })
})

describe('approvals', () => {
  it('are none where nobody can review: a local repository, a push, a controller without a forge', () => {
    const counted = (overrides: Partial<DecideInput>) => decide(input(overrides, approved)).tally
    const none = { needed: 2, approvers: [], objectors: [], eligible: [], reviews: [] }
    expect(counted(from({ kind: 'local', authorEmail: 'alice@acme.test' }))).toEqual(none)
    expect(counted(from({ kind: 'direct_push' }))).toEqual(none)
    expect(counted({ config: { provider: null, branch: 'main', frozen: null } })).toEqual(none)
  })
})

describe('a promotion', () => {
  const promoting = withPolicy(policy(), { promoteFrom: 'stage' })
  const order = (overrides: Partial<DecideInput>) =>
    decide(input(overrides, promoting)).decision.gates.find(({ gate }) => gate === 'order')?.verdict

  it('is there only when this very commit succeeded in the environment before', () => {
    expect(order({ promoted: new Set([SHA]) })).toBe('allow')
    expect(order({ promoted: new Set([OTHER_SHA]) })).not.toBe('allow')
    expect(order({ promoted: new Set([SHA]), evidence: evidence({ ref: unknown() }) })).not.toBe('allow')
    expect(order({ promoted: new Set([SHA]), evidence: evidence({ ref: known({ found: false }) }) })).not.toBe('allow')
  })
})

describe('the subject on show', () => {
  it('stays while the ref cannot be read, and begins anew with another commit', () => {
    const first = decide(input()).pin!
    const pin = { ...first, since: NOW - DAY_MS }
    expect(decide(input({ pin, evidence: evidence({ ref: unknown() }) }))).toMatchObject({ pin, pinChanged: false })
    const moved = decide(input({ pin, evidence: evidence({ ref: resolved({ sha: OTHER_SHA }) }) }))
    expect(moved).toMatchObject({ pinChanged: true, pin: { sha: OTHER_SHA } })
    expect(moved.pin!.since).toBeGreaterThan(NOW - DAY_MS)
  })

  it('is nothing before the host has answered, whose clock alone tells since when', () => {
    expect(decide(input({ evidence: evidence({ origin: unknown() }) })).pin).toBeNull()
  })

  it('is no older than the look at the pull request when our clock was set back since', () => {
    const looked = evidence()
    const { pin } = decide(input({ now: NOW - DAY_MS, evidence: looked }))
    expect(pin!.since).toBeGreaterThan(NOW - HOUR_MS)
  })

  it('is as old as the moment it was first looked at where nobody could have reviewed it', () => {
    expect(decide(input(from({ kind: 'local', authorEmail: null }))).pin).toMatchObject({ sha: SHA, since: NOW })
  })
})

it('an unusable environment without a finding still says that it cannot be used', () => {
  const desired = openDesired([request], { unusableEnvironments: new Map([[request.key, []]]) })
  expect(decide(input({}, desired)).decision.reason?.text).toContain('its files are not valid')
  const told = openDesired([request], { unusableEnvironments: new Map([[request.key, [finding('policies/prod.yaml')]]]) })
  expect(decide(input({}, told)).decision.reason?.text).toContain('it cannot be read')
})

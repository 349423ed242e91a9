import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, SECOND_MS } from '../../controller/clock.ts'
import { type DecideInput, decide, targetOf } from '../../controller/jobs/decide.ts'
import type { RequestOrigin } from '../../controller/jobs/evidence.ts'
import { reasonOf } from '../../controller/jobs/job-reasons.ts'
import type { DesiredState } from '../../controller/model/desired-state.ts'
import type { GateName } from '../../controller/policy/decision.ts'
import {
  ALICE,
  accountId,
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

function gateOf(gate: GateName, overrides: Partial<DecideInput>, desired?: DesiredState) {
  return decide(input(overrides, desired)).decision.gates.find((result) => result.gate === gate)!
}

describe('a merged request that lacks approvals', () => {
  function lacking(provider: string, state: 'open' | 'merged') {
    const accounts = (id: string) => new Map([[provider, { login: id, id: accountId(id) }]])
    const people = new Map([...approved.people].map(([id, one]) => [id, { ...one, accounts: accounts(id) }]))
    const author = { provider, login: ALICE, id: accountId(ALICE), kind: 'user' } as const
    const content = { blobAt: new Map() }
    const origin = from({ kind: 'pull_request', facts: pull({ state, author }), content, changesRules: false })
    const config = { provider, branch: 'main', frozen: null }
    return gateOf('approval', { ...origin, config }, { ...approved, people }).reason!
  }

  it('names who can still approve it', () => {
    expect(lacking('github', 'merged')).toMatchObject({ code: 'approval_missing', text: expect.stringContaining('can approve') })
  })

  it.each(['gitea', 'forgejo'])('says on %s, which takes no review then, that it has to be asked for anew', (provider) => {
    const reason = lacking(provider, 'merged')
    expect(reason).toMatchObject({ code: 'approval_missing', text: expect.stringContaining('takes no review any more') })
    expect(reason.text).not.toContain('can approve')
    expect(reason.action?.text).toContain('add a new one')
    expect(lacking(provider, 'open').text).toContain('can approve')
  })
})

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

  it('is never an older commit unless it is a rollback', () => {
    expect(targetOf(deployRequest({ type: 'deploy', ref: null }), [success(), success({ sha: OTHER_SHA })])).toBeNull()
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

  it('is nobody for a push, nor while the pull request cannot be read', () => {
    const nobody = { person: null, label: null }
    expect(decide(input(from({ kind: 'direct_push' }))).requester).toEqual(nobody)
    expect(decide(input({ evidence: evidence({ origin: unknown() }) })).requester).toEqual(nobody)
  })
})

describe('facts that were not read', () => {
  it('of CI make a request wait where CI counts, and are not missed where it does not', () => {
    const unread = { evidence: evidence({ ci: null }) }
    const counts = withPolicy(policy({ requireCiSuccess: true }))
    expect(decide(input(unread, counts)).decision).toMatchObject({
      verdict: 'wait',
      reason: { code: 'check_unavailable', text: 'The CI results could not be read: CI results were not read yet.' },
    })
    expect(decide(input(unread)).decision.verdict).toBe('allow')
    expect(decide(input({}, counts)).decision.verdict).toBe('allow')
  })

  it('of the pull request or the ref leave approvals unknown, never given', () => {
    for (const unread of [evidence({ origin: unknown() }), evidence({ ref: unknown() })]) {
      expect(decide(input({ evidence: unread }, approved)).tally).toBeNull()
      expect(gateOf('approval', { evidence: unread }, approved).verdict).toBe('wait')
    }
    expect(gateOf('approval', { evidence: evidence({ ref: unknown() }) }, approved).reason?.text).toContain(
      'what the ref points at is not known yet',
    )
    expect(gateOf('approval', { evidence: evidence({ origin: unknown() }) }, approved).reason?.text).toContain(
      'the host does not answer',
    )
  })

  it('of the pull request hold the question who asks', () => {
    const { decision } = decide(input({ evidence: evidence({ origin: unknown() }) }))
    expect(decision).toMatchObject({ verdict: 'wait', at: NOW })
    expect(decision.gates.find(({ gate }) => gate === 'role')).toEqual({
      gate: 'role',
      verdict: 'wait',
      saw: 'the host does not answer',
      wanted: 'a requester that is known',
      forced: false,
      reason: {
        code: 'check_unavailable',
        text: 'Who asks for this could not be read: the host does not answer.',
        since: NOW,
        until: null,
        waitingFor: [],
        action: { text: 'Nothing to do; it is read again.', command: null, url: null },
      },
    })
  })
})

describe('the config repository', () => {
  it('refuses a request that brings rules along, and says what to do', () => {
    const origin: RequestOrigin = { kind: 'pull_request', facts: pull(), content: { blobAt: new Map() }, changesRules: true }
    expect(decide(input(from(origin))).decision).toMatchObject({ verdict: 'deny', reason: { code: 'rules_changed_together' } })
    expect(gateOf('request', from(origin))).toMatchObject({
      verdict: 'deny',
      forced: false,
      saw: 'rules and request in one pull request',
      wanted: 'requests alone',
      reason: {
        text: expect.stringContaining('changes rules and asks for a deploy under them'),
        action: { text: 'Move the request into a pull request of its own.' },
      },
    })
  })

  it('holds everything while it is frozen, with the reason of that', () => {
    const frozen = reasonOf('config_frozen', 'The history was rewritten.', NOW - DAY_MS)
    const config = { provider: 'github', branch: 'main', frozen }
    expect(decide(input({ config })).decision).toMatchObject({ verdict: 'wait', reason: frozen })
    expect(gateOf('freeze', { config })).toEqual({
      gate: 'freeze',
      verdict: 'wait',
      reason: frozen,
      saw: 'the config repository is frozen',
      wanted: 'no freeze',
      forced: false,
    })
  })
})

describe('approvals', () => {
  it('can never be given in a plain directory, and the reason says so instead of counting people', () => {
    const local = from({ kind: 'local', authorEmail: 'alice@acme.test' })
    expect(gateOf('approval', local, approved)).toMatchObject({
      verdict: 'deny',
      reason: { code: 'approval_impossible', text: expect.stringContaining('nobody can review in a directory') },
    })
    expect(gateOf('approval', local)).toMatchObject({ verdict: 'allow', reason: null })
  })

  it('are none where nobody can review: a local repository, a push, a controller without a forge', () => {
    const counted = (overrides: Partial<DecideInput>) => decide(input(overrides, approved)).tally
    const none = { needed: 2, approvers: [], objectors: [], eligible: [], reviews: [] }
    expect(counted(from({ kind: 'local', authorEmail: 'alice@acme.test' }))).toEqual(none)
    expect(counted(from({ kind: 'direct_push' }))).toEqual(none)
    const reviewer = { provider: 'github', login: 'bob', id: accountId('bob'), kind: 'user' as const }
    const commit = pull().headSha
    const review = { id: '1', reviewer, state: 'approved' as const, commit, submittedAt: NOW, url: '' }
    const blobAt = new Map([[commit, request.blob]])
    const reviewed = from({ kind: 'pull_request', facts: pull({ reviews: [review] }), content: { blobAt }, changesRules: false })
    const shown = { ...reviewed, pin: { ...decide(input(reviewed, approved)).pin!, since: NOW - DAY_MS } }
    expect(counted(shown)?.approvers).toEqual([BOB])
    expect(counted({ ...shown, config: { provider: null, branch: 'main', frozen: null } })).toEqual(none)
  })

  it('are not counted where none are asked for', () => {
    expect(decide(input()).tally).toBeNull()
  })
})

describe('a promotion', () => {
  const promoting = withPolicy(policy(), { promoteFrom: 'stage' })
  const order = (overrides: Partial<DecideInput>) => gateOf('order', overrides, promoting).verdict

  it('is there only when this very commit succeeded in the environment before', () => {
    expect(order({ promoted: new Set([SHA]) })).toBe('allow')
    expect(order({ promoted: new Set([OTHER_SHA]) })).not.toBe('allow')
    expect(order({ promoted: new Set([SHA]), evidence: evidence({ ref: unknown() }) })).not.toBe('allow')
    expect(order({ promoted: new Set([SHA]), evidence: evidence({ ref: known({ found: false }) }) })).not.toBe('allow')
  })
})

describe('the subject on show', () => {
  const elsewhere = () => decide(input({ evidence: evidence({ ref: resolved({ sha: OTHER_SHA }) }) })).pin!

  it('stays while the ref cannot be read, and begins anew with another commit', () => {
    const first = decide(input()).pin!
    const pin = { ...first, since: NOW - DAY_MS }
    expect(decide(input({ pin, evidence: evidence({ ref: unknown() }) }))).toMatchObject({ pin, pinChanged: false })
    const moved = decide(input({ pin, evidence: evidence({ ref: resolved({ sha: OTHER_SHA }) }) }))
    expect(moved).toMatchObject({ pinChanged: true, pin: { sha: OTHER_SHA } })
    expect(moved.pin!.since).toBeGreaterThan(NOW - DAY_MS)
  })

  it('is what the pull request showed before the merge, as old as that, while nothing else was on show since', () => {
    const shown = { ...decide(input()).pin!, since: NOW - DAY_MS }
    expect(decide(input({ evidence: evidence({ shown }) })).pin).toEqual(shown)
    const other = { ...elsewhere(), since: NOW - 2 * DAY_MS }
    expect(decide(input({ pin: other, evidence: evidence({ shown }) })).pin).toEqual(shown)
  })

  it('begins anew when a ref comes back to where it was before the merge: what was approved meanwhile was something else', () => {
    const shown = { ...decide(input()).pin!, since: NOW - DAY_MS }
    const meanwhile = { ...elsewhere(), since: NOW - HOUR_MS }
    const back = decide(input({ pin: meanwhile, evidence: evidence({ shown }) }))
    expect(back).toMatchObject({ pinChanged: true, pin: { sha: SHA } })
    expect(back.pin!.since).toBeGreaterThanOrEqual(NOW)
  })

  it('is nothing before the host has answered, whose clock alone tells since when', () => {
    expect(decide(input({ evidence: evidence({ origin: unknown() }) })).pin).toBeNull()
  })

  it('is no older than the look at the pull request when our clock was set back since', () => {
    const looked = evidence()
    const { pin } = decide(input({ now: NOW - DAY_MS, evidence: looked }))
    expect(pin!.since).toBeGreaterThan(NOW - HOUR_MS)
  })

  it('is as old as the host says, cut to whole seconds, and as much older as our own clock has gone on since', () => {
    const at = (now: number) => decide(input({ now })).pin!.since
    expect(at(NOW)).toBe(NOW + SECOND_MS)
    expect(at(NOW + HOUR_MS)).toBe(NOW + HOUR_MS + SECOND_MS)
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

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { PastRun } from '../../controller/jobs/evidence.ts'
import { JOB_STATUSES, type Job, lockKey, type Run } from '../../controller/jobs/job.ts'
import { MAX_ATTEMPTS, type Observed, type PlannedStep, plan, reasonOf } from '../../controller/jobs/plan.ts'
import { mayMove } from '../../controller/jobs/transitions.ts'
import type { DesiredState } from '../../controller/model/desired-state.ts'
import { commitSha } from '../../controller/model/names.ts'
import type { Fact } from '../../controller/policy/decision.ts'
import { BLOB, environment, finding, known, NOW, policy, prodPolicy, SHA, success, unknown } from '../policy/fixtures.ts'
import { evidence, jobFor, observed, openDesired, requestNumber, runFor, TIMING } from './fixtures.ts'

const first = requestNumber(1)
const second = requestNumber(2)
const third = requestNumber(3)

function steps(desired: DesiredState, seen: Observed, now = NOW): string[] {
  return plan(desired, seen, TIMING, now).map((step) => describeStep(step))
}

function describeStep(step: PlannedStep): string {
  const name = /r\d+/.exec(step.job.requestPath)?.[0]
  if (step.kind === 'end') return `${name} ends ${step.status}: ${step.reason.code}`
  if (step.kind === 'wait') return `${name} waits as ${step.status}: ${step.reason.code}`
  return `${name} ${step.kind}`
}

function running(request = first, overrides: Partial<Job> = {}): Job {
  return jobFor(request, {
    status: 'running',
    attempt: 1,
    reason: reasonOf('run_active', 'under way', NOW),
    startedAt: NOW - MINUTE_MS,
    ...overrides,
  })
}

function unreachableSince(at: number): Partial<Job> {
  return { reason: reasonOf('provider_unreachable', 'no answer', at) }
}

function heldBy(job: Job): Observed['locks'] {
  const key = lockKey(job.key)
  return new Map([[key, { key, jobId: job.id, fence: 1, acquiredAt: NOW - MINUTE_MS }]])
}

/** The commit in force can be read by nobody. */
const unreadable = openDesired([], { repository: { ...openDesired([]).repository, id: '' }, environments: new Map() })

describe('what is asked for, where nobody can read it', () => {
  it('stays as it is and says so, since what is missing was not withdrawn', () => {
    const waiting = jobFor(first, { reason: reasonOf('config_unreadable', 'as before', NOW - MINUTE_MS) })
    const [stay, ...others] = plan(unreadable, observed([waiting]), TIMING, NOW)
    expect(stay).toMatchObject({ kind: 'stay', reason: { code: 'config_unreadable', since: NOW - MINUTE_MS } })
    expect(others).toEqual([])
  })

  it('keeps a refused attempt, and neither withdraws what runs nor ends it before its time', () => {
    const job = running()
    const of = (run: Partial<Run>) => observed([job], { runs: new Map([[job.id, [runFor(job, run)]]]) })
    expect(steps(unreadable, of({ state: 'refused', retryAt: NOW }))).toEqual([])
    expect(steps(unreadable, of({ observedAt: NOW - MINUTE_MS }))).toEqual(['r1 observe'])
  })
})

describe('the queue of an environment', () => {
  it('starts the oldest ready job and tells the others their place', () => {
    const jobs = [first, second, third].map((request) => jobFor(request))
    expect(steps(openDesired([first, second, third]), observed(jobs))).toEqual([
      'r1 start',
      'r2 waits as queued: queue_position',
      'r3 waits as queued: queue_position',
    ])
  })

  it('lets a ready job pass one that waits for approval', () => {
    const prod = environment({ policy: prodPolicy({ window: null, requireCiSuccess: false }) })
    const open = environment({ name: 'stage', policy: policy() })
    const waiting = jobFor(first)
    const ready = jobFor(requestNumber(2, { environment: 'stage' }))
    const desired = openDesired([first, requestNumber(2, { environment: 'stage' })], {
      environments: new Map([
        [prod.key, prod],
        [open.key, open],
      ]),
    })
    expect(steps(desired, observed([waiting, ready]))).toEqual(['r1 waits as waiting_approval: approval_missing', 'r2 start'])
  })

  it('holds every job back while another one has the lock', () => {
    const holder = running()
    const desired = openDesired([first, second])
    const seen = observed([holder, jobFor(second)], {
      locks: heldBy(holder),
      runs: new Map([[holder.id, [runFor(holder, { observedAt: NOW })]]]),
    })
    expect(steps(desired, seen)).toEqual(['r2 waits as queued: lock_held'])
  })

  it('lets nobody overtake a job whose facts are still being read', () => {
    const jobs = [jobFor(first), jobFor(second)]
    const seen = observed(jobs, { evidence: new Map([[jobs[1]!.id, evidence()]]) })
    expect(steps(openDesired([first, second]), seen)).toEqual(['r1 gather', 'r2 waits as queued: queue_position'])
  })

  it('starts every job at once where the environment takes no lock', () => {
    const free = environment({ policy: policy(), lockStrategy: 'none' })
    const jobs = [jobFor(first), jobFor(second)]
    expect(steps(openDesired([first, second], { environments: new Map([[free.key, free]]) }), observed(jobs))).toEqual([
      'r1 start',
      'r2 start',
    ])
  })

  it('lets a dry run go while the environment is locked', () => {
    const holder = running()
    const dry = requestNumber(2, { type: 'dry_run' })
    const seen = observed([holder, jobFor(dry)], {
      locks: heldBy(holder),
      runs: new Map([[holder.id, [runFor(holder, { observedAt: NOW })]]]),
    })
    expect(steps(openDesired([first, dry]), seen)).toEqual(['r2 start'])
  })
})

describe('an environment without a lock', () => {
  const free = environment({ policy: policy(), lockStrategy: 'none' })
  const desired = openDesired([first, second], { environments: new Map([[free.key, free]]) })
  const jobs = [jobFor(first), jobFor(second)]

  it('lets a job whose facts are being read stand in nobody’s way', () => {
    const unread = observed(jobs, { evidence: new Map([[jobs[1]!.id, evidence()]]) })
    expect(steps(desired, unread)).toEqual(['r1 gather', 'r2 start'])
    const old = evidence({ at: NOW - HOUR_MS, lookedAt: NOW - HOUR_MS })
    const inLine = jobFor(first, { reason: reasonOf('queue_position', 'behind', NOW) })
    const aged = observed([inLine, jobs[1]!], {
      evidence: new Map([
        [inLine.id, old],
        [jobs[1]!.id, evidence()],
      ]),
    })
    expect(steps(desired, aged)).toEqual(['r1 gather', 'r2 start'])
  })
})

describe('a job that waited in line', () => {
  it('has its facts read anew before it starts, and keeps its place meanwhile', () => {
    const before = evidence({ at: NOW - SECOND_MS, lookedAt: NOW - SECOND_MS })
    const jobs = [first, second].map((request) => jobFor(request, { reason: reasonOf('lock_held', 'held', NOW - HOUR_MS) }))
    const seen = observed(jobs, { evidence: new Map(jobs.map((one) => [one.id, before])) })
    expect(steps(openDesired([first, second]), seen)).toEqual(['r1 gather', 'r2 waits as queued: queue_position'])
  })

  it('is looked at when something in its project stirred, and let alone between two polls', () => {
    const at = NOW - SECOND_MS
    const job = jobFor(first, { reason: reasonOf('ready', 'next', NOW) })
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ at, lookedAt: at })]]) })
    expect(steps(openDesired([first]), { ...seen, stirred: new Set([job.id]) })).toEqual(['r1 gather'])
    expect(steps(openDesired([first]), { ...seen, stirred: new Set(), tickStartedAt: at })).toEqual(['r1 start'])
  })

  it('starts only on facts of the present look: an approval may have been dismissed a moment ago', () => {
    const at = NOW - SECOND_MS
    const job = jobFor(first, { reason: reasonOf('ci_missing', 'no result', NOW) })
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ at, lookedAt: at })]]) })
    expect(plan(openDesired([first]), seen, TIMING, NOW)).toMatchObject([{ kind: 'gather', fresh: true }])
    expect(steps(openDesired([first]), { ...seen, tickStartedAt: at })).toEqual(['r1 start'])
  })
})

describe('a promotion', () => {
  const stage = environment({ name: 'stage', policy: policy() })
  const prod = environment({ policy: policy(), promoteFrom: 'stage' })
  const desired = openDesired([first], {
    environments: new Map([
      [stage.key, stage],
      [prod.key, prod],
    ]),
  })

  it('asks for a success of this commit in the environment before', () => {
    const seen = observed([jobFor(first)])
    expect(steps(desired, seen)).not.toContain('r1 start')
    expect(steps(desired, { ...seen, successes: new Map([[stage.key, [success({ sha: SHA })]]]) })).toEqual(['r1 start'])
  })
})

describe('a job that may have run unseen', () => {
  const job = jobFor(first, { createdAt: NOW - 10 * MINUTE_MS })
  const desired = openDesired([first])
  const LONG_AGO = NOW - 8 * DAY_MS
  const RUN = { externalId: '900', externalAttempt: 1, url: null }
  const seenAs = (state: 'active' | 'success') => ({ state, externalAttempt: 1, url: null, detail: null })
  const found = (state: 'active' | 'success') => known({ found: true as const, run: RUN, others: [], seen: seenAs(state) })
  const nothing = (broughtAt = NOW - HOUR_MS, doubt: string | null = null) => known({ found: false as const, broughtAt, doubt })
  const holder = running(second)
  const held = { locks: heldBy(holder) }

  function about(past: Fact<PastRun>, of: Job = job, overrides: Partial<Observed> = {}): string[] {
    return steps(desired, observed([of], { evidence: new Map([[of.id, evidence({ past })]]), ...overrides }))
  }

  it('waits until the provider could be asked, but not for ever', () => {
    const unasked = unknown('GitHub answered 502')
    expect(about(unasked)).toEqual(['r1 waits as queued: check_unavailable'])
    const long = jobFor(first, { reason: reasonOf('check_unavailable', 'asked in vain', NOW - DAY_MS) })
    expect(about(unasked, long)).toEqual(['r1 ends expired: queue_expired'])
  })

  it('takes over the run that is found, unless another job holds the lock that a living one needs', () => {
    expect(about(found('active'))).toEqual(['r1 adopt'])
    expect(about(found('active'), job, { locks: heldBy(job) })).toEqual(['r1 adopt'])
    expect(about(found('active'), job, held)).toEqual(['r1 waits as queued: lock_held'])
    expect(about(found('success'), job, held)).toEqual(['r1 adopt'])
  })

  it('starts when not finding a run proves that there was none', () => {
    expect(about(nothing())).toEqual(['r1 start'])
  })

  it('ends without a run when it is so old, or the list so doubtful, that not finding one proves nothing', () => {
    expect(about(nothing(LONG_AGO))).toEqual(['r1 ends expired: past_unknown'])
    expect(about(nothing(NOW - HOUR_MS, 'there are more runs than GitHub lists'))).toEqual(['r1 ends expired: past_unknown'])
  })

  it('waits for a run of the last moment to show', () => {
    const young = jobFor(first, { createdAt: NOW - MINUTE_MS })
    expect(about(nothing(), young)).toEqual(['r1 waits as queued: check_unavailable'])
  })

  it('starts whatever the list says when it came after this controller began', () => {
    const later = jobFor(first, { acceptedCommit: commitSha('e'.repeat(40)) })
    expect(about(nothing(LONG_AGO), later)).toEqual(['r1 start'])
  })

  it('holds back what is behind it on its environment until that is known', () => {
    const jobs = [jobFor(first), jobFor(second)]
    const seen = observed(jobs, { witnessed: new Set([jobs[0]!.id]), evidence: new Map([[jobs[0]!.id, evidence()]]) })
    expect(steps(openDesired([first, second]), seen)).toEqual(['r1 waits as queued: check_unavailable', 'r2 gather'])
    const unasked = new Map([
      [jobs[0]!.id, evidence()],
      [jobs[1]!.id, evidence({ past: unknown('GitHub answered 502') })],
    ])
    expect(steps(openDesired([first, second]), observed(jobs, { evidence: unasked }))).toEqual([
      'r1 waits as queued: check_unavailable',
      'r2 waits as queued: check_unavailable',
    ])
  })
})

describe('facts', () => {
  it('are read again before a start when they have grown old', () => {
    const job = jobFor(first)
    const old = NOW - 31 * SECOND_MS
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ at: old, lookedAt: old })]]) })
    expect(steps(openDesired([first]), seen)).toEqual(['r1 gather'])
  })

  it('are read again after a nudge and after an edit of the request', () => {
    const job = jobFor(first, { reason: reasonOf('lock_held', 'held', NOW) })
    const other = jobFor(second, { requestBlob: BLOB })
    const seen = observed([job, other], {
      nudged: new Set([job.id]),
      evidence: new Map([job, other].map((one) => [one.id, evidence({ at: NOW - SECOND_MS, lookedAt: NOW - SECOND_MS })])),
    })
    expect(steps(openDesired([first, second]), seen)).toEqual(['r1 gather', 'r2 gather'])
  })

  it('that cannot be read make a job wait, never start', () => {
    const job = jobFor(first)
    for (const broken of [evidence({ ref: unknown() }), evidence({ origin: unknown() })]) {
      expect(steps(openDesired([first]), observed([job], { evidence: new Map([[job.id, broken]]) }))).toEqual([
        'r1 waits as queued: check_unavailable',
      ])
    }
  })
})

describe('requests that cannot run', () => {
  it.each([
    ['deleted', openDesired([]), 'r1 ends canceled: request_deleted'],
    [
      'unusable',
      openDesired([], {
        unusableRequests: new Map([
          [
            first.path,
            { path: first.path, blob: first.blob, project: 'shop', environment: 'prod', findings: [finding(first.path)] },
          ],
        ]),
      }),
      'r1 ends failed: invalid_request',
    ],
    ['for an unknown environment', openDesired([first], { environments: new Map() }), 'r1 ends failed: environment_unknown'],
    [
      'for an unusable environment',
      openDesired([first], {
        environments: new Map(),
        unusableEnvironments: new Map([[first.key, [finding('policies/prod.yaml')]]]),
      }),
      'r1 ends failed: environment_unusable',
    ],
    [
      'for an unknown project',
      openDesired([first], { environments: new Map(), projects: new Map() }),
      'r1 ends failed: project_unknown',
    ],
  ])('end with their reason when %s', (_name, desired, expected) => {
    expect(steps(desired, observed([jobFor(first)]))).toEqual([expected])
  })

  it('end when they were pushed without a pull request', () => {
    const job = jobFor(first)
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ origin: known({ kind: 'direct_push' }) })]]) })
    expect(steps(openDesired([first]), seen)).toEqual(['r1 ends failed: requester_unknown'])
  })

  it('end when their pull request changed the rules as well', () => {
    const job = jobFor(first)
    const origin = evidence().origin
    if (!origin.known || origin.value.kind !== 'pull_request') throw new Error('fixture')
    const seen = observed([job], {
      evidence: new Map([[job.id, evidence({ origin: known({ ...origin.value, changesRules: true }) })]]),
    })
    expect(steps(openDesired([first]), seen)).toEqual(['r1 ends failed: rules_changed_together'])
  })

  it('wait while the config repository is frozen', () => {
    const seen = observed([jobFor(first)])
    const frozen = { ...seen, config: { ...seen.config, frozen: reasonOf('config_frozen', 'rewritten', NOW) } }
    expect(steps(openDesired([first]), frozen)).toEqual(['r1 waits as queued: config_frozen'])
  })

  it('wait while it is frozen also as dry runs, whose pipeline runs code that nobody can vouch for', () => {
    const dryRun = { ...first, type: 'dry_run' as const }
    const seen = observed([jobFor(dryRun)])
    const frozen = { ...seen, config: { ...seen.config, frozen: reasonOf('config_frozen', 'rewritten', NOW) } }
    expect(steps(openDesired([dryRun]), frozen)).toEqual(['r1 waits as queued: config_frozen'])
  })

  it('expire after waiting too long for one and the same thing', () => {
    const prod = environment({ policy: prodPolicy({ window: null, requireCiSuccess: false }) })
    const desired = openDesired([first], { environments: new Map([[prod.key, prod]]) })
    const since = (age: number) =>
      observed([jobFor(first, { status: 'waiting_approval', reason: reasonOf('approval_missing', 'x', NOW - age) })])
    expect(steps(desired, since(7 * DAY_MS - 1))).toEqual(['r1 waits as waiting_approval: approval_missing'])
    expect(steps(desired, since(7 * DAY_MS))).toEqual(['r1 ends expired: approval_expired'])
  })

  it('expire sooner when they wait for a machine, and say that it was the queue', () => {
    const held = jobFor(first, { reason: reasonOf('check_unavailable', 'x', NOW - DAY_MS) })
    const seen = observed([held], { evidence: new Map([[held.id, evidence({ ref: unknown() })]]) })
    expect(steps(openDesired([first]), seen)).toEqual(['r1 ends expired: queue_expired'])
  })

  it('say so without a finding, too', () => {
    const unusable = { path: first.path, blob: first.blob, project: 'shop', environment: 'prod', findings: [] }
    const reasonIn = (desired: DesiredState) => {
      const [step] = plan(desired, observed([jobFor(first)]), TIMING, NOW)
      return step?.kind === 'end' ? step.reason : null
    }
    expect(reasonIn(openDesired([], { unusableRequests: new Map([[first.path, unusable]]) }))).toMatchObject({
      text: 'The request file cannot be used.',
      action: null,
    })
    expect(
      reasonIn(openDesired([first], { environments: new Map(), unusableEnvironments: new Map([[first.key, []]]) })),
    ).toMatchObject({ text: 'shop/prod cannot be used.', action: null })
  })
})

describe('a running job', () => {
  const job = running()
  const desired = openDesired([first])
  const withRun = (overrides: Parameters<typeof runFor>[1], jobOverrides: Partial<Job> = {}) => {
    const one = running(first, jobOverrides)
    return observed([one], { locks: heldBy(one), runs: new Map([[one.id, [runFor(one, overrides)]]]) })
  }

  /** The provider failed to answer this process, and has since `since`. */

  it('is looked at once per period, or at once after a nudge', () => {
    expect(steps(desired, withRun({ observedAt: NOW - 15 * SECOND_MS }))).toEqual(['r1 observe'])
    expect(steps(desired, withRun({ observedAt: NOW - 14 * SECOND_MS }))).toEqual([])
    expect(steps(desired, { ...withRun({ observedAt: NOW }), nudged: new Set([job.id]) })).toEqual(['r1 observe'])
  })

  it.each(['intended', 'unknown'] as const)('whose trigger outcome is %s is looked up and never sent again', (state) => {
    expect(steps(desired, withRun({ state, externalId: null, observedAt: null }))).toEqual(['r1 look_up'])
  })

  it('whose outcome is unknown is not looked for more often than other runs', () => {
    expect(steps(desired, withRun({ state: 'unknown', externalId: null, observedAt: NOW - SECOND_MS }))).toEqual([])
  })

  it('is left alone when its run has ended, or was never written down', () => {
    expect(steps(desired, withRun({ state: 'ended', outcome: 'success', endedAt: NOW }))).toEqual([])
    expect(steps(desired, observed([running()]))).toEqual([])
  })

  it('of a dry run is watched and never asked to stop', () => {
    const dry = running(first, { type: 'dry_run', cancelRequestedAt: NOW })
    const seen = observed([dry], { runs: new Map([[dry.id, [runFor(dry)]]]) })
    expect(steps(openDesired([]), seen)).toEqual(['r1 observe'])
  })

  it('that never told when it began is measured from its intent', () => {
    const silent = { startedAt: null, observedAt: null, intendedAt: NOW - HOUR_MS }
    const asked = { unanswered: new Set([job.id]) }
    const inVain = { ...withRun(silent, unreachableSince(NOW - HOUR_MS)), ...asked }
    expect(steps(desired, inVain)).toEqual(['r1 ends failed: provider_unreachable'])
    expect(steps(desired, withRun(silent))).toEqual(['r1 cancel'])
    expect(steps(desired, withRun({ ...silent, intendedAt: NOW }))).toEqual(['r1 observe'])
  })

  it('goes on by the usual limit when its environment has left the config repository', () => {
    const gone = openDesired([first], { environments: new Map() })
    expect(steps(gone, withRun({ observedAt: NOW - MINUTE_MS }))).toEqual(['r1 observe'])
    expect(steps(gone, withRun({ observedAt: NOW + HOUR_MS - 20 * SECOND_MS }), NOW + HOUR_MS)).toEqual(['r1 cancel'])
  })

  it('goes on by the limit that it began with when nobody can read what is in force', () => {
    const integration = { apiUrl: null, defaultBranch: 'main', credentialRef: null, callbacks: false, code: null }
    const connection = { integration, workflowRef: null, maxRunMs: 2 * HOUR_MS }
    const seen = withRun({ connection, observedAt: NOW + HOUR_MS })
    expect(steps(unreadable, seen, NOW + HOUR_MS + MINUTE_MS)).toEqual(['r1 observe'])
    expect(steps(unreadable, seen, NOW + 2 * HOUR_MS)).toEqual(['r1 cancel'])
  })

  it('that was refused ends with whatever ends the wish for it, or with the time a run may take', () => {
    const refused = { state: 'refused', retryAt: NOW } as const
    expect(steps(openDesired([]), withRun(refused))).toEqual(['r1 ends canceled: request_deleted'])
    expect(steps(openDesired([first], { environments: new Map() }), withRun(refused))).toEqual([
      'r1 ends failed: environment_unknown',
    ])
    for (const detail of [null, 'HTTP 503']) {
      const [step] = plan(desired, withRun({ ...refused, detail }), TIMING, NOW + HOUR_MS)
      expect(step).toMatchObject({ kind: 'end', reason: { code: 'provider_unreachable' } })
      expect(step?.kind === 'end' && step.reason.text).toContain(detail ?? 'no reason given')
    }
  })

  it('is left alone while its own call is under way', () => {
    const seen = withRun({ state: 'intended', externalId: null, observedAt: null })
    expect(steps(desired, { ...seen, inFlight: new Set([job.id]) })).toEqual([])
  })

  it('is given up only after the limit and a look that came after the call could act', () => {
    const late = NOW + 10 * MINUTE_MS
    const lost = { state: 'unknown', externalId: null } as const
    expect(steps(desired, withRun({ ...lost, observedAt: late - SECOND_MS }), late)).toEqual([
      'r1 ends failed: trigger_outcome_unknown',
    ])
    expect(steps(desired, withRun({ ...lost, observedAt: null }), late)).toEqual(['r1 look_up'])
    expect(steps(desired, withRun({ ...lost, observedAt: null }), NOW + HOUR_MS)).toEqual(['r1 look_up'])
    const inVain = { ...withRun({ ...lost, observedAt: null }, unreachableSince(NOW)), unanswered: new Set([job.id]) }
    expect(steps(desired, inVain, NOW + HOUR_MS)).toEqual(['r1 ends failed: trigger_outcome_unknown'])
  })

  it('is looked for once more when the list was read before it had to show what was made', () => {
    const lost = { state: 'unknown', externalId: null, sendDeadline: NOW + 15 * SECOND_MS } as const
    const late = NOW + HOUR_MS
    expect(steps(desired, withRun({ ...lost, observedAt: NOW + MINUTE_MS }), late)).toEqual(['r1 look_up'])
  })

  it('that was intended by a clock which was set back since is given up by the deadline that was set anew', () => {
    const ahead = { state: 'unknown', externalId: null, intendedAt: NOW + DAY_MS, sendDeadline: NOW } as const
    const late = NOW + TIMING.triggerLookupMs
    expect(steps(desired, withRun({ ...ahead, observedAt: late - MINUTE_MS }), late - SECOND_MS)).toEqual(['r1 look_up'])
    expect(steps(desired, withRun({ ...ahead, observedAt: late - SECOND_MS }), late)).toEqual([
      'r1 ends failed: trigger_outcome_unknown',
    ])
  })

  it('is looked for as long as a run may take once its pipeline was told to go on', () => {
    const claimed = { state: 'unknown', externalId: null, claimedAt: NOW } as const
    expect(steps(desired, withRun({ ...claimed, observedAt: NOW + 10 * MINUTE_MS }), NOW + 11 * MINUTE_MS)).toEqual([
      'r1 look_up',
    ])
    const late = NOW + HOUR_MS
    expect(steps(desired, withRun({ ...claimed, observedAt: late - SECOND_MS }), late)).toEqual([
      'r1 ends failed: trigger_outcome_unknown',
    ])
  })

  it('is tried again after a definite refusal, at most a fixed number of times', () => {
    expect(steps(desired, withRun({ state: 'refused', retryAt: NOW + 1 }))).toEqual([])
    expect(steps(desired, withRun({ state: 'refused', retryAt: NOW }))).toEqual(['r1 retry'])
    expect(steps(desired, withRun({ state: 'refused', retryAt: null }))).toEqual(['r1 ends failed: trigger_refused'])
    expect(steps(desired, withRun({ state: 'refused', retryAt: NOW, attempt: MAX_ATTEMPTS }, { attempt: MAX_ATTEMPTS }))).toEqual(
      ['r1 ends failed: provider_unreachable'],
    )
  })

  it('is asked to stop when its request was deleted or its time is over, and stays until the provider says so', () => {
    expect(steps(openDesired([]), withRun({}))).toEqual(['r1 cancel'])
    const late = NOW + HOUR_MS
    expect(steps(desired, withRun({ observedAt: late - 20 * SECOND_MS }), late)).toEqual(['r1 cancel'])
  })

  it('is given up only when the provider was asked in vain for as long as a run may take', () => {
    const late = NOW + HOUR_MS
    const silent = (since: number) => withRun({ observedAt: NOW - MINUTE_MS }, unreachableSince(since))
    const asked = { unanswered: new Set([job.id]) }
    expect(steps(desired, { ...silent(NOW), ...asked }, late)).toEqual(['r1 ends failed: provider_unreachable'])
    expect(steps(desired, { ...silent(NOW + MINUTE_MS), ...asked }, late)).toEqual(['r1 cancel'])
    expect(steps(desired, silent(NOW), late)).toEqual(['r1 cancel'])
  })

  it('is asked about first by a controller that was away for longer than a run may take', () => {
    expect(steps(desired, withRun({ observedAt: NOW - MINUTE_MS }), NOW + HOUR_MS)).toEqual(['r1 cancel'])
  })
})

describe('properties', () => {
  const status = fc.constantFrom(...JOB_STATUSES)

  it('never plans two starts for one exclusive environment, nor one past its lock', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ status, stale: fc.boolean(), lost: fc.boolean() }), { minLength: 1, maxLength: 12 }),
        (shapes) => {
          const requests = shapes.map((_, index) => requestNumber(index + 1))
          const jobs = shapes.map((shape, index) => jobFor(requests[index]!, { status: shape.status, seq: index + 1 }))
          const holder = jobs.find((one) => one.status === 'running')
          const known = new Map(
            jobs.flatMap((one, index) =>
              shapes[index]!.lost
                ? []
                : [[one.id, evidence(shapes[index]!.stale ? { at: NOW - HOUR_MS, lookedAt: NOW - HOUR_MS } : {})] as const],
            ),
          )
          const seen = observed(jobs, { evidence: known, locks: holder ? heldBy(holder) : new Map() })
          const starts = plan(openDesired(requests), seen, TIMING, NOW).filter((step) => step.kind === 'start')
          expect(starts.length).toBeLessThanOrEqual(holder ? 0 : 1)
        },
      ),
    )
  })

  it('plans only legal moves, at most one step a job, none for a job that has ended', () => {
    fc.assert(
      fc.property(fc.array(status, { minLength: 1, maxLength: 8 }), fc.boolean(), (statuses, deleted) => {
        const requests = statuses.map((_, index) => requestNumber(index + 1))
        const jobs = statuses.map((one, index) => jobFor(requests[index]!, { status: one, seq: index + 1 }))
        const all = plan(openDesired(deleted ? [] : requests), observed(jobs), TIMING, NOW)
        expect(new Set(all.map((step) => step.job.id)).size).toBe(all.length)
        for (const step of all) {
          if (step.kind === 'wait' || step.kind === 'end') expect(mayMove(step.job.status, step.status)).toBe(true)
          if (step.kind === 'start') expect(step.job.status).toBe('queued')
        }
      }),
    )
  })

  it('gives the same steps for the same facts', () => {
    const jobs = [jobFor(first), jobFor(second)]
    const desired = openDesired([first, second])
    expect(plan(desired, observed(jobs), TIMING, NOW)).toEqual(plan(desired, observed(jobs), TIMING, NOW))
  })

  it('pins what is on show by content: the same facts keep the pin, another commit renews it', () => {
    const job = jobFor(first)
    const start = plan(openDesired([first]), observed([job]), TIMING, NOW)[0]
    if (start?.kind !== 'start') throw new Error('expected a start')
    expect(start.decided.pin).toMatchObject({ sha: SHA, since: NOW + SECOND_MS })
    const pinned = jobFor(first, { pin: { ...start.decided.pin!, since: NOW - DAY_MS } })
    const again = plan(openDesired([first]), observed([pinned]), TIMING, NOW)[0]
    if (again?.kind !== 'start') throw new Error('expected a start')
    expect(again.decided).toMatchObject({ pinChanged: false, pin: { since: NOW - DAY_MS } })
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { PastRun } from '../../controller/jobs/evidence.ts'
import { JOB_STATUSES, type Job, lockKey, type Run } from '../../controller/jobs/job.ts'
import { mismatchEnd, reasonOf } from '../../controller/jobs/job-reasons.ts'
import type { Observed } from '../../controller/jobs/observed-state.ts'
import { plan } from '../../controller/jobs/plan.ts'
import { takesLock } from '../../controller/jobs/plan-desired.ts'
import { isOver } from '../../controller/jobs/plan-past.ts'
import { MAX_ATTEMPTS } from '../../controller/jobs/plan-run.ts'
import { VISIBILITY_LAG_MS } from '../../controller/jobs/plan-timing.ts'
import type { PlannedStep } from '../../controller/jobs/planned-step.ts'
import { mayMove } from '../../controller/jobs/transitions.ts'
import type { DesiredState } from '../../controller/model/desired-state.ts'
import { commitSha } from '../../controller/model/names.ts'
import type { ReasonCode } from '../../controller/model/reason.ts'
import type { Fact } from '../../controller/policy/decision.ts'
import {
  BLOB,
  ciEvidence,
  deployWindow,
  environment,
  finding,
  hold,
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

describe('a dry run in the queue', () => {
  const dry = requestNumber(1, { type: 'dry_run' })
  const jobs = [jobFor(dry), jobFor(second)]
  const desired = openDesired([dry, second])

  it('stands in nobody’s way, whether its facts are still read, read once more, or let it start', () => {
    const unread = observed(jobs, { evidence: new Map([[jobs[1]!.id, evidence()]]) })
    expect(steps(desired, unread)).toEqual(['r1 gather', 'r2 start'])
    const before = evidence({ at: NOW - SECOND_MS })
    const reread = observed(jobs, {
      evidence: new Map([jobs[0]!.id, jobs[1]!.id].map((id, index) => [id, index === 0 ? before : evidence()])),
    })
    expect(steps(desired, reread)).toEqual(['r1 gather', 'r2 start'])
    expect(steps(desired, observed(jobs))).toEqual(['r1 start', 'r2 start'])
  })

  it('starts while it is not known whether another job runs', () => {
    const unasked = evidence({ past: unknown('GitHub answered 502') })
    const seen = observed(jobs, { evidence: new Map(jobs.map(({ id }, index) => [id, index === 0 ? evidence() : unasked])) })
    expect(steps(desired, seen)).toEqual(['r1 start', 'r2 waits as queued: check_unavailable'])
  })

  it('takes no lock, nor does a request for an environment that is not there', () => {
    expect(takesLock(desired, dry)).toBe(false)
    expect(takesLock(desired, second)).toBe(true)
    expect(takesLock({ ...desired, environments: new Map() }, second)).toBe(false)
  })
})

describe('a job that is not ready', () => {
  const green = environment({ policy: policy({ requireCiSuccess: true }) })
  const desired = openDesired([first, second, third], { environments: new Map([[green.key, green]]) })
  const jobs = [first, second, third].map((request) => jobFor(request))

  it('is passed by one behind it on its own environment', () => {
    const red = evidence({ ci: ciEvidence([]) })
    const seen = observed(jobs, { evidence: new Map(jobs.map(({ id }, index) => [id, index === 0 ? red : evidence()])) })
    expect(steps(desired, seen)).toEqual(['r1 waits as queued: ci_missing', 'r2 start', 'r3 waits as queued: queue_position'])
  })

  it('but for the lock keeps its place before those behind it', () => {
    const holder = running(requestNumber(4))
    const seen = observed([holder, ...jobs.slice(0, 2)], {
      locks: heldBy(holder),
      runs: new Map([[holder.id, [runFor(holder, { observedAt: NOW })]]]),
    })
    const all = { ...desired, requests: new Map([...desired.requests, [holder.requestPath, requestNumber(4)]]) }
    expect(steps(all, seen)).toEqual(['r1 waits as queued: lock_held', 'r2 waits as queued: queue_position'])
  })

  it('begins to wait anew when it waits for something else, and goes on waiting for the same', () => {
    const since = NOW - HOUR_MS
    const about = (code: 'ci_missing' | 'ci_pending') => {
      const one = jobFor(first, { reason: reasonOf(code, 'before', since) })
      const [step] = plan(
        desired,
        observed([one], { evidence: new Map([[one.id, evidence({ ci: ciEvidence([]) })]]) }),
        TIMING,
        NOW,
      )
      return step?.kind === 'wait' ? step.reason : null
    }
    expect(about('ci_missing')).toMatchObject({ code: 'ci_missing', since })
    expect(about('ci_pending')).toMatchObject({ code: 'ci_missing', since: NOW })
  })

  it('starts from the queue: one that waited for approvals goes there first, without its facts being read again', () => {
    const at = NOW - SECOND_MS
    const waited = jobFor(first, { status: 'waiting_approval', reason: reasonOf('frozen', 'x', at) })
    const seen = observed([waited], { evidence: new Map([[waited.id, evidence({ at, lookedAt: at })]]) })
    expect(plan(openDesired([first]), seen, TIMING, NOW)).toMatchObject([
      {
        kind: 'wait',
        status: 'queued',
        reason: { code: 'ready', since: NOW, text: expect.stringContaining('it starts next'), action: null },
      },
    ])
  })
})

describe('a refusal', () => {
  const off = environment({ policy: policy(), enabled: false })
  const desired = openDesired([first], { environments: new Map([[off.key, off]]) })
  const refusedAfter = (age: number, code: 'frozen' | 'queue_position' = 'frozen') => {
    const at = NOW - age
    const one = jobFor(first, { reason: reasonOf(code, 'x', at) })
    return steps(desired, observed([one], { evidence: new Map([[one.id, evidence({ at, lookedAt: at })]]) }))
  }

  it('needs facts that are young, but not those of this very moment', () => {
    expect(refusedAfter(SECOND_MS)).toEqual(['r1 ends failed: environment_disabled'])
    expect(refusedAfter(TIMING.evidenceMaxAgeMs)).toEqual(['r1 ends failed: environment_disabled'])
    expect(refusedAfter(TIMING.evidenceMaxAgeMs + 1)).toEqual(['r1 gather'])
  })

  it('of what stood in line needs facts of this moment, since nobody reads any there', () => {
    expect(refusedAfter(SECOND_MS, 'queue_position')).toEqual(['r1 gather'])
  })
})

describe('a rollback without a ref', () => {
  it('goes to the commit before the present one', () => {
    const back = requestNumber(1, { type: 'rollback', ref: null })
    const seen = observed([jobFor(back)], {
      successes: new Map([[back.key, [success(), success({ jobId: 'older', sha: OTHER_SHA })]]]),
      evidence: new Map([[jobFor(back).id, evidence({ ref: resolved({ sha: OTHER_SHA }) })]]),
    })
    expect(plan(openDesired([back]), seen, TIMING, NOW)).toMatchObject([
      { kind: 'start', decided: { target: { type: 'sha', name: OTHER_SHA } } },
    ])
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

  it('waits for a run of the last moment to show, and no longer', () => {
    const young = (age: number) => jobFor(first, { createdAt: NOW - age })
    expect(about(nothing(), young(VISIBILITY_LAG_MS - 1))).toEqual(['r1 waits as queued: check_unavailable'])
    expect(about(nothing(), young(VISIBILITY_LAG_MS))).toEqual(['r1 start'])
    const seen = observed([young(0)], { evidence: new Map([[job.id, evidence({ past: nothing() })]]) })
    expect(plan(desired, seen, TIMING, NOW)).toMatchObject([
      {
        kind: 'wait',
        reason: { until: NOW + VISIBILITY_LAG_MS, action: { text: expect.stringContaining('asked again by itself') } },
      },
    ])
  })

  it('is too old from the moment on at which a request would expire', () => {
    const expiryMs = desired.repository.approvalExpiryMs
    expect(about(nothing(NOW - expiryMs + 1))).toEqual(['r1 start'])
    expect(about(nothing(NOW - expiryMs))).toEqual(['r1 ends expired: past_unknown'])
  })

  it('says, where nobody can tell, why that is', () => {
    const words = (past: Fact<PastRun>) => {
      const [step] = plan(desired, observed([job], { evidence: new Map([[job.id, evidence({ past })]]) }), TIMING, NOW)
      return step?.kind === 'end' ? step.reason : null
    }
    expect(words(nothing(LONG_AGO))?.text).toContain('long before that, and no run with its JOB_ID was found.')
    expect(words(nothing(NOW - HOUR_MS, 'GitHub lists no more'))).toMatchObject({
      text: expect.stringContaining('before that, and GitHub lists no more.'),
      action: { text: expect.stringContaining('Look at the provider for this JOB_ID') },
    })
  })

  it.each([
    ['active', false],
    ['success', true],
    ['failed', true],
    ['canceled', true],
    ['timed_out', true],
    ['vanished', false],
  ] as const)('and whose run is %s is over: %s', (state, over) => {
    expect(isOver({ state, externalAttempt: 1, url: null, detail: null })).toBe(over)
  })

  it('keeps its place in line while it waits or is taken over, and gives it up when it ends', () => {
    const behind = jobFor(second)
    const both = openDesired([first, second])
    const beside = (past: Fact<PastRun>, overrides: Partial<Observed> = {}) =>
      steps(
        both,
        observed([job, behind], {
          evidence: new Map([
            [job.id, evidence({ past })],
            [behind.id, evidence()],
          ]),
          ...overrides,
        }),
      )
    expect(beside(unknown('GitHub answered 502'))).toEqual([
      'r1 waits as queued: check_unavailable',
      'r2 waits as queued: queue_position',
    ])
    expect(beside(found('active'))).toEqual(['r1 adopt', 'r2 waits as queued: queue_position'])
    expect(beside(nothing(LONG_AGO))).toEqual(['r1 ends expired: past_unknown', 'r2 start'])
  })

  it('as a dry run holds back what is behind it, but not by its place in line', () => {
    const dry = requestNumber(1, { type: 'dry_run' })
    const jobs = [jobFor(dry), jobFor(second)]
    const unasked = evidence({ past: unknown('GitHub answered 502') })
    const seen = observed(jobs, { evidence: new Map(jobs.map(({ id }, index) => [id, index === 0 ? unasked : evidence()])) })
    expect(steps(openDesired([dry, second]), seen)).toEqual(
      Array.from(['r1', 'r2'], (name) => `${name} waits as queued: check_unavailable`),
    )
  })

  it('changes nothing for one before it that waits for something else', () => {
    const green = environment({ policy: policy({ requireCiSuccess: true }) })
    const jobs = [jobFor(first), jobFor(second)]
    const facts = [evidence({ ci: ciEvidence([]) }), evidence({ past: unknown('GitHub answered 502') })]
    const seen = observed(jobs, { evidence: new Map(jobs.map(({ id }, index) => [id, facts[index]!])) })
    expect(steps(openDesired([first, second], { environments: new Map([[green.key, green]]) }), seen)[0]).toBe(
      'r1 waits as queued: ci_missing',
    )
  })

  it('starts whatever the list says when it came after this controller began', () => {
    const later = jobFor(first, { acceptedCommit: commitSha('e'.repeat(40)) })
    expect(about(nothing(LONG_AGO), later)).toEqual(['r1 start'])
  })

  it('is asked about before it ends for want of its request, and its run is taken over', () => {
    const deleted = openDesired([second])
    const behind = jobFor(second)
    const all = (past: Fact<PastRun> | null, overrides: Partial<Observed> = {}) =>
      steps(
        deleted,
        observed([job, behind], {
          evidence: new Map([job, behind].map((one) => [one.id, evidence({ past: one === job ? past : null })])),
          ...overrides,
        }),
      )
    expect(steps(deleted, observed([job, behind], { witnessed: new Set([behind.id]), evidence: new Map() }))).toEqual([
      'r1 gather',
      'r2 gather',
    ])
    expect(all(unknown('GitHub answered 502'))).toEqual(['r1 stay', 'r2 waits as queued: queue_position'])
    expect(all(found('active'))[0]).toBe('r1 adopt')
    expect(all(found('active'), held)[0]).toBe('r1 stay')
    expect(all(found('active'), { nudged: new Set([job.id]), tickStartedAt: NOW + 1 })[0]).toBe('r1 gather')
    expect(all(nothing())[0]).toBe('r1 ends canceled: request_deleted')
    expect(all(nothing(LONG_AGO))[0]).toBe('r1 ends expired: past_unknown')
  })

  it('ends for want of its request without a question when it cannot have run, or there is nobody to ask', () => {
    const witnessed = observed([job], { witnessed: new Set([job.id]), evidence: new Map() })
    expect(steps(openDesired([]), witnessed)).toEqual(['r1 ends canceled: request_deleted'])
    expect(steps(openDesired([]), observed([job]))).toEqual(['r1 ends canceled: request_deleted'])
    const nowhere = openDesired([], { environments: new Map() })
    expect(steps(nowhere, observed([job], { witnessed: new Set(), evidence: new Map() }))).toEqual([
      'r1 ends canceled: request_deleted',
    ])
  })

  it('takes a run over without a lock where none is needed', () => {
    const dry = jobFor(first, { type: 'dry_run' })
    const past = evidence({ past: found('active') })
    expect(steps(openDesired([]), observed([dry], { ...held, evidence: new Map([[dry.id, past]]) }))).toEqual(['r1 adopt'])
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
  const about = (code: ReasonCode, overrides: Partial<Observed>, lookedAt: number) => {
    const job = jobFor(first, { reason: reasonOf(code, 'x', NOW - HOUR_MS) })
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ at: NOW, lookedAt })]]), ...overrides })
    return plan(openDesired([first]), seen, TIMING, NOW).map((step) =>
      step.kind === 'gather' ? `gather, fresh: ${step.fresh}` : step.kind,
    )
  }
  const id = jobFor(first).id

  it('are all read anew where there are none, and after a nudge, unless they were looked at in this very pass', () => {
    expect(plan(openDesired([first]), observed([jobFor(first)], { evidence: new Map() }), TIMING, NOW)).toMatchObject([
      { kind: 'gather', fresh: true },
    ])
    expect(about('frozen', { nudged: new Set([id]) }, NOW - 1)).toEqual(['gather, fresh: true'])
    expect(about('frozen', { nudged: new Set([id]) }, NOW)).toEqual(['start'])
  })

  it('are only looked at when something stirred, or half a poll after the last look while an answer is awaited', () => {
    expect(about('frozen', { stirred: new Set([id]) }, NOW - 1)).toEqual(['gather, fresh: false'])
    expect(about('frozen', {}, NOW - HOUR_MS)).toEqual(['start'])
    expect(about('ci_pending', {}, NOW - TIMING.pollMs / 2)).toEqual(['gather, fresh: false'])
    expect(about('ci_pending', {}, NOW - TIMING.pollMs / 2 + 1)).toEqual(['start'])
  })

  it.each([
    'approval_missing',
    'ci_pending',
    'ci_missing',
    'check_unavailable',
    'evidence_stale',
    'ready',
    'requester_unknown',
    'ref_missing',
  ] as const)('are looked at again and again while a job waits because of %s', (code) => {
    expect(about(code, {}, NOW - TIMING.pollMs)).toEqual(['gather, fresh: false'])
  })

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

  it('expire as late when they wait for a window or the end of a freeze', () => {
    const shut = environment({ policy: policy({ window: deployWindow({ days: ['Sun'] }) }) })
    const aged = (age: number, code: ReasonCode, desired: DesiredState) =>
      steps(desired, observed([jobFor(first, { reason: reasonOf(code, 'x', NOW - age) })]))
    const closed = openDesired([first], { environments: new Map([[shut.key, shut]]) })
    expect(aged(7 * DAY_MS - 1, 'window_closed', closed)).toEqual(['r1 waits as queued: window_closed'])
    expect(aged(7 * DAY_MS, 'window_closed', closed)).toEqual(['r1 ends expired: queue_expired'])
    const held = openDesired([first], { holds: [hold()] })
    expect(aged(7 * DAY_MS - 1, 'held', held)).toEqual(['r1 waits as queued: held'])
    expect(aged(7 * DAY_MS, 'held', held)).toEqual(['r1 ends expired: queue_expired'])
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

describe('the end of a request that cannot run', () => {
  const mistaken = { ...finding('projects/shop/x.yaml', 'the key `polcy` is not known'), help: 'did you mean `policy`?' }
  const unusable = { path: first.path, blob: first.blob, project: 'shop', environment: 'prod', findings: [mistaken] }
  const where = 'the key `polcy` is not known (projects/shop/x.yaml:1)'
  it.each<[string, DesiredState, string, string | null]>([
    ['deleted', openDesired([]), 'The request file requests/shop/prod/r1.yaml was deleted.', null],
    [
      'unusable',
      openDesired([], { unusableRequests: new Map([[first.path, unusable]]) }),
      `The request file cannot be used: ${where}.`,
      'did you mean `policy`?',
    ],
    [
      'unusable of its environment',
      openDesired([first], { environments: new Map(), unusableEnvironments: new Map([[first.key, [mistaken]]]) }),
      `shop/prod cannot be used: ${where}.`,
      'did you mean `policy`?',
    ],
    ['environment', openDesired([first], { environments: new Map() }), 'Project shop has no environment prod.', null],
    ['project', openDesired([first], { environments: new Map(), projects: new Map() }), 'There is no project shop.', null],
  ])('names what is wrong: %s', (_, desired, text, help) => {
    const [step] = plan(desired, observed([jobFor(first)]), TIMING, NOW)
    const action = help === null ? null : { text: help, command: null, url: null }
    expect(step).toMatchObject({ kind: 'end', run: null, decided: null })
    expect(step?.kind === 'end' && step.reason).toMatchObject({ text, action, since: NOW, until: null, waitingFor: [] })
  })

  it('by waiting says since when and for what', () => {
    const held = jobFor(first, { reason: reasonOf('check_unavailable', 'x', NOW - DAY_MS) })
    const seen = observed([held], { evidence: new Map([[held.id, evidence({ ref: unknown() })]]) })
    expect(plan(openDesired([first]), seen, TIMING, NOW)).toMatchObject([
      {
        reason: {
          text: expect.stringMatching(
            /^It waited since 2026-11-17T10:00:00.000Z and nothing changed: Where .* points could not be read/,
          ),
          action: { text: 'Add a new request if it is still wanted.', command: null, url: null },
        },
      },
    ])
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

  it('is looked for as long as a run may take when its pipeline spoke of another commit, and asked to stop once it is known', () => {
    const other = commitSha('f'.repeat(40))
    const pin = { digest: 'd', sha: SHA, since: NOW } as NonNullable<typeof job.pin>
    const lost = { state: 'unknown', externalId: null, checkedOutSha: other } as const
    expect(steps(desired, withRun({ ...lost, observedAt: NOW + 10 * MINUTE_MS }, { pin }), NOW + 11 * MINUTE_MS)).toEqual([
      'r1 look_up',
    ])
    expect(steps(desired, withRun({ checkedOutSha: other }, { pin }))).toEqual(['r1 cancel'])
    expect(steps(desired, withRun({ checkedOutSha: SHA }, { pin }))).toEqual(['r1 observe'])
  })

  it('of a dry run is only looked at, whatever it checked out: nobody but its pipeline stops it', () => {
    const pin = { digest: 'd', sha: SHA, since: NOW } as NonNullable<typeof job.pin>
    const dry = withRun({ checkedOutSha: commitSha('f'.repeat(40)) }, { pin, type: 'dry_run' })
    expect(steps(desired, dry)).toEqual(['r1 observe'])
  })

  it('is no success when it went on to its end with another commit, and canceled when it did not', () => {
    const mismatch = { approved: SHA, checkedOut: commitSha('f'.repeat(40)) }
    expect(mismatchEnd(mismatch, 'success', NOW)).toMatchObject({ status: 'failed', reason: { code: 'commit_mismatch' } })
    for (const status of ['failed', 'canceled'] as const)
      expect(mismatchEnd(mismatch, status, NOW)).toMatchObject({ status: 'canceled', reason: { code: 'commit_mismatch' } })
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

  it('is not given up for a provider that was out of reach before it began', () => {
    const seen = withRun({ observedAt: NOW - MINUTE_MS }, unreachableSince(NOW - 2 * HOUR_MS))
    expect(steps(desired, { ...seen, unanswered: new Set([job.id]) })).toEqual(['r1 observe'])
  })

  it('is not given up for another reason that is as old', () => {
    const seen = withRun({ observedAt: NOW - MINUTE_MS }, { reason: reasonOf('run_active', 'under way', NOW - HOUR_MS) })
    expect(steps(desired, { ...seen, unanswered: new Set([job.id]) }, NOW + HOUR_MS)).toEqual(['r1 cancel'])
  })

  it('is asked to stop when somebody asked for that, and says so', () => {
    expect(plan(desired, withRun({}, { cancelRequestedAt: NOW }), TIMING, NOW)).toMatchObject([
      {
        kind: 'cancel',
        reason: { code: 'cancel_pending', text: expect.stringContaining('the lock is held until it has'), action: null },
      },
    ])
    const late = NOW + HOUR_MS
    expect(plan(desired, withRun({ observedAt: late - MINUTE_MS }), TIMING, late)).toMatchObject([
      { kind: 'cancel', reason: { code: 'run_timed_out', text: expect.stringContaining('alive after 60 minutes') } },
    ])
  })

  it('that is given up says what was the last heard of it, and what to look at', () => {
    const late = NOW + HOUR_MS
    const silent = { ...withRun({ observedAt: NOW }, unreachableSince(NOW)), unanswered: new Set([job.id]) }
    expect(plan(desired, silent, TIMING, late)).toMatchObject([
      {
        kind: 'end',
        reason: {
          text: expect.stringContaining('out of reach since 2026-11-18T10:00:00.000Z'),
          action: { text: 'Look at the provider before the next deploy.' },
        },
      },
    ])
    const lost = withRun({ state: 'unknown', externalId: null, observedAt: late - SECOND_MS })
    expect(plan(desired, lost, TIMING, late)).toMatchObject([
      { kind: 'end', reason: { action: { text: 'Look at the provider for this JOB_ID, then add a new request.' } } },
    ])
  })

  it('that was refused says what the provider said', () => {
    const words = (detail: string | null) => {
      const [step] = plan(desired, withRun({ state: 'refused', retryAt: null, detail }), TIMING, NOW)
      return step?.kind === 'end' ? step.reason.text : null
    }
    expect(words('HTTP 422')).toBe('The provider did not start a run: HTTP 422.')
    expect(words(null)).toBe('The provider did not start a run: no reason given.')
  })

  it('is measured to the moment', () => {
    const refused = { state: 'refused', retryAt: NOW, intendedAt: NOW - HOUR_MS } as const
    expect(steps(desired, withRun(refused))).toEqual(['r1 ends failed: provider_unreachable'])
    expect(steps(desired, withRun({ ...refused, intendedAt: NOW - HOUR_MS + 1 }))).toEqual(['r1 retry'])
    const lost = { state: 'unknown', externalId: null, sendDeadline: NOW } as const
    expect(steps(desired, withRun({ ...lost, observedAt: NOW - TIMING.runPollMs }))).toEqual(['r1 look_up'])
    const late = NOW + HOUR_MS
    expect(steps(desired, withRun({ ...lost, observedAt: NOW + VISIBILITY_LAG_MS }), late)).toEqual([
      'r1 ends failed: trigger_outcome_unknown',
    ])
    expect(steps(desired, withRun({ ...lost, observedAt: NOW + VISIBILITY_LAG_MS - 1 }), late)).toEqual(['r1 look_up'])
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

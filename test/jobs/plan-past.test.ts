import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../controller/clock.ts'
import type { PastRun } from '../../controller/jobs/evidence.ts'
import type { Job } from '../../controller/jobs/job.ts'
import { reasonOf } from '../../controller/jobs/job-reasons.ts'
import type { Observed } from '../../controller/jobs/observed-state.ts'
import { plan } from '../../controller/jobs/plan.ts'
import { isOver } from '../../controller/jobs/plan-past.ts'
import { VISIBILITY_LAG_MS } from '../../controller/jobs/plan-timing.ts'
import { commitSha } from '../../controller/model/names.ts'
import type { Fact } from '../../controller/policy/decision.ts'
import { ciEvidence, environment, known, NOW, policy, unknown } from '../policy/fixtures.ts'
import { evidence, jobFor, observed, openDesired, requestNumber, TIMING } from './fixtures.ts'
import { first, heldBy, running, second, steps } from './plan-fixtures.ts'

describe('a job that may have run unseen', () => {
  const job = jobFor(first, { createdAt: NOW - 10 * MINUTE_MS })
  const desired = openDesired([first])
  const LONG_AGO = NOW - 8 * DAY_MS
  const RUN = { externalId: '900', externalAttempt: 1, url: null }
  const seenAs = (state: 'active' | 'success') => ({ state, externalAttempt: 1, url: null, detail: null })
  const found = (state: 'active' | 'success') => known({ found: true as const, run: RUN, others: [], seen: seenAs(state) })
  const nothing = (broughtAt = NOW - HOUR_MS, doubt: string | null = null, shows = true) =>
    known({ found: false as const, broughtAt, shows, doubt })
  const notYet = nothing(NOW - HOUR_MS, null, false)
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
    const young = jobFor(first, { createdAt: NOW })
    expect(about(notYet, young)).toEqual(['r1 waits as queued: check_unavailable'])
    expect(about(nothing(), young)).toEqual(['r1 start'])
    const seen = observed([young], { evidence: new Map([[job.id, evidence({ past: notYet })]]) })
    expect(plan(desired, seen, TIMING, NOW)).toMatchObject([
      {
        kind: 'wait',
        reason: { until: NOW + VISIBILITY_LAG_MS, action: { text: expect.stringContaining('asked again by itself') } },
      },
    ])
  })

  it('never expires while it may be running, whatever the clock was set to', () => {
    const since = (code: 'check_unavailable' | 'lock_held') =>
      jobFor(first, { createdAt: NOW - DAY_MS, reason: reasonOf(code, 'asked before the clock was set', NOW - 2 * DAY_MS) })
    expect(about(notYet, since('check_unavailable'))).toEqual(['r1 waits as queued: check_unavailable'])
    expect(about(found('active'), since('lock_held'), held)).toEqual(['r1 waits as queued: lock_held'])
    expect(about(unknown(), since('check_unavailable'))).toEqual(['r1 ends expired: queue_expired'])
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

  it('ends for want of its request as soon as nothing can have run, although its facts are due', () => {
    const due = observed([job], { nudged: new Set([job.id]), tickStartedAt: NOW + 1 })
    expect(steps(openDesired([]), due)).toEqual(['r1 ends canceled: request_deleted'])
  })

  it('whose request is gone is asked about anew where nothing is known of it, and looked at when something stirred', () => {
    const known = observed([job], { evidence: new Map([[job.id, evidence({ past: found('active') })]]), tickStartedAt: NOW + 1 })
    const unknownYet = { ...known, evidence: new Map(), witnessed: new Set<Job['id']>() }
    expect(plan(openDesired([]), unknownYet, TIMING, NOW)).toMatchObject([{ kind: 'gather', fresh: true }])
    const stirred = { ...known, stirred: new Set([job.id]) }
    expect(plan(openDesired([]), stirred, TIMING, NOW)).toMatchObject([{ kind: 'gather', fresh: false }])
  })

  it('is taken over for the request that it was made of, although that is gone', () => {
    const seen = observed([job], { evidence: new Map([[job.id, evidence({ past: found('active') })]]) })
    const { path, blob, project, environment: name, key, type, ref } = first
    const place = { file: path, line: 1, column: 1, endColumn: 1 }
    expect(plan(openDesired([]), seen, TIMING, NOW)).toMatchObject([
      { kind: 'adopt', request: { path, blob, project, environment: name, key, type, ref, place, force: null } },
    ])
  })

  it('and whose request is gone gives up its place when it ends, and has none as a dry run', () => {
    const behind = jobFor(second)
    const beside = (gone: Job, past: Fact<PastRun> | null) =>
      steps(
        openDesired([second]),
        observed([gone, behind], {
          evidence: new Map([
            [gone.id, evidence({ past })],
            [behind.id, evidence()],
          ]),
        }),
      )
    expect(beside(job, null)).toEqual(['r1 ends canceled: request_deleted', 'r2 start'])
    expect(beside(jobFor(first, { type: 'dry_run' }), unknown('GitHub answered 502'))).toEqual([
      'r1 stay',
      'r2 waits as queued: check_unavailable',
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

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { JOB_STATUSES, type Run } from '../../controller/jobs/job.ts'
import { reasonOf } from '../../controller/jobs/job-reasons.ts'
import { plan } from '../../controller/jobs/plan.ts'
import { mayMove } from '../../controller/jobs/transitions.ts'
import { NOW, SHA } from '../policy/fixtures.ts'
import { evidence, jobFor, observed, openDesired, requestNumber, runFor, TIMING } from './fixtures.ts'
import { first, heldBy, running, second, steps, unreadable } from './plan-fixtures.ts'

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

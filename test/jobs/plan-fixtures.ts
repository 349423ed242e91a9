import { MINUTE_MS } from '../../controller/clock.ts'
import { type Job, lockKey } from '../../controller/jobs/job.ts'
import { reasonOf } from '../../controller/jobs/job-reasons.ts'
import type { Observed } from '../../controller/jobs/observed-state.ts'
import { plan } from '../../controller/jobs/plan.ts'
import type { PlannedStep } from '../../controller/jobs/planned-step.ts'
import type { DesiredState } from '../../controller/model/desired-state.ts'
import { NOW } from '../policy/fixtures.ts'
import { jobFor, openDesired, requestNumber, TIMING } from './fixtures.ts'

export const first = requestNumber(1)
export const second = requestNumber(2)
export const third = requestNumber(3)

export function steps(desired: DesiredState, seen: Observed, now = NOW): string[] {
  return plan(desired, seen, TIMING, now).map((step) => describeStep(step))
}

function describeStep(step: PlannedStep): string {
  const name = /r\d+/.exec(step.job.requestPath)?.[0]
  if (step.kind === 'end') return `${name} ends ${step.status}: ${step.reason.code}`
  if (step.kind === 'wait') return `${name} waits as ${step.status}: ${step.reason.code}`
  return `${name} ${step.kind}`
}

export function running(request = first, overrides: Partial<Job> = {}): Job {
  return jobFor(request, {
    status: 'running',
    attempt: 1,
    reason: reasonOf('run_active', 'under way', NOW),
    startedAt: NOW - MINUTE_MS,
    ...overrides,
  })
}

/** The provider failed to answer this process, and has since `at`. */
export function unreachableSince(at: number): Partial<Job> {
  return { reason: reasonOf('provider_unreachable', 'no answer', at) }
}

export function heldBy(job: Job, acquiredAt = NOW - MINUTE_MS): Observed['locks'] {
  const key = lockKey(job.key)
  return new Map([[key, { key, jobId: job.id, fence: 1, acquiredAt }]])
}

/** The commit in force can be read by nobody. */
export const unreadable = openDesired([], { repository: { ...openDesired([]).repository, id: '' }, environments: new Map() })

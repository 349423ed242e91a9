import type { Instant } from '../clock.ts'
import type { DesiredState } from '../model/desired-state.ts'
import type { EnvironmentKey } from '../model/names.ts'
import { isTerminal, type Job } from './job.ts'
import { keepSince, reasonOf } from './job-reasons.ts'
import type { Observed } from './observed-state.ts'
import { isReadable } from './plan-desired.ts'
import { planQueue } from './plan-queue.ts'
import { planRunning } from './plan-run.ts'
import type { PlanTiming } from './plan-timing.ts'
import type { PlannedStep } from './planned-step.ts'

/** What to do next, from what is asked for and what is so. Pure; the only place where that is decided. */
export function plan(desired: DesiredState, observed: Observed, timing: PlanTiming, now: Instant): readonly PlannedStep[] {
  const steps: PlannedStep[] = []
  const queues = new Map<EnvironmentKey, Job[]>()
  for (const job of observed.jobs) {
    if (isTerminal(job.status)) continue
    if (job.status === 'running') {
      const step = planRunning(desired, observed, timing, now, job)
      if (step !== null) steps.push(step)
    } else {
      queues.set(job.key, [...(queues.get(job.key) ?? []), job])
    }
  }
  for (const jobs of queues.values())
    steps.push(
      ...(isReadable(desired) ? planQueue(desired, observed, timing, now, jobs) : jobs.map((job) => stay(observed, job, now))),
    )
  return steps
}

function stay({ config }: Observed, job: Job, now: Instant): PlannedStep {
  const text = `Commit ${config.head.slice(0, 12)} of the config repository is in force and cannot be read, so nothing is decided.`
  const help = 'Push that commit to the config repository again, to any branch; it is read again by itself.'
  return { kind: 'stay', job, reason: keepSince(reasonOf('config_unreadable', text, now, help), job.reason) }
}

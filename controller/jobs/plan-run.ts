import { ageMs, type Instant, toIso } from '../clock.ts'
import type { DesiredState } from '../model/desired-state.ts'
import { commitMismatch, type Job, type Run } from './job.ts'
import { mismatchReason, reasonOf } from './job-reasons.ts'
import type { Observed } from './observed-state.ts'
import { environmentGone, isReadable, requestGone } from './plan-desired.ts'
import { type PlanTiming, VISIBILITY_LAG_MS } from './plan-timing.ts'
import type { PlannedStep } from './planned-step.ts'

/** An attempt that was refused before any run existed is repeated at most this often. */
export const MAX_ATTEMPTS = 5

/** What to do about a run that is under way, or may be: follow it, look for it, repeat it or give it up. Null: nothing now. */
export function planRunning(
  desired: DesiredState,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
  job: Job,
): PlannedStep | null {
  const run = observed.runs.get(job.id)?.at(-1)
  if (run === undefined || observed.inFlight.has(job.id)) return null
  switch (run.state) {
    case 'intended':
    case 'unknown':
      return planUnknown(desired, observed, timing, now, job, run)
    case 'refused':
      return planRefused(desired, now, job, run)
    case 'started':
      return planStarted(desired, observed, timing, now, job, run)
    case 'ended':
      return null
  }
}

/** An intent without a recorded run: it may exist. It is looked for until the limit and never sent again. */
function planUnknown(
  desired: DesiredState,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
  job: Job,
  run: Run,
): PlannedStep | null {
  const due = run.observedAt === null || ageMs(run.observedAt, now) >= timing.runPollMs || observed.nudged.has(job.id)
  // An intent of the future is from before the clock was set back; its deadline was then set anew.
  const since = Number.isFinite(ageMs(run.intendedAt, now)) ? run.intendedAt : run.sendDeadline
  // What spoke to us is there, whoever does not see it: its lock is held as long as that of any run.
  const lookupMs = hasSpoken(run) ? maxRunMs(desired, job, run) : timing.triggerLookupMs
  const limit = Math.max(run.sendDeadline, since + lookupMs)
  // "Not there" must have been said when whatever the call can have made shows in lists; only a provider that stays away for the whole run time is given up unasked.
  const lookedAfterwards =
    run.observedAt !== null && run.observedAt >= run.sendDeadline + Math.min(VISIBILITY_LAG_MS, timing.triggerLookupMs)
  if (now >= limit && (lookedAfterwards || isOutOfReach(desired, observed, now, job, run))) {
    const text = 'The trigger got no usable answer and no run with this JOB_ID was found; whether the pipeline ran is not known.'
    return {
      kind: 'end',
      job,
      run,
      status: 'failed',
      decided: null,
      reason: reasonOf('trigger_outcome_unknown', text, now, 'Look at the provider for this JOB_ID, then add a new request.'),
    }
  }
  return due ? { kind: 'look_up', job, run } : null
}

/** No run exists, so whatever ends the wish for one ends the job, and its lock with it. */
function planRefused(desired: DesiredState, now: Instant, job: Job, run: Run): PlannedStep | null {
  const request = desired.requests.get(job.requestPath)
  const gone = request === undefined ? requestGone(desired, job, now) : environmentGone(desired, request, now)
  if (gone !== null) return isReadable(desired) ? { kind: 'end', job, run, decided: null, ...gone } : null
  if (run.retryAt === null || run.attempt >= MAX_ATTEMPTS) {
    const code = run.retryAt === null ? 'trigger_refused' : 'provider_unreachable'
    return {
      kind: 'end',
      job,
      run,
      status: 'failed',
      decided: null,
      reason: reasonOf(code, `The provider did not start a run: ${run.detail ?? 'no reason given'}.`, now),
    }
  }
  const limitMs = maxRunMs(desired, job, run)
  if (now >= run.intendedAt + limitMs) {
    const text = `No run could be started for ${Math.round(limitMs / 60_000)} minutes, the most that a run on ${job.key} may take: ${run.detail ?? 'no reason given'}.`
    return { kind: 'end', job, run, status: 'failed', decided: null, reason: reasonOf('provider_unreachable', text, now) }
  }
  const setBack = !Number.isFinite(ageMs(run.intendedAt, now))
  return now >= run.retryAt || setBack ? { kind: 'retry', job, run } : null
}

function planStarted(
  desired: DesiredState,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
  job: Job,
  run: Run,
): PlannedStep | null {
  const startedAt = run.startedAt ?? run.intendedAt
  const limitMs = maxRunMs(desired, job, run)
  const lastSeen = run.observedAt ?? startedAt
  if (now >= startedAt + limitMs && isOutOfReach(desired, observed, now, job, run)) {
    const text = `The provider was out of reach since ${toIso(lastSeen)}, longer than a run on ${job.key} may take. The lock is released; the run may still be alive.`
    return {
      kind: 'end',
      job,
      run,
      status: 'failed',
      decided: null,
      reason: reasonOf('provider_unreachable', text, now, 'Look at the provider before the next deploy.'),
    }
  }
  const due = run.observedAt === null || ageMs(run.observedAt, now) >= timing.runPollMs || observed.nudged.has(job.id)
  if (!due) return null
  if (job.type === 'dry_run') return { kind: 'observe', job, run }
  const mismatch = commitMismatch(job, run)
  if (mismatch !== null) return { kind: 'cancel', job, run, reason: mismatchReason(mismatch, now) }
  const known = desired.requests.has(job.requestPath) || desired.unusableRequests.has(job.requestPath)
  const canceled = isReadable(desired) && !known
  if (canceled || job.cancelRequestedAt !== null) {
    return {
      kind: 'cancel',
      job,
      run,
      reason: reasonOf(
        'cancel_pending',
        'The request was withdrawn; the run was asked to stop and the lock is held until it has.',
        now,
      ),
    }
  }
  if (now >= startedAt + limitMs) {
    const text = `The run is alive after ${Math.round(limitMs / 60_000)} minutes, the most that ${job.key} allows; it was asked to stop and the lock is held until it has.`
    return { kind: 'cancel', job, run, reason: reasonOf('run_timed_out', text, now) }
  }
  return { kind: 'observe', job, run }
}

/** Its pipeline has asked whether it may act, so it is there whatever the provider says. */
export function hasSpoken({ claimedAt, checkedOutSha }: Pick<Run, 'claimedAt' | 'checkedOutSha'>): boolean {
  return claimedAt !== null || checkedOutSha !== null
}

/**
 * The provider was asked in vain for a whole run time, and is still asked in vain. That nothing was heard for so long is not
 * enough: a controller that was away for an hour has asked nobody, and the run may well be alive.
 */
function isOutOfReach(desired: DesiredState, observed: Observed, now: Instant, job: Job, run: Run): boolean {
  const { code, since } = job.reason
  return code === 'provider_unreachable' && now >= since + maxRunMs(desired, job, run) && observed.unanswered.has(job.id)
}

function maxRunMs(desired: DesiredState, job: Job, { connection }: Run): number {
  return desired.environments.get(job.key)?.maxRunMs ?? connection?.maxRunMs ?? DEFAULT_MAX_RUN_MS
}

/** For runs that began before their time was kept with them, and whose environment has meanwhile left the config repository. */
const DEFAULT_MAX_RUN_MS = 3_600_000

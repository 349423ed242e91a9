import { type Instant, toIso } from '../clock.ts'
import type { DeployRequest, DesiredState } from '../model/desired-state.ts'
import type { Reason } from '../model/reason.ts'
import type { Decided } from './decide.ts'
import type { Evidence, PastRun } from './evidence.ts'
import type { Job, Lock } from './job.ts'
import { keepSince, reasonOf, waitedInVain } from './job-reasons.ts'
import type { Observed } from './observed-state.ts'
import { VISIBILITY_LAG_MS } from './plan-timing.ts'
import type { PlannedStep } from './planned-step.ts'

/** Until it is known what became of it, a run of this job may be alive on its environment. */
export function mayRunUnseen({ evidence, witnessed }: Observed, job: Job): boolean {
  const past = evidence.get(job.id)?.past
  if (past === undefined) return witnessed !== undefined && !witnessed.has(job.id)
  return past !== null && (!past.known || past.value.found)
}

/**
 * What comes before every gate: a job that may have run unseen is never started before the provider was asked. What is found
 * is taken over. A request that is older than all records starts only when not finding a run proves that there was none.
 * Null: nothing speaks for an earlier run.
 */
export function planPast(
  desired: DesiredState,
  observed: Observed,
  now: Instant,
  job: Job,
  request: DeployRequest,
  evidence: Evidence,
  decided: Decided,
  lock: Lock | null,
): PlannedStep | null {
  const { past } = evidence
  if (past === null) return null
  if (!past.known) {
    const text = `Whether it already ran could not be asked, and nothing is started twice: ${past.why}.`
    return waitOrExpire(desired, job, request, decided, reasonOf('check_unavailable', text, now, ASKED_AGAIN), now)
  }
  if (past.value.found) {
    if (lock === null || lock.jobId === job.id || isOver(past.value.seen)) {
      return { kind: 'adopt', job, request, decided, past: past.value }
    }
    const text = 'A run of it was found at the provider while another job holds the lock; it is followed as soon as that ends.'
    return waitFor(reasonOf('lock_held', text, now), job, request, decided)
  }
  if (job.acceptedCommit !== observed.config.bootstrapCommit) return null
  if (isProof(desired, past.value, past.at)) return null
  const { broughtAt, doubt } = past.value
  const long = past.at >= broughtAt + desired.repository.approvalExpiryMs
  if (long || doubt !== null) {
    const why = long ? 'long before that, and no run with its JOB_ID was found' : `before that, and ${doubt}`
    const text = `These records began ${toIso(job.createdAt)}; the config repository had it since ${toIso(broughtAt)}, ${why}. Whether it ran is not known, so it is not started.`
    const help = 'Look at the provider for this JOB_ID; add a new request if it is still wanted.'
    return { kind: 'end', job, run: null, status: 'expired', reason: reasonOf('past_unknown', text, now, help), decided }
  }
  const until = job.createdAt + VISIBILITY_LAG_MS
  const text = `It is older than these records, which began ${toIso(job.createdAt)}. A run that was just started may not show yet, so the provider is asked once more.`
  return waitFor({ ...reasonOf('check_unavailable', text, now, ASKED_AGAIN), until }, job, request, decided)
}

/** For a job that is ready while another one of its environment may be running unseen. */
export function waitForPast(
  desired: DesiredState,
  job: Job,
  request: DeployRequest,
  decided: Decided,
  other: Job,
  now: Instant,
): PlannedStep {
  const text = `Whether ${other.requestPath} already runs on ${job.key} is not known yet, and nothing starts there before it is.`
  return waitOrExpire(desired, job, request, decided, reasonOf('check_unavailable', text, now, ASKED_AGAIN), now)
}

/** Of what ends by itself; a job that may be running must not expire over it because a clock was set. */
function waitFor(next: Reason, job: Job, request: DeployRequest, decided: Decided): PlannedStep {
  return { kind: 'wait', job, request, status: 'queued', decided, reason: keepSince(next, job.reason) }
}

function waitOrExpire(
  desired: DesiredState,
  job: Job,
  request: DeployRequest,
  decided: Decided,
  next: Reason,
  now: Instant,
): PlannedStep {
  const reason = keepSince(next, job.reason)
  if (now < reason.since + desired.repository.queueExpiryMs) return waitFor(next, job, request, decided)
  return { kind: 'end', job, run: null, status: 'expired', reason: waitedInVain(reason, now), decided }
}

const ASKED_AGAIN = 'Nothing to do at first: it is asked again by itself.'

/**
 * May a job that is older than the store start because no run of it was found? Not when it is so old that its run may have
 * left the provider's list, nor when the list proves nothing, nor before a run of the last moment must show.
 */
export function isProof(desired: DesiredState, past: Extract<PastRun, { found: false }>, at: Instant): boolean {
  const recent = at < past.broughtAt + desired.repository.approvalExpiryMs
  return recent && past.doubt === null && past.shows
}

/** A run of which the provider says that nothing more will come. One that is not there any more may only not show yet. */
export function isOver({ state }: Extract<PastRun, { found: true }>['seen']): boolean {
  return state === 'success' || state === 'failed' || state === 'canceled' || state === 'timed_out'
}

import { ageMs, HOUR_MS } from '../clock.ts'
import { RefusedFault, TransientFault } from '../errors.ts'
import type { PipelineProvider, RunHandle, RunObservation } from '../jobs/executor.ts'
import { commitMismatch, type Job, type Run } from '../jobs/job.ts'
import { keepSince, mismatchEnd, mismatchReason, reasonOf } from '../jobs/job-reasons.ts'
import { VISIBILITY_LAG_MS } from '../jobs/plan-timing.ts'
import type { PlannedStep } from '../jobs/planned-step.ts'
import type { RunChange } from '../jobs/state-store.ts'
import type { Reason } from '../model/reason.ts'
import { releaseLock } from './apply-waiting.ts'
import { auditJob, changeJob } from './change-job.ts'
import { type AcceptedConfig, type Engine, forgetJob } from './engine.ts'
import { follow, handleFields, LostRace, pipelineOf } from './follow.ts'
import { NotLeading } from './leadership.ts'
import { SEND_MARGIN_MS } from './new-run.ts'
import { tellAboutJob } from './tell.ts'

type Step<Kind extends PlannedStep['kind']> = Extract<PlannedStep, { kind: Kind }>

/** Searches the provider for the run of an intent. The oldest is the job's; any other is stopped and recorded. */
export async function applyLookUp(engine: Engine, accepted: AcceptedConfig, step: Step<'look_up'>): Promise<void> {
  const { job, run } = step
  const found = await reachable(engine, job, run, () => {
    const { provider, selector } = pipelineOf(engine, accepted, job, run)
    return provider.find({ jobId: job.id, selector, intendedAt: run.intendedAt })
  })
  if (found === null) return
  const now = engine.clock.now()
  const [first, ...others] = found
  if (first === undefined) {
    return follow(
      engine,
      job.id,
      run,
      'run.lookup',
      { state: 'unknown', observedAt: now, sendDeadline: Math.min(run.sendDeadline, latestDeadline(engine, now)) },
      reasonOf(
        'trigger_outcome_unknown',
        'No run with this JOB_ID is visible at the provider yet; it is looked for again and never sent twice.',
        now,
      ),
      null,
      {},
    )
  }
  await follow(
    engine,
    job.id,
    run,
    'run.adopt',
    { state: 'started', startedAt: now, observedAt: null, ...handleFields(first) },
    reasonOf('run_active', 'Its run was found at the provider by JOB_ID and is followed.', now),
    'run_adopted',
    { externalId: first.externalId, url: first.url },
  )
  await stopOthers(engine, pipelineOf(engine, accepted, job, run).provider, job, first, others)
}

/** A deadline beyond that was set before the clock was put back: it is waited for once more from now. */
function latestDeadline({ timing }: Engine, now: number): number {
  return now + timing.triggerTimeoutMs + SEND_MARGIN_MS
}

/** There is one run to a job. What else bears its JOB_ID is asked to stop, and put on record. */
export async function stopOthers(
  engine: Engine,
  provider: PipelineProvider,
  job: Job,
  kept: RunHandle,
  others: readonly RunHandle[],
): Promise<void> {
  for (const other of others) {
    engine.log.error('a second run of one job was found', { jobId: job.id, kept: kept.externalId, other: other.externalId })
    if (job.type !== 'dry_run') await provider.cancel({ externalId: other.externalId }).catch(() => {})
    await engine.store.unit('run.duplicate', (tx) =>
      auditJob(tx, job, 'run_duplicate', engine.clock.now(), { kept: kept.externalId, canceled: other.externalId }),
    )
  }
}

export async function applyObserve(engine: Engine, accepted: AcceptedConfig, step: Step<'observe'>): Promise<void> {
  const { job, run } = step
  const seen = await reachable(engine, job, run, () => {
    const { provider, selector } = pipelineOf(engine, accepted, job, run)
    return provider.observe({ externalId: run.externalId!, selector })
  })
  if (seen !== null) await recordObservation(engine, job, run, seen)
}

/**
 * Asks the run to stop, then looks at it: a cancel is a wish, only the provider's word ends a run. A provider that refuses the
 * wish (a missing right, a run that is gone) is asked about the run all the same.
 */
export async function applyCancel(engine: Engine, accepted: AcceptedConfig, step: Step<'cancel'>): Promise<void> {
  const { job, run } = step
  const asked = await reachable(engine, job, run, () => askToStop(engine, accepted, job, run))
  if (asked === null) return
  const reason =
    asked.refusal === null ? step.reason : { ...step.reason, text: `${step.reason.text} (Refused: ${asked.refusal})` }
  await engine.store.unit('run.cancel', async (tx) => {
    const now = engine.clock.now()
    const current = await tx.jobs.get(job.id)
    if (current === null || current.status !== 'running' || current.cancelRequestedAt !== null) return
    if (!(await changeJob(tx, current, { cancelRequestedAt: now, reason }, now))) return
    await auditJob(tx, job, 'cancel_requested', now, { attempt: run.attempt, externalId: run.externalId, why: reason.code })
    await tellAboutJob(tx, engine, job.id)
  })
  const current = await engine.store.unit('job.read', (tx) => tx.jobs.get(job.id))
  if (current !== null) await applyObserve(engine, accepted, { kind: 'observe', job: current, run })
}

async function askToStop(engine: Engine, accepted: AcceptedConfig, job: Job, run: Run): Promise<{ refusal: string | null }> {
  const { provider } = pipelineOf(engine, accepted, job, run)
  try {
    await provider.cancel({ externalId: run.externalId! })
    return { refusal: null }
  } catch (error) {
    if (!(error instanceof RefusedFault)) throw error
    return { refusal: error.message }
  }
}

async function recordObservation(engine: Engine, job: Job, run: Run, seen: RunObservation): Promise<void> {
  const now = engine.clock.now()
  if (seen.state !== 'vanished') engine.memory.missedSince.delete(job.id)
  const change: RunChange = {
    observedAt: now,
    externalAttempt: seen.externalAttempt,
    url: seen.url ?? run.url,
    detail: seen.detail,
  }
  const stopping = job.cancelRequestedAt !== null || commitMismatch(job, run) !== null
  switch (seen.state) {
    case 'queued':
      return follow(
        engine,
        job.id,
        run,
        'run.observe',
        change,
        stopping ? stoppingReason(job, run, now) : reasonOf('run_queued', 'Its run waits for a runner.', now),
        null,
        {},
      )
    case 'active':
      return follow(
        engine,
        job.id,
        run,
        'run.observe',
        change,
        stopping ? stoppingReason(job, run, now) : reasonOf('run_active', 'Its run is under way.', now),
        null,
        {},
      )
    case 'blocked':
      return follow(
        engine,
        job.id,
        run,
        'run.observe',
        change,
        reasonOf(
          'run_blocked_at_provider',
          `Its run waits for somebody at the provider (${seen.detail ?? 'no detail'}).`,
          now,
          'Open the run and release it there.',
        ),
        null,
        {},
      )
    case 'vanished':
      return isGone(engine, job, run, now)
        ? finish(engine, job, run, seen, change)
        : follow(engine, job.id, run, 'run.observe', change, job.reason, null, {})
    default:
      return finish(engine, job, run, seen, change)
  }
}

/**
 * Is a run that is not there gone? Not before it must show, and not at the first such answer: hosts read from copies, and one slip
 * must not free the lock of a run that is alive.
 */
function isGone({ clock, memory, timing }: Engine, job: Job, run: Run, now: number): boolean {
  if (ageMs(run.startedAt ?? run.intendedAt, now) < VISIBILITY_LAG_MS) return false
  const since = memory.missedSince.get(job.id) ?? clock.elapsed()
  memory.missedSince.set(job.id, since)
  return clock.elapsed() - since >= timing.runPollMs
}

/** Why it was asked to stop, also after the provider could not be asked for a while. */
function stoppingReason(job: Job, run: Run, now: number): Reason {
  const mismatch = commitMismatch(job, run)
  // As it stands on the job, the provider's refusal to stop the run may be said with it.
  const given = mismatch === null ? ['cancel_pending', 'run_timed_out'] : ['commit_mismatch']
  if (given.includes(job.reason.code)) return job.reason
  return mismatch !== null
    ? mismatchReason(mismatch, now)
    : reasonOf('cancel_pending', 'Its run was asked to stop; the lock is held until it has.', now)
}

/** The run is over: job, run, lock, audit and messages change together. */
async function finish(engine: Engine, job: Job, run: Run, seen: RunObservation, change: RunChange): Promise<void> {
  const now = engine.clock.now()
  await engine.store.unit('run.end', async (tx) => {
    const current = await tx.jobs.get(job.id)
    if (current === null || current.status !== 'running' || current.attempt !== run.attempt) return
    // Its pipeline may have spoken since it was looked at.
    const { checkedOutSha } = (await tx.runs.of([job.id])).find(({ attempt }) => attempt === run.attempt) ?? run
    const { status, reason, outcome } = ending(current, { checkedOutSha }, seen, now)
    if (!(await tx.runs.update(run, { ...change, state: 'ended', outcome, endedAt: now }))) return
    await auditJob(tx, current, 'run_ended', now, {
      attempt: run.attempt,
      externalId: run.externalId,
      externalAttempt: seen.externalAttempt,
      outcome,
      detail: seen.detail,
    })
    if (!(await changeJob(tx, current, { status, reason, endedAt: now }, now))) throw new LostRace()
    await releaseLock(tx, current, run.fence, now)
    await tellAboutJob(tx, engine, job.id)
  })
  forgetJob(engine.memory, job.id)
}

interface Ending {
  status: 'success' | 'failed' | 'canceled'
  reason: Reason
  outcome: NonNullable<Run['outcome']>
}

/** What the end of a run means for its job. */
export function ending(
  job: Pick<Job, 'reason' | 'key' | 'pin'>,
  run: Pick<Run, 'checkedOutSha'>,
  seen: RunObservation,
  now: number,
): Ending {
  const seenAs = endingAsSeen(job, seen, now)
  const mismatch = commitMismatch(job, run)
  return mismatch === null ? seenAs : { ...seenAs, ...mismatchEnd(mismatch, seenAs.status, now) }
}

function endingAsSeen(job: Pick<Job, 'reason' | 'key'>, seen: RunObservation, now: number): Ending {
  const detail = seen.detail === null ? '' : ` (${seen.detail})`
  const timedOut = job.reason.code === 'run_timed_out'
  switch (seen.state) {
    case 'success':
      return { status: 'success', outcome: 'success', reason: reasonOf('run_succeeded', 'Its run succeeded.', now) }
    case 'canceled':
      return timedOut
        ? {
            status: 'failed',
            outcome: 'timed_out',
            reason: reasonOf('run_timed_out', `Its run took longer than ${job.key} allows and was stopped${detail}.`, now),
          }
        : { status: 'canceled', outcome: 'canceled', reason: reasonOf('run_canceled', `Its run was canceled${detail}.`, now) }
    case 'timed_out':
      return {
        status: 'failed',
        outcome: 'timed_out',
        reason: reasonOf('run_timed_out', `Its run timed out at the provider${detail}.`, now),
      }
    case 'vanished':
      return {
        status: 'failed',
        outcome: 'vanished',
        reason: reasonOf('run_vanished', `Its run is no longer there at the provider${detail}.`, now),
      }
    default:
      return {
        status: 'failed',
        outcome: 'failed',
        reason: reasonOf(
          'run_failed',
          `Its run failed${detail}.`,
          now,
          'Open the run to see why, mend it, then add a new request.',
        ),
      }
  }
}

/**
 * A provider out of reach leaves everything as it is, with the reason on show, and is left alone for a while: asking more
 * often than on a good day would only use up what it allows. Null: it was not reached.
 */
async function reachable<T>(engine: Engine, job: Job, run: Run, ask: () => Promise<T>): Promise<T | null> {
  const { clock, memory, timing } = engine
  const left = (memory.askAgainAt.get(job.id) ?? 0) - clock.now()
  // More than was ever set: the clock was set back.
  if (left > 0 && left <= Math.max(HOUR_MS, timing.runPollMs)) return null
  try {
    const answer = await ask()
    memory.askAgainAt.delete(job.id)
    return answer
  } catch (error) {
    if (error instanceof NotLeading || !(error instanceof TransientFault || error instanceof RefusedFault)) throw error
    const askedFor = error instanceof TransientFault ? Math.min(error.retryAfterMs, HOUR_MS) : 0
    memory.askAgainAt.set(job.id, clock.now() + Math.max(timing.runPollMs, askedFor))
    const text = `The provider could not be asked about its run (${error.message}); the lock is held and it is asked again.`
    const reason = keepSince(reasonOf('provider_unreachable', text, clock.now()), job.reason)
    // Not an empty change: the store counts a row that nothing was written to as not found.
    await follow(engine, job.id, run, 'run.unreachable', { state: run.state }, keepSince(reason, job.reason), null, {})
    return null
  }
}

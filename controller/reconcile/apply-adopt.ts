import type { SubjectPin } from '../approvals/tally.ts'
import { type Job, lockKey, type Run } from '../jobs/job.ts'
import { reasonOf } from '../jobs/job-reasons.ts'
import { takesLock } from '../jobs/plan-desired.ts'
import { isOver } from '../jobs/plan-past.ts'
import type { PlannedStep } from '../jobs/planned-step.ts'
import type { JobChange, StateTx } from '../jobs/state-store.ts'
import { ending, stopOthers } from './apply-run.ts'
import { viewOf } from './apply-waiting.ts'
import { auditJob, changeJob } from './change-job.ts'
import { type AcceptedConfig, type Engine, forgetJob } from './engine.ts'
import { handleFields, LostRace, pipelineFor } from './follow.ts'
import { newRun } from './new-run.ts'
import { tellAboutJob } from './tell.ts'

type AdoptStep = Extract<PlannedStep, { kind: 'adopt' }>

/** What these records cannot tell of a run that they did not see begin. */
const NOT_ON_RECORD = 'who approved it and which commit a branch or tag meant then is not on record'

/**
 * Takes over a run that was started before this store, or this copy of it, began. One that is over is recorded as it ended
 * and takes no lock; one that is alive gets the lock that it had, and is followed. Nothing is sent to the provider.
 */
export async function applyAdopt(engine: Engine, accepted: AcceptedConfig, step: AdoptStep): Promise<void> {
  const { job, past } = step
  const over = isOver(past.seen)
  const adopted = await engine.store
    .unit('job.adopt', async (tx) => {
      const now = engine.clock.now()
      const queued = await asQueued(tx, job, now)
      if (queued === null) return null
      const exclusive = !over && takesLock(accepted.desired, step.request)
      const lock = exclusive ? await tx.locks.acquire(lockKey(job.key), job.id, now) : null
      if (exclusive && lock === null) return null
      const run = adoptedRun(engine, accepted, step, lock?.fence ?? null, now)
      if (!(await changeJob(tx, queued, changeOf(step, run), now))) throw new LostRace()
      await tx.runs.insert(run)
      if (lock !== null) await auditJob(tx, job, 'lock_acquired', now, { key: lock.key, fence: lock.fence })
      const { externalId, url } = past.run
      await auditJob(tx, job, 'run_adopted', now, { attempt: run.attempt, externalId, url, unseen: true, unknown: NOT_ON_RECORD })
      if (over) await recordEnd(tx, step, run, now)
      await tellAboutJob(tx, engine, job.id)
      return run
    })
    .catch((error: unknown) => {
      if (error instanceof LostRace) return null
      throw error
    })
  if (adopted === null) return
  forgetJob(engine.memory, job.id)
  const { project } = pipelineFor(accepted, job)
  await stopOthers(engine, engine.connections.pipeline(project), job, past.run, past.others)
}

/** The state machine leads to a run only through the queue. Null: somebody else changed the job. */
async function asQueued(tx: StateTx, job: Job, now: number): Promise<Job | null> {
  if (job.status === 'queued') return job
  const reason = reasonOf('run_active', 'A run of this job was found at the provider.', now)
  return (await changeJob(tx, job, { status: 'queued', reason }, now)) ? tx.jobs.get(job.id) : null
}

function adoptedRun(engine: Engine, accepted: AcceptedConfig, step: AdoptStep, fence: number | null, now: number): Run {
  const { job, past } = step
  return {
    ...newRun(engine, accepted, job, job.attempt + 1, fence, now),
    state: 'started',
    startedAt: past.seen.startedAt ?? now,
    ...handleFields(past.run),
  }
}

function changeOf({ job, decided, request }: AdoptStep, run: Run): JobChange {
  return {
    ...viewOf(job, decided, request),
    // What the gates say today is not what let it run.
    gates: [],
    approvals: [],
    pin: pinThen(job, decided.pin),
    status: 'running',
    attempt: run.attempt,
    startedAt: run.startedAt,
    reason: reasonOf(
      'run_active',
      `A run of this job was found at the provider and is followed; ${NOT_ON_RECORD}.`,
      run.intendedAt,
    ),
  }
}

/** What is on record, or a commit that the request itself names; a branch or a tag may have moved since the run began. */
function pinThen(job: Job, now: SubjectPin | null): SubjectPin | null {
  return job.pin ?? (job.ref?.type === 'sha' ? now : null)
}

async function recordEnd(tx: StateTx, { job, past }: AdoptStep, run: Run, now: number): Promise<void> {
  const { seen } = past
  const endedAt = seen.endedAt ?? now
  const running = await tx.jobs.get(job.id)
  const { status, reason, outcome } = ending(running!, run, seen, now)
  const text = `${reason.text} It was found at the provider after its end; ${NOT_ON_RECORD}.`
  const { detail, externalAttempt, url } = seen
  const change = { state: 'ended', outcome, endedAt, observedAt: now, detail, externalAttempt, url: url ?? run.url } as const
  if (!(await tx.runs.update(run, change))) throw new LostRace()
  const { attempt, externalId } = run
  await auditJob(tx, job, 'run_ended', now, { attempt, externalId, externalAttempt, outcome, detail, endedAt })
  if (!(await changeJob(tx, running!, { status, reason: { ...reason, text }, endedAt }, now))) throw new LostRace()
}

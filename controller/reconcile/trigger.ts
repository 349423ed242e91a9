import { MINUTE_MS } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { CallbackOffer } from '../jobs/callback.ts'
import type { PipelineProvider, StartOutcome, Trigger } from '../jobs/executor.ts'
import type { Job, Run } from '../jobs/job.ts'
import { reasonOf } from '../jobs/job-reasons.ts'
import type { CommitSha } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import type { AcceptedConfig, Engine } from './engine.ts'
import { follow, handleFields, pipelineFor } from './follow.ts'

/** Makes the one call of an attempt and records what came of it. */
export async function trigger(engine: Engine, accepted: AcceptedConfig, run: Run, callback: CallbackOffer | null): Promise<void> {
  const { jobId } = run
  engine.memory.inFlight.add(jobId)
  try {
    const job = await engine.store.unit('job.read', (tx) => tx.jobs.get(jobId))
    if (job === null || job.pin === null) return
    const { project, selector } = pipelineFor(accepted, job)
    const sha: CommitSha = job.pin.sha
    const call: Trigger = {
      jobId,
      sha,
      selector,
      attempt: run.attempt,
      environment: job.environment,
      ref: job.ref?.name ?? sha,
      refType: job.ref?.type ?? 'sha',
      type: job.type,
      intendedAt: run.intendedAt,
      callback,
    }
    // The call's deadline counts from the intent: whoever stood still in between may find others looking for this run already.
    const outcome: StartOutcome =
      engine.clock.now() > run.sendDeadline - engine.timing.triggerTimeoutMs
        ? HELD_UP
        : project.integration.callbacks && callback === null
          ? UNREACHABLE
          : await startSafely(() => engine.connections.pipeline(project), call)
    await recordStart(engine, job, run, outcome)
  } finally {
    engine.memory.inFlight.delete(jobId)
  }
}

const HELD_UP: StartOutcome = {
  kind: 'refused',
  why: 'the controller was held up before it could call; nothing was sent',
  retryAfterMs: 0,
  unreachable: false,
}

/** Its pipeline would ask in vain whether it may act. */
const UNREACHABLE: StartOutcome = {
  kind: 'refused',
  why: 'the project asks for callbacks, and this controller has no address for them (DRAVEN_PUBLIC_URL)',
  retryAfterMs: null,
  unreachable: false,
}

async function startSafely(connect: () => Pick<PipelineProvider, 'start'>, call: Trigger): Promise<StartOutcome> {
  let provider: Pick<PipelineProvider, 'start'>
  try {
    provider = connect()
  } catch (error) {
    // Making a connection calls nobody.
    return { kind: 'refused', why: messageOf(error), retryAfterMs: null, unreachable: false }
  }
  try {
    return await provider.start(call)
  } catch (error) {
    // An adapter that throws did not say whether it had sent anything.
    return { kind: 'unknown', why: messageOf(error) }
  }
}

async function recordStart(engine: Engine, job: Job, run: Run, outcome: StartOutcome): Promise<void> {
  const now = engine.clock.now()
  switch (outcome.kind) {
    case 'started':
      return follow(
        engine,
        job.id,
        run,
        'run.record',
        { state: 'started', startedAt: now, ...handleFields(outcome.run) },
        reasonOf('run_queued', 'Its run was started and waits for a runner.', now),
        'run_recorded',
        { externalId: outcome.run.externalId, url: outcome.run.url },
      )
    case 'accepted':
      return follow(
        engine,
        job.id,
        run,
        'run.record',
        { state: 'unknown' },
        reasonOf('trigger_pending', 'The provider accepted the trigger; its run is being looked up by JOB_ID.', now),
        'trigger_sent',
        { accepted: true },
      )
    case 'unknown':
      return follow(
        engine,
        job.id,
        run,
        'run.record',
        { state: 'unknown', detail: outcome.why },
        reasonOf(
          'trigger_outcome_unknown',
          `The trigger got no usable answer (${outcome.why}); its run is being looked up by JOB_ID and never sent again.`,
          now,
        ),
        'trigger_unknown',
        { why: outcome.why },
      )
    case 'refused': {
      const retryAt =
        outcome.retryAfterMs === null && !outcome.unreachable
          ? null
          : now + Math.max(outcome.retryAfterMs ?? 0, backoffMs(run.attempt))
      const text =
        retryAt === null
          ? `The provider refused the trigger: ${outcome.why}.`
          : `No run was started yet (${outcome.why}); it is tried again.`
      const reason: Reason = {
        ...reasonOf(outcome.unreachable ? 'provider_unreachable' : 'trigger_pending', text, now),
        until: retryAt,
      }
      return follow(
        engine,
        job.id,
        run,
        'run.record',
        { state: 'refused', detail: outcome.why, retryAt },
        reason,
        'trigger_refused',
        { why: outcome.why, retryAt },
      )
    }
  }
}

function backoffMs(attempt: number): number {
  return Math.min(1_000 * 2 ** (attempt - 1), MINUTE_MS)
}

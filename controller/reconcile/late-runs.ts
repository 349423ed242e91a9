import { isOperatingFault, messageOf } from '../errors.ts'
import type { Nudge } from '../jobs/state-store.ts'
import type { JobId } from '../model/names.ts'
import { auditJob } from './change-job.ts'
import type { AcceptedConfig, Engine } from './engine.ts'
import { pipelineOf } from './follow.ts'

/**
 * A run whose job has ended is started again at the provider ("re-run all jobs"). Its job stays as it ended and holds no
 * lock any more, so nobody guards the environment meanwhile: that is recorded, and said aloud.
 */
export async function recordLateRuns(
  engine: Engine,
  accepted: AcceptedConfig,
  nudges: readonly Nudge[],
  followed: ReadonlySet<JobId>,
): Promise<void> {
  // A run makes several deliveries, of each webhook that tells of it: it is looked at once.
  const named = new Set(nudges.flatMap((nudge) => (nudge.kind === 'run' ? [nudge.externalId] : [])))
  for (const externalId of named) {
    const runs = await engine.store.unit('run.known', (tx) => tx.runs.known(externalId))
    for (const run of runs) {
      // One that ended in this very pass was just looked at.
      if (run.state !== 'ended' || followed.has(run.jobId)) continue
      const job = await engine.store.unit('job.read', (tx) => tx.jobs.get(run.jobId))
      if (job === null) continue
      try {
        const { provider, selector } = pipelineOf(engine, accepted, job, run)
        const seen = await provider.observe({ externalId, selector })
        if (seen.externalAttempt <= (run.externalAttempt ?? 1)) continue
        await engine.store.unit('run.late', async (tx) => {
          // The attempt is part of what is remembered, so each one is recorded once.
          if (!(await tx.runs.update(run, { externalAttempt: seen.externalAttempt }))) return
          await auditJob(tx, job, 'run_late', engine.clock.now(), {
            externalId,
            externalAttempt: seen.externalAttempt,
            state: seen.state,
          })
        })
        engine.log.warn('a run was started again after its job had ended', {
          jobId: job.id,
          externalId,
          attempt: seen.externalAttempt,
        })
      } catch (error) {
        // Only for the record: whatever is wrong with it must not keep living jobs waiting.
        const why = isOperatingFault(error) || !(error instanceof Error) ? messageOf(error) : error.stack
        engine.log.warn('a run of an ended job could not be looked at', { jobId: job.id, error: why })
      }
    }
  }
}

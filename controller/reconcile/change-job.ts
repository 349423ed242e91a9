import type { AuditAction } from '../audit/event.ts'
import type { Instant } from '../clock.ts'
import type { Job } from '../jobs/job.ts'
import type { JobChange, StateTx } from '../jobs/state-store.ts'
import { assertMove } from '../jobs/transitions.ts'

/** Writes a job as it was read, or not at all; a change of status is audited in the same unit. */
export async function changeJob(tx: StateTx, job: Job, change: JobChange, at: Instant): Promise<boolean> {
  const status = change.status ?? job.status
  assertMove(job.status, status)
  if (!(await tx.jobs.update({ id: job.id, status: job.status, attempt: job.attempt, version: job.version }, change)))
    return false
  if (status !== job.status) {
    const reason = change.reason ?? job.reason
    await auditJob(tx, job, 'status_changed', at, { from: job.status, to: status, reason: reason.code, text: reason.text })
  }
  return true
}

export async function auditJob(
  tx: StateTx,
  job: Job,
  action: AuditAction,
  at: Instant,
  data: Record<string, unknown>,
): Promise<void> {
  await tx.audit({ at, action, actor: 'controller', jobId: job.id, environment: job.key, commit: job.pin?.sha ?? null, data })
}

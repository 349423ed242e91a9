import type { SubjectPin } from '../approvals/tally.ts'
import type { Job, JobStatus } from '../jobs/job.ts'
import type { JobChange, JobTable } from '../jobs/state-store.ts'
import type { Ref, RequestType } from '../model/desired-state.ts'
import type { BlobId, CommitSha, EnvironmentKey, JobId } from '../model/names.ts'
import { type DbTx, fromBig, fromJson, plainText, toJson } from './db.ts'
import type { Prisma, Job as Row } from './generated/sqlite/client.ts'

/** What the index of jobs begins with; a dry run is no deploy. */
export const OPEN_STATUSES: JobStatus[] = ['queued', 'waiting_approval', 'running']
export const DEPLOYING_TYPES: RequestType[] = ['deploy', 'rollback']

export function jobTable(tx: DbTx): JobTable {
  return {
    async open() {
      const rows = await tx.job.findMany({ where: { status: { in: OPEN_STATUSES } }, orderBy: { seq: 'asc' } })
      return rows.map(jobOf)
    },

    async get(id) {
      const row = await tx.job.findUnique({ where: { id } })
      return row === null ? null : jobOf(row)
    },

    async known() {
      const rows = await tx.job.findMany({ select: { id: true, requestBlob: true } })
      return new Map(rows.map((row) => [row.id as JobId, row.requestBlob as BlobId]))
    },

    async insert(job) {
      // Looked up first, because a refused insert would doom the whole unit.
      if ((await tx.job.findUnique({ where: { id: job.id }, select: { id: true } })) !== null) return false
      const last = await tx.job.findFirst({ orderBy: { seq: 'desc' }, select: { seq: true } })
      await tx.job.create({ data: { ...rowOf(job), seq: (last?.seq ?? 0) + 1, version: 1 } })
      return true
    },

    async update(before, change) {
      const { id, status, attempt, version } = before
      const data = { ...changedColumns(change), version: { increment: 1 } }
      const { count } = await tx.job.updateMany({ where: { id, status, attempt, version }, data })
      return count === 1
    },

    async successes(key, limit) {
      const rows = await tx.job.findMany({
        where: { status: 'success', type: { in: DEPLOYING_TYPES }, key, endedAt: { not: null }, pin: { not: null } },
        orderBy: [{ endedAt: 'desc' }, { seq: 'desc' }],
        take: limit,
        select: { id: true, pin: true, ref: true, endedAt: true },
      })
      return rows.map((row) => ({
        jobId: row.id,
        sha: fromJson<SubjectPin>(row.pin!).sha,
        ref: fromJson<Ref>(row.ref),
        endedAt: fromBig(row.endedAt!),
      }))
    },
  }
}

export function jobOf(row: Row): Job {
  return {
    id: row.id as JobId,
    seq: row.seq,
    requestPath: row.requestPath,
    requestBlob: row.requestBlob as BlobId,
    acceptedCommit: row.acceptedCommit as CommitSha,
    project: row.project,
    environment: row.environment,
    key: row.key as EnvironmentKey,
    type: row.type as RequestType,
    ref: fromJson<Ref>(row.ref),
    pin: fromJson<SubjectPin>(row.pin),
    requestReason: row.requestReason,
    requester: row.requester,
    pullRequest: fromJson<NonNullable<Job['pullRequest']>>(row.pullRequest),
    status: row.status as JobStatus,
    reason: fromJson<Job['reason']>(row.reason),
    gates: fromJson<Job['gates']>(row.gates),
    approvals: fromJson<Job['approvals']>(row.approvals),
    attempt: row.attempt,
    version: row.version,
    forced: row.forced,
    createdAt: fromBig(row.createdAt),
    startedAt: fromBig(row.startedAt),
    endedAt: fromBig(row.endedAt),
    cancelRequestedAt: fromBig(row.cancelRequestedAt),
  }
}

function rowOf(job: Omit<Job, 'seq' | 'version'>): Omit<Prisma.JobCreateInput, 'seq' | 'version'> {
  const { id, requestPath, requestBlob, acceptedCommit, project, environment, key, type } = job
  const { status, attempt, forced, createdAt, startedAt, endedAt, cancelRequestedAt } = job
  return {
    ...{ id, requestPath, requestBlob, acceptedCommit, project, environment, key, type },
    ...{ status, attempt, forced, createdAt, startedAt, endedAt, cancelRequestedAt },
    requestReason: plainText(job.requestReason),
    requester: plainText(job.requester),
    ref: toJson(job.ref),
    pin: toJson(job.pin),
    pullRequest: toJson(job.pullRequest),
    reason: JSON.stringify(job.reason),
    gates: JSON.stringify(job.gates),
    approvals: JSON.stringify(job.approvals),
  }
}

function changedColumns(change: JobChange): Prisma.JobUpdateManyMutationInput {
  return Object.fromEntries(Object.entries(change).map(([name, value]) => [name, columnValue(value)]))
}

/** Whatever is an object in a `JobChange` is JSON in its column. */
function columnValue(value: JobChange[keyof JobChange]) {
  if (typeof value === 'string') return plainText(value)
  return typeof value === 'object' ? toJson(value) : value
}

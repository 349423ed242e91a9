import type { Run, RunConnection } from '../jobs/job.ts'
import type { RunChange, RunTable } from '../jobs/state-store.ts'
import type { CommitSha, JobId } from '../model/names.ts'
import { type DbTx, fromBig, fromJson, plainText, toJson } from './db.ts'
import type { Run as Row } from './generated/sqlite/client.ts'

export function runTable(tx: DbTx): RunTable {
  return {
    async of(jobIds) {
      const where = { jobId: { in: [...jobIds] } }
      const rows = await tx.run.findMany({ where, orderBy: [{ jobId: 'asc' }, { attempt: 'asc' }] })
      return rows.map(runOf)
    },

    async known(externalId) {
      return (await tx.run.findMany({ where: { externalId } })).map(runOf)
    },

    async insert(run) {
      await tx.run.create({ data: { ...storable(run), connection: toJson(run.connection) } })
    },

    async update({ jobId, attempt, state }, change) {
      const { count } = await tx.run.updateMany({ where: { jobId, attempt, state }, data: storable(change) })
      return count === 1
    },
  }
}

/** A provider's own words may hold anything. */
function storable<T extends RunChange>(run: T): T {
  const texts = Object.entries(run).flatMap(([name, value]) => (typeof value === 'string' ? [[name, plainText(value)]] : []))
  return { ...run, ...Object.fromEntries(texts) }
}

export function runOf(row: Row): Run {
  return {
    ...row,
    jobId: row.jobId as JobId,
    state: row.state as Run['state'],
    outcome: row.outcome as Run['outcome'],
    intendedAt: fromBig(row.intendedAt),
    sendDeadline: fromBig(row.sendDeadline),
    startedAt: fromBig(row.startedAt),
    observedAt: fromBig(row.observedAt),
    endedAt: fromBig(row.endedAt),
    retryAt: fromBig(row.retryAt),
    claimedAt: fromBig(row.claimedAt),
    checkedOutSha: row.checkedOutSha as CommitSha | null,
    connection: fromJson<RunConnection>(row.connection),
  }
}

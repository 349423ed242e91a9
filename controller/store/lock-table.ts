import type { Lock } from '../jobs/job.ts'
import type { LockTable } from '../jobs/state-store.ts'
import type { JobId } from '../model/names.ts'
import { type Db, type DbTx, fromBig } from './db.ts'
import type { Lock as Row } from './generated/sqlite/client.ts'

/** A released lock keeps its row and its fence; only `jobId` says whether it is held. */
export function lockTable(tx: DbTx): LockTable {
  return {
    all: () => heldLocks(tx),

    async acquire(key, jobId, at) {
      const data = { jobId, acquiredAt: at, fence: { increment: 1 } }
      const [taken] = await tx.lock.updateManyAndReturn({ where: { key, jobId: null }, data })
      if (taken !== undefined) return lockOf(taken)
      if ((await tx.lock.count({ where: { key } })) > 0) return null
      return lockOf(await tx.lock.create({ data: { key, jobId, acquiredAt: at, fence: 1 } }))
    },

    async release({ key, jobId, fence }) {
      const { count } = await tx.lock.updateMany({ where: { key, jobId, fence }, data: { jobId: null, acquiredAt: null } })
      return count === 1
    },
  }
}

export async function heldLocks(db: Db | DbTx): Promise<readonly Lock[]> {
  const rows = await db.lock.findMany({ where: { jobId: { not: null } }, orderBy: { key: 'asc' } })
  return rows.map(lockOf)
}

function lockOf(row: Row): Lock {
  return { key: row.key, jobId: row.jobId as JobId, fence: row.fence, acquiredAt: fromBig(row.acquiredAt!) }
}

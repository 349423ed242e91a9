import type { Callback } from '../jobs/callback.ts'
import type { CallbackTable } from '../jobs/state-store.ts'
import type { JobId } from '../model/names.ts'
import { type DbTx, fromBig, plainText } from './db.ts'
import type { Callback as Row } from './generated/sqlite/client.ts'

export function callbackTable(tx: DbTx): CallbackTable {
  return {
    async of(jobId) {
      return (await tx.callback.findMany({ where: { jobId }, orderBy: { attempt: 'asc' } })).map(callbackOf)
    },

    async insert(callback) {
      await tx.callback.create({ data: callback })
    },

    async update({ jobId, attempt }, change) {
      const texts = Object.entries(change).map(([name, value]) => [name, typeof value === 'string' ? plainText(value) : value])
      await tx.callback.updateMany({ where: { jobId, attempt }, data: Object.fromEntries(texts) })
    },
  }
}

function callbackOf(row: Row): Callback {
  return {
    ...row,
    jobId: row.jobId as JobId,
    createdAt: fromBig(row.createdAt),
    heardAt: fromBig(row.heardAt),
    result: row.result as Callback['result'],
  }
}

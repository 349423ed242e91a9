import { DAY_MS } from '../clock.ts'
import type { Nudge, NudgeTable } from '../jobs/state-store.ts'
import { type DbTx, fromJson } from './db.ts'

/** Longer than any forge re-sends a delivery; until then the row is what makes a repetition harmless. */
const KEEP_SETTLED_MS = 7 * DAY_MS

export function nudgeTable(tx: DbTx): NudgeTable {
  return {
    async pending(limit) {
      const rows = await tx.delivery.findMany({ where: { settledAt: null }, orderBy: { id: 'asc' }, take: limit })
      return rows.map((row) => ({ id: String(row.id), nudge: fromJson<Nudge>(row.nudge) }))
    },

    async settle(ids, at) {
      if (ids.length === 0) return
      await tx.delivery.updateMany({ where: { id: { in: ids.map(Number) }, settledAt: null }, data: { settledAt: at } })
      // One look at an index, so it may as well happen here and needs no timer.
      await tx.delivery.deleteMany({ where: { settledAt: { lt: at - KEEP_SETTLED_MS } } })
    },
  }
}

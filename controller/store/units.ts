import { AsyncLocalStorage } from 'node:async_hooks'
import type { StateStore, StateTx } from '../jobs/state-store.ts'
import { auditPages } from './audit-table.ts'
import { callbackTable } from './callback-table.ts'
import { configTable } from './config-table.ts'
import type { DbTx } from './db.ts'
import { jobTable } from './job-table.ts'
import { lockTable } from './lock-table.ts'
import { logLineTable } from './log-line-table.ts'
import { nudgeTable } from './nudge-table.ts'
import { outboxTable } from './outbox-table.ts'
import { pullTable } from './pull-table.ts'
import { runTable } from './run-table.ts'
import { turnstile } from './turnstile.ts'

/**
 * Does `work` in one serializable transaction. A database on which others write too may have to do it again from the start,
 * so `work` keeps no trace of a try that did not commit.
 */
export type RunTransaction = <T>(work: (tx: DbTx) => Promise<T>) => Promise<T>

/** As in StateTx, on the database at hand. */
export type HoldsLease = (tx: DbTx, fence: number) => Promise<boolean>

export interface Units extends StateStore {
  /**
   * Refuses what would wait for the unit that it is called from, for ever. Everything that uses the store outside of a unit's
   * own `tx` asks here first, by name.
   */
  refuseInside(what: string): void
  /** Resolves when every unit asked for so far has ended; later ones are refused. */
  close(): Promise<void>
}

/** Units of work, one after the other, each one transaction. A unit whose statement failed cannot commit, even if it goes on. */
export function openUnits(transaction: RunTransaction, holdsLease: HoldsLease): Units {
  const takeTurn = turnstile()
  const current = new AsyncLocalStorage<{ name: string; open: boolean }>()
  let closed = false

  function refuseInside(what: string): void {
    const unit = current.getStore()
    if (unit?.open) throw new Error(`${what} was called inside the unit "${unit.name}"; use the unit's own tx`)
    if (closed) throw new Error(`${what} was called after the store was closed`)
  }

  return {
    refuseInside,

    async unit(name, work) {
      refuseInside(`the unit "${name}"`)
      const leave = await takeTurn()
      const unit = { name, open: true }
      try {
        return await current.run(unit, () => transaction((tx) => workAndAudit(tx, holdsLease, work)))
      } finally {
        unit.open = false
        leave()
      }
    },

    async close() {
      closed = true
      await takeTurn()
      // Node before 24 keeps it on a list for ever and walks that list at every promise that is made.
      current.disable()
    },
  }
}

async function workAndAudit<T>(tx: DbTx, holdsLease: HoldsLease, work: (tx: StateTx) => Promise<T>): Promise<T> {
  const audit = auditPages(tx)
  const result = await work({
    config: configTable(tx),
    jobs: jobTable(tx),
    runs: runTable(tx),
    locks: lockTable(tx),
    pulls: pullTable(tx),
    nudges: nudgeTable(tx),
    outbox: outboxTable(tx),
    callbacks: callbackTable(tx),
    lines: logLineTable(tx),
    audit: async (event) => audit.append(event),
    holdsLease: (fence) => holdsLease(tx, fence),
  })
  await audit.write()
  return result
}

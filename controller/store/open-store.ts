import type { AuditRow } from '../audit/event.ts'
import type { Clock } from '../clock.ts'
import type { CallbackReader } from '../jobs/callback.ts'
import type { SharedStore } from '../jobs/lease.ts'
import type { StateStore } from '../jobs/state-store.ts'
import type { JobId } from '../model/names.ts'
import type { StoreViews } from '../status-page/views.ts'
import type { Inbox } from '../webhooks/inbox.ts'
import { readAudit } from './audit-table.ts'
import { callbackTable } from './callback-table.ts'
import type { Db } from './db.ts'
import { openInbox } from './inbox.ts'
import { storeProbe } from './probe.ts'
import { type HoldsLease, openUnits, type RunTransaction } from './units.ts'
import { openViews } from './views.ts'

/** The store as everybody else sees it, whatever database is below. */
export interface OpenStore {
  state: StateStore
  /** Null: this process has the database for itself, and always leads. */
  shared: SharedStore | null
  inbox: Inbox
  views: StoreViews
  callbacks: CallbackReader
  /** The whole audit, oldest first, for the check of its chain. */
  auditRows(): AsyncIterable<AuditRow>
  /** Ends what was begun, then lets go of the database. Using the store afterwards is an error. */
  close(): Promise<void>
}

/** The tables of a store, without a store around them. `close` when nothing uses the client any more. */
export interface OpenDatabase {
  db: Db
  close(): Promise<void>
}

interface Database {
  db: Db
  /** One transaction, in which nobody else's writes are seen half done. */
  transaction: RunTransaction
  shared: { store: SharedStore; holdsLease: HoldsLease } | null
  clock: Clock
  /** Disconnects the client; called once, when nothing uses it any more. */
  release(): Promise<void>
}

export function assembleStore({ db, transaction, shared, clock, release }: Database): OpenStore {
  const units = openUnits(transaction, shared?.holdsLease ?? (async () => true))
  const inbox = openInbox(db)
  let closing: Promise<void> | null = null

  async function close(): Promise<void> {
    // Refuses new work at once, and resolves when the work under way has ended.
    const unitsEnded = units.close()
    await inbox.drained()
    await unitsEnded
    await release()
  }

  return {
    state: units,
    shared: shared?.store ?? null,
    inbox: {
      async store(delivery) {
        units.refuseInside('inbox.store')
        return await inbox.store(delivery)
      },
    },
    views: guarded({ ...openViews(db), probe: storeProbe(db, clock) }, units.refuseInside),
    callbacks: {
      async of(jobId) {
        units.refuseInside('callbacks.of')
        return await callbackTable(db).of(jobId as JobId)
      },
    },
    auditRows() {
      units.refuseInside('auditRows')
      return readAudit(db)
    },
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** The same views, each of which first makes sure that it is not called from within a unit. */
function guarded(views: StoreViews, refuseInside: (what: string) => void): StoreViews {
  const wrapped = Object.entries(views).map(([name, view]: [string, (...given: never[]) => Promise<unknown>]) => [
    name,
    async (...given: never[]) => {
      refuseInside(`views.${name}`)
      return await view(...given)
    },
  ])
  return Object.fromEntries(wrapped) as StoreViews
}

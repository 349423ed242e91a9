import { join } from 'node:path'
import type { Clock } from '../../controller/clock.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { openPostgresStore } from '../../controller/store/postgres-store.ts'
import { sqliteDriver } from '../../controller/store/sqlite-driver.ts'
import { openSqliteStore } from '../../controller/store/sqlite-store.ts'
import { scratchDatabase } from '../store/postgres-server.ts'
import { aJob } from '../store/rows.ts'

/** Where the controller that is killed keeps its records. */
export interface CrashDatabase {
  /** What the controller is told about it. */
  env: Readonly<Record<string, string>>
  /** For a look between two lives; an error that no store survives goes to `onFatal`. */
  open(clock: Clock, onFatal: (error: Error) => void): Promise<OpenStore>
  /** GUIDs of the deliveries that it holds. Nobody else may have it open. */
  storedDeliveries(): Promise<ReadonlySet<string>>
  remove(): Promise<void>
}

export const DATABASES: Readonly<Record<string, (dataDirectory: string) => Promise<CrashDatabase>>> = {
  sqlite: sqliteDatabase,
  postgres: postgresDatabase,
}

const SELECT_DELIVERIES = 'SELECT "deliveryId" FROM "deliveries"'

async function sqliteDatabase(dataDirectory: string): Promise<CrashDatabase> {
  const file = join(dataDirectory, 'draven.db')
  return {
    env: {},
    open: (clock, onFatal) => openSqliteStore({ file, clock, onFatal }),
    async storedDeliveries() {
      const db = sqliteDriver().open(file, 1_000)
      const rows = db.prepare(SELECT_DELIVERIES).rows([])
      db.close()
      return new Set(rows.map(([id]) => guidOf(id)))
    },
    remove: async () => {},
  }
}

async function postgresDatabase(): Promise<CrashDatabase> {
  const { url, query, remove } = await scratchDatabase()
  return {
    // The lease of a life that was killed has to end before the next one may act.
    env: { DATABASE_URL: url, DRAVEN_LEASE_SECONDS: '1' },
    open: (clock, onFatal) => openPostgresStore({ url, clock, onFatal, random: Math.random }),
    storedDeliveries: async () => new Set((await query(SELECT_DELIVERIES)).map((row) => guidOf(row['deliveryId']))),
    remove,
  }
}

/** Deliveries are kept by integration and GUID. */
function guidOf(id: unknown): string {
  return String(id).slice(String(id).indexOf(':') + 1)
}

const TOGETHER = 500

/** Ended jobs of an environment of its own, as months of use leave them. */
export async function fillWithHistory(store: OpenStore, count: number, clock: Clock): Promise<void> {
  for (let from = 0; from < count; from += TOGETHER) {
    await store.state.unit('crash.history', async (tx) => {
      for (let each = from; each < Math.min(from + TOGETHER, count); each++) {
        const endedAt = clock.now() - count + each
        const name = `old-${each}`
        await tx.jobs.insert(
          aJob(name, { status: 'success', environment: 'archive', createdAt: endedAt, startedAt: endedAt, endedAt }),
        )
        const event = { at: endedAt, action: 'request_accepted', actor: 'controller', environment: null, commit: null } as const
        await tx.audit({ ...event, jobId: name, data: { name } })
      }
    })
  }
}

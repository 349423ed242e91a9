import type { Clock } from '../../controller/clock.ts'
import { sqliteDriver } from '../../controller/store/sqlite-driver.ts'
import { openSqliteStore } from '../../controller/store/sqlite-store.ts'
import { aJob } from '../store/rows.ts'

const TOGETHER = 500

/** Ended jobs of an environment of its own, as months of use leave them. */
export async function fillWithHistory(file: string, count: number, clock: Clock): Promise<void> {
  const store = await openSqliteStore({
    file,
    clock,
    onFatal(error) {
      throw error
    },
  })
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
  await store.close()
}

/** GUIDs of the deliveries that the database holds; nobody else may have it open. */
export function storedDeliveries(file: string): ReadonlySet<string> {
  const db = sqliteDriver().open(file, 1_000)
  const rows = db.prepare('SELECT "deliveryId" FROM "deliveries"').rows([])
  db.close()
  return new Set(rows.map(([id]) => String(id).slice(String(id).indexOf(':') + 1)))
}

import { join, sqltag as sql } from '@prisma/client/runtime/client'
import type { Delivery, Inbox } from '../webhooks/inbox.ts'
import type { Db } from './db.ts'

/** Far below the number of values one statement may bind, and small enough to keep others waiting only briefly. */
const BATCH_ROWS = 500

interface Arrival {
  delivery: Delivery
  resolve(answer: 'stored' | 'duplicate'): void
  reject(error: unknown): void
}

/**
 * Durable intake with group commit: whatever arrived while the last batch was being written is the next batch, one statement
 * and one sync to disk for all. A single delivery waits for nobody. `drained` resolves when nothing is left to write.
 */
export function openInbox(db: Db): Inbox & { drained(): Promise<void> } {
  let arrivals: Arrival[] = []
  let writing: Promise<void> | null = null

  async function writeAll(): Promise<void> {
    // Lets every delivery that the sockets already hold arrive before the first write.
    await new Promise(setImmediate)
    while (arrivals.length > 0) {
      const batch = arrivals.slice(0, BATCH_ROWS)
      arrivals = arrivals.slice(BATCH_ROWS)
      await write(db, batch)
    }
    writing = null
  }

  return {
    store(delivery) {
      return new Promise((resolve, reject) => {
        arrivals.push({ delivery, resolve, reject })
        writing ??= writeAll()
      })
    },
    drained: async () => {
      await writing
    },
  }
}

async function write(db: Db, batch: readonly Arrival[]): Promise<void> {
  try {
    const stored = await insert(
      db,
      batch.map((arrival) => arrival.delivery),
    )
    for (const { delivery, resolve } of batch) resolve(stored.delete(nameOf(delivery)) ? 'stored' : 'duplicate')
  } catch (error) {
    if (batch.length === 1) return batch[0]!.reject(error)
    // One delivery the database refuses must not take the others with it.
    for (const arrival of batch) await write(db, [arrival])
  }
}

/** Names of the deliveries that were new. Raw, because Prisma cannot skip duplicates on SQLite; the SQL is the same on PostgreSQL. */
async function insert(db: Db, deliveries: readonly Delivery[]): Promise<Set<string>> {
  const rows = deliveries.map(
    ({ integration, deliveryId, event, receivedAt, nudge }) =>
      sql`(${integration}, ${deliveryId}, ${event}, ${BigInt(receivedAt)}, ${JSON.stringify(nudge)})`,
  )
  const inserted = await db.$queryRaw<Pick<Delivery, 'integration' | 'deliveryId'>[]>(sql`
    INSERT INTO "deliveries" ("integration", "deliveryId", "event", "receivedAt", "nudge") VALUES ${join(rows)}
    ON CONFLICT ("integration", "deliveryId") DO NOTHING RETURNING "integration", "deliveryId"`)
  return new Set(inserted.map(nameOf))
}

function nameOf({ integration, deliveryId }: Pick<Delivery, 'integration' | 'deliveryId'>): string {
  return JSON.stringify([integration, deliveryId])
}

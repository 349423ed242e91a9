import type { SharedStore } from '../jobs/lease.ts'
import type { Db, DbTx } from './db.ts'

/*
 * One row, and the database's own clock. A renewal changes no key of the row and a takeover does (the fence is unique), so a
 * unit that holds the row's key (FOR KEY SHARE) lets renewals through and keeps takeovers waiting until it has ended.
 */

interface Row {
  fence: number
  holder: string
  since: bigint
}

export function postgresLease(db: Db): SharedStore {
  return {
    lease: {
      async take(holder, durationMs) {
        const rows = await db.$queryRaw<Row[]>`
          UPDATE "lease" SET "fence" = "fence" + 1, "holder" = ${holder}, "since" = clock.ms, "expiresAt" = clock.ms + ${durationMs}
          FROM (SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT AS ms) AS clock
          WHERE "id" = 1 AND ("holder" IS NULL OR "expiresAt" <= clock.ms)
          RETURNING "fence"`
        return rows[0]?.fence ?? null
      },

      async renew(fence, durationMs) {
        const renewed = await db.$executeRaw`
          UPDATE "lease" SET "expiresAt" = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT + ${durationMs}
          WHERE "id" = 1 AND "fence" = ${fence} AND "holder" IS NOT NULL`
        return renewed === 1
      },

      async release(fence) {
        await db.$executeRaw`UPDATE "lease" SET "holder" = NULL, "since" = NULL, "expiresAt" = NULL WHERE "id" = 1 AND "fence" = ${fence}`
      },

      async holder() {
        const rows = await db.$queryRaw<Row[]>`
          SELECT "holder", "since" FROM "lease"
          WHERE "id" = 1 AND "holder" IS NOT NULL AND "expiresAt" > (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT`
        return rows[0] === undefined ? null : { name: rows[0].holder, since: Number(rows[0].since) }
      },
    },

    async newestDelivery() {
      const newest = await db.delivery.findFirst({ where: { settledAt: null }, orderBy: { id: 'desc' }, select: { id: true } })
      return newest?.id ?? null
    },
  }
}

/** Keeps the row's key until the unit ends, so that no takeover can come between this look and what the unit writes. */
export async function holdsPostgresLease(tx: DbTx, fence: number): Promise<boolean> {
  const rows = await tx.$queryRaw<Row[]>`
    SELECT "fence" FROM "lease" WHERE "id" = 1 AND "fence" = ${fence} AND "holder" IS NOT NULL FOR KEY SHARE`
  return rows.length === 1
}

import { PrismaPg } from '@prisma/adapter-pg'
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils'
import type pg from 'pg'
import { type Clock, MINUTE_MS } from '../clock.ts'
import { ConfigFault } from '../errors.ts'
import { MIGRATION_TIMEOUT_MS } from './postgres-connection.ts'
import type { MigrationTarget } from './schema-engine.ts'

/** First 8 bytes of sha256("draven:store-migrations:v1"). Lock numbers belong to one database, so it need not name that. */
const LOCK_KEY = '-4611615807204051604'
const LOCK_PAUSE_MS = 200
const LOCK_PATIENCE_MS = 2 * MINUTE_MS

/**
 * A database that others may be using. `pool` has one connection only, so that every statement lands in the one transaction.
 * The lock is asked for again and again, never waited for: a waiting session would hold up whatever runs beside it.
 */
export function postgresTarget(pool: pg.Pool, clock: Clock): MigrationTarget {
  async function takeLock(): Promise<void> {
    const giveUpAt = clock.now() + LOCK_PATIENCE_MS
    while (clock.now() < giveUpAt) {
      const { rows } = await pool.query(`SELECT pg_try_advisory_xact_lock(${LOCK_KEY}) AS locked`)
      if (rows[0]?.locked === true) return
      await clock.sleep(LOCK_PAUSE_MS)
    }
    throw new ConfigFault(
      'another controller is migrating the database and does not finish',
      'Look at that controller, then start this one again.',
    )
  }

  return {
    provider: 'postgresql',
    factory: bareFactory(pool),

    async applied() {
      const { rows: tables } = await pool.query(`SELECT to_regclass('public._prisma_migrations') IS NOT NULL AS exists`)
      if (tables[0]?.exists !== true) return new Map()
      const { rows } = await pool.query<{ migration_name: string; checksum: string }>(
        'SELECT migration_name, checksum FROM public._prisma_migrations WHERE finished_at IS NOT NULL',
      )
      return new Map(rows.map((row) => [row.migration_name, row.checksum]))
    },

    async inTransaction(work) {
      await pool.query('BEGIN')
      try {
        // Waiting is done between statements, so the session may be idle here.
        await pool.query('SET LOCAL idle_in_transaction_session_timeout = 0')
        await pool.query(`SET LOCAL statement_timeout = ${MIGRATION_TIMEOUT_MS}`)
        await takeLock()
        await work()
        await pool.query('COMMIT')
      } catch (error) {
        await pool.query('ROLLBACK')
        throw error
      }
    },
  }
}

/** Prisma's adapter without transactions of its own, and with scripts sent whole: it would cut functions at each semicolon. */
function bareFactory(pool: pg.Pool) {
  const identity = { provider: 'postgres', adapterName: 'draven-postgres' } as const
  readCatalogCharsAsText(pool)
  const connect = async (): Promise<SqlDriverAdapter> => {
    const inner = await new PrismaPg(pool).connect()
    return {
      ...identity,
      queryRaw: (query) => inner.queryRaw(query),
      executeRaw: (query) => inner.executeRaw(query),
      async executeScript(script) {
        await pool.query(script)
      },
      startTransaction: () => Promise.reject(new Error('a migration runs in one transaction already')),
      getConnectionInfo: () => ({ schemaName: 'public', supportsRelationJoins: true }),
      dispose: async () => {},
    }
  }
  return { ...identity, connect, connectToShadowDb: connect }
}

const CHAR = 18
const TEXT = 25

/** The engine asks the catalogs, whose one-letter columns have a type of their own that Prisma's adapter refuses. */
function readCatalogCharsAsText(pool: pg.Pool): void {
  const query = pool.query.bind(pool) as (...given: unknown[]) => Promise<Partial<pg.QueryResult>>
  async function asText(...given: unknown[]) {
    const result = await query(...given)
    for (const field of result.fields ?? []) if (field.dataTypeID === CHAR) field.dataTypeID = TEXT
    return result
  }
  Object.assign(pool, { query: asText })
}

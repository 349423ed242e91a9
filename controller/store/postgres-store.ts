import { DriverAdapterError } from '@prisma/driver-adapter-utils'
import type pg from 'pg'
import { type Clock, MINUTE_MS, SECOND_MS } from '../clock.ts'
import { ConfigFault, messageOf, TransientFault } from '../errors.ts'
import type { Db } from './db.ts'
import { PrismaClient } from './generated/postgres/client.ts'
import { postgresMigrations, postgresSchema } from './generated/postgres-migrations.ts'
import { assembleStore, type OpenDatabase, type OpenStore } from './open-store.ts'
import { postgresAdapterFactory } from './postgres-adapter.ts'
import { checkPostgres, migrationPool, postgresPool } from './postgres-connection.ts'
import { holdsPostgresLease, postgresLease } from './postgres-lease.ts'
import { postgresTarget } from './postgres-target.ts'
import { migrate, missingMigrations } from './schema-engine.ts'
import { asOperatingFault } from './trouble.ts'
import type { RunTransaction } from './units.ts'

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:5432/name`. The database must exist; its tables are made. */
  url: string
  clock: Clock
  /** A COMMIT got no answer, so what the database holds is unknown: the process must end, and start again from the database. */
  onFatal: (error: Error) => void
  /** A number from 0 to 1 that nobody can foresee: writers that met must not meet again. */
  random: () => number
}

/**
 * Opens the store on PostgreSQL, which several controllers may share, and brings its schema up to date.
 * Throws ConfigFault when the database cannot be used or was written by a newer release.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<OpenStore> {
  await bringUpToDate(options)
  return openStore(options)
}

/** The tables of the store on PostgreSQL, without a store around them. Throws as `openPostgresStore` does. */
export async function openPostgresDatabase(options: Omit<PostgresStoreOptions, 'random'>): Promise<OpenDatabase> {
  await bringUpToDate(options)
  return connect(options)
}

function bringUpToDate({ url, clock }: Pick<PostgresStoreOptions, 'url' | 'clock'>): Promise<void> {
  return onOneConnection(url, (pool) => migrate(postgresTarget(pool, clock), postgresSchema, postgresMigrations))
}

/**
 * Opens a database that controllers may be using, to look at it: nothing is migrated. Throws ConfigFault when it cannot be used,
 * holds no store, or not one of this release.
 */
export async function openPostgresToRead(options: PostgresStoreOptions): Promise<OpenStore> {
  const missing = await onOneConnection(options.url, (pool) =>
    missingMigrations(postgresTarget(pool, options.clock), postgresMigrations),
  )
  if (missing.length > 0) {
    throw new ConfigFault(
      `the database lacks ${missing.join(', ')}`,
      'Start the controller of this release once; it makes and migrates the tables.',
    )
  }
  return openStore(options)
}

/** What a look at the database says of it: the server's version, and the migrations that it lacks. */
export function describePostgres(url: string, clock: Clock): Promise<{ version: string; missing: readonly string[] }> {
  return onOneConnection(url, async (pool) => {
    const { rows } = await pool.query('SHOW server_version')
    const missing = await missingMigrations(postgresTarget(pool, clock), postgresMigrations)
    return { version: String(rows[0]?.server_version), missing }
  })
}

function openStore(options: PostgresStoreOptions): OpenStore {
  const { db, close } = connect(options)
  return assembleStore({
    db,
    clock: options.clock,
    shared: { store: postgresLease(db), holdsLease: holdsPostgresLease },
    transaction: serializable(db, options),
    release: close,
  })
}

function connect({ url, onFatal }: Pick<PostgresStoreOptions, 'url' | 'onFatal'>): OpenDatabase {
  const pool = postgresPool(url)
  const adapter = postgresAdapterFactory({ pool, onFatal })
  // The generated clients are equal but for the options that only one database has, and the table files use none of those.
  const db = new PrismaClient({ adapter, errorFormat: 'minimal' }) as unknown as Db
  return {
    db,
    async close() {
      await db.$disconnect()
      await pool.end()
    },
  }
}

async function onOneConnection<T>(url: string, work: (pool: pg.Pool) => Promise<T>): Promise<T> {
  const pool = migrationPool(url)
  try {
    await checkPostgres(pool, url)
    return await work(pool)
  } finally {
    await pool.end()
  }
}

/** A unit does no I/O but the store's, and each of its statements has a timeout of its own. */
const UNIT_LIMITS = { maxWait: 30 * SECOND_MS, timeout: MINUTE_MS, isolationLevel: 'Serializable' } as const
const TRIES = 10
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 500

/** Again from the start, with growing pauses, when the server says that the transaction met another one (40001, 40P01). */
function serializable(db: Db, { clock, random }: Pick<PostgresStoreOptions, 'clock' | 'random'>): RunTransaction {
  return async (work) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await db.$transaction(work, UNIT_LIMITS)
      } catch (error) {
        const trouble = troubleOf(error)
        if (trouble === 'unreachable') throw new TransientFault('the database cannot be reached', 0, { cause: error })
        if (trouble !== 'conflict') throw asOperatingFault(error)
        if (tries === TRIES) throw new TransientFault('the database is too busy: others wrote the same rows', 0, { cause: error })
      }
      await clock.sleep(random() * Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS))
    }
  }
}

/** What Prisma makes of our adapter's errors: an error code, a raw statement's text, or at COMMIT the error itself. */
const TROUBLES: Readonly<Record<string, 'conflict' | 'unreachable'>> = {
  P2034: 'conflict',
  TransactionWriteConflict: 'conflict',
  P1017: 'unreachable',
  ConnectionClosed: 'unreachable',
}

function troubleOf(error: unknown): 'conflict' | 'unreachable' | null {
  const name = error instanceof DriverAdapterError ? error.cause.kind : codeOf(error)
  if (name === 'P2010') return /\b(40001|40P01)\b|TransactionWriteConflict/.test(messageOf(error)) ? 'conflict' : null
  return TROUBLES[name] ?? null
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Clock, MINUTE_MS } from '../clock.ts'
import type { Db } from './db.ts'
import { PrismaClient } from './generated/sqlite/client.ts'
import { sqliteMigrations, sqliteSchema } from './generated/sqlite-migrations.ts'
import { refuseNetworkDisk } from './local-disk.ts'
import { assembleStore, type OpenDatabase, type OpenStore } from './open-store.ts'
import { migrate } from './schema-engine.ts'
import { sqliteAdapterFactory } from './sqlite-adapter.ts'
import { sqliteDriver } from './sqlite-driver.ts'
import { checkAuditTail } from './sqlite-integrity.ts'
import { lockSqliteFile } from './sqlite-lock.ts'
import { openSqliteSession, type SqliteSession } from './sqlite-session.ts'
import { sqliteTarget } from './sqlite-target.ts'
import { asOperatingFault } from './trouble.ts'
import type { RunTransaction } from './units.ts'

export interface SqliteStoreOptions {
  /** Made, with its folder, when it does not exist. Must be on a local disk. */
  file: string
  clock: Clock
  /** A COMMIT or ROLLBACK failed, so what is on disk is unknown: the process must end, and start again from the file. */
  onFatal: (error: Error) => void
  /** To look at, and not to go on from: a broken audit is what is looked for, so it does not keep the file from being opened. */
  forInspection?: boolean
}

/**
 * Opens the embedded store and brings its schema up to date. Throws ConfigFault when another process has the file, when it is
 * damaged, was written by a newer release, or lies where SQLite cannot work safely.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<OpenStore> {
  const { db, close } = await openSqliteDatabase(options)
  return assembleStore({ db, clock: options.clock, shared: null, transaction: sqliteTransaction(db), release: close })
}

/** The tables of the embedded store, without a store around them. Throws as `openSqliteStore` does. */
export async function openSqliteDatabase({
  file,
  clock,
  onFatal,
  forInspection = false,
}: SqliteStoreOptions): Promise<OpenDatabase> {
  const driver = sqliteDriver()
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  refuseNetworkDisk(file)
  const lock = lockSqliteFile(driver, file)
  let opened: SqliteSession | null = null
  try {
    const session = openSqliteSession(driver, file)
    opened = session
    await migrate(sqliteTarget(session), sqliteSchema, sqliteMigrations)
    if (!forInspection) checkAuditTail(session, file)
    const db = new PrismaClient({ adapter: sqliteAdapterFactory({ session, clock, onFatal }), errorFormat: 'minimal' })
    return {
      db,
      async close() {
        await db.$disconnect()
        session.close()
        lock.release()
      },
    }
  } catch (error) {
    opened?.close()
    lock.release()
    throw error
  }
}

/** A unit does no I/O but the store's, so one that takes this long is stuck and is rolled back. Units wait in our own line before. */
const UNIT_LIMITS = { maxWait: 10 * MINUTE_MS, timeout: 10 * MINUTE_MS }

function sqliteTransaction(db: Db): RunTransaction {
  return async (work) => {
    try {
      return await db.$transaction(work, UNIT_LIMITS)
    } catch (error) {
      throw asOperatingFault(error)
    }
  }
}

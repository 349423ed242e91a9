import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigFault, fileFault, messageOf } from '../errors.ts'
import { isBusy, type SqliteConnection, type SqliteDriver, type SqliteStatement, type SqlValue } from './sqlite-driver.ts'

/** One connection with its statements kept prepared. */
export interface SqliteSession {
  driver: SqliteDriver['name']
  exec(sql: string): void
  query(sql: string, values: readonly SqlValue[]): { columns: SqliteStatement['columns']; rows: SqlValue[][] }
  run(sql: string, values: readonly SqlValue[]): number
  /** Closes the connection and makes a new one, with the same pragmas. Only outside of a transaction. */
  reopen(): void
  close(): void
}

/** A waiting statement stops the whole process, so SQLite itself waits only this long; the adapter asks again without blocking. */
const BUSY_TIMEOUT_MS = 50
const CACHED_STATEMENTS = 256

/** What every connection must run with, and what SQLite answers when asked. It forgets all but the first between connections. */
const PRAGMAS = [
  { name: 'journal_mode', set: 'WAL', read: 'wal' },
  // In WAL mode only FULL makes a commit survive a power cut.
  { name: 'synchronous', set: 'FULL', read: 2 },
  { name: 'foreign_keys', set: 'ON', read: 1 },
  { name: 'busy_timeout', set: String(BUSY_TIMEOUT_MS), read: BUSY_TIMEOUT_MS },
  // A tampered file must not run functions through its own views and triggers.
  { name: 'trusted_schema', set: 'OFF', read: 0 },
  { name: 'cell_size_check', set: 'ON', read: 1 },
] as const

/**
 * Opens (or creates, mode 0600) a database file, sets the pragmas and reads them back, and checks the file's structure.
 * Throws ConfigFault when the file is damaged, is no database, or the pragmas do not hold.
 */
export function openSqliteSession(driver: SqliteDriver, file: string): SqliteSession {
  makePrivateFile(file)
  let connection = connect(driver, file)
  const cache = new Map<string, SqliteStatement>()
  checkStructure(connection, file)

  function prepared(sql: string): SqliteStatement {
    const known = cache.get(sql)
    if (known !== undefined) return known
    const statement = connection.prepare(sql)
    if (cache.size >= CACHED_STATEMENTS) cache.delete(cache.keys().next().value as string)
    cache.set(sql, statement)
    return statement
  }

  /** A statement that failed may stay active inside libsql and fail the next COMMIT, so it is never used again. */
  function droppingOnError<T>(sql: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      cache.delete(sql)
      throw error
    }
  }

  return {
    driver: driver.name,
    exec: (sql) => connection.exec(sql),
    query: (sql, values) =>
      droppingOnError(sql, () => {
        const statement = prepared(sql)
        if (statement.columns.length > 0) return { columns: statement.columns, rows: statement.rows(values) }
        statement.run(values)
        return { columns: [], rows: [] }
      }),
    run: (sql, values) => droppingOnError(sql, () => prepared(sql).run(values)),
    reopen() {
      cache.clear()
      connection.close()
      connection = connect(driver, file)
    },
    close() {
      cache.clear()
      checkpoint(connection)
      connection.close()
    },
  }
}

/** Makes an empty file (and its folder) that only we may read. SQLite gives the files beside the database (-wal, -shm) the mode of the database itself. */
export function makePrivateFile(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  } catch (error) {
    const why = fileFault(error)
    if (why === null) throw error
    throw new ConfigFault(
      `${file} cannot be written: ${why}.`,
      'Let the user of the controller write there, or set DRAVEN_DATA_DIR.',
    )
  }
}

function connect(driver: SqliteDriver, file: string): SqliteConnection {
  const connection = driver.open(file, BUSY_TIMEOUT_MS)
  try {
    for (const pragma of PRAGMAS) applyPragma(connection, pragma)
    return connection
  } catch (error) {
    connection.close()
    if (error instanceof ConfigFault) throw error
    const fix = isBusy(error)
      ? 'Close the program that has the file open.'
      : 'Restore the file from a backup, or name another file.'
    throw new ConfigFault(`cannot use ${file} as database: ${messageOf(error)}`, fix)
  }
}

function applyPragma(connection: SqliteConnection, pragma: (typeof PRAGMAS)[number]): void {
  connection.exec(`PRAGMA ${pragma.name}=${pragma.set}`)
  const answer = connection.prepare(`PRAGMA ${pragma.name}`).rows([])[0]?.[0]
  if (answer === pragma.read) return
  throw new ConfigFault(
    `SQLite did not accept ${pragma.name}=${pragma.set}: it says ${String(answer)}`,
    'Put the database on a local disk; network and overlay file systems often cannot do this.',
  )
}

/** Leaves one file behind that is whole by itself. libsql would do so only when its statements are collected. */
function checkpoint(connection: SqliteConnection): void {
  try {
    connection.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch {
    // A reader is in the way, or the disk is: everything is safe in the -wal file, and the next start reads it.
  }
}

function checkStructure(connection: SqliteConnection, file: string): void {
  const answer = connection.prepare('PRAGMA quick_check(1)').rows([])[0]?.[0]
  if (answer === 'ok') return
  connection.close()
  throw new ConfigFault(`the database ${file} is damaged: ${String(answer)}`, 'Restore the file from a backup.')
}

import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type AuditHead, verifyChain } from '../audit/chain.ts'
import type { Clock } from '../clock.ts'
import { ConfigFault } from '../errors.ts'
import { type SqliteDriver, sqliteDriver } from './sqlite-driver.ts'
import { openSqliteStore } from './sqlite-store.ts'

const BUSY_TIMEOUT_MS = 5_000

export interface Backup {
  bytes: number
  /** Rows of its audit, and the last of them: an anchor for later checks. */
  auditRows: number
  auditHead: AuditHead | null
}

/**
 * Copies a database to `target`, also while a controller serves it, and lets the copy appear under that name only when it was
 * checked: every page, every reference, the whole audit chain, and that this release can open it. Mode 0600.
 * @throws ConfigFault when `target` exists, or the copy does not hold
 */
export async function backUpSqlite(file: string, target: string, clock: Clock): Promise<Backup> {
  if (existsSync(target)) throw taken(target)
  const draft = `${target}.partial-${process.pid}`
  const parts = [draft, `${draft}-wal`, `${draft}-shm`, `${draft}-journal`, `${draft}.lock`]
  const remove = () => {
    for (const part of parts) rmSync(part, { force: true })
  }
  remove()
  try {
    copySqlite(sqliteDriver(), file, draft)
    chmodSync(draft, 0o600)
    checkWhole(sqliteDriver(), draft, file)
    const verdict = await auditOf(draft, clock)
    if (!verdict.ok) throw damaged(file, `its audit is broken at row ${verdict.seq}: ${verdict.problem}`)
    toDisk(draft)
    try {
      // Unlike a rename, a link never takes the place of a file that came meanwhile.
      linkSync(draft, target)
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken(target) : error
    }
    toDisk(dirname(target))
    return { bytes: statSync(target).size, auditRows: verdict.rows, auditHead: verdict.head }
  } finally {
    remove()
  }
}

/** VACUUM INTO reads one snapshot of the file and its log (https://www.sqlite.org/lang_vacuum.html). */
export function copySqlite(driver: SqliteDriver, file: string, copy: string): void {
  const connection = driver.open(readOnlyUri(file), BUSY_TIMEOUT_MS)
  try {
    connection.exec(`VACUUM INTO '${copy.replaceAll("'", "''")}'`)
  } finally {
    connection.close()
  }
}

/**
 * Read-only (https://www.sqlite.org/uri.html). Without a log nobody has it open, and `immutable` keeps SQLite from even making
 * the files that readers share, so that a database in a folder without write access can be read too.
 */
function readOnlyUri(file: string): string {
  const wal = `${file}-wal`
  const inUse = existsSync(`${file}-shm`) || (existsSync(wal) && statSync(wal).size > 0)
  return `${pathToFileURL(file).href}?mode=ro${inUse ? '' : '&immutable=1'}`
}

function checkWhole(driver: SqliteDriver, copy: string, file: string): void {
  const connection = driver.open(copy, BUSY_TIMEOUT_MS)
  try {
    const said = connection.prepare('PRAGMA integrity_check(1)').rows([])[0]?.[0]
    if (said !== 'ok') throw damaged(file, String(said))
    const broken = connection.prepare('PRAGMA foreign_key_check').rows([]).length
    if (broken > 0) throw damaged(file, `${broken} rows refer to rows that do not exist`)
  } finally {
    connection.close()
  }
}

async function auditOf(copy: string, clock: Clock) {
  const store = await openSqliteStore({
    file: copy,
    forInspection: true,
    clock,
    onFatal(error) {
      throw error
    },
  })
  try {
    return await verifyChain(store.auditRows())
  } finally {
    await store.close()
  }
}

function toDisk(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function taken(target: string): ConfigFault {
  return new ConfigFault(`${target} exists already, and a backup overwrites nothing`, 'Name another file.')
}

function damaged(file: string, why: string): ConfigFault {
  return new ConfigFault(`${file} cannot be backed up: ${why}`, 'Keep the file, and restore the last backup that held.')
}

import { ConfigFault } from '../errors.ts'
import { isBusy, type SqliteConnection, type SqliteDriver } from './sqlite-driver.ts'
import { makePrivateFile } from './sqlite-session.ts'

/**
 * One process per database. The lock is a second, empty SQLite file in which a transaction stays open: the kernel ends it with
 * the process, however that dies, so there is no stale lock to judge and no race to take one over. The file says who holds it
 * (`user_version` is the process id) and stays behind, because removing it is the race.
 *
 * Nothing else in this process may open the lock file: closing any handle on it would drop the kernel's lock.
 */
export function lockSqliteFile(driver: SqliteDriver, file: string): { release(): void } {
  const lockFile = `${file}.lock`
  makePrivateFile(lockFile)
  const connection = driver.open(lockFile, 0)
  try {
    connection.exec('BEGIN IMMEDIATE')
    connection.exec(`PRAGMA user_version=${process.pid}`)
    connection.exec('COMMIT')
    // Reading stays possible for others from here on; writing does not.
    connection.exec('BEGIN IMMEDIATE')
  } catch (error) {
    const holder = isBusy(error) ? holderOf(connection) : null
    connection.close()
    if (holder === null) throw error
    throw new ConfigFault(
      `${file} is in use by ${holder}`,
      'Run one controller per SQLite file. Stop the other process, or give this one a file of its own.',
    )
  }
  return {
    release() {
      connection.exec('ROLLBACK')
      connection.close()
    },
  }
}

function holderOf(connection: SqliteConnection): string {
  try {
    const pid = connection.prepare('PRAGMA user_version').rows([])[0]?.[0]
    return pid === process.pid ? `this process (${process.pid}) already` : `process ${String(pid)}`
  } catch {
    return 'another process, which is just starting'
  }
}

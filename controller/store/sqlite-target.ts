import type { MigrationTarget } from './schema-engine.ts'
import { bareSqliteAdapterFactory } from './sqlite-adapter.ts'
import type { SqliteSession } from './sqlite-session.ts'

/** A SQLite file, to be migrated before anybody else may use it. */
export function sqliteTarget(session: SqliteSession): MigrationTarget {
  return {
    provider: 'sqlite',
    factory: bareSqliteAdapterFactory(session),

    async applied() {
      const table = session.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_prisma_migrations'", [])
      if (table.rows.length === 0) return new Map()
      const { rows } = session.query('SELECT migration_name, checksum FROM _prisma_migrations WHERE finished_at IS NOT NULL', [])
      return new Map(rows.map(([name, checksum]) => [String(name), String(checksum)]))
    },

    async inTransaction(work) {
      // Inside a transaction the pragma would do nothing, and a migration may have to rebuild a table others refer to.
      session.exec('PRAGMA foreign_keys=OFF')
      session.exec('BEGIN IMMEDIATE')
      try {
        await work()
        const broken = session.query('PRAGMA foreign_key_check', []).rows.length
        if (broken > 0) throw new Error(`${broken} rows refer to rows that do not exist`)
        session.exec('COMMIT')
      } catch (error) {
        session.exec('ROLLBACK')
        throw error
      } finally {
        // The engine also makes the connection lock the file for good; reading a row is when SQLite lets go of it.
        session.exec('PRAGMA locking_mode=NORMAL')
        session.query('SELECT COUNT(*) FROM sqlite_master', [])
        session.reopen()
      }
    },
  }
}

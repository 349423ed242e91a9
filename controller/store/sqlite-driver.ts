import { createRequire } from 'node:module'

export type SqlValue = null | number | bigint | string | Uint8Array

/** What the store needs of a SQLite library; both libraries below are synchronous. */
export interface SqliteDriver {
  name: 'node:sqlite' | 'libsql'
  open(file: string, busyTimeoutMs: number): SqliteConnection
}

export interface SqliteConnection {
  exec(sql: string): void
  prepare(sql: string): SqliteStatement
  close(): void
}

export interface SqliteStatement {
  /** Empty for a statement that returns no rows. `type` is the declared type; null for an expression. */
  columns: readonly { name: string; type: string | null }[]
  rows(values: readonly SqlValue[]): SqlValue[][]
  /** Gives the number of changed rows. */
  run(values: readonly SqlValue[]): number
}

/** Extended result code of SQLite (https://www.sqlite.org/rescode.html), or null for an error that is not SQLite's. */
export function sqliteCode(error: unknown): number | null {
  const { rawCode, errcode } = error as { rawCode?: unknown; errcode?: unknown }
  const code = rawCode ?? errcode
  return typeof code === 'number' ? code : null
}

const SQLITE_BUSY = 5

export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code !== null && (code & 0xff) === SQLITE_BUSY
}

const SQLITE_FULL = 13

/** The disk is full. Everything else that goes wrong with a write leaves its outcome open. */
export function isOutOfSpace(error: unknown): boolean {
  const code = sqliteCode(error)
  return code !== null && (code & 0xff) === SQLITE_FULL
}

/** Node's own SQLite where it is complete enough (22.16 and later), else the `libsql` package. */
export function sqliteDriver(): SqliteDriver {
  return nodeDriver() ?? libsqlDriver()
}

/* Node 20's types know no node:sqlite, so the few members in use are written down here. */
interface NodeSqlite {
  DatabaseSync: new (
    file: string,
    options: { timeout: number },
  ) => { exec(sql: string): void; prepare(sql: string): NodeStatement; close(): void }
  StatementSync: { prototype: Partial<NodeStatement> }
}
interface NodeStatement {
  columns(): { name: string; type: string | null }[]
  setReturnArrays(enabled: boolean): void
  all(...values: SqlValue[]): SqlValue[][]
  run(...values: SqlValue[]): { changes: number | bigint }
}

function nodeDriver(): SqliteDriver | null {
  const sqlite = quietly(() => {
    const { getBuiltinModule } = process as { getBuiltinModule?: (id: string) => unknown }
    return getBuiltinModule?.('node:sqlite') as NodeSqlite | undefined
  })
  // 22.13 has the module without these two methods, and rows as objects would lose columns of equal name.
  if (sqlite?.StatementSync.prototype.setReturnArrays === undefined || sqlite.StatementSync.prototype.columns === undefined)
    return null
  return {
    name: 'node:sqlite',
    open(file, busyTimeoutMs) {
      const database = new sqlite.DatabaseSync(file, { timeout: busyTimeoutMs })
      return {
        exec: (sql) => database.exec(sql),
        close: () => database.close(),
        prepare(sql) {
          const statement = database.prepare(sql)
          statement.setReturnArrays(true)
          return {
            columns: statement.columns(),
            rows: (values) => statement.all(...values),
            run: (values) => Number(statement.run(...values).changes),
          }
        },
      }
    },
  }
}

/**
 * Node warns of its SQLite as an experiment at each start, on stderr, where people and scripts look for what is wrong with theirs.
 * The store's tests hold it to what we use, on every release; no other warning is kept back.
 */
function quietly<T>(load: () => T): T {
  const { emitWarning } = process
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (rest[0] !== 'ExperimentalWarning') Reflect.apply(emitWarning, process, [warning, ...rest])
  }
  try {
    return load()
  } finally {
    process.emitWarning = emitWarning
  }
}

interface Libsql {
  new (
    file: string,
    options: { timeout: number },
  ): { exec(sql: string): void; prepare(sql: string): LibsqlStatement; close(): void }
}
interface LibsqlStatement {
  reader: boolean
  columns(): { name: string; type: string | null }[]
  raw(): void
  all(values: readonly SqlValue[]): SqlValue[][]
  run(values: readonly SqlValue[]): { changes: number }
}

function libsqlDriver(): SqliteDriver {
  return {
    name: 'libsql',
    open(file, busyTimeoutMs) {
      // Loaded only where it is used: its binary is large, and a platform without one may still have node:sqlite.
      const Database = createRequire(import.meta.url)('libsql') as Libsql
      const database = new Database(file, { timeout: busyTimeoutMs })
      return {
        exec: (sql) => database.exec(sql),
        close: () => database.close(),
        prepare(sql) {
          const statement = database.prepare(sql)
          if (statement.reader) statement.raw()
          return {
            columns: statement.reader ? statement.columns() : [],
            rows: (values) => statement.all(values),
            run: (values) => statement.run(values).changes,
          }
        },
      }
    },
  }
}

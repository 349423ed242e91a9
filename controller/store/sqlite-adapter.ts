import {
  DriverAdapterError,
  type IsolationLevel,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
  type SqlQuery,
  type SqlResultSet,
  type Transaction,
} from '@prisma/driver-adapter-utils'
import type { Clock } from '../clock.ts'
import { isBusy, isOutOfSpace } from './sqlite-driver.ts'
import type { SqliteSession } from './sqlite-session.ts'
import { columnType, fromSqlValue, toAdapterError, toSqlValue } from './sqlite-values.ts'
import { turnstile } from './turnstile.ts'

/*
 * Prisma on one SQLite connection. The published adapters are unfit: one runs an outside write inside somebody's open
 * transaction and loses it on rollback, the other leaks files and forgets pragmas. Here every operation waits for its turn
 * in one line, a transaction keeps its turn from BEGIN to COMMIT, and a failing COMMIT or ROLLBACK ends everything.
 */

const IDENTITY = { provider: 'sqlite', adapterName: 'draven-sqlite' } as const
const BUSY_PAUSE_MS = 50
/** About ten seconds, with SQLite's own busy timeout on top of each pause. */
const BUSY_TRIES = 100

export interface SqliteAdapterOptions {
  session: SqliteSession
  clock: Clock
  /** Called once, when a COMMIT or ROLLBACK failed: what is on disk is then unknown, and every later operation is refused. */
  onFatal: (error: Error) => void
}

export function sqliteAdapterFactory(options: SqliteAdapterOptions): SqlMigrationAwareDriverAdapterFactory {
  const connect = async () => sqliteAdapter(options)
  return { ...IDENTITY, connect, connectToShadowDb: connect }
}

function sqliteAdapter({ session, clock, onFatal }: SqliteAdapterOptions): SqlDriverAdapter {
  const takeTurn = turnstile()
  let dead: Error | null = null

  function end(sql: 'COMMIT' | 'ROLLBACK'): void {
    if (dead !== null) throw dead
    try {
      session.exec(sql)
    } catch (error) {
      if (sql === 'COMMIT' && isOutOfSpace(error)) {
        undo()
        throw toAdapterError(error)
      }
      dead = new Error(`${sql} failed; the store is closed`, { cause: error })
      onFatal(dead)
      throw dead
    }
  }

  /**
   * After a COMMIT for which the disk had no room: its last frame, the one that makes it count, was not written, so nothing was
   * committed. A new connection reads the file as it is; failing that, nobody knows.
   */
  function undo(): void {
    try {
      session.exec('ROLLBACK')
    } catch {
      // SQLite may have rolled back by itself.
    }
    try {
      session.reopen()
    } catch (error) {
      dead = new Error('the database could not be opened again after the disk was full', { cause: error })
      onFatal(dead)
      throw dead
    }
  }

  /** Runs `work` again while another process holds the file. */
  async function unlessBusy<T>(work: () => T, afterRefusal: () => void): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      if (dead !== null) throw dead
      try {
        return work()
      } catch (error) {
        if (!isBusy(error)) throw toAdapterError(error)
        afterRefusal()
        if (tries === BUSY_TRIES) throw toAdapterError(error)
      }
      await clock.sleep(BUSY_PAUSE_MS)
    }
  }

  /** libsql keeps a refused statement alive, and the next COMMIT would fail for it; only a new connection is rid of it. */
  function renewLibsql(): void {
    if (session.driver === 'libsql') session.reopen()
  }

  /** One operation outside of a transaction: its own turn, its own implicit transaction. */
  async function alone<T>(work: () => T): Promise<T> {
    const leave = await takeTurn()
    try {
      return await unlessBusy(work, renewLibsql)
    } finally {
      leave()
    }
  }

  async function startTransaction(isolationLevel?: IsolationLevel): Promise<Transaction> {
    if (isolationLevel !== undefined && isolationLevel !== 'SERIALIZABLE') {
      throw new DriverAdapterError({ kind: 'InvalidIsolationLevel', level: isolationLevel })
    }
    const leave = await takeTurn()
    try {
      // IMMEDIATE: a transaction that reads first and writes later could otherwise be refused half-way.
      await unlessBusy(
        () => session.exec('BEGIN IMMEDIATE'),
        () => {},
      )
    } catch (error) {
      leave()
      throw error
    }
    return transaction(session, { end, leave })
  }

  return {
    ...IDENTITY,
    queryRaw: (query) => alone(() => queryRaw(session, query)),
    executeRaw: (query) => alone(() => executeRaw(session, query)),
    executeScript: (script) => alone(() => session.exec(script)),
    startTransaction,
    getConnectionInfo: () => ({ maxBindValues: 32_766, supportsRelationJoins: false }),
    dispose: async () => {},
  }
}

/**
 * As in PostgreSQL, an error dooms the transaction: SQLite may have rolled back by itself (disk full, I/O error), and later
 * statements would then be committed one by one.
 */
function transaction(session: SqliteSession, turn: { end(sql: 'COMMIT' | 'ROLLBACK'): void; leave(): void }): Transaction {
  let state: 'open' | 'doomed' | 'ended' = 'open'

  async function inside<T>(work: () => T): Promise<T> {
    if (state !== 'open') throw new DriverAdapterError({ kind: 'TransactionAlreadyClosed', cause: `the transaction is ${state}` })
    try {
      return work()
    } catch (error) {
      state = 'doomed'
      throw toAdapterError(error)
    }
  }

  async function finish(sql: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    if (state === 'ended') return
    const doomed = state === 'doomed'
    state = 'ended'
    try {
      turn.end(doomed ? 'ROLLBACK' : sql)
    } finally {
      turn.leave()
    }
    if (doomed && sql === 'COMMIT') {
      throw new DriverAdapterError({ kind: 'TransactionAlreadyClosed', cause: 'a statement failed, so nothing was committed' })
    }
  }

  return {
    ...IDENTITY,
    // Phantom: Prisma sends no BEGIN, COMMIT or ROLLBACK of its own.
    options: { usePhantomQuery: true },
    queryRaw: (query) => inside(() => queryRaw(session, query)),
    executeRaw: (query) => inside(() => executeRaw(session, query)),
    commit: () => finish('COMMIT'),
    rollback: () => finish('ROLLBACK'),
  }
}

/** The connection as it is, without turns: for migrations, which run before anybody else may use the file. */
export function bareSqliteAdapterFactory(session: SqliteSession): SqlMigrationAwareDriverAdapterFactory {
  async function guarded<T>(work: () => T): Promise<T> {
    try {
      return work()
    } catch (error) {
      throw toAdapterError(error)
    }
  }
  const connect = async (): Promise<SqlDriverAdapter> => ({
    ...IDENTITY,
    queryRaw: (query) => guarded(() => queryRaw(session, query)),
    executeRaw: (query) => guarded(() => executeRaw(session, query)),
    executeScript: (script) => guarded(() => session.exec(script)),
    startTransaction: () => Promise.reject(new Error('a migration runs in one transaction already')),
    dispose: async () => {},
  })
  return { ...IDENTITY, connect, connectToShadowDb: connect }
}

function queryRaw(session: SqliteSession, query: SqlQuery): SqlResultSet {
  const { columns, rows } = session.query(query.sql, bound(query))
  const columnTypes = columns.map((column, index) =>
    columnType(
      column.type,
      rows.map((row) => row[index] ?? null),
    ),
  )
  return {
    columnNames: columns.map((column) => column.name),
    columnTypes,
    rows: rows.map((row) => row.map((value, index) => fromSqlValue(value, columnTypes[index]!))),
  }
}

function executeRaw(session: SqliteSession, query: SqlQuery): number {
  return session.run(query.sql, bound(query))
}

function bound(query: SqlQuery) {
  return query.args.map((value, index) => toSqlValue(value, query.argTypes[index]))
}

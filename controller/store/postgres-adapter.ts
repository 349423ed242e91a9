import { PrismaPg } from '@prisma/adapter-pg'
import {
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
  type SqlQuery,
  type Transaction,
} from '@prisma/driver-adapter-utils'
import type pg from 'pg'
import { messageOf } from '../errors.ts'

/*
 * Prisma's own adapter, with transactions that end as ours must: PostgreSQL answers the COMMIT of a failed transaction with a
 * silent ROLLBACK, and a COMMIT without an answer may or may not have happened.
 */

const IDENTITY = { provider: 'postgres', adapterName: 'draven-postgres' } as const

export interface PostgresAdapterOptions {
  pool: pg.Pool
  /** A COMMIT was sent and not answered, so what the database holds is unknown. */
  onFatal: (error: Error) => void
}

export function postgresAdapterFactory(options: PostgresAdapterOptions): SqlMigrationAwareDriverAdapterFactory {
  const connect = async () => {
    const inner = await new PrismaPg(options.pool).connect()
    return postgresAdapter(inner, options)
  }
  return { ...IDENTITY, connect, connectToShadowDb: connect }
}

function postgresAdapter(inner: SqlDriverAdapter, { onFatal }: PostgresAdapterOptions): SqlDriverAdapter {
  return {
    ...IDENTITY,
    queryRaw: (query) => named(() => inner.queryRaw(query)),
    executeRaw: (query) => named(() => inner.executeRaw(query)),
    executeScript: (script) => named(() => inner.executeScript(script)),
    startTransaction: async (isolationLevel) => transaction(await named(() => inner.startTransaction(isolationLevel)), onFatal),
    getConnectionInfo: () => ({ schemaName: 'public', maxBindValues: 32_766, supportsRelationJoins: true }),
    dispose: () => inner.dispose(),
  }
}

function transaction(inner: Transaction, onFatal: (error: Error) => void): Transaction {
  let state: 'open' | 'doomed' | 'ended' = 'open'

  async function inside<T>(work: () => Promise<T>): Promise<T> {
    if (state !== 'open') throw new DriverAdapterError({ kind: 'TransactionAlreadyClosed', cause: `the transaction is ${state}` })
    try {
      return await named(work)
    } catch (error) {
      state = 'doomed'
      throw error
    }
  }

  /** An error here means that the connection is gone, and with it the transaction. */
  async function rollBack(): Promise<void> {
    await inner.executeRaw(statement('ROLLBACK')).catch(() => {})
    await inner.rollback()
  }

  async function commit(): Promise<void> {
    try {
      await named(() => inner.executeRaw(statement('COMMIT')))
      await inner.commit()
    } catch (error) {
      if (!isDefiniteRollback(error)) onFatal(new Error('COMMIT got no answer; the store is closed', { cause: error }))
      await rollBack()
      throw error
    }
  }

  async function finish(end: 'commit' | 'rollback'): Promise<void> {
    if (state === 'ended') return
    const doomed = state === 'doomed'
    state = 'ended'
    if (end === 'commit' && !doomed) return await commit()
    await rollBack()
    if (end === 'commit') {
      throw new DriverAdapterError({ kind: 'TransactionAlreadyClosed', cause: 'a statement failed, so nothing was committed' })
    }
  }

  return {
    ...IDENTITY,
    // Phantom: Prisma sends no COMMIT or ROLLBACK of its own.
    options: { usePhantomQuery: true },
    queryRaw: (query) => inside(() => inner.queryRaw(query)),
    executeRaw: (query) => inside(() => inner.executeRaw(query)),
    commit: () => finish('commit'),
    rollback: () => finish('rollback'),
  }
}

/** Class 40 (the server rolled it back) without 40003 (it does not know), and class 23 (a deferred constraint). */
function isDefiniteRollback(error: unknown): boolean {
  return /^(40(?!003)|23)/.test(sqlState(error))
}

/** Gives everything that says no more than "not reachable" one name, however pg, the socket or the server puts it. */
async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw isOutOfReach(error) ? new DriverAdapterError({ kind: 'ConnectionClosed', originalMessage: messageOf(error) }) : error
  }
}

/** Classes 08 (connection), 53 (no room for one) and 57P (the server stops, or ended our session); else what pg itself says. */
function isOutOfReach(error: unknown): boolean {
  if (error instanceof DriverAdapterError) {
    return /^(08|53|57P|25P03)/.test(sqlState(error)) || UNREACHABLE.has(error.cause.kind)
  }
  return /connection|trying to connect|did not answer|EPIPE/i.test(messageOf(error))
}

const UNREACHABLE: ReadonlySet<string> = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
])

function sqlState(error: unknown): string {
  return error instanceof DriverAdapterError ? (error.cause.originalCode ?? '') : ''
}

function statement(sql: string): SqlQuery {
  return { sql, args: [], argTypes: [] }
}

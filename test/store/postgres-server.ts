import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { systemClock } from '../../controller/clock.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { openPostgresStore } from '../../controller/store/postgres-store.ts'
import type { StoreUnderTest } from './state-store-contract.ts'

/** A server on which tests may make databases; CI sets it, or provides one where a local one would be. */
const SERVER = process.env['TEST_POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres'

/** Null, and a printed reason, where there is no server. With CI_DATABASES=required that fails instead. */
async function whyUnreachable(): Promise<string | null> {
  const client = new pg.Client({ connectionString: SERVER, connectionTimeoutMillis: 2_000 })
  try {
    await client.connect()
    await client.end()
    return null
  } catch (error) {
    const why = `no PostgreSQL at ${SERVER}: ${String(error)}`
    if (process.env['CI_DATABASES'] === 'required') throw new Error(why)
    console.warn(`skipped, ${why}`)
    return why
  }
}

/** For `describe.skipIf(noPostgres)`. */
export const noPostgres = (await whyUnreachable()) !== null

export interface ScratchDatabase {
  url: string
  /** Statements past the store: what somebody with the database in hands can do. */
  query(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  /** Ends whoever is still connected, and takes the database away. */
  remove(): Promise<void>
}

export async function scratchDatabase(): Promise<ScratchDatabase> {
  const name = `draven_test_${randomBytes(6).toString('hex')}`
  await onServer((server) => server.query(`CREATE DATABASE ${name}`))
  const url = new URL(SERVER)
  url.pathname = `/${name}`
  const side = new pg.Client({ connectionString: url.href })
  await side.connect()
  side.on('error', () => {})
  return {
    url: url.href,
    query: async (sql, values = []) => (await side.query(sql, [...values])).rows,
    async remove() {
      await side.end()
      await onServer((server) => server.query(`DROP DATABASE ${name} WITH (FORCE)`))
    },
  }
}

async function onServer(work: (server: pg.Client) => Promise<unknown>): Promise<void> {
  const server = new pg.Client({ connectionString: SERVER })
  await server.connect()
  try {
    await work(server)
  } finally {
    await server.end()
  }
}

/** Any fatal error fails the test that did not expect it. */
export function openPostgresAt(url: string, onFatal: (error: Error) => void = failTest): Promise<OpenStore> {
  return openPostgresStore({ url, clock: systemClock(), onFatal, random: Math.random })
}

function failTest(error: Error): never {
  throw error
}

/** Every table that a controller fills, but the lease's row. One that refers to another comes before it. */
export const FILLED_TABLES = [
  'callbacks',
  'deploy_log_lines',
  'runs',
  'jobs',
  'config',
  'locks',
  'pulls',
  'deliveries',
  'outbox',
  'audit',
  'probe',
] as const

/** Far quicker than TRUNCATE for a handful of rows. */
export const EMPTY_TABLES = [
  'ALTER TABLE audit DISABLE TRIGGER USER',
  ...FILLED_TABLES.map((table) => `DELETE FROM ${table}`),
  'ALTER TABLE audit ENABLE TRIGGER USER',
].join('; ')

/** One database for all tests of a file, emptied between them: making one takes longer than most tests. */
export function postgresUnderTest(database: () => ScratchDatabase): () => Promise<StoreUnderTest> {
  return async () => {
    const { url, query } = database()
    const made = {
      store: await openPostgresAt(url),
      async reopen() {
        await made.store.close()
        made.store = await openPostgresAt(url)
        return made.store
      },
      async dispose() {
        await made.store.close()
        await query(EMPTY_TABLES)
      },
    }
    return made
  }
}

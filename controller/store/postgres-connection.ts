import { Socket } from 'node:net'
import pg from 'pg'
import { MINUTE_MS, SECOND_MS } from '../clock.ts'
import { ConfigFault, messageOf } from '../errors.ts'

/** A statement of ours takes milliseconds; whatever takes this long waits for something that does not come. */
const STATEMENT_TIMEOUT_MS = 10 * SECOND_MS
const LOCK_TIMEOUT_MS = 5 * SECOND_MS
/** A process that stands still inside a unit must not keep others from the rows it has read. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10 * SECOND_MS
/** Longer than any statement may take: after this silence the other side is gone, whatever TCP still believes. */
const SILENCE_TIMEOUT_MS = 20 * SECOND_MS
const CONNECT_TIMEOUT_MS = 10 * SECOND_MS
const KEEPALIVE_SECONDS = 10
const MAX_CONNECTIONS = 10

/** What every session must run with. Given at the start of the connection, and read back once: a pooler in between drops it. */
const SESSION = [
  { name: 'statement_timeout', value: `${STATEMENT_TIMEOUT_MS / SECOND_MS}s` },
  { name: 'lock_timeout', value: `${LOCK_TIMEOUT_MS / SECOND_MS}s` },
  { name: 'idle_in_transaction_session_timeout', value: `${IDLE_IN_TRANSACTION_TIMEOUT_MS / SECOND_MS}s` },
  // A commit that was acknowledged survives a crash of the server.
  { name: 'synchronous_commit', value: 'on' },
  { name: 'TimeZone', value: 'UTC' },
] as const

/** The server's own keepalives, so that it lets go of what a dead controller held. Over a local socket they mean nothing. */
const SERVER_KEEPALIVES = ['tcp_keepalives_idle=30', 'tcp_keepalives_interval=10', 'tcp_keepalives_count=3']

/** A migration may have to go through a big table. */
export const MIGRATION_TIMEOUT_MS = 10 * MINUTE_MS

/** Connections to the database of `url`. Nothing is connected yet. */
export function postgresPool(url: string): pg.Pool {
  return pool(url, MAX_CONNECTIONS, SILENCE_TIMEOUT_MS)
}

/** One connection, with the patience that a migration needs. */
export function migrationPool(url: string): pg.Pool {
  return pool(url, 1, MIGRATION_TIMEOUT_MS + SILENCE_TIMEOUT_MS)
}

function pool(url: string, max: number, silenceMs: number): pg.Pool {
  const settings = [...SESSION.map(({ name, value }) => `${name}=${value}`), ...SERVER_KEEPALIVES]
  const made = new pg.Pool({
    connectionString: url,
    max,
    options: settings.map((setting) => `-c ${setting}`).join(' '),
    application_name: 'draven',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_SECONDS * SECOND_MS,
    stream: () => socketThatNoticesSilence(silenceMs),
  })
  // A connection that breaks while nobody uses it is replaced; whoever uses one gets the error itself.
  made.on('error', () => {})
  return made
}

/** Without this a query to a host that vanished would wait for TCP to give up, for a quarter of an hour. */
function socketThatNoticesSilence(silenceMs: number): Socket {
  const socket = new Socket()
  socket.setTimeout(silenceMs, () => socket.destroy(new Error('the database did not answer any more')))
  return socket
}

/** Throws ConfigFault when the database cannot be used as it is; what the fault says never holds the password. */
export async function checkPostgres(pool: pg.Pool, url: string): Promise<void> {
  try {
    const { rows } = await pool.query<{ name: string; setting: string }>(
      'SELECT name, current_setting(name) AS setting FROM unnest($1::text[]) AS name',
      [SESSION.map(({ name }) => name)],
    )
    for (const { name, value } of SESSION) {
      const setting = rows.find((row) => row.name === name)?.setting
      if (setting === value) continue
      throw new ConfigFault(
        `the database does not run with ${name}=${value}: it says ${setting}`,
        'Connect to PostgreSQL itself: a pooler in between, or options in DATABASE_URL, take the settings away.',
      )
    }
    const { rows: encodings } = await pool.query('SHOW server_encoding')
    if (encodings[0]?.server_encoding !== 'UTF8') {
      throw new ConfigFault(`the database is encoded in ${encodings[0]?.server_encoding}`, 'Make a database with ENCODING UTF8.')
    }
  } catch (error) {
    if (error instanceof ConfigFault) throw error
    throw new ConfigFault(
      `the database ${withoutPassword(url)} cannot be used: ${messageOf(error)}`,
      'Check DATABASE_URL, and that the server runs and lets us in.',
    )
  }
}

/** `postgres://user@host:5432/name`, for people to read. */
export function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return 'of DATABASE_URL'
  const { username, host, pathname } = new URL(url)
  return `postgres://${username === '' ? '' : `${username}@`}${host}${pathname}`
}

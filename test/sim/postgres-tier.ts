import type { Instant } from '../../controller/clock.ts'
import type { LeaderLease } from '../../controller/jobs/lease.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import {
  EMPTY_TABLES,
  FILLED_TABLES,
  noPostgres,
  openPostgresAt,
  type ScratchDatabase,
  scratchDatabase,
} from '../store/postgres-server.ts'
import type { OpenTier, TierHost } from './tiers.ts'

/**
 * Leases end by the database's clock, and that has to be the history's. So a function of ours is found before the built-in one
 * of the same name, in this database only; the statements of the product stay as they are.
 */
const VIRTUAL_CLOCK = `
  CREATE SCHEMA sim;
  CREATE TABLE sim.present (ms BIGINT NOT NULL);
  INSERT INTO sim.present VALUES (0);
  CREATE FUNCTION sim.clock_timestamp() RETURNS TIMESTAMPTZ LANGUAGE sql VOLATILE AS 'SELECT to_timestamp(ms / 1000.0) FROM sim.present';
`

/** No power is cut here, so no commit has to wait for a disk. A table can only refer to others that are kept alike, so it comes before them. */
const UNLOGGED = [...FILLED_TABLES, 'lease', 'sim.present'].map((table) => `ALTER TABLE ${table} SET UNLOGGED;`).join(' ')

const EMPTY = `${EMPTY_TABLES}; UPDATE lease SET fence = 0, holder = NULL, since = NULL, "expiresAt" = NULL`

/** One database for all histories of a process, emptied between them. Null: there is no server. */
export async function postgresHost(): Promise<TierHost | null> {
  if (noPostgres) return null
  const database = await scratchDatabase()
  await (await openPostgresAt(database.url)).close()
  await database.query(VIRTUAL_CLOCK)
  await database.query(UNLOGGED)
  const name = new URL(database.url).pathname.slice(1)
  await database.query(`ALTER DATABASE ${name} SET search_path = sim, pg_catalog, public`)
  const store = await openPostgresAt(database.url)
  return {
    open: async () => postgresTier(database, store),
    async close() {
      await store.close()
      await database.remove()
    },
  }
}

function postgresTier(database: ScratchDatabase, store: OpenStore): OpenTier {
  let present = (): Instant => 0
  const shared = { ...store, shared: { ...store.shared!, lease: byClock(store.shared!.lease) } }

  function byClock(lease: LeaderLease): LeaderLease {
    async function atPresent<T>(ask: () => Promise<T>): Promise<T> {
      await database.query('UPDATE sim.present SET ms = $1', [present()])
      return ask()
    }
    return {
      take: (holder, durationMs) => atPresent(() => lease.take(holder, durationMs)),
      renew: (fence, durationMs) => atPresent(() => lease.renew(fence, durationMs)),
      release: (fence) => lease.release(fence),
      holder: () => atPresent(() => lease.holder()),
    }
  }

  return {
    store: () => shared,
    lose: async () => void (await database.query(EMPTY)),
    share(clock) {
      present = clock
    },
    settled: () => new Promise((done) => setImmediate(done)),
    chains: true,
    dispose: async () => void (await database.query(EMPTY)),
  }
}

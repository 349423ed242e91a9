import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Instant, systemClock } from '../../controller/clock.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { emptyRows, memoryStore } from './memory-store.ts'

/** memory: for volume. sqlite and postgres: the real stores, Prisma and all. */
export const TIERS = ['memory', 'sqlite', 'postgres'] as const
export type Tier = (typeof TIERS)[number]

/** Where histories get their stores from, one after the other. */
export interface TierHost {
  open(): Promise<OpenTier>
  close(): Promise<void>
}

/** The store of one history. */
export interface OpenTier {
  /** The store as it is now. */
  store(): OpenStore
  /** Loses everything in it; nobody may use the store meanwhile. */
  lose(): Promise<void>
  /** Makes it one that several controllers share, by this clock; null where one process has the store for itself. */
  share: ((clock: () => Instant) => void) | null
  /** Everything that follows from a step without waiting has happened when this resolves. */
  settled(): Promise<void>
  /** Does the store keep the audit's chain itself? One that makes it up for whoever looks proves nothing by it. */
  chains: boolean
  dispose(): Promise<void>
}

/** What a crash of the machine would lose is not at stake here, so no disk has to be waited for. */
const MEMORY_DISK = '/dev/shm'

/** Only whoever needs a database waits for Prisma to be loaded. Null: there is no server. */
export async function tierHost(tier: Tier): Promise<TierHost | null> {
  switch (tier) {
    case 'memory':
      return { open: async () => memoryTier(), close: async () => {} }
    case 'sqlite':
      return { open: sqliteTier, close: async () => {} }
    case 'postgres':
      return (await import('./postgres-tier.ts')).postgresHost()
  }
}

export function memoryTier(): OpenTier {
  let shared: (() => Instant) | undefined
  let store = memoryStore(emptyRows(), { guarded: false })
  function renew(): void {
    store = memoryStore(emptyRows(), { guarded: false, sharedBy: shared })
  }
  return {
    store: () => store,
    lose: async () => renew(),
    share(clock) {
      shared = clock
      renew()
    },
    // Nothing in such a history waits for anything but promises, and the queue of ticks comes after the last of them.
    settled: () => new Promise((done) => process.nextTick(done)),
    chains: false,
    dispose: async () => {},
  }
}

async function sqliteTier(): Promise<OpenTier> {
  const { openSqliteStore } = await import('../../controller/store/sqlite-store.ts')
  const folder = mkdtempSync(join(existsSync(MEMORY_DISK) ? MEMORY_DISK : tmpdir(), 'draven-sim-'))
  let files = 0
  const open = () => openSqliteStore({ file: join(folder, `${++files}.db`), clock: systemClock(), onFatal: fail })
  let store = await open()
  return {
    store: () => store,
    async lose() {
      await store.close()
      store = await open()
    },
    share: null,
    settled: () => new Promise((done) => setImmediate(done)),
    chains: true,
    async dispose() {
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function fail(error: Error): never {
  throw error
}

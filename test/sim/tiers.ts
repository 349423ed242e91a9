import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Instant, systemClock } from '../../controller/clock.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { emptyRows, memoryStore } from './memory-store.ts'

/** memory: for volume. sqlite: the real store, Prisma and all, in a file of its own. */
export const TIERS = ['memory', 'sqlite'] as const
export type Tier = (typeof TIERS)[number]

export interface OpenTier {
  /** The store as it is now. */
  store(): OpenStore
  /** Loses everything in it; nobody may use the store meanwhile. */
  lose: () => Promise<void>
  /** Everything that follows from a step without waiting has happened when this resolves. */
  settled: () => Promise<void>
  /** Does the store keep the audit's chain itself? One that makes it up for whoever looks proves nothing by it. */
  chains: boolean
  /** Makes it one that several controllers share, by this clock; null where that cannot be simulated. */
  share: ((clock: () => Instant) => void) | null
  dispose: () => Promise<void>
}

/** What a crash of the machine would lose is not at stake here, so no disk has to be waited for. */
const MEMORY_DISK = '/dev/shm'

export async function openTier(tier: Tier): Promise<OpenTier> {
  return tier === 'memory' ? memoryTier() : sqliteTier()
}

export function memoryTier(): OpenTier {
  let shared: (() => Instant) | undefined
  let store = memoryStore(emptyRows(), { guarded: false })
  const fresh = () => {
    store = memoryStore(emptyRows(), { guarded: false, sharedBy: shared })
  }
  return {
    store: () => store,
    lose: async () => fresh(),
    share(clock) {
      shared = clock
      fresh()
    },
    // Nothing in such a history waits for anything but promises, and the queue of ticks comes after the last of them.
    settled: () => new Promise((done) => process.nextTick(done)),
    chains: false,
    dispose: async () => {},
  }
}

async function sqliteTier(): Promise<OpenTier> {
  // Only whoever needs it waits for Prisma to be loaded.
  const { openSqliteStore } = await import('../../controller/store/sqlite-store.ts')
  const folder = mkdtempSync(join(existsSync(MEMORY_DISK) ? MEMORY_DISK : tmpdir(), 'draven-sim-'))
  let files = 0
  const open = () =>
    openSqliteStore({
      file: join(folder, `${++files}.db`),
      clock: systemClock(),
      onFatal(error) {
        throw error
      },
    })
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

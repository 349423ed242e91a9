import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../controller/clock.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { openSqliteStore } from '../../controller/store/sqlite-store.ts'
import { emptyRows, memoryStore } from './memory-store.ts'

/** memory: for volume. sqlite: the real store, Prisma and all, in a file of its own. */
export const TIERS = ['memory', 'sqlite'] as const
export type Tier = (typeof TIERS)[number]

/** What a crash of the machine would lose is not at stake here, so no disk has to be waited for. */
const MEMORY_DISK = '/dev/shm'

export async function openTier(tier: Tier): Promise<{ store: OpenStore; dispose: () => Promise<void> }> {
  if (tier === 'memory') return { store: memoryStore(emptyRows(), { guarded: false }), dispose: async () => {} }
  const folder = mkdtempSync(join(existsSync(MEMORY_DISK) ? MEMORY_DISK : tmpdir(), 'draven-sim-'))
  const store = await openSqliteStore({
    file: join(folder, 'draven.db'),
    clock: systemClock(),
    onFatal(error) {
      throw error
    },
  })
  return {
    store,
    async dispose() {
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../controller/clock.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { openSqliteStore } from '../../controller/store/sqlite-store.ts'
import type { StoreUnderTest } from './state-store-contract.ts'

/** A folder for one test's database; `remove` takes it away. */
export function scratchFolder(): { file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'draven-store-'))
  return { file: join(folder, 'draven.db'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Any fatal error fails the test that did not expect it. */
export function openAt(file: string, onFatal: (error: Error) => void = failTest): Promise<OpenStore> {
  return openSqliteStore({ file, clock: systemClock(), onFatal })
}

function failTest(error: Error): never {
  throw error
}

export async function sqliteUnderTest(): Promise<StoreUnderTest & { file: string }> {
  const { file, remove } = scratchFolder()
  const made = {
    file,
    store: await openAt(file),
    async reopen() {
      await made.store.close()
      made.store = await openAt(file)
      return made.store
    },
    async dispose() {
      await made.store.close()
      remove()
    },
  }
  return made
}

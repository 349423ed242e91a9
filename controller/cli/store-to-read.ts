import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigFault, messageOf } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { OpenStore } from '../store/open-store.ts'
import { CommandFault } from './fault.ts'
import { EXIT, type Io } from './io.ts'

/**
 * Lets `work` look at the database of controllers, which may be running.
 * @throws CommandFault (exit 3) when there is no database or it cannot be read
 */
export async function withStoreToRead<T>(
  io: Io,
  { database, dataDirectory }: Pick<Settings, 'database' | 'dataDirectory'>,
  work: (store: OpenStore) => Promise<T>,
): Promise<T> {
  if (database.kind === 'sqlite') return withStoreCopy(io, dataDirectory, work)
  const { openPostgresToRead } = await import('../store/postgres-store.ts')
  const options = { url: database.url, clock: io.clock, onFatal: throwIt, random: Math.random }
  const store = await openPostgresToRead(options).catch((error: unknown) => {
    if (error instanceof ConfigFault) throw new CommandFault(EXIT.unreachable, error.message, error.fix)
    throw error
  })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/**
 * Lets `work` look at a copy of a controller's SQLite file. The original is opened read-only, also while a controller serves it:
 * the copy is one consistent picture, and opening it (locks, migration) happens to the copy alone.
 * @throws CommandFault (exit 3) when there is no database or it cannot be read
 */
export async function withStoreCopy<T>(io: Io, dataDirectory: string, work: (store: OpenStore) => Promise<T>): Promise<T> {
  const file = databaseIn(dataDirectory)
  const [{ sqliteDriver }, { openSqliteStore }, { copySqlite }] = await Promise.all([
    import('../store/sqlite-driver.ts'),
    import('../store/sqlite-store.ts'),
    import('../store/sqlite-backup.ts'),
  ])
  const folder = await mkdtemp(join(tmpdir(), 'draven-copy-'))
  try {
    const copy = join(folder, 'draven.db')
    let store: OpenStore
    try {
      copySqlite(sqliteDriver(), file, copy)
      store = await openSqliteStore({ file: copy, clock: io.clock, onFatal: throwIt, forInspection: true })
    } catch (error) {
      throw unreadable(file, copy, error)
    }
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** @throws CommandFault (exit 3) when there is none */
export function databaseIn(dataDirectory: string): string {
  const file = join(dataDirectory, 'draven.db')
  if (existsSync(file)) return file
  throw new CommandFault(
    EXIT.unreachable,
    `There is no database ${file}.`,
    'Name the data directory of the controller with --data-dir, or set DRAVEN_DATA_DIR.',
  )
}

function throwIt(error: Error): never {
  throw error
}

function unreadable(file: string, copy: string, error: unknown): CommandFault {
  // The person knows the original; where the copy lay helps nobody.
  const said = messageOf(error).replaceAll(copy, file)
  const fix =
    error instanceof ConfigFault
      ? error.fix
      : 'Check that the file is whole and that you may read it; else restore it from a backup.'
  return new CommandFault(EXIT.unreachable, `The database ${file} cannot be read: ${said}`, fix)
}

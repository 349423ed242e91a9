import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from './clock.ts'
import { ConfigFault, fileFault } from './errors.ts'
import type { Logger } from './log.ts'
import { readCommandsFile } from './providers/local/commands-file.ts'
import type { LocalSettings } from './providers/provider.ts'
import type { ConnectedProviders } from './providers/table.ts'
import type { ConfigSource } from './reconcile/ports.ts'
import type { Settings } from './settings.ts'
import { openLocalDirectory } from './source/local-directory.ts'
import { openMirror } from './source/mirror.ts'
import type { OpenStore } from './store/open-store.ts'
import { openPostgresStore } from './store/postgres-store.ts'
import { openSqliteStore } from './store/sqlite-store.ts'

/* Which adapter the settings ask for. */

const FETCH_TIMEOUT_MS = 120_000

/** @throws ConfigFault when it can neither be found nor made */
export async function makeDataDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    const why = fileFault(error)
    if (why === null) throw error
    throw new ConfigFault(
      `The data folder ${directory} cannot be made: ${why}.`,
      'Set DRAVEN_DATA_DIR to a folder that can be written.',
    )
  }
}

interface StoreNeeds {
  clock: Clock
  onFatal: (error: Error) => void
}

export function openStore({ database, dataDirectory }: Settings, { clock, onFatal }: StoreNeeds): Promise<OpenStore> {
  if (database.kind === 'sqlite') return openSqliteStore({ file: join(dataDirectory, 'draven.db'), clock, onFatal })
  return openPostgresStore({ url: database.url, clock, onFatal, random: Math.random })
}

export interface OpenSource {
  source: ConfigSource
  watch: (onChange: () => void) => () => Promise<void>
  close: () => Promise<void>
}

export async function openSource(settings: Settings, providers: ConnectedProviders, log: Logger): Promise<OpenSource> {
  if (settings.config.kind === 'directory') {
    const source = await openLocalDirectory({ directory: settings.config.directory, branch: settings.config.branch, log })
    return { source, watch: (onChange) => source.watch(onChange), close: async () => source.close() }
  }
  const source = await openMirror({
    url: settings.config.url,
    branch: settings.config.branch,
    directory: join(settings.dataDirectory, 'config.git'),
    authorization: providers.gitAuthorization(settings.config.url),
    allowFileProtocol: false,
    allowHttp: settings.allowLoopback,
    fetchTimeoutMs: FETCH_TIMEOUT_MS,
    sshCommand: settings.gitSshCommand,
    log,
  })
  return { source, watch: () => async () => {}, close: source.close }
}

/** Commands that the local provider may run: from this machine's own file, never from the config repository. */
export async function localSettings({ localPipelinesFile, dataDirectory }: Settings): Promise<LocalSettings | null> {
  if (localPipelinesFile === null) return null
  return { ...(await readCommandsFile(localPipelinesFile)), dataDirectory: join(dataDirectory, 'local') }
}

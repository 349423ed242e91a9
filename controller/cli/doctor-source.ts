import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../log.ts'
import type { ConfigSource } from '../reconcile/ports.ts'
import type { Settings } from '../settings.ts'
import { openLocalDirectory } from '../source/local-directory.ts'
import { openMirror } from '../source/mirror.ts'

/** Opens the config repository that the settings name, for one look. The controller's own mirror is not touched. */
export async function withConfigSource<T>(
  settings: Settings,
  authorizationFor: (gitUrl: string) => (() => Promise<string>) | null,
  fetchTimeoutMs: number,
  work: (source: ConfigSource) => Promise<T>,
): Promise<T> {
  const { config } = settings
  if (config.kind === 'directory') {
    const source = await openLocalDirectory({ directory: config.directory, branch: config.branch, log: silentLogger })
    return closing(source, work)
  }
  const folder = await mkdtemp(join(tmpdir(), 'draven-doctor-'))
  try {
    const source = await openMirror({
      url: config.url,
      branch: config.branch,
      directory: join(folder, 'config.git'),
      authorization: authorizationFor(config.url),
      allowFileProtocol: false,
      allowHttp: settings.allowLoopback,
      fetchTimeoutMs,
      sshCommand: settings.gitSshCommand,
      log: silentLogger,
    })
    return await closing(source, work)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function closing<T>(
  source: ConfigSource & { close(): Promise<void> },
  work: (source: ConfigSource) => Promise<T>,
): Promise<T> {
  try {
    return await work(source)
  } finally {
    await source.close()
  }
}

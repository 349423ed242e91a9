import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { silentLogger } from '../../controller/log.ts'
import { type Mirror, type MirrorOptions, openMirror } from '../../controller/source/mirror.ts'
import { type GitFixture, gitRepository, temporaryDirectory } from '../git-fixtures.ts'

/** A repository that goes away with the test. */
export function repository(options: { bare?: boolean } = {}): GitFixture {
  const fixture = gitRepository(options)
  onTestFinished(() => fixture.remove())
  return fixture
}

export function mirrorDirectory(): string {
  const { path, remove } = temporaryDirectory('draven-mirror')
  onTestFinished(() => remove())
  return join(path, 'mirror')
}

/** A mirror of `url` that is closed with the test. */
export async function mirrorOf(url: string, options: Partial<MirrorOptions> = {}): Promise<Mirror> {
  const mirror = await openMirror({
    url,
    branch: 'main',
    directory: mirrorDirectory(),
    authorization: null,
    allowFileProtocol: true,
    allowHttp: true,
    fetchTimeoutMs: 20_000,
    log: silentLogger,
    ...options,
  })
  onTestFinished(() => mirror.close())
  return mirror
}

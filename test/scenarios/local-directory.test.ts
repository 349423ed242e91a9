import { expect, onTestFinished, test, vi } from 'vitest'
import { startController } from '../../controller/main.ts'
import { readSettings } from '../../controller/settings.ts'
import { gitRepository, temporaryDirectory } from '../git-fixtures.ts'
import { configFiles, requestFile } from './config-files.ts'

/** Long beyond any test, so that only a look that was asked for can bring something. */
const HOUR_SECONDS = '3600'

/** A repository, and the settings of a controller that watches it. */
function directory() {
  const fixture = gitRepository()
  const data = temporaryDirectory()
  onTestFinished(() => {
    fixture.remove()
    data.remove()
  })
  const env = {
    DRAVEN_CONFIG_DIR: fixture.directory,
    DRAVEN_DATA_DIR: data.path,
    DRAVEN_LISTEN: '127.0.0.1:0',
    DRAVEN_POLL_SECONDS: HOUR_SECONDS,
    DRAVEN_RUN_POLL_SECONDS: HOUR_SECONDS,
  }
  return { fixture, env }
}

test('a directory without a commit is told in one sentence of the log, without a stack', async () => {
  const { env } = directory()
  const log: string[] = []
  const controller = await startController(readSettings(env), { env, write: (line) => void log.push(line) })
  onTestFinished(() => controller.stop())
  const failed = await vi.waitFor(() => {
    const line = log.find((one) => one.includes('a pass of the loop failed'))
    expect(line).toBeDefined()
    return JSON.parse(line!) as { error: string }
  }, 10_000)
  expect(failed.error).toBe(`${env.DRAVEN_CONFIG_DIR} has no commit on main. Commit something, or set DRAVEN_CONFIG_BRANCH.`)
}, 20_000)

test('a commit in a directory that is the config repository is seen at once, long before the next poll', async () => {
  const { fixture, env } = directory()
  fixture.commit(configFiles())
  const controller = await startController(readSettings(env), { env, write: () => {} })
  onTestFinished(() => controller.stop())
  await vi.waitFor(() => expect(controller.engine.memory.lastPollAt).not.toBeNull(), 10_000)
  // Again until it is seen: when the watching of files has begun is not told.
  await vi.waitFor(
    async () => {
      const head = fixture.commit({ 'requests/shop/stage/2026-11-18-a.yaml': requestFile('branch: main') })
      await vi.waitFor(() => expect(controller.engine.memory.accepted?.state.head).toBe(head), 2_000)
    },
    { timeout: 15_000, interval: 100 },
  )
}, 20_000)

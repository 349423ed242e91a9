import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Instant } from '../../controller/clock.ts'
import { type Controller, startController } from '../../controller/main.ts'
import { readSettings } from '../../controller/settings.ts'
import { type MovedClock, movedClock } from '../scenarios/scene.ts'
import { configFiles } from './config/files.ts'
import { CONFIG_REPO, PRODUCTS, type Product, productFiles, rollout } from './config/repositories.ts'
import type { StoryForge, StoryForgeOptions } from './forges/story-forge.ts'

/** Everything the story is played on: an emulated forge with real git, and the real controller with its database. */
export interface Stage {
  root: string
  /** The controller's own log. */
  logFile: string
  clock: MovedClock
  forge: StoryForge
  controller: Controller
  /** A commit on a branch with a green build. `broken`: what its smoke test will say. */
  build(product: Product, branch: string, version: string, broken?: string): Promise<string>
  /** A tag on such a commit of main. */
  release(product: Product, tag: string): Promise<string>
  /** Moves the calendar; the controller's timers are real, so it is told to look at the clock. */
  travelTo(instant: Instant): void
  /** First failure from which the controller could not go on. */
  fatal(): Error | null
  close(options: { keep: boolean }): Promise<void>
}

/** Tuesday 17 November 2026, 10:30 in Rome: both prod windows are open. */
export const STORY_BEGINS = Date.parse('2026-11-17T09:30:00Z')
/** Slow enough that webhooks do the work where they arrive; each look costs git processes. */
const TIMING = { pollMs: 2_000, runPollMs: 2_000, triggerLookupMs: 60_000 }

export async function openStage(startForge: (options: StoryForgeOptions) => Promise<StoryForge>): Promise<Stage> {
  const root = await mkdtemp(join(tmpdir(), 'draven-demo-'))
  const rolloutsDirectory = join(root, 'rollouts')
  await mkdir(rolloutsDirectory)
  const clock = movedClock(STORY_BEGINS)
  const forge = await startForge({ clock, root: join(root, 'forge') })
  const work = codeWork(forge)
  await furnish(forge, work, root)

  const logFile = join(root, 'controller.log')
  const log = createWriteStream(logFile)
  let fatal: Error | null = null
  const env = environmentOf(forge, root)
  const controller = await startController(
    { ...readSettings(env), timing: { ...TIMING } },
    {
      clock,
      env,
      write: (line) => void log.write(line),
      onFatal: (error) => {
        fatal ??= error
      },
    },
  )
  const hook = `${controller.url}/webhooks/${forge.documents.provider}`
  forge.addHook(CONFIG_REPO, 'config', hook)
  for (const { repo } of PRODUCTS) forge.addHook(repo, 'code', hook)

  return {
    ...work,
    root,
    logFile,
    clock,
    forge,
    controller,
    fatal: () => fatal,
    travelTo(instant) {
      clock.moveTo(instant)
      controller.wake()
    },
    async close({ keep }) {
      await controller.stop()
      await forge.close()
      await new Promise((resolve) => log.end(resolve))
      if (!keep) await rm(root, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

function codeWork(forge: StoryForge): Pick<Stage, 'build' | 'release'> {
  async function build({ name, repo, developer }: Product, branch: string, version: string, broken?: string): Promise<string> {
    const files = productFiles(name, version, broken)
    const sha = await forge.commit(repo, branch, files, { as: developer, message: `${name} ${version}` })
    forge.passCi(repo, branch, sha, developer)
    return sha
  }
  return {
    build,
    async release(product, tag) {
      const sha = await build(product, 'main', tag)
      return forge.createTag(product.repo, tag, sha, { as: product.developer, message: tag })
    },
  }
}

async function furnish(forge: StoryForge, work: Pick<Stage, 'build' | 'release'>, root: string): Promise<void> {
  await forge.createRepo(CONFIG_REPO, configFiles(forge.documents))
  for (const product of PRODUCTS) {
    const gitDirectory = join(root, 'forge', 'git', `${product.repo}.git`)
    const script = rollout(product.name, { gitDirectory, rolloutsDirectory: join(root, 'rollouts') })
    await forge.createRepo(product.repo, forge.documents.pipeline(script))
    await work.release(product, product.released)
    await work.build(product, 'develop', 'develop')
  }
}

function environmentOf(forge: StoryForge, root: string): Record<string, string> {
  return {
    DRAVEN_CONFIG_REPO_URL: forge.gitUrl(CONFIG_REPO),
    DRAVEN_CONFIG_REPO: CONFIG_REPO,
    DRAVEN_CONFIG_PROVIDER: forge.documents.provider,
    DRAVEN_WEBHOOK_SECRET_REF: 'env:DRAVEN_SECRET_WEBHOOK',
    DRAVEN_DATA_DIR: join(root, 'data'),
    DRAVEN_LISTEN: '127.0.0.1:0',
    DRAVEN_ALLOW_LOOPBACK: 'true',
    DRAVEN_LOG_LEVEL: 'info',
    ...forge.settings,
  }
}

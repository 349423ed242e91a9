import { join } from 'node:path'
import { isTerminal, type Job } from '../../controller/jobs/job.ts'
import { jobIdFor } from '../../controller/jobs/job-id.ts'
import { type Controller, type Seams, startController } from '../../controller/main.ts'
import { readSettings } from '../../controller/settings.ts'
import { CONFIG_REPO_ID } from './config-files.ts'
import { type MovedClock, READING_MS } from './scene.ts'

/** The real controller on whichever emulated forge its settings name, and ways to wait for what it does. */
export interface LiveController {
  controller: Controller
  /** What it wrote. */
  log: string[]
  eventually<T>(what: string, look: () => Promise<T> | T, fits: (value: T) => boolean): Promise<T>
  job(path: string): Promise<Job | null>
  until(path: string, fits: (job: Job) => boolean): Promise<Job>
  ended(path: string): Promise<Job>
  /** Alice's pull request with one file, on a branch of its own; gives its number once the controller has judged it and people had time to read. */
  proposed(forge: ConfigForge, path: string, content: string): Promise<number>
}

/** What any emulated forge lets people do. */
export interface ConfigForge {
  commit(repo: string, branch: string, files: Readonly<Record<string, string>>, options: { as: string }): Promise<string>
  openPull(repo: string, options: { head: string; author: string }): Promise<number>
}

export interface LiveOptions {
  root: string
  clock: MovedClock
  /** Full name of the config repository. */
  config: string
  /** What the controller is told of its forges. */
  env: Readonly<Record<string, string>>
  /** Of waiting jobs, in ms; runs are looked at twice as often. */
  pollMs?: number
  seams?: Partial<Seams>
}

const PATIENCE_MS = 20_000
const LOOK_EVERY_MS = 25

export async function startLive({ root, clock, config, env, pollMs = 400, seams = {} }: LiveOptions): Promise<LiveController> {
  const log: string[] = []
  const all = {
    DRAVEN_CONFIG_REPO: config,
    DRAVEN_DATA_DIR: join(root, 'data'),
    DRAVEN_LISTEN: '127.0.0.1:0',
    DRAVEN_ALLOW_LOOPBACK: 'true',
    ...env,
  }
  const controller = await startController(
    { ...readSettings(all), timing: { pollMs, runPollMs: pollMs / 2, triggerLookupMs: 60_000 } },
    {
      clock,
      env: all,
      write: (line) => log.push(line),
      onFatal(error) {
        throw error
      },
      ...seams,
    },
  )

  const live: LiveController = {
    controller,
    log,
    async eventually(what, look, fits) {
      const deadline = Date.now() + PATIENCE_MS
      for (;;) {
        const value = await look()
        if (fits(value)) return value
        if (Date.now() > deadline)
          throw new Error(`waited in vain for ${what}: ${JSON.stringify(value)}\n${log.slice(-10).join('')}`)
        await clock.sleep(LOOK_EVERY_MS)
      }
    },
    job: (path) => controller.store.state.unit('test', (tx) => tx.jobs.get(jobIdFor(CONFIG_REPO_ID, path))),
    async until(path, fits) {
      const found = await live.eventually(
        path,
        () => live.job(path),
        (job) => job !== null && fits(job),
      )
      return found!
    },
    ended: (path) => live.until(path, ({ status }) => isTerminal(status)),
    async proposed(forge, path, content) {
      const branch = path.replace(/\W/g, '-')
      await forge.commit(config, branch, { [path]: content }, { as: 'alice' })
      const number = await forge.openPull(config, { head: branch, author: 'alice' })
      const row = () => controller.store.state.unit('test', (tx) => tx.pulls.get(number))
      await live.eventually(`pull request ${number} to be judged`, row, (found) => found !== null)
      clock.advance(READING_MS)
      return number
    },
  }
  return live
}

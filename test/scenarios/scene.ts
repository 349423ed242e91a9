import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, type Instant, SECOND_MS, systemClock } from '../../controller/clock.ts'
import { isTerminal, type Job, type Run } from '../../controller/jobs/job.ts'
import { jobIdFor } from '../../controller/jobs/job-id.ts'
import { type Controller, type Seams, startController } from '../../controller/main.ts'
import type { JobId } from '../../controller/model/names.ts'
import { readSettings } from '../../controller/settings.ts'
import { type Forge, type ForgeOptions, startForge } from '../sandbox/forge.ts'
import { CONFIG_REPO, CONFIG_REPO_ID, configFiles, PEOPLE, SHOP_REPO, shopFiles } from './config-files.ts'

/** Wednesday 2026-11-18 11:00 in Rome: the prod window is open. */
export const WEDNESDAY_MORNING = Date.parse('2026-11-18T10:00:00Z')
/** Saturday 2026-11-21 12:00 in Rome: it is closed until Monday 09:00. */
export const SATURDAY_NOON = Date.parse('2026-11-21T11:00:00Z')

/** What people take before they review what is on show: hosts tell whole seconds, and what is in doubt does not count. */
export const READING_MS = 5 * SECOND_MS

/** The real clock, moved: waiting is real, the calendar is chosen. */
export interface MovedClock extends Clock {
  /** Sets it. */
  moveTo(instant: Instant): void
  /** Time passes. */
  advance(durationMs: number): void
}

export function movedClock(start: Instant): MovedClock {
  const real = systemClock()
  let offset = start - real.now()
  let passed = 0
  return {
    now: () => real.now() + offset,
    elapsed: () => real.elapsed() + passed,
    sleep: real.sleep,
    moveTo(instant) {
      offset = instant - real.now()
    },
    advance(durationMs) {
      offset += durationMs
      passed += durationMs
    },
  }
}

export interface SceneOptions extends Partial<Pick<ForgeOptions, 'actions' | 'queueDelayMs' | 'conclusionOf'>> {
  startAt?: Instant
  /** Files of the config repository that differ from the plain ones; null deletes. */
  config?: Readonly<Record<string, string | null>>
  webhooks?: boolean
  pollMs?: number
  runPollMs?: number
  triggerLookupMs?: number
  seams?: Partial<Seams>
  /** Of a PostgreSQL database to use instead of the embedded one. */
  databaseUrl?: string
  /** Without a controller: the test starts its own. */
  idle?: boolean
  /** Token of the controller: an app may write check runs, a user only statuses. */
  as?: 'app' | 'user'
}

/** A forge with a config repository and one project, and the real controller on a real database. */
export interface Scene {
  forge: Forge
  clock: MovedClock
  controller: Controller
  root: string
  /** Environment variables of the controller. */
  env: Record<string, string>
  /** Everything the controller logged. */
  log: string[]
  /** Adds request files on a branch and opens a pull request; gives its number. */
  propose(files: Readonly<Record<string, string>>, options?: { by?: string; title?: string; branch?: string }): Promise<number>
  /** Waits until the controller has shown what a pull request would do, so that reviews count from now on. */
  shown(pull: number): Promise<void>
  approve(pull: number, ...logins: readonly string[]): Promise<void>
  merge(pull: number, method?: 'merge' | 'squash' | 'rebase'): Promise<string>
  jobId(path: string): JobId
  job(path: string): Promise<Job | null>
  runs(path: string): Promise<readonly Run[]>
  /** Resolves to the job once it fits; fails with the job's state after `timeoutMs`. */
  until(path: string, fits: (job: Job) => boolean, timeoutMs?: number): Promise<Job>
  ended(path: string, timeoutMs?: number): Promise<Job>
  /** Waits for anything. */
  eventually(what: string, fits: () => boolean | Promise<boolean>, timeoutMs?: number): Promise<void>
  start(seams?: Partial<Seams>): Promise<Controller>
  /** Starts the scene's controller and waits until it has seen the config repository: requests after that are new to it. */
  begin(seams?: Partial<Seams>): Promise<void>
  close(): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 20 * SECOND_MS
const LOOK_EVERY_MS = 15

export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const root = await mkdtemp(join(tmpdir(), 'draven-scene-'))
  const clock = movedClock(options.startAt ?? WEDNESDAY_MORNING)
  const forge = await startForge({
    clock,
    root: join(root, 'forge'),
    actions: options.actions ?? 'instant',
    ...(options.queueDelayMs === undefined ? {} : { queueDelayMs: options.queueDelayMs }),
    ...(options.conclusionOf === undefined ? {} : { conclusionOf: options.conclusionOf }),
  })
  await furnish(forge, options)
  const log: string[] = []
  const env = environmentOf(forge, root, options)
  const start = (seams: Partial<Seams> = {}) =>
    startController(
      {
        ...readSettings(env),
        timing: {
          pollMs: options.pollMs ?? 250,
          runPollMs: options.runPollMs ?? 100,
          triggerLookupMs: options.triggerLookupMs ?? 60_000,
        },
      },
      { clock, env, write: (line) => log.push(line), onFatal: fail, ...options.seams, ...seams },
    )
  const scene = await people({ root, clock, forge, env, log, start })
  if (!options.idle) {
    await scene.begin()
    if (options.webhooks ?? true) forge.addHook(CONFIG_REPO, hookTo(scene.controller))
    if (options.webhooks ?? true) forge.addHook(SHOP_REPO, hookTo(scene.controller))
  }
  return scene
}

export const WEBHOOK_SECRET = 'sandbox-webhook-secret'

function hookTo(controller: Controller): Parameters<Forge['addHook']>[1] {
  return { url: `${controller.url}/webhooks/github`, secret: WEBHOOK_SECRET, events: ['*'] }
}

function fail(error: Error): void {
  throw error
}

/** People, repositories, a tag with green CI, and the controller's account. */
async function furnish(forge: Forge, options: SceneOptions): Promise<void> {
  forge.user('acme')
  for (const login of PEOPLE) forge.user(login)
  await forge.createRepo(CONFIG_REPO, { files: withoutNulls({ ...configFiles(), ...options.config }) })
  await forge.createRepo(SHOP_REPO, { files: shopFiles() })
  for (const login of PEOPLE) for (const repo of [CONFIG_REPO, SHOP_REPO]) forge.addCollaborator(repo, login, 'maintain')
  await release(forge, 'v1.4.2')
  await forge.commit(SHOP_REPO, 'develop', { 'CHANGES.md': 'develop\n' }, { as: 'alice', message: 'Begin the next release' })
  green(forge, await forge.sha(SHOP_REPO, 'refs/heads/develop'))
}

function withoutNulls(files: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).flatMap(([path, text]) => (text === null ? [] : [[path, text]])))
}

/** A commit on main with green CI and a tag on it. */
export async function release(forge: Forge, tag: string): Promise<string> {
  const sha = await forge.commit(SHOP_REPO, 'main', { VERSION: `${tag}\n` }, { as: 'alice', message: `Release ${tag}` })
  await forge.createTag(SHOP_REPO, tag, sha, { as: 'alice', message: tag })
  green(forge, sha)
  return sha
}

export function green(forge: Forge, sha: string | null): void {
  forge.setCheck(SHOP_REPO, sha!, { name: 'build', conclusion: 'success' })
}

function environmentOf(forge: Forge, root: string, options: SceneOptions): Record<string, string> {
  const as = options.as ?? 'app'
  const app = forge.app('draven')
  const login = as === 'app' ? app.login : 'draven-bot'
  if (as === 'user') {
    forge.user('draven-bot', { type: 'Bot' })
    for (const repo of [CONFIG_REPO, SHOP_REPO]) forge.addCollaborator(repo, 'draven-bot', 'write')
  }
  return {
    DRAVEN_CONFIG_REPO_URL: forge.gitUrl(CONFIG_REPO),
    DRAVEN_CONFIG_REPO: CONFIG_REPO,
    DRAVEN_GITHUB_API_URL: forge.apiUrl,
    DRAVEN_GITHUB_LOGIN: login,
    ...(as === 'app'
      ? {
          DRAVEN_GITHUB_APP_ID: String(app.id),
          DRAVEN_GITHUB_APP_KEY_REF: 'env:DRAVEN_SECRET_APP_KEY',
          DRAVEN_SECRET_APP_KEY: app.privateKey(),
        }
      : {}),
    ...(as === 'user' ? { DRAVEN_SECRET_GITHUB_TOKEN: forge.token('draven-bot') } : {}),
    DRAVEN_WEBHOOK_SECRET_REF: 'env:DRAVEN_SECRET_WEBHOOK',
    DRAVEN_SECRET_WEBHOOK: WEBHOOK_SECRET,
    DRAVEN_DATA_DIR: join(root, 'data'),
    ...(options.databaseUrl === undefined ? {} : { DATABASE_URL: options.databaseUrl }),
    DRAVEN_LISTEN: '127.0.0.1:0',
    DRAVEN_ALLOW_LOOPBACK: 'true',
    DRAVEN_LOG_LEVEL: 'info',
  }
}

type Setting = Pick<Scene, 'root' | 'clock' | 'forge' | 'env' | 'log' | 'start'>

async function people(setting: Setting): Promise<Scene> {
  const { forge, root, clock } = setting
  let branches = 0
  const scene: Scene = {
    ...setting,
    controller: undefined as unknown as Controller,
    async propose(files, { by = 'alice', title = 'Deploy', branch = `request-${++branches}` } = {}) {
      await forge.commit(CONFIG_REPO, branch, files, { as: by, message: title })
      return forge.openPull(CONFIG_REPO, { head: branch, title, author: by })
    },
    async shown(pull) {
      const head = async () => forge.sha(CONFIG_REPO, `refs/pull/${pull}/head`)
      await scene.eventually(`pull request ${pull} to be judged`, async () => {
        const row = await scene.controller.store.state.unit('test.pull', (tx) => tx.pulls.get(pull))
        return row !== null && row.headSha === (await head()) && row.baseRef === 'main'
      })
    },
    async approve(pull, ...logins) {
      clock.advance(READING_MS)
      for (const login of logins) await forge.review(CONFIG_REPO, pull, { by: login, state: 'APPROVED' })
    },
    merge: (pull, method = 'merge') => forge.merge(CONFIG_REPO, pull, { by: 'erin', method }),
    jobId: (path) => jobIdFor(CONFIG_REPO_ID, path),
    job: (path) => scene.controller.store.state.unit('test.job', (tx) => tx.jobs.get(scene.jobId(path))),
    runs: (path) => scene.controller.store.state.unit('test.runs', (tx) => tx.runs.of([scene.jobId(path)])),
    async until(path, fits, timeoutMs = DEFAULT_TIMEOUT_MS) {
      let last: Job | null = null
      await scene
        .eventually(
          `job ${path}`,
          async () => {
            last = await scene.job(path)
            return last !== null && fits(last)
          },
          timeoutMs,
        )
        .catch((error: Error) => {
          throw new Error(
            `${error.message}: ${last === null ? 'no job' : `${(last as Job).status}, ${(last as Job).reason.code}: ${(last as Job).reason.text}`}\n${tail(setting.log)}`,
          )
        })
      return last!
    },
    ended: (path, timeoutMs) => scene.until(path, (job) => isTerminal(job.status), timeoutMs),
    async eventually(what, fits, timeoutMs = DEFAULT_TIMEOUT_MS) {
      const deadline = Date.now() + timeoutMs
      while (!(await fits())) {
        if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
        await clock.sleep(LOOK_EVERY_MS)
      }
    },
    async begin(seams) {
      scene.controller = await setting.start(seams)
      const { memory } = scene.controller.engine
      await scene.eventually('the config repository to be seen', () => memory.accepted !== null)
    },
    async close() {
      await scene.controller?.stop()
      await forge.close()
      await rm(root, { recursive: true, force: true })
    },
  }
  return scene
}

function tail(log: readonly string[]): string {
  return log
    .filter((line) => !line.includes('"level":30'))
    .slice(-10)
    .join('')
}

import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isTerminal, type Job, type Lock, lockKey } from '../../controller/jobs/job.ts'
import { jobIdFor } from '../../controller/jobs/job-id.ts'
import type { EnvironmentKey } from '../../controller/model/names.ts'
import type { Login } from './config/files.ts'
import { CONFIG_REPO, CONFIG_REPO_ID, PRODUCTS } from './config/repositories.ts'
import type { StoryRun } from './forges/story-forge.ts'
import { type PullView, viewOf } from './pull-view.ts'
import type { Stage } from './stage.ts'

/** Thrown when what really happened is not what the story should show. */
export class StoryDiffers extends Error {}

export function expectThat(holds: boolean, what: string, found: unknown): asserts holds {
  if (!holds) throw new StoryDiffers(`expected ${what}, but found ${typeof found === 'string' ? found : JSON.stringify(found)}`)
}

/** What people do on the forge, and what can be seen of DRAVEN's answers. */
export interface Cast {
  /** Adds files on a branch of their own and opens a pull request; gives its number. */
  propose(by: Login, files: Readonly<Record<string, string>>, title: string): Promise<Proposal>
  /** What the pull request shows, as soon as it fits. */
  seen(pull: number, what: string, fits: (view: PullView) => boolean): Promise<PullView>
  approve(pull: number, ...by: readonly Login[]): Promise<void>
  merge(pull: number, by: Login): Promise<void>
  close(pull: number, by: Login): Promise<void>
  job(path: string): Promise<Job | null>
  until(path: string, what: string, fits: (job: Job) => boolean): Promise<Job>
  ended(path: string): Promise<Job>
  lockOf(key: string): Promise<Lock | null>
  locks(): Promise<readonly Lock[]>
  /** Runs that the forge has for a job. */
  runsOf(job: Job): readonly StoryRun[]
  /** While held, rollouts to an environment go on and on. */
  holdRollouts(product: string, environment: string): Promise<void>
  letRolloutsEnd(product: string, environment: string): Promise<void>
}

export interface Proposal {
  pull: number
  branch: string
}

/** Nobody approves in the second in which it is shown: hosts tell whole seconds, and what is in doubt does not count. */
const READING_MS = 5_000
const PATIENCE_MS = 20_000
const LOOK_EVERY_MS = 60

export function castOn(stage: Stage, signal: AbortSignal): Cast {
  const { forge, clock, controller } = stage
  const { state } = controller.store
  let branches = 0

  async function eventually<T>(look: () => Promise<T>, fits: (found: T) => boolean, what: string): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const found = await look()
      if (fits(found)) return found
      signal.throwIfAborted()
      const fatal = stage.fatal()
      if (fatal !== null) throw fatal
      expectThat(performance.now() < deadline, what, found)
      await clock.sleep(LOOK_EVERY_MS, signal)
    }
  }

  const job = (path: string) => state.unit('demo.job', (tx) => tx.jobs.get(jobIdFor(CONFIG_REPO_ID, path)))
  const locks = () => state.unit('demo.locks', (tx) => tx.locks.all())

  const cast: Cast = {
    job,
    locks,
    async propose(by, files, title) {
      const branch = `${by}-${++branches}`
      await forge.commit(CONFIG_REPO, branch, files, { as: by, message: title })
      return { branch, pull: await forge.openPull(CONFIG_REPO, { head: branch, title, author: by }) }
    },
    async seen(pull, what, fits) {
      const head = await forge.headOf(CONFIG_REPO, pull)
      // The forge is asked only when there is something new to see: looking costs it a git process.
      const settled = () =>
        state.unit(
          'demo.pull',
          async (tx) => (await tx.pulls.get(pull))?.headSha === head && (await tx.outbox.nextDueAt()) === null,
        )
      return eventually(
        async () => ((await settled()) ? viewOf(await forge.shownOn(CONFIG_REPO, pull, head), forge.words) : null),
        (view) => view?.complete === true && fits(view),
        `${forge.words.pull} ${forge.words.sign}${pull} to show ${what}`,
      ) as Promise<PullView>
    },
    async approve(pull, ...by) {
      clock.advance(READING_MS)
      for (const login of by) await forge.approve(CONFIG_REPO, pull, login)
    },
    merge: (pull, by) => forge.merge(CONFIG_REPO, pull, by),
    close: (pull, by) => forge.closePull(CONFIG_REPO, pull, by),
    async until(path, what, fits) {
      const found = await eventually(
        () => job(path),
        (found) => found !== null && (fits(found) || isTerminal(found.status)),
        `${path}: ${what}`,
      )
      expectThat(found !== null && fits(found), `${path}: ${what}`, { status: found?.status, reason: found?.reason.text })
      return found
    },
    ended: (path) => cast.until(path, 'the job to end', (found) => isTerminal(found.status)),
    async lockOf(key) {
      return (await locks()).find((lock) => lock.key === lockKey(key as EnvironmentKey)) ?? null
    },
    runsOf: (found) => PRODUCTS.flatMap(({ repo }) => forge.runsOf(repo, found.id)),
    holdRollouts: (product, environment) => writeFile(rolloutFile(stage, product, environment), ''),
    letRolloutsEnd: (product, environment) => rm(rolloutFile(stage, product, environment), { force: true }),
  }
  return cast
}

function rolloutFile({ root }: Stage, product: string, environment: string): string {
  return join(root, 'rollouts', `${product}-${environment}`)
}

import pLimit, { type LimitFunction } from 'p-limit'
import { expect } from 'vitest'
import type { AuditRow } from '../../controller/audit/event.ts'
import { MINUTE_MS } from '../../controller/clock.ts'
import { isTerminal, type Job } from '../../controller/jobs/job.ts'
import type { ReasonCode } from '../../controller/model/reason.ts'
import type { CommitOptions } from '../sandbox/code.ts'
import { CONFIG_REPO, requestFile } from './config-files.ts'
import { READING_MS, type Scene } from './scene.ts'

/** Rare enough that only webhooks, or `poll` below, make the controller look. */
export const POLL_MS = MINUTE_MS

/** One request on its way: what people do with its pull request, and what came of it. */
export interface Proposal {
  scene: Scene
  path: string
  /** Branch of the pull request. */
  branch: string
  /** Number of the pull request; 0 before it is opened. */
  pull: number
  /** Pushes the request without opening anything. */
  write(content?: string, options?: Partial<CommitOptions>): Promise<string>
  /** Pushes the request, opens a pull request and waits until it is on show. */
  open(content?: string): Promise<void>
  /** Pushes more files to the branch and waits until they are on show. */
  push(files: Readonly<Record<string, string | null>>, options?: Partial<CommitOptions>): Promise<void>
  /** Gives the review's id. */
  review(login: string, state: 'APPROVED' | 'CHANGES_REQUESTED' | 'COMMENTED', commit?: string): Promise<number>
  approve(...logins: readonly string[]): Promise<void>
  dismiss(reviewId: number): Promise<void>
  merge(method?: 'merge' | 'squash' | 'rebase'): Promise<void>
  /** The job waits with this reason and triggered nothing. */
  waits(code: ReasonCode): Promise<Job>
  /** The same, and one more look at everything changes nothing about it. */
  keepsWaiting(code: ReasonCode): Promise<Job>
  /** The job ran exactly once, to its end. */
  starts(): Promise<Job>
  /** The job ended with this reason and never triggered anything. */
  refused(code: ReasonCode): Promise<Job>
}

const PROD_REQUEST = requestFile('tag: v1.4.2')
const SOON_MS = 15_000

/** A request of alice in a file of this name, for shop/prod unless told. */
export function proposal(scene: Scene, name: string, environment = 'prod', project = 'shop'): Proposal {
  const { forge } = scene
  const path = `requests/${project}/${environment}/${name}.yaml`
  const branch = `request-${environment}-${name}`

  async function commit(files: Readonly<Record<string, string | null>>, options: Partial<CommitOptions>): Promise<string> {
    return forge.commit(CONFIG_REPO, branch, files, { as: 'alice', ...options })
  }

  async function settled(what: string, fits: (job: Job) => boolean): Promise<Job> {
    let last: Job | null = null
    await scene.until(
      path,
      (job) => {
        last = job
        // A job that has ended will not come round: better told at once than after the deadline.
        return fits(job) || isTerminal(job.status)
      },
      SOON_MS,
    )
    if (last === null || !fits(last)) throw new Error(`${path} should ${what}, but ${told(last)}`)
    return last
  }

  const self: Proposal = {
    scene,
    path,
    branch,
    pull: 0,
    write: (content = PROD_REQUEST, options = {}) => commit({ [path]: content }, { message: `Request ${name}`, ...options }),
    async open(content) {
      await self.write(content)
      self.pull = await forge.openPull(CONFIG_REPO, { head: branch, title: `Deploy ${name}`, author: 'alice' })
      await scene.shown(self.pull)
    },
    async push(files, options = {}) {
      await commit(files, options)
      await scene.shown(self.pull)
    },
    review(by, state, reviewed) {
      scene.clock.advance(READING_MS)
      return forge.review(CONFIG_REPO, self.pull, { by, state, ...(reviewed === undefined ? {} : { commit: reviewed }) })
    },
    async approve(...logins) {
      for (const login of logins) await self.review(login, 'APPROVED')
    },
    dismiss: (id) => forge.dismissReview(CONFIG_REPO, self.pull, id, { by: 'erin', message: 'No longer so' }),
    async merge(method = 'merge') {
      await onMain(scene, () => scene.merge(self.pull, method))
    },
    async waits(code) {
      const job = await settled(`wait with ${code}`, (job) => isWaiting(job) && job.reason.code === code)
      expect(forge.triggerCount(job.id)).toBe(0)
      return job
    },
    async keepsWaiting(code) {
      await self.waits(code)
      await poll(scene)
      return self.waits(code)
    },
    async starts() {
      const job = await settled('succeed', ({ status }) => status === 'success')
      expect(forge.triggerCount(job.id)).toBe(1)
      return job
    },
    async refused(code) {
      const job = await settled(`be refused with ${code}`, ({ status, reason }) => status === 'failed' && reason.code === code)
      expect(forge.triggerCount(job.id)).toBe(0)
      return job
    },
  }
  return self
}

function isWaiting({ status }: Job): boolean {
  return status === 'queued' || status === 'waiting_approval'
}

function told(job: Job | null): string {
  return job === null ? 'there is no job' : `is ${job.status}, ${job.reason.code}: ${job.reason.text}`
}

/** What became of each review, e.g. `bob counted`, `carol stale_subject`. */
export function reviewsOf(job: Job): string[] {
  return job.approvals.map(({ account, why }) => `${account.replace('github:', '')} ${why ?? 'counted'}`)
}

const mains = new WeakMap<Scene, LimitFunction>()

/** People who change the config branch do so one after the other, as the forge would make them. */
export function onMain<Result>(scene: Scene, act: () => Promise<Result>): Promise<Result> {
  const limit = mains.get(scene) ?? pLimit(1)
  mains.set(scene, limit)
  return limit(act)
}

/** Takes waiting requests back, so that they are no burden to what follows; nobody waits until that is seen. */
export async function withdraw(...requests: readonly Proposal[]): Promise<void> {
  const [first] = requests
  if (first === undefined) return
  const { scene } = first
  const files = Object.fromEntries(requests.map(({ path }) => [path, null]))
  await onMain(scene, () => scene.forge.commit(CONFIG_REPO, 'main', files, { as: 'alice', message: 'Withdraw' }))
}

/** Moves the calendar by one poll period and waits until the controller has looked at everything anew. */
export async function poll(scene: Scene): Promise<void> {
  const { engine } = scene.controller
  scene.clock.advance(POLL_MS)
  const from = scene.clock.now()
  scene.controller.wake()
  await scene.eventually('a look at everything', () => {
    const { lastPollAt, health } = engine.memory
    return lastPollAt !== null && lastPollAt >= from && health.lastTickAt !== null && health.lastTickAt > lastPollAt
  })
}

/** Every look of the controller that begins from here on sees what is so now. */
export async function passes(scene: Scene, times = 2): Promise<void> {
  for (let each = 0; each < times; each++) {
    const { health } = scene.controller.engine.memory
    const from = health.lastTickAt
    scene.controller.wake()
    await scene.eventually('a pass', () => health.lastTickAt !== from)
  }
}

/** While it runs, no webhook reaches the controller. */
export async function unheard<Result>(scene: Scene, act: () => Promise<Result>): Promise<Result> {
  await scene.forge.settle()
  const hear = scene.forge.faults.add({ on: 'hook/*', kind: 'lost', times: Number.POSITIVE_INFINITY })
  try {
    const result = await act()
    await scene.forge.settle()
    return result
  } finally {
    hear()
  }
}

/** A change of rules by alice, merged by erin; `approver` reviews it before. */
export async function changeRules(
  scene: Scene,
  name: string,
  files: Readonly<Record<string, string | null>>,
  approver: string | null,
): Promise<number> {
  await scene.forge.commit(CONFIG_REPO, name, files, { as: 'alice', message: `Change rules: ${name}` })
  const pull = await scene.forge.openPull(CONFIG_REPO, { head: name, title: name, author: 'alice' })
  await scene.shown(pull)
  if (approver !== null) await scene.approve(pull, approver)
  const head = await onMain(scene, () => scene.merge(pull))
  await scene.eventually(`${name} to be seen`, async () => (await configState(scene))?.head === head)
  return pull
}

export function configState(scene: Scene) {
  return scene.controller.store.state.unit('test.config', (tx) => tx.config.read())
}

/** Waits until the config repository is frozen for this reason, or not at all. */
export async function frozenFor(scene: Scene, code: ReasonCode | null): Promise<void> {
  await scene.eventually(`the repository to be ${code ?? 'thawed'}`, async () => {
    const state = await configState(scene)
    return state !== null && (state.frozen?.code ?? null) === code
  })
}

export async function auditRows(scene: Scene): Promise<AuditRow[]> {
  const rows: AuditRow[] = []
  for await (const row of scene.controller.store.auditRows()) rows.push(row)
  return rows
}

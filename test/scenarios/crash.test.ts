import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import type { Job, Lock, Run } from '../../controller/jobs/job.ts'
import { openSqliteStore } from '../../controller/store/sqlite-store.ts'
import type { FaultRule } from '../sandbox/faults.ts'
import { environmentFile, requestFile, SHOP_PROJECT } from './config-files.ts'
import { assertCompiled, beginLife, type Life } from './crash-life.ts'
import { openScene, type Scene } from './scene.ts'
import { seeded } from './seeded.ts'

/**
 * kill -9 of the real controller at every step of a trigger: D decide, lock and intend (one unit) → S send → P the provider
 * creates the run → A its answer → R record. After each death another life begins on the same files.
 */
interface Point {
  /** What dies, and when. */
  dies: string
  /** Where the process kills itself (crash-child.ts), or what the test counts: it kills as soon as that grows. */
  at: string | ((scene: Scene) => number)
  /** How often the same death comes in a row. */
  kills: number
  fault?: FaultRule
  /** How long the controller stays dead, by everybody's clock. */
  deadForMs?: number
  ends: { status: Job['status']; code: Job['reason']['code']; triggers: number }
}

const SUCCEEDS = { status: 'success', code: 'run_succeeded', triggers: 1 } as const
const GIVEN_UP = { status: 'failed', code: 'trigger_outcome_unknown', triggers: 0 } as const

const DISPATCH = 'actions/create-workflow-dispatch'
const slowBefore: FaultRule = { on: DISPATCH, kind: 'slow_before', delayMs: 600, times: Number.POSITIVE_INFINITY }
const slowAfter: FaultRule = { on: DISPATCH, kind: 'slow_after', delayMs: 600, times: Number.POSITIVE_INFINITY }
const noAnswer: FaultRule = { on: DISPATCH, kind: 'accept_then_drop', times: Number.POSITIVE_INFINITY }

const POINTS: readonly Point[] = [
  { dies: 'before requests are accepted', at: 'in config.accept', kills: 2, ends: SUCCEEDS },
  { dies: 'after requests were accepted', at: 'after config.accept', kills: 1, ends: SUCCEEDS },
  { dies: 'before D is committed', at: 'in job.start', kills: 2, ends: SUCCEEDS },
  { dies: 'after D, before S', at: 'after job.start', kills: 2, deadForMs: 20_000, ends: GIVEN_UP },
  { dies: 'just before S', at: 'before start', kills: 2, deadForMs: 20_000, ends: GIVEN_UP },
  { dies: 'during S', at: (scene) => scene.forge.faults.count('slow_before'), kills: 2, fault: slowBefore, ends: SUCCEEDS },
  { dies: 'after P, before A', at: (scene) => scene.forge.liveRuns().length, kills: 2, fault: slowAfter, ends: SUCCEEDS },
  { dies: 'after A, before R', at: 'after start', kills: 2, ends: SUCCEEDS },
  { dies: 'during R', at: 'in run.record', kills: 2, ends: SUCCEEDS },
  { dies: 'after R', at: 'after run.record', kills: 2, ends: SUCCEEDS },
  { dies: 'while it adopts the run of a lost answer', at: 'in run.adopt', kills: 2, fault: noAnswer, ends: SUCCEEDS },
  { dies: 'after it adopted the run of a lost answer', at: 'after run.adopt', kills: 2, fault: noAnswer, ends: SUCCEEDS },
  { dies: 'while it records the end', at: 'in run.end', kills: 2, ends: SUCCEEDS },
  { dies: 'after it recorded the end', at: 'after run.end', kills: 2, ends: SUCCEEDS },
  { dies: 'before a message is on record as delivered', at: 'in outbox delivered', kills: 2, ends: SUCCEEDS },
  { dies: 'after a message is on record as delivered', at: 'after outbox delivered', kills: 2, ends: SUCCEEDS },
]

const RANDOM_KILLS = 4
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000)

let scene: Scene
let kills = 0
const lives = new Set<Life>()
const startedAt = performance.now()

beforeAll(async () => {
  assertCompiled()
  scene = await openScene({ idle: true, config: environments() })
  for (const at of ['in config.bootstrap', 'after config.bootstrap']) await dieAt({ dies: at, at, kills: 1, ends: SUCCEEDS })
})

afterEach(async () => {
  for (const life of lives) await life.kill()
  lives.clear()
})

afterAll(async () => {
  console.log(`killed ${kills} controllers in ${Math.round((performance.now() - startedAt) / 100) / 10} s (CRASH_SEED=${SEED})`)
  await scene?.close()
})

/** One environment for each point, and four for the kills at random. */
const NAMES = [...POINTS.map((_, index) => `point-${index}`), ...[0, 1, 2, 3].map((index) => `random-${index}`)]

function environments(): Record<string, string> {
  const pipelines = NAMES.map((name) => `    ${name}: deploy.yml\n`).join('')
  return {
    'projects/shop/project.yaml': SHOP_PROJECT.replace('  pipelines:\n', `  pipelines:\n${pipelines}`),
    ...Object.fromEntries(NAMES.map((name) => [`projects/shop/environments/${name}.yaml`, environmentFile('stage')])),
  }
}

async function merged(files: Record<string, string>): Promise<number> {
  const pull = await scene.propose(files)
  await scene.merge(pull)
  return pull
}

function begin(at?: string): Life {
  const life = beginLife({
    env: {
      ...scene.env,
      DRAVEN_POLL_SECONDS: '0.4',
      DRAVEN_RUN_POLL_SECONDS: '0.1',
      DRAVEN_TRIGGER_LOOKUP_MINUTES: '0.01',
      DRAVEN_LOG_LEVEL: 'warn',
    },
    clockOffsetMs: scene.clock.now() - Date.now(),
    ...(at === undefined ? {} : { at }),
  })
  lives.add(life)
  return life
}

/** Waits, and fails with what the controller wrote. */
async function until(life: Life, what: string, fits: () => boolean | Promise<boolean>): Promise<void> {
  await scene.eventually(what, fits, 25_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${life.output()}`)
  })
}

async function dieAt({ at, dies }: Point): Promise<void> {
  const count = typeof at === 'string' ? () => 0 : () => at(scene)
  const before = count()
  const life = begin(typeof at === 'string' ? at : undefined)
  await until(life, `a death ${dies}`, () => life.isOver() || count() > before)
  expect(await life.kill(), life.output()).toBe('SIGKILL')
  kills += 1
}

interface Left {
  jobs: readonly (Job | null)[]
  runs: readonly Run[]
  locks: readonly Lock[]
}

/** Lets a life go on until every request has ended, kills it at rest and reads what it left. */
async function surviveAndRead(paths: readonly string[]): Promise<Left> {
  const life = begin()
  const ids = paths.map((path) => scene.jobId(path))
  await until(life, 'every job to end', async () => {
    const census = await life.census()
    return census !== null && census.open.length === 0 && ids.every((id) => census.known.includes(id))
  })
  await life.kill()
  kills += 1
  return read(paths)
}

async function read(paths: readonly string[]): Promise<Left> {
  const store = await openSqliteStore({
    file: `${scene.env['DRAVEN_DATA_DIR']}/draven.db`,
    clock: scene.clock,
    onFatal(error) {
      throw error
    },
  })
  try {
    expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true })
    return await store.state.unit('test.read', async (tx) => {
      const ids = paths.map((path) => scene.jobId(path))
      const jobs = []
      for (const id of ids) jobs.push(await tx.jobs.get(id))
      return { jobs, runs: await tx.runs.of(ids), locks: await tx.locks.all() }
    })
  } finally {
    await store.close()
  }
}

describe('a controller that is killed', () => {
  for (const [index, point] of POINTS.entries()) {
    it(`${point.dies} goes on in its next life and triggers no job twice`, async () => {
      const paths = Array.from({ length: point.kills }, (_, each) => `requests/shop/point-${index}/${each}.yaml`)
      await merged(Object.fromEntries(paths.map((path) => [path, requestFile('branch: develop')])))
      const retract = point.fault && scene.forge.faults.add(point.fault)
      for (let kill = 0; kill < point.kills; kill++) {
        await dieAt(point)
        scene.clock.advance(point.deadForMs ?? 0)
      }
      await scene.forge.settle()
      retract?.()
      const { jobs, runs, locks } = await surviveAndRead(paths)
      for (const job of jobs) {
        expect({ status: job?.status, code: job?.reason.code, triggers: scene.forge.triggerCount(job!.id) }).toEqual(point.ends)
      }
      expect(runs.map(({ attempt, state }) => ({ attempt, state }))).toEqual(jobs.map(() => ({ attempt: 1, state: 'ended' })))
      expect(locks).toEqual([])
      scene.forge.assertClean()
    }, 60_000)
  }

  it('at random moments leaves every job with one run that succeeded, or with none and the word that nobody knows', async () => {
    const random = seeded(SEED)
    const paths = Array.from({ length: RANDOM_KILLS }, (_, each) => `requests/shop/random-${each % 4}/${each}.yaml`)
    await merged(Object.fromEntries(paths.map((path) => [path, requestFile('branch: develop')])))
    for (let kill = 0; kill < RANDOM_KILLS; kill++) {
      const life = begin()
      if (random() < 0.8) await life.started
      await scene.clock.sleep(random() * 700)
      expect(await life.kill(), life.output()).toBe('SIGKILL')
      kills += 1
      await read([])
    }
    await scene.forge.settle()
    // An intent whose call was never made is given up only when the call can no longer be under way.
    scene.clock.advance(20_000)
    const { jobs, locks } = await surviveAndRead(paths)
    const outcomes = jobs.map((job) => `${scene.forge.triggerCount(job!.id)} ${job!.status} ${job!.reason.code}`)
    for (const outcome of outcomes) expect(['1 success run_succeeded', '0 failed trigger_outcome_unknown']).toContain(outcome)
    expect(locks).toEqual([])
    scene.forge.assertClean()
  }, 60_000)
})

import { afterEach, describe, expect, it, vi } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../controller/clock.ts'
import { environmentFile, requestFile } from './config-files.ts'
import { passes } from './proposal.ts'
import { openScene, type Scene, type SceneOptions } from './scene.ts'

/** Long trouble outside, in moved time: nothing is lost, nothing runs twice, and everything goes on by itself. */
const FIRST = 'requests/shop/stage/1-first.yaml'
const SECOND = 'requests/shop/stage/2-second.yaml'
const PROD = 'requests/shop/prod/v1.4.2.yaml'
const ALWAYS = Number.POSITIVE_INFINITY
const ACTIONS = ['create-workflow-dispatch', 'list-workflow-runs', 'get-workflow-run', 'cancel-workflow-run'] as const

// Each is a story of many looks.
vi.setConfig({ testTimeout: 120_000 })

let scene: Scene
afterEach(() => scene?.close())

async function open(options: SceneOptions = {}): Promise<void> {
  scene = await openScene({ actions: 'manual', ...options })
}

/** One run under way, another job behind it. */
async function busy(): Promise<void> {
  await scene.merge(await scene.propose({ [FIRST]: requestFile('branch: develop') }))
  await scene.until(FIRST, (job) => job.reason.code === 'run_queued')
  scene.forge.startRun(runOf(FIRST))
  await scene.merge(await scene.propose({ [SECOND]: requestFile('branch: develop') }))
  await scene.until(SECOND, (job) => job.reason.code === 'lock_held')
}

function runOf(path: string): number {
  return scene.forge.liveRuns().find((run) => run.jobId === scene.jobId(path))!.runId
}

/** Time passes in steps, and the controller looks at everything in each of them. */
async function pass(durationMs: number, stepMs: number): Promise<void> {
  for (let gone = 0; gone < durationMs; gone += stepMs) {
    scene.clock.advance(stepMs)
    await passes(scene)
  }
}

async function finish(path: string): Promise<void> {
  await scene.until(path, (job) => job.reason.code === 'run_queued' || job.reason.code === 'run_active')
  scene.forge.finishRun(runOf(path), 'success')
  expect(await scene.ended(path)).toMatchObject({ status: 'success' })
}

function providerDown(): () => void {
  const mends = ACTIONS.map((name) => scene.forge.faults.add({ on: `actions/${name}`, kind: 'error_before', times: ALWAYS }))
  return () => {
    for (const mend of mends) mend()
  }
}

async function nothingLost(...paths: readonly string[]): Promise<void> {
  expect(paths.map((path) => scene.forge.triggerCount(scene.jobId(path)))).toEqual(paths.map(() => 1))
  expect(await scene.controller.store.state.unit('test.locks', (tx) => tx.locks.all())).toEqual([])
  expect(await verifyChain(scene.controller.store.auditRows())).toMatchObject({ ok: true })
}

describe('a provider that is down for an hour', () => {
  it('leaves a run that may take two hours with its lock, and its end is seen when the provider is back', async () => {
    const config = { 'projects/shop/environments/stage.yaml': environmentFile('stage').replace('minutes: 30', 'minutes: 120') }
    await open({ config })
    await busy()
    const mend = providerDown()
    scene.forge.finishRun(runOf(FIRST), 'success')
    await pass(HOUR_MS, 10 * MINUTE_MS)
    expect(await scene.job(FIRST)).toMatchObject({ status: 'running', reason: { code: 'provider_unreachable' } })
    expect(await scene.job(SECOND)).toMatchObject({ status: 'queued', reason: { code: 'lock_held' } })
    mend()
    scene.clock.advance(MINUTE_MS)
    expect(await scene.ended(FIRST)).toMatchObject({ status: 'success' })
    await finish(SECOND)
    await nothingLost(FIRST, SECOND)
  })

  it('ends a run that may take half an hour as failed, says that it may be alive, and frees its lock', async () => {
    await open()
    await busy()
    const mend = providerDown()
    await pass(HOUR_MS, 10 * MINUTE_MS)
    const job = await scene.ended(FIRST)
    expect(job).toMatchObject({ status: 'failed', reason: { code: 'provider_unreachable' } })
    expect(job.reason.text).toContain('may still be alive')
    mend()
    // Nobody knows whether what the second asked for was done: it is not asked for again.
    scene.clock.advance(MINUTE_MS)
    expect(await scene.ended(SECOND)).toMatchObject({ status: 'failed', reason: { code: 'trigger_outcome_unknown' } })
    expect(scene.forge.triggerCount(scene.jobId(SECOND))).toBe(0)
    await nothingLost(FIRST)
  })
})

describe('a git remote that is down for a day', () => {
  it('stops no run, starts nothing by rules that may have changed, and costs only the day', async () => {
    await open({ config: { 'projects/shop/environments/stage.yaml': environmentFile('stage') } })
    await busy()
    const mend = scene.forge.faults.add({ on: 'git/fetch', kind: 'error_before', times: ALWAYS })
    scene.forge.finishRun(runOf(FIRST), 'success')
    expect(await scene.ended(FIRST)).toMatchObject({ status: 'success' })
    scene.clock.advance(MINUTE_MS)
    await scene.until(SECOND, (job) => job.reason.code === 'config_unreadable' || job.status === 'running')
    // The rules were known to be in force a moment before the first run ended; from then on nothing starts.
    const startedBefore = (await scene.job(SECOND))!.status === 'running'
    await scene.merge(await scene.propose({ [PROD]: requestFile('tag: v1.4.2') }))
    await pass(startedBefore ? 0 : DAY_MS, 2 * HOUR_MS)
    if (!startedBefore) expect(await scene.job(SECOND)).toMatchObject({ status: 'queued', reason: { code: 'config_unreadable' } })
    expect(await scene.job(PROD)).toBeNull()
    mend()
    scene.clock.advance(MINUTE_MS)
    await finish(SECOND)
    await scene.until(PROD, (job) => job.status === 'waiting_approval')
    await nothingLost(FIRST, SECOND)
  })
})

describe('a clock that is set', () => {
  it('back by a day delays nothing: runs are followed, the queue moves, requests are taken up', async () => {
    await open({ webhooks: false })
    await busy()
    scene.clock.advance(-DAY_MS)
    scene.forge.finishRun(runOf(FIRST), 'success')
    expect(await scene.ended(FIRST)).toMatchObject({ status: 'success' })
    await finish(SECOND)
    await scene.merge(await scene.propose({ [PROD]: requestFile('tag: v1.4.2') }))
    await scene.until(PROD, (job) => job.status === 'waiting_approval')
    await nothingLost(FIRST, SECOND)
  })

  it('forward by a day and back ends what seems too old with its reason, and never a run unasked', async () => {
    await open({ webhooks: false })
    await busy()
    scene.clock.advance(DAY_MS)
    expect(await scene.ended(FIRST)).toMatchObject({ status: 'failed', reason: { code: 'run_timed_out' } })
    // It seems to have waited for the day that a queue is waited in.
    expect(await scene.ended(SECOND)).toMatchObject({ status: 'expired', reason: { code: 'queue_expired' } })
    expect(scene.forge.triggerCount(scene.jobId(SECOND))).toBe(0)
    scene.clock.advance(-DAY_MS)
    const third = SECOND.replace('2-second', '3-third')
    await scene.merge(await scene.propose({ [third]: requestFile('branch: develop') }))
    await finish(third)
    await nothingLost(FIRST, third)
  })
})

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../../controller/clock.ts'
import type { PipelineProvider, Trigger } from '../../../controller/jobs/executor.ts'
import { trigger as anyTrigger } from '../fixtures.ts'
import { CONFIG, DEPLOY_WORKFLOW, openScene, type Scene, SHOP } from './forge-scene.ts'

const DISPATCH = 'actions/create-workflow-dispatch'
const ref = { selector: 'deploy.yml', workflowRef: null }

let scene: Scene
let pipeline: PipelineProvider
let tests = 0
beforeAll(async () => {
  scene = await openScene()
})
beforeEach(() => {
  tests++
  pipeline = scene.connect('token').connections.pipeline(scene.project())
})
afterEach(() => scene.check())
afterAll(() => scene.close())

/** Each test has a job of its own. */
function trigger(overrides: Partial<Trigger> = {}): Trigger {
  const jobId = `00000000-0000-5000-8000-${String(tests).padStart(12, '0')}` as Trigger['jobId']
  return anyTrigger({ jobId, intendedAt: scene.clock.now(), ...overrides })
}
const runs = () => scene.forge.runs(SHOP).filter((run) => run.inputs['JOB_ID'] === trigger().jobId)
const find = (wanted: Trigger = trigger()) => pipeline.find(wanted)

async function started(wanted = trigger()): Promise<string> {
  const outcome = await pipeline.start(wanted)
  if (outcome.kind !== 'started') throw new Error(`not started: ${JSON.stringify(outcome)}`)
  return outcome.run.externalId
}

describe('a workflow of GitHub as a pipeline', () => {
  it.each(['token', 'app'] as const)('starts one run that carries the five agreed names (%s)', async (kind) => {
    const outcome = await scene.connect(kind).connections.pipeline(scene.project()).start(trigger())
    const [run, ...others] = runs()
    expect(others).toEqual([])
    expect(outcome).toEqual({
      kind: 'started',
      run: { externalId: String(run?.id), externalAttempt: 1, url: expect.stringMatching(/^http.*\/actions\/runs\/\d+$/) },
    })
    expect(run?.inputs).toEqual({ JOB_ID: trigger().jobId, ENV: 'prod', REF: 'v1.4.2', TYPE: 'deploy', SHA: 'a'.repeat(40) })
    expect(run?.branch).toBe('main')
  })

  it('runs the workflow file of another branch when the project says so', async () => {
    await scene.forge.commit(SHOP, 'pipelines', { README: 'x' }, { as: 'acme' })
    await pipeline.start(trigger({ selector: { selector: 'deploy.yml', workflowRef: 'pipelines' } }))
    expect(runs()[0]?.branch).toBe('pipelines')
  })

  it.each([
    ['a workflow that is not there', { selector: 'other.yml', workflowRef: null }],
    ['a branch that is not there', { selector: 'deploy.yml', workflowRef: 'nowhere' }],
  ])('%s is refused for good', async (_what, selector) => {
    expect(await pipeline.start(trigger({ selector }))).toMatchObject({ kind: 'refused', retryAfterMs: null })
    expect(runs()).toHaveLength(0)
  })

  it('does not know the outcome when the answer is too late, and finds the run', async () => {
    scene.forge.faults.add({ on: DISPATCH, kind: 'slow_after', delayMs: 60 * MINUTE_MS })
    const wanted = trigger()
    const pending = pipeline.start(wanted)
    while (scene.forge.triggerCount(wanted.jobId) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    scene.clock.advance(5_000)
    expect(await pending).toMatchObject({ kind: 'unknown' })
    expect(await find(wanted)).toEqual([{ externalId: String(runs()[0]?.id), externalAttempt: 1, url: expect.any(String) }])
    scene.clock.advance(60 * MINUTE_MS)
  })

  it('is refused for now by the secondary limit, which is a 403', async () => {
    scene.forge.faults.add({ on: DISPATCH, kind: 'secondary_limited' })
    expect(await pipeline.start(trigger())).toMatchObject({ kind: 'refused', retryAfterMs: 60_000 })
    expect(await find()).toEqual([])
  })

  it('minting an app token that fails is known to come before the call', async () => {
    scene.forge.faults.add({ on: 'apps/create-installation-access-token', kind: 'error_before' })
    const asApp = scene.connect('app').connections.pipeline(scene.project())
    expect(await asApp.start(trigger())).toMatchObject({ kind: 'refused', unreachable: true })
    expect(await asApp.start(trigger())).toMatchObject({ kind: 'started' })
    expect(scene.forge.triggerCount(trigger().jobId)).toBe(1)
  })

  it('mints one app token for many calls, and another one before it runs out', async () => {
    const asApp = scene.connect('app').connections.pipeline(scene.project())
    await Promise.all([asApp.find(trigger()), asApp.find(trigger())])
    await asApp.find(trigger())
    // A fault that only passes calls counts them.
    let minted = 0
    const mint = 'apps/create-installation-access-token'
    const stop = scene.forge.faults.add({ on: mint, kind: 'slow_before', delayMs: 0, times: Number.POSITIVE_INFINITY })
    await asApp.find(trigger())
    minted = scene.forge.faults.count('slow_before', mint)
    expect(minted).toBe(0)
    scene.clock.advance(56 * MINUTE_MS)
    const pending = asApp.find(trigger())
    const ticking = setInterval(() => scene.clock.advance(1), 5)
    await pending.finally(() => clearInterval(ticking))
    expect(scene.forge.faults.count('slow_before', mint)).toBe(1)
    stop()
  })
})

describe('finding the runs of a job', () => {
  it('gives them oldest first, and no other', async () => {
    const wanted = trigger()
    const first = await started(wanted)
    await started(trigger({ jobId: 'ffffffff-0000-5000-8000-000000000000' as Trigger['jobId'] }))
    scene.clock.advance(1_000)
    const second = await started(wanted)
    expect((await find(wanted)).map((run) => run.externalId)).toEqual([first, second])
  })

  it('looks two minutes before the intent, for clocks that differ, and no further', async () => {
    const early = await started()
    scene.clock.advance(2 * MINUTE_MS)
    expect((await find()).map((run) => run.externalId)).toEqual([early])
    scene.clock.advance(1_000)
    expect(await find()).toEqual([])
  })

  it('does not take a look-alike of another workflow for one', async () => {
    await scene.forge.commit(SHOP, 'main', { '.github/workflows/look-alike.yml': DEPLOY_WORKFLOW }, { as: 'acme' })
    await pipeline.start(trigger({ selector: { selector: 'look-alike.yml', workflowRef: null } }))
    expect(await find()).toEqual([])
    expect(
      await pipeline.find({ ...trigger(), selector: { selector: '.github/workflows/look-alike.yml', workflowRef: null } }),
    ).toHaveLength(1)
  })
})

describe('following a run', () => {
  const observe = (externalId: string) => pipeline.observe({ externalId, selector: ref })

  it('is a fault, not a vanished run, when the credential may no longer see the repository', async () => {
    const id = await started()
    scene.forge.addCollaborator(SHOP, 'draven-service', 'none')
    await expect(observe(id)).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
    scene.forge.addCollaborator(SHOP, 'draven-service', 'write')
  })

  it("does not see another repository's run", async () => {
    await scene.forge.commit(CONFIG, 'main', { '.github/workflows/deploy.yml': DEPLOY_WORKFLOW }, { as: 'acme' })
    const elsewhere = scene.connect('token').connections.pipeline(scene.project({ repoFullName: CONFIG }))
    const outcome = await elsewhere.start(trigger())
    const id = outcome.kind === 'started' ? outcome.run.externalId : ''
    expect(await observe(id)).toMatchObject({ state: 'vanished' })
  })
})

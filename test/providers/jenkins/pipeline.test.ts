import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../controller/clock.ts'
import type { PipelineProvider, Trigger } from '../../../controller/jobs/executor.ts'
import { trigger as anyTrigger, JOB } from '../fixtures.ts'
import { DEPLOY, type JenkinsScene, openJenkinsScene, PARAMETERS } from './jenkins-scene.ts'

const selector = { selector: DEPLOY, workflowRef: null }

describe('a build of Jenkins as a run', () => {
  let scene: JenkinsScene
  let pipeline: PipelineProvider
  beforeEach(async () => {
    scene = await openJenkinsScene()
    pipeline = scene.connect().connections.pipeline(scene.project())
  })
  afterEach(async () => {
    await scene.check()
    await scene.close()
  })
  const trigger = (change: Partial<Trigger> = {}) => anyTrigger({ selector, intendedAt: scene.clock.now(), ...change })
  const observe = (externalId: string) => pipeline.observe({ externalId, selector })
  const items = () => scene.jenkins.items().filter((item) => item.values['JOB_ID'] === JOB)

  async function started(wanted = trigger()): Promise<string> {
    const outcome = await pipeline.start(wanted)
    if (outcome.kind !== 'started') throw new Error(`not started: ${JSON.stringify(outcome)}`)
    return outcome.run.externalId
  }

  it('says why it waits, links to its log once it runs, and tells when it began and ended', async () => {
    const id = await started()
    expect(await observe(id)).toMatchObject({ state: 'queued', detail: 'Waiting for next available executor', url: null })
    scene.jenkins.build(Number(id))
    const began = scene.clock.now()
    expect(await observe(id)).toMatchObject({
      state: 'active',
      startedAt: began,
      url: `${scene.jenkins.url}/job/shop/job/deploy/1/console`,
    })
    scene.clock.advance(90 * SECOND_MS)
    scene.jenkins.end(Number(id), 'UNSTABLE')
    expect(await observe(id)).toMatchObject({ state: 'failed', detail: 'UNSTABLE', endedAt: began + 90 * SECOND_MS })
  })

  it('is known by the item it came from long after the queue forgot that', async () => {
    const id = await started()
    scene.jenkins.end(Number(id), 'SUCCESS')
    for (let index = 0; index < 150; index++) scene.jenkins.end(scene.jenkins.startByHand(DEPLOY).id, 'SUCCESS')
    scene.clock.advance(HOUR_MS)
    expect(await observe(id)).toMatchObject({ state: 'success', url: expect.stringContaining('/1/console') })
    expect((await pipeline.find(trigger({ intendedAt: scene.clock.now() - HOUR_MS }))).map((run) => run.externalId)).toEqual([id])
  })

  it('is found by its JOB_ID, waiting or built, when the answer was lost', async () => {
    scene.jenkins.faults.add({ on: 'job/trigger', kind: 'accept_then_drop' })
    expect((await pipeline.start(trigger())).kind).toBe('unknown')
    const [item] = items()
    expect(await pipeline.find(trigger())).toMatchObject([{ externalId: String(item!.id) }])
    scene.jenkins.build(item!.id)
    expect(await pipeline.find(trigger())).toMatchObject([{ externalId: String(item!.id) }])
    scene.clock.advance(6 * MINUTE_MS)
    expect(await pipeline.find(trigger({ intendedAt: scene.clock.now() - 6 * MINUTE_MS }))).toHaveLength(1)
    expect(await pipeline.find(trigger({ intendedAt: scene.clock.now() + DAY_MS }))).toEqual([])
    const { intendedAt } = trigger()
    expect(await pipeline.find(trigger({ intendedAt: intendedAt - 2 * DAY_MS }))).toHaveLength(1)
    expect(await pipeline.find({ ...trigger({ intendedAt: intendedAt - 2 * DAY_MS }), until: intendedAt - DAY_MS })).toEqual([])
  })

  it('shows as two when somebody builds the same again, the first one first', async () => {
    const id = await started()
    scene.jenkins.end(Number(id), 'FAILURE')
    const again = scene.jenkins.startByHand(DEPLOY, items()[0]!.values)
    scene.jenkins.build(again.id)
    expect((await pipeline.find(trigger())).map((run) => run.externalId)).toEqual([id, String(again.id)])
  })

  it('is not made twice while the same waits in the queue', async () => {
    const id = await started()
    expect((await pipeline.start(trigger())).kind).toBe('accepted')
    expect(items()).toHaveLength(1)
    expect((await pipeline.find(trigger())).map((run) => run.externalId)).toEqual([id])
  })

  it('is refused by a queue that takes nothing, by a disabled job, and with a definition of its own', async () => {
    scene.jenkins.close(true)
    expect(await pipeline.start(trigger())).toMatchObject({ kind: 'refused', why: expect.stringContaining('redirects') })
    scene.jenkins.close(false)
    const elsewhere = { selector: DEPLOY, workflowRef: 'main' }
    expect(await pipeline.start(trigger({ selector: elsewhere }))).toMatchObject({ why: expect.stringContaining('workflow_ref') })
    scene.jenkins.job(DEPLOY, PARAMETERS).buildable = false
    expect(await pipeline.start(trigger())).toMatchObject({ kind: 'refused', why: expect.stringContaining('disabled') })
    expect(items()).toEqual([])
  })

  it('is not started without what it is to be told: Jenkins would drop it and nobody would know', async () => {
    scene.jenkins.job(DEPLOY, PARAMETERS.slice(0, 5))
    const callback = { url: 'https://draven.example/callbacks/jobs/1', token: `dcb_${'a'.repeat(43)}` }
    expect(await pipeline.start(trigger({ callback }))).toMatchObject({
      kind: 'refused',
      retryAfterMs: null,
      why: expect.stringContaining('CALLBACK_URL, CALLBACK_TOKEN'),
    })
    expect(items()).toEqual([])
    expect((await pipeline.start(trigger())).kind).toBe('started')
  })

  it.each([
    ['stop', 0],
    ['term', 31],
    ['kill', 61],
  ] as const)('is asked to %s after %i seconds, and is over only when Jenkins says so', async (way, seconds) => {
    const id = await started()
    const build = scene.jenkins.build(Number(id))
    build.stubborn = way
    await pipeline.cancel({ externalId: id })
    if (way !== 'stop') expect(await observe(id)).toMatchObject({ state: 'active' })
    scene.clock.advance(seconds * SECOND_MS)
    if (way !== 'stop') await pipeline.cancel({ externalId: id })
    expect(await observe(id)).toMatchObject({ state: 'canceled' })
    expect(build.result).toBe('ABORTED')
  })

  it('goes on when it does not hear, and is asked by its build once the queue forgot it', async () => {
    const id = await started()
    const build = scene.jenkins.build(Number(id))
    build.stubborn = 'never'
    await pipeline.cancel({ externalId: id })
    scene.clock.advance(6 * MINUTE_MS)
    await pipeline.cancel({ externalId: id })
    expect(await observe(id)).toMatchObject({ state: 'active' })
    build.stubborn = 'kill'
    await pipeline.cancel({ externalId: id })
    expect(await observe(id)).toMatchObject({ state: 'canceled' })
    await pipeline.cancel({ externalId: '99999' })
  })

  it('has vanished with its build, or when there never was an item', async () => {
    const id = await started()
    scene.jenkins.end(Number(id), 'SUCCESS')
    scene.jenkins.discard(DEPLOY, 1)
    expect(await observe(id)).toMatchObject({ state: 'vanished', detail: expect.stringContaining('no build 1') })
    expect(await observe('99999')).toMatchObject({ state: 'vanished', detail: expect.stringContaining('queue item 99999') })
  })

  describe('that is not found', () => {
    const doubt = (ago = 0) => pipeline.doubt(trigger({ intendedAt: scene.clock.now() - ago }))

    it('was never made, where Jenkins still has every build since then', async () => {
      expect(await doubt()).toBeNull()
      scene.jenkins.end(scene.jenkins.startByHand(DEPLOY).id, 'SUCCESS')
      scene.clock.advance(HOUR_MS)
      expect(await doubt()).toBeNull()
    })

    it('may be one that carries no JOB_ID', async () => {
      scene.jenkins.build(scene.jenkins.startByHand(DEPLOY).id)
      expect(await doubt()).toContain('1 carry no JOB_ID (the newest: 1)')
    })

    it('may be one that was discarded', async () => {
      for (const jobId of [1, 2]) {
        const values = { JOB_ID: `00000000-0000-5000-8000-00000000000${jobId}` }
        scene.jenkins.end(scene.jenkins.startByHand(DEPLOY, values).id, 'SUCCESS')
      }
      expect(await doubt()).toBeNull()
      scene.jenkins.discard(DEPLOY, 1)
      expect(await doubt()).toContain('only those since')
      scene.jenkins.discard(DEPLOY, 2)
      expect(await doubt()).toContain('none of them')
    })

    it('may be among more builds than are looked at', async () => {
      for (let index = 0; index < 1_001; index++) {
        const values = { JOB_ID: `00000000-0000-5000-8000-${String(index).padStart(12, '0')}` }
        scene.jenkins.build(scene.jenkins.startByHand(DEPLOY, values).id)
      }
      expect(await doubt()).toContain('more builds')
    })
  })

  it('needs rights and parameters that can be told beforehand', async () => {
    const describe = (integration = {}) => scene.connect().describeAccess(scene.project(integration))
    expect(await describe({ callbacks: true })).toMatchObject({ provider: 'jenkins', missing: [] })
    scene.jenkins.job(DEPLOY, PARAMETERS.slice(1, 5)).buildable = false
    expect(await describe({ callbacks: true })).toMatchObject({
      missing: [`the parameters JOB_ID, CALLBACK_URL, CALLBACK_TOKEN of ${DEPLOY}`],
      notes: expect.arrayContaining([`The job ${DEPLOY} is disabled.`]),
    })
    const pipelines = new Map([['prod', { selector: 'absent', workflowRef: null }]])
    expect(await describe({ pipelines })).toMatchObject({ missing: ['Job/Read of absent'] })
  })
})

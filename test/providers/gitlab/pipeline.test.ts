import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../../controller/clock.ts'
import type { PipelineProvider, Trigger } from '../../../controller/jobs/executor.ts'
import { DEVELOPER, REPORTER } from '../../sandbox/gitlab/world.ts'
import { trigger as anyTrigger } from '../fixtures.ts'
import { type GitlabScene, openGitlabScene, SHOP } from './gitlab-scene.ts'

const variables = { selector: 'variables', workflowRef: null }
let scene: GitlabScene
let pipeline: PipelineProvider
let tests = 0
beforeAll(async () => {
  scene = await openGitlabScene()
})
beforeEach(() => {
  tests++
  pipeline = scene.connect().connections.pipeline(scene.project())
})
afterEach(() => scene.check())
afterAll(() => scene.close())

function trigger(overrides: Partial<Trigger> = {}): Trigger {
  const jobId = `00000000-0000-5000-8000-${String(tests).padStart(12, '0')}` as Trigger['jobId']
  return anyTrigger({ jobId, selector: variables, intendedAt: scene.clock.now(), ...overrides })
}

async function started(wanted = trigger()): Promise<number> {
  const outcome = await pipeline.start(wanted)
  if (outcome.kind !== 'started') throw new Error(`not started: ${JSON.stringify(outcome)}`)
  return Number(outcome.run.externalId)
}
const made = () => scene.forge.triggerCount(trigger().jobId)
const ids = async (wanted = trigger()) => (await pipeline.find(wanted)).map(({ externalId }) => Number(externalId))
const rename = (id: number, name: string | null) =>
  Object.assign(scene.forge.pipelines(SHOP).find((each) => each.id === id) ?? {}, { name })

describe('starting a pipeline', () => {
  it('runs the definition of the default branch, never that of the ref to deploy', async () => {
    const old = await scene.forge.sha(SHOP, 'main')
    await scene.forge.createTag(SHOP, `v1.4.${tests}`, old ?? '', { as: 'acme' })
    const id = await started(trigger({ ref: `v1.4.${tests}` }))
    expect(scene.forge.pipelines(SHOP).find((each) => each.id === id)).toMatchObject({ ref: 'main', source: 'api' })
  })

  it('is refused for good where nobody may set variables, with what to do, and works there by inputs', async () => {
    scene.forge.project(SHOP).variablesRole = 'no_one_allowed'
    expect(await pipeline.start(trigger())).toMatchObject({
      kind: 'refused',
      retryAfterMs: null,
      why: expect.stringContaining('use the selector inputs'),
    })
    expect(made()).toBe(0)
    expect(await started(trigger({ selector: { selector: 'inputs', workflowRef: 'with-inputs' } }))).toBeGreaterThan(0)
    scene.forge.project(SHOP).variablesRole = 'developer'
    expect(made()).toBe(1)
  })

  it.each([
    ['a branch that is not there', { selector: 'variables', workflowRef: 'nowhere' }, 'Reference not found'],
    ['a commit instead of a branch', { selector: 'variables', workflowRef: 'a'.repeat(40) }, 'Reference not found'],
    ['inputs that are not declared', { selector: 'inputs', workflowRef: null }, 'not defined in the spec'],
    ['a workflow file, as GitHub has them', { selector: 'deploy.yml', workflowRef: null }, 'write variables or inputs'],
  ])('%s is refused for good', async (_what, selector, why) => {
    expect(await pipeline.start(trigger({ selector }))).toMatchObject({
      kind: 'refused',
      retryAfterMs: null,
      why: expect.stringContaining(why),
    })
    expect(made()).toBe(0)
  })

  it('is refused for good when the role of the token is too low', async () => {
    scene.forge.addMember(SHOP, 'project_7_bot_1', REPORTER)
    expect(await pipeline.start(trigger())).toMatchObject({
      kind: 'refused',
      retryAfterMs: null,
      why: expect.stringContaining('403'),
    })
    scene.forge.addMember(SHOP, 'project_7_bot_1', DEVELOPER)
  })

  it('does not know the outcome when the answer is too late, and finds the pipeline', async () => {
    scene.forge.faults.add({ on: 'pipelines/create', kind: 'slow_after', delayMs: 60 * MINUTE_MS })
    const wanted = trigger()
    const pending = pipeline.start(wanted)
    while (made() === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    scene.clock.advance(5_000)
    expect(await pending).toMatchObject({ kind: 'unknown' })
    expect(await ids(wanted)).toHaveLength(1)
    scene.clock.advance(60 * MINUTE_MS)
  })
})

describe('finding the pipelines of a job on GitLab', () => {
  it('gives them oldest first', async () => {
    const wanted = trigger()
    const first = await started(wanted)
    scene.clock.advance(1_000)
    expect(await ids(wanted)).toEqual([first])
    const second = await started(wanted)
    expect(await ids(wanted)).toEqual([first, second])
  })

  it('knows one without a name by its variables', async () => {
    const id = await started()
    rename(id, null)
    expect(await ids()).toEqual([id])
    expect(await ids(trigger({ jobId: 'ffffffff-0000-5000-8000-000000000000' as Trigger['jobId'] }))).toEqual([])
  })

  it.each([null, 'Nightly'])(
    'says so when neither the name %j nor the variables tell whose one is, rather than that there is none',
    async (name) => {
      rename(await started(), name)
      scene.forge.addMember(SHOP, 'project_7_bot_1', REPORTER)
      await expect(pipeline.find(trigger())).rejects.toMatchObject({
        name: 'RefusedFault',
        message: expect.stringContaining('workflow:name'),
      })
      scene.forge.addMember(SHOP, 'project_7_bot_1', DEVELOPER)
    },
  )

  it('proves that there was none, unless inputs were sent to a pipeline whose name does not tell', async () => {
    const byInputs = trigger({ selector: { selector: 'inputs', workflowRef: 'with-inputs' } })
    const id = await started(byInputs)
    const early = { ...byInputs, until: scene.clock.now() - 3 * MINUTE_MS }
    expect(await pipeline.doubt(byInputs)).toBeNull()
    rename(id, null)
    expect(await pipeline.doubt(byInputs)).toContain('1 carry no JOB_ID in their name')
    expect(await pipeline.doubt(early)).toBeNull()
    expect(await pipeline.doubt(trigger())).toBeNull()
  })

  it('does not take a longer word for the id', async () => {
    rename(await started(trigger({ jobId: 'ffffffff-0000-5000-8000-000000000000' as Trigger['jobId'] })), `x${trigger().jobId}`)
    expect(await ids()).toEqual([])
  })

  it('looks two minutes before the intent, for clocks that differ, and no further', async () => {
    const early = await started()
    scene.clock.advance(2 * MINUTE_MS)
    expect(await ids()).toEqual([early])
    scene.clock.advance(1_000)
    expect(await ids()).toEqual([])
  })

  it('does not take an old one that was tried again for a new one', async () => {
    const old = await started()
    scene.clock.advance(10 * MINUTE_MS)
    scene.forge.setPipeline(old, 'failed')
    scene.forge.retryPipeline(old)
    expect(await ids()).toEqual([])
  })

  it('does not take one that the code or a person started for ours', async () => {
    const name = `deploy (${trigger().jobId})`
    for (const source of ['push', 'web', 'trigger', 'schedule']) {
      scene.forge.addPipeline(SHOP, { ref: 'main', sha: 'a'.repeat(40), source, by: 'acme', jobs: ['x'], name })
    }
    await scene.forge.commit(SHOP, 'aside', { aside: 'x' }, { as: 'acme' })
    await started(trigger({ selector: { selector: 'variables', workflowRef: 'aside' } }))
    expect(await ids()).toEqual([])
    // Also where the list ignores what it is asked for.
    const deaf: typeof fetch = (input, init) => {
      const url = new URL(String(input))
      for (const name of ['source', 'ref', 'updated_after']) url.searchParams.delete(name)
      return fetch(url, init)
    }
    expect(await scene.connect(deaf).connections.pipeline(scene.project()).find(trigger())).toEqual([])
  })
})

describe('following a pipeline', () => {
  const observe = (id: number) => pipeline.observe({ externalId: String(id), selector: variables })

  it('tells of a success that left manual jobs alone', async () => {
    const id = await started()
    scene.forge.setPipeline(id, 'success')
    scene.forge
      .pipelines(SHOP)
      .find((each) => each.id === id)
      ?.jobs.push({
        id: 1,
        name: 'roll out',
        status: 'manual',
        allowFailure: true,
        retried: false,
        log: '',
      })
    scene.forge.setPipeline(id, 'success')
    Object.assign(scene.forge.pipelines(SHOP).find((each) => each.id === id) ?? {}, { forced: 'success' })
    expect(await observe(id)).toMatchObject({ state: 'success', detail: 'success; manual jobs not started: roll out' })
  })

  it('is trouble, not a vanished pipeline, when the project may not be seen any more', async () => {
    const id = await started()
    scene.forge.addMember(SHOP, 'project_7_bot_1', 0)
    await expect(observe(id)).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
    scene.forge.addMember(SHOP, 'project_7_bot_1', DEVELOPER)
  })

  it("does not believe a pipeline of the project's own CI", async () => {
    const { id } = scene.forge.addPipeline(SHOP, { ref: 'main', sha: 'a'.repeat(40), source: 'push', by: 'acme', jobs: ['x'] })
    scene.forge.setPipeline(id, 'success')
    expect(await observe(id)).toMatchObject({ state: 'vanished', detail: expect.stringContaining('started by push') })
  })
})

describe('what the token may do', () => {
  const report = () => scene.connect().describeAccess(scene.project())

  it('is enough for a developer with the scope api', async () => {
    expect(await report()).toMatchObject({
      provider: 'gitlab',
      repository: SHOP,
      auth: 'token',
      missing: [],
      notes: [],
      rateLimit: { limit: 2_000, remaining: 1_999 },
    })
    expect(await scene.connect().describeAccess('config')).toMatchObject({ missing: [] })
  })

  it('lacks a role, or a project that takes variables', async () => {
    scene.forge.addMember(SHOP, 'project_7_bot_1', REPORTER)
    expect((await report())?.missing).toEqual(['role Developer'])
    scene.forge.addMember(SHOP, 'project_7_bot_1', DEVELOPER)
    scene.forge.project(SHOP).variablesRole = 'no_one_allowed'
    expect((await report())?.missing).toEqual([expect.stringContaining('use the selector inputs')])
    scene.forge.project(SHOP).variablesRole = 'developer'
  })

  it('shows that GitLab has stopped calling the webhook', async () => {
    scene.forge.addMember(SHOP, 'project_7_bot_1', 40)
    // Nobody listens there.
    const id = scene.forge.addHook(SHOP, { url: 'http://127.0.0.1:9/webhooks/gitlab', token: 't' })
    for (let pushes = 0; pushes < 4; pushes++) await scene.forge.commit(SHOP, 'hooked', { [`f${pushes}`]: 'x' }, { as: 'acme' })
    await scene.forge.settle()
    expect((await report())?.notes).toEqual(['GitLab has stopped calling the webhook /webhooks/gitlab (temporarily_disabled).'])
    const { hooks } = scene.forge.project(SHOP)
    hooks.splice(hooks.findIndex((hook) => hook.id === id))
    scene.forge.addMember(SHOP, 'project_7_bot_1', DEVELOPER)
  })
})

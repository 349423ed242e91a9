import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../../controller/clock.ts'
import type { PipelineProvider, Trigger } from '../../../controller/jobs/executor.ts'
import type { PipelineSelector } from '../../../controller/model/desired-state.ts'
import { DIALECTS } from '../../../controller/providers/gitea/dialect.ts'
import { DEPLOY_WORKFLOW } from '../../sandbox/forge-fixture.ts'
import { trigger as anyTrigger } from '../fixtures.ts'
import { BOT, changing, type GiteaScene, openGiteaScene, SHOP } from './gitea-scene.ts'

const deploy: PipelineSelector = { selector: 'deploy.yml', workflowRef: null }
const OTHER_JOB = 'ffffffff-0000-5000-8000-000000000000' as Trigger['jobId']

describe.each(['gitea', 'forgejo'] as const)('a workflow of %s', (server) => {
  let scene: GiteaScene
  let pipeline: PipelineProvider
  let tests = 0
  beforeAll(async () => {
    scene = await openGiteaScene(server)
    const silent = DEPLOY_WORKFLOW.replace(/^run-name:.*\n/m, '')
    await scene.forge.commit(SHOP, 'main', { [`.${server}/workflows/silent.yml`]: silent }, { as: 'acme' })
  })
  beforeEach(() => {
    tests++
    pipeline = scene.connect().connections.pipeline(scene.project())
  })
  afterEach(() => scene.check())
  afterAll(() => scene.close())

  function trigger(overrides: Partial<Trigger> = {}): Trigger {
    const jobId = `00000000-0000-5000-8000-${String(tests).padStart(12, '0')}` as Trigger['jobId']
    return anyTrigger({ jobId, selector: deploy, intendedAt: scene.clock.now(), ...overrides })
  }
  async function started(wanted = trigger()): Promise<number> {
    const outcome = await pipeline.start(wanted)
    if (outcome.kind !== 'started') throw new Error(`not started: ${JSON.stringify(outcome)}`)
    return Number(outcome.run.externalId)
  }
  const made = () => scene.forge.triggerCount(trigger().jobId)
  const ids = async (wanted = trigger()) => (await pipeline.find(wanted)).map(({ externalId }) => Number(externalId))
  const run = (id: number) => scene.forge.runs(SHOP).find((each) => each.id === id)!
  const observe = (id: number, selector = deploy) => pipeline.observe({ externalId: String(id), selector })

  describe('is started', () => {
    it('by the definition on the default branch, told in full, never by that of the ref to deploy', async () => {
      const old = (await scene.forge.sha(SHOP, 'main'))!
      await scene.forge.createTag(SHOP, `v1.4.${tests}`, old, { as: 'acme' })
      // A tag of the same name as the branch changes nothing.
      await scene.forge.createTag(SHOP, 'main', old, { as: 'acme' })
      expect(run(await started(trigger({ ref: `v1.4.${tests}` })))).toMatchObject({ ref: 'refs/heads/main' })
      await scene.forge.deleteRef(SHOP, 'refs/tags/main', { as: 'acme' })
    })

    it.each(['deploys', 'refs/heads/deploys', 'refs/tags/deploys-1'])(
      'by the definition at %s, if told so',
      async (workflowRef) => {
        const sha = await scene.forge.commit(SHOP, 'deploys', { x: String(tests) }, { as: 'acme' })
        await scene.forge.createTag(SHOP, 'deploys-1', sha, { as: 'acme' })
        const selector = { selector: `.${server}/workflows/deploy.yml`, workflowRef }
        const id = await started(trigger({ selector }))
        expect(run(id)).toMatchObject({ sha, ref: workflowRef.startsWith('refs/') ? workflowRef : `refs/heads/${workflowRef}` })
        expect(await ids(trigger({ selector }))).toEqual([id])
        expect(await observe(id, selector)).toMatchObject({ state: 'queued' })
      },
    )

    it.each([
      ['a branch that is not there', { selector: 'deploy.yml', workflowRef: 'nowhere' }, "doesn't exist"],
      ['a commit instead of a branch', { selector: 'deploy.yml', workflowRef: 'a'.repeat(40) }, "doesn't exist"],
      ['a workflow that is not there', { selector: 'absent.yml', workflowRef: null }, "doesn't exist"],
      ['a word that is no file', { selector: 'variables', workflowRef: null }, 'is not a workflow file'],
      ['a path out of the folder', { selector: '../deploy.yml', workflowRef: null }, 'is not a workflow file'],
    ])('not at all for %s', async (_what, selector, why) => {
      const refused = { kind: 'refused', retryAfterMs: null, why: expect.stringContaining(why) }
      expect(await pipeline.start(trigger({ selector }))).toMatchObject(refused)
      expect(made()).toBe(0)
    })

    it('not at all when the token may only read', async () => {
      scene.forge.addCollaborator(SHOP, BOT, 'read')
      const refused = { kind: 'refused', retryAfterMs: null, why: expect.stringContaining('403') }
      expect(await pipeline.start(trigger())).toMatchObject(refused)
      scene.forge.addCollaborator(SHOP, BOT, 'write')
    })

    it('perhaps, when the answer is too late; a look tells', async () => {
      scene.forge.faults.add({ on: 'actions/create-workflow-dispatch', kind: 'slow_after', delayMs: 60 * MINUTE_MS })
      const wanted = trigger()
      const pending = pipeline.start(wanted)
      while (made() === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      scene.clock.advance(5_000)
      expect(await pending).toMatchObject({ kind: 'unknown' })
      expect(await ids(wanted)).toHaveLength(1)
      scene.clock.advance(60 * MINUTE_MS)
    })

    it('also by a version that does not name the run, which is then found by its job', async () => {
      const old = await openGiteaScene(server, { namesRun: false })
      const pipelineThere = old.connect().connections.pipeline(old.project())
      const wanted = trigger({ intendedAt: old.clock.now() })
      expect(await pipelineThere.start(wanted)).toEqual({ kind: 'accepted' })
      expect(await pipelineThere.find(wanted)).toMatchObject([{ url: expect.stringContaining('/acme/shop/actions/runs/1') }])
      await old.check()
      await old.close()
    })
  })

  describe('is found', () => {
    it('oldest first, on every page of a server with short ones', async () => {
      const short = await openGiteaScene(server, { maxPage: 2 })
      const there = short.connect().connections.pipeline(short.project())
      const wanted = trigger({ intendedAt: short.clock.now() })
      const outcomes = []
      for (let count = 0; count < 5; count++) outcomes.push(await there.start(wanted))
      const expected = outcomes.map((outcome) => (outcome.kind === 'started' ? outcome.run.externalId : ''))
      expect((await there.find(wanted)).map(({ externalId }) => externalId)).toEqual(expected)
      await short.close()
    })

    it('by what it was told, where that is shown, not by what its name quotes', async () => {
      const id = await started(trigger({ jobId: OTHER_JOB }))
      Object.assign(run(id), { title: `instead of ${trigger().jobId}` })
      expect(await ids()).toEqual(server === 'forgejo' ? [] : [id])
    })

    it('not under a longer word than the id', async () => {
      const id = await started(trigger({ jobId: OTHER_JOB }))
      Object.assign(run(id), { title: `x${trigger().jobId}`, inputs: {} })
      expect(await ids()).toEqual([])
    })

    it('not when the code or a person started it, or another definition', async () => {
      const title = `deploy (${trigger().jobId})`
      for (const event of ['push', 'schedule']) scene.forge.addRun(SHOP, { file: 'deploy.yml', event, title, by: 'acme' })
      scene.forge.addRun(SHOP, { file: 'ci.yml', event: 'workflow_dispatch', title, by: 'acme' })
      await scene.forge.commit(SHOP, 'aside', { aside: 'x' }, { as: 'acme' })
      await started(trigger({ selector: { selector: 'deploy.yml', workflowRef: 'aside' } }))
      expect(await ids()).toEqual([])
      // Also where the list ignores what it is asked for.
      const deaf: typeof fetch = (input, init) => {
        const url = new URL(String(input))
        for (const name of ['event', 'workflow_id']) url.searchParams.delete(name)
        return fetch(url, init)
      }
      expect(await scene.connect(deaf).connections.pipeline(scene.project()).find(trigger())).toEqual([])
    })

    it('two minutes before the intent, for clocks that differ, and no further', async () => {
      const early = await started()
      scene.forge.setRun(early, 'running')
      scene.clock.advance(2 * MINUTE_MS)
      expect(await ids()).toEqual([early])
      scene.clock.advance(1_000)
      expect(await ids()).toEqual([])
    })

    it('as far back as needed and no further, on a server with short pages', async () => {
      const short = await openGiteaScene(server, { maxPage: 2 })
      const asked: string[] = []
      const counting: typeof fetch = (input, init) => {
        if (String(input).includes('/actions/runs?')) asked.push(String(input))
        return fetch(input, init)
      }
      const there = short.connect(counting).connections.pipeline(short.project())
      for (let count = 0; count < 6; count++) await there.start(trigger({ intendedAt: short.clock.now() }))
      for (const { id } of short.forge.runs(SHOP)) short.forge.setRun(id, 'success')
      short.clock.advance(10 * MINUTE_MS)
      const wanted = trigger({ intendedAt: short.clock.now() })
      await there.start(wanted)
      expect(await there.find(wanted)).toHaveLength(1)
      // The newest two, of which one is old, and a page of old ones.
      expect(asked).toHaveLength(2)
      await short.close()
    })

    it('not when it was made too late to be meant, where the server tells when that was', async () => {
      const wanted = trigger()
      scene.clock.advance(10 * MINUTE_MS)
      const id = await started(trigger())
      expect(await ids({ ...wanted, until: wanted.intendedAt } as Trigger)).toEqual(server === 'forgejo' ? [] : [id])
    })

    it('and nothing proves that there was none while one that was dispatched does not tell whose it is', async () => {
      const silent = trigger({ selector: { selector: 'silent.yml', workflowRef: null } })
      expect(await pipeline.doubt(silent)).toBeNull()
      const id = await started(silent)
      scene.forge.setRun(id, 'success')
      if (server === 'forgejo') {
        // What it was told is shown there.
        expect(await ids(silent)).toEqual([id])
        expect(await pipeline.doubt(silent)).toBeNull()
      } else {
        expect(await ids(silent)).toEqual([])
        expect(await pipeline.doubt(silent)).toContain('1 carry no JOB_ID in their name')
        scene.clock.advance(10 * MINUTE_MS)
        expect(await pipeline.doubt({ ...silent, intendedAt: scene.clock.now() })).toBeNull()
      }
      expect(await pipeline.doubt(trigger())).toBeNull()
    })
  })

  describe('is followed', () => {
    it('with its times, and its end only when it is over', async () => {
      const id = await started()
      const startedAt = scene.clock.now() - (scene.clock.now() % 1_000)
      scene.forge.setRun(id, 'running')
      expect(await observe(id)).toMatchObject({ state: 'active', startedAt })
      expect(await observe(id)).not.toHaveProperty('endedAt')
      scene.clock.advance(MINUTE_MS)
      scene.forge.setRun(id, 'skipped')
      expect(await observe(id)).toMatchObject({ state: 'failed', detail: 'skipped', endedAt: startedAt + MINUTE_MS })
    })

    it('with no end while a later attempt runs, whatever is left of an earlier one', async () => {
      const id = await started()
      scene.forge.setRun(id, 'running')
      const past = { completed_at: '2026-11-21T08:00:00Z', stopped: '2026-11-21T08:00:00Z' }
      const stale = changing<object>(/\/actions\/runs\/\d+$/, (body) => ({ ...body, ...past }))
      const there = scene.connect(stale).connections.pipeline(scene.project())
      expect(await there.observe({ externalId: String(id), selector: deploy })).not.toHaveProperty('endedAt')
    })

    it('as trouble, not as vanished, when the repository may not be seen any more, or shows no runs at all', async () => {
      const id = await started()
      scene.forge.addCollaborator(SHOP, BOT, 'none')
      await expect(observe(id)).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
      scene.forge.addCollaborator(SHOP, BOT, 'write')
      const blind: typeof fetch = (input, init) =>
        String(input).includes('/actions/runs') ? Promise.resolve(Response.json({}, { status: 404 })) : fetch(input, init)
      const there = scene.connect(blind).connections.pipeline(scene.project())
      await expect(there.observe({ externalId: String(id), selector: deploy })).rejects.toMatchObject({ status: 404 })
    })

    it("but not believed when it is the project's own CI", async () => {
      const { id } = scene.forge.addRun(SHOP, { file: 'deploy.yml', event: 'push', title: 'x', by: 'acme' })
      scene.forge.setRun(id, 'success')
      expect(await observe(id)).toMatchObject({ state: 'vanished', detail: expect.stringContaining('started by push') })
    })

    it('with the attempts of its jobs where it does not count its own', async () => {
      const id = await started()
      scene.forge.setRun(id, 'failure')
      scene.forge.rerun(id)
      const bare: typeof fetch = async (input, init) => {
        const response = await fetch(input, init)
        if (!/\/actions\/runs\/\d+$/.test(new URL(String(input)).pathname)) return response
        const { run_attempt: _, ...rest } = (await response.json()) as Record<string, unknown>
        return Response.json({ ...rest, ...(server === 'gitea' ? { run_attempt: 0 } : {}) })
      }
      const there = scene.connect(bare).connections.pipeline(scene.project())
      expect(await there.observe({ externalId: String(id), selector: deploy })).toMatchObject({ externalAttempt: 2 })
    })
  })

  describe('and what the token may do:', () => {
    const report = (kind: 'project' | 'config' = 'project') =>
      scene.connect().describeAccess(kind === 'config' ? 'config' : scene.project())
    const scopes = 'What its scopes let a token write is only seen when it writes.'
    const cannot = server === 'gitea' ? ['Gitea lets nobody stop a run from outside.'] : []

    it('write access is enough', async () => {
      const enough = {
        provider: server,
        repository: SHOP,
        auth: 'token',
        missing: [],
        notes: [...cannot, scopes],
        clockSkewMs: 0,
      }
      expect(await report()).toEqual({ ...enough, rateLimit: null, clockSkewMs: expect.any(Number) })
      expect(await report('config')).toMatchObject({ missing: [], notes: [scopes] })
    })

    it('read access and a repository without Actions are not', async () => {
      scene.forge.addCollaborator(SHOP, BOT, 'read')
      scene.forge.repository(SHOP).hasActions = false
      expect((await report())?.missing).toEqual(['write access to the repository', expect.stringContaining('Actions')])
      scene.forge.repository(SHOP).hasActions = true
      scene.forge.addCollaborator(SHOP, BOT, 'write')
    })

    it('a scope that lacks a read is named', async () => {
      const narrow: typeof fetch = (input, init) =>
        /\/(user|actions\/runs)$/.test(new URL(String(input)).pathname)
          ? Promise.resolve(Response.json({ message: 'token does not have at least one of required scope(s)' }, { status: 403 }))
          : fetch(input, init)
      expect((await scene.connect(narrow).describeAccess('config'))?.missing).toEqual(['scope read:user'])
      const missing = (await scene.connect(narrow).describeAccess(scene.project()))?.missing
      expect(missing).toEqual(['the list of runs (scope write:repository)'])
    })

    it.each([
      ['1.24.7', server === 'gitea' ? /too old/ : /says that it is Gitea/],
      ['16.0.1+gitea-1.22.0', server === 'gitea' ? /says that it is Forgejo/ : null],
      ['1.25.0', server === 'gitea' ? null : /name that provider/],
    ])('a server of version %s is told from what it should be', async (version, note) => {
      const there = await openGiteaScene(server, { version })
      const notes = (await there.connect().describeAccess('config'))?.notes ?? []
      if (note === null) expect(notes).toEqual([scopes])
      else expect(notes[0]).toMatch(note)
      await there.close()
    })
  })
})

describe('words that no version sends today', () => {
  const gitea = (status: string, conclusion: string | null) => DIALECTS.gitea.run({ id: 1, status, conclusion }).state
  const forgejo = (more: object) => DIALECTS.forgejo.run({ id: 1, ...more }).state

  it('never mean that a run is over, nor that it went well', () => {
    expect([gitea('odd', null), gitea('completed', null), gitea('completed', ''), gitea('', 'success')]).toEqual(
      Array(4).fill('active'),
    )
    expect([gitea('completed', 'neutral'), gitea('completed', 'odd')]).toEqual(['failed', 'failed'])
    expect([forgejo({ status: 'unknown' }), forgejo({})]).toEqual(['active', 'active'])
  })

  it('tell that a run needs the approval of a person', () => {
    expect(forgejo({ status: 'waiting', need_approval: true })).toBe('blocked')
    expect(forgejo({ status: 'success', need_approval: true })).toBe('success')
  })

  it('are read from an answer that lacks nearly everything', () => {
    expect(DIALECTS.gitea.run({ id: 1 })).toMatchObject({
      title: '',
      workflow: '',
      event: '',
      ref: '',
      url: null,
      startedAt: null,
    })
    expect(DIALECTS.forgejo.run({ id: 1, event_payload: '{"inputs":7}' })).toMatchObject({ inputs: null, createdAt: null })
    expect(DIALECTS.gitea.dispatched(null, '')).toBeNull()
    expect(DIALECTS.gitea.dispatched({ workflow_run_id: '7' }, '')).toBeNull()
    expect(DIALECTS.forgejo.dispatched({ id: 7 }, 'https://x.test/a/b')).toEqual({ id: 7, url: null })
  })
})

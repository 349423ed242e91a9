import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../../controller/clock.ts'
import type { PipelineProvider, Trigger } from '../../../controller/jobs/executor.ts'
import { type CommitSha, commitSha } from '../../../controller/model/names.ts'
import { trigger as anyTrigger } from '../fixtures.ts'
import { type BitbucketScene, BOT, openBitbucketScene, SHOP } from './bitbucket-scene.ts'

const SELECTOR = { selector: 'custom:deploy-prod', workflowRef: null }
let scene: BitbucketScene
let pipeline: PipelineProvider
let first: CommitSha
let head: CommitSha
let tests = 0

beforeAll(async () => {
  scene = await openBitbucketScene()
  const { forge } = scene
  forge.user('alice')
  forge.addMember(SHOP, 'alice', 'write')
  first = commitSha((await forge.sha(SHOP, 'main')) ?? '')
  await forge.createTag(SHOP, 'v1.4.2', first, { as: 'acme', message: 'Release' })
  head = commitSha(await forge.commit(SHOP, 'main', { VERSION: '2' }, { as: 'acme' }))
  await forge.commit(SHOP, 'deploy', { 'deploy.sh': 'x' }, { as: 'acme' })
  pipeline = scene.connect().connections.pipeline(scene.project())
})
afterEach(async () => {
  scene.forge.tell({ variables: false, claims: true })
  await scene.check()
})
afterAll(() => scene.close())

function trigger(more: Partial<Trigger> = {}): Trigger {
  const jobId = `00000000-0000-5000-8000-${String(++tests).padStart(12, '0')}` as Trigger['jobId']
  return anyTrigger({ jobId, sha: first, selector: SELECTOR, intendedAt: scene.clock.now(), ...more })
}

async function started(wanted = trigger(), by = pipeline): Promise<string> {
  const outcome = await by.start(wanted)
  if (outcome.kind !== 'started') throw new Error(`not started: ${JSON.stringify(outcome)}`)
  return outcome.run.externalId
}
const made = ({ jobId }: Trigger) => scene.forge.pipelines(SHOP).find(({ variables }) => variables['JOB_ID'] === jobId)
const ids = async (wanted: Trigger, by = pipeline) => (await by.find(wanted)).map(({ externalId }) => externalId)

describe('a pipeline on Bitbucket', () => {
  it.each<[string, Partial<Trigger>, object]>([
    ['a tag', { ref: 'v1.4.2', refType: 'tag' }, { type: 'pipeline_ref_target', refType: 'tag', refName: 'v1.4.2' }],
    ['a branch', { ref: 'main', refType: 'branch' }, { type: 'pipeline_ref_target', refType: 'branch', refName: 'main' }],
    ['a commit', { ref: 'f'.repeat(40), refType: 'sha' }, { type: 'pipeline_commit_target', refType: null }],
  ])('asked for by %s runs on the approved commit, wherever the ref is now', async (_what, more, target) => {
    const wanted = trigger(more)
    await started(wanted)
    expect(made(wanted)?.target).toMatchObject({ ...target, commit: first, selector: { type: 'custom', pattern: 'deploy-prod' } })
    expect(await scene.forge.sha(SHOP, 'main')).toBe(head)
  })

  it('with a workflow_ref runs the definition of that branch, and is told the commit', async () => {
    const selector = { ...SELECTOR, workflowRef: 'deploy' }
    const wanted = trigger({ selector })
    const id = await started(wanted)
    expect(made(wanted)).toMatchObject({ target: { refName: 'deploy', commit: await scene.forge.sha(SHOP, 'deploy') } })
    expect(made(wanted)?.variables['SHA']).toBe(first)
    expect(await pipeline.observe({ externalId: id, selector })).toMatchObject({ state: 'queued' })
    const elsewhere = { ...SELECTOR, workflowRef: 'main' }
    expect(await pipeline.observe({ externalId: id, selector: elsewhere })).toMatchObject({
      state: 'vanished',
      detail: expect.stringContaining('is of deploy, not of main'),
    })
  })

  it('is refused in words where the approved commit does not define it', async () => {
    await scene.forge.commit(SHOP, 'bare', { 'bitbucket-pipelines.yml': null }, { as: 'acme' })
    const bare = commitSha((await scene.forge.sha(SHOP, 'bare')) ?? '')
    expect(await pipeline.start(trigger({ sha: bare, ref: 'bare', refType: 'branch' }))).toMatchObject({
      kind: 'refused',
      retryAfterMs: null,
      why: expect.stringContaining('There is no bitbucket-pipelines.yml'),
    })
  })

  it.each(['branches:main', 'custom:', ':deploy', 'default:'])('is never of the selector %j', async (selector) => {
    const call = trigger({ selector: { selector, workflowRef: null } })
    expect(await pipeline.start(call)).toMatchObject({ kind: 'refused', why: expect.stringContaining('write custom:NAME') })
    await expect(pipeline.find(call)).rejects.toMatchObject({ name: 'RefusedFault' })
  })

  it('whose answer comes too late was made once, and is found', async () => {
    scene.forge.faults.add({ on: 'pipelines/create', kind: 'slow_after', delayMs: MINUTE_MS })
    const wanted = trigger()
    const outcome = pipeline.start(wanted)
    while (made(wanted) === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
    scene.clock.advance(10_000)
    expect((await outcome).kind).toBe('unknown')
    scene.clock.advance(MINUTE_MS)
    expect(await ids(wanted)).toEqual([made(wanted)?.uuid])
    expect(scene.forge.triggerCount(wanted.jobId)).toBe(1)
  })

  it('that Bitbucket started on another commit is asked to stop, and is not called started', async () => {
    const swapped: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      if (init?.method !== 'POST' || !String(input).endsWith('/pipelines')) return response
      const body = (await response.json()) as { target: object }
      return new Response(JSON.stringify({ ...body, target: { ...body.target, commit: { hash: head } } }), response)
    }
    const wanted = trigger()
    const outcome = await scene.connect(swapped).connections.pipeline(scene.project()).start(wanted)
    expect(outcome).toMatchObject({ kind: 'unknown', why: expect.stringContaining(`not on the approved ${first}`) })
    expect(made(wanted)?.word).toBe('STOPPED')
  })

  it('that tells of another commit than it was told is not believed', async () => {
    scene.forge.tell({ variables: true })
    const wanted = trigger()
    const id = await started(wanted)
    Object.assign(made(wanted)?.target ?? {}, { commit: head })
    scene.clock.advance(2_000)
    expect(await pipeline.observe({ externalId: id, selector: SELECTOR })).toMatchObject({
      state: 'vanished',
      detail: expect.stringContaining(`is of commit ${head}, not of ${first}`),
    })
    expect(await ids(wanted)).toEqual([])
    scene.clock.advance(10 * MINUTE_MS)
  })

  it('is known by its own words where they say more', async () => {
    const id = await started()
    const detail = async (word: 'PAUSED' | 'EXPIRED' | 'SUCCESSFUL') => {
      scene.forge.setPipeline(id, word)
      scene.clock.advance(2_000)
      return (await pipeline.observe({ externalId: id, selector: SELECTOR })).detail
    }
    expect([await detail('PAUSED'), await detail('EXPIRED'), await detail('SUCCESSFUL')]).toEqual(['paused', 'expired', null])
  })

  it('is trouble, not gone, when the repository may not be seen any more', async () => {
    const id = await started()
    scene.clock.advance(2_000)
    scene.forge.addMember(SHOP, BOT, null)
    await expect(pipeline.observe({ externalId: id, selector: SELECTOR })).rejects.toMatchObject({ name: 'RefusedFault' })
    scene.forge.addMember(SHOP, BOT, 'write')
  })

  it('is looked for among those made in the time asked about', async () => {
    const wanted = trigger()
    const id = await started(wanted)
    scene.clock.advance(10 * MINUTE_MS)
    expect(await ids({ ...wanted, intendedAt: scene.clock.now() })).toEqual([])
    expect(await pipeline.find({ ...wanted, until: wanted.intendedAt - 10 * MINUTE_MS })).toEqual([])
    // Bitbucket's clock may be a little behind ours.
    expect(await ids({ ...wanted, intendedAt: wanted.intendedAt + MINUTE_MS })).toEqual([id])
    expect(await pipeline.doubt(wanted)).toBeNull()
  })
})

describe('whose a pipeline on Bitbucket is, when its variables are not told,', () => {
  it('it says itself, by a report on its commit', async () => {
    const [one, other] = [trigger(), trigger()]
    const [id, otherId] = [await started(one), await started(other)]
    expect([await ids(one), await ids(other)]).toEqual([[id], [otherId]])
  })

  it('is not known while it has not said so, and is once it has', async () => {
    scene.clock.advance(10 * MINUTE_MS)
    scene.forge.tell({ claims: false })
    const wanted = trigger()
    const id = await started(wanted)
    await expect(pipeline.find(wanted)).rejects.toMatchObject({ name: 'TransientFault', message: /has not said yet/ })
    const reports = scene.forge.repository(SHOP).reports
    const body = { type: 'report', external_id: `draven-job-${wanted.jobId}`, details: `pipeline ${id}` }
    reports.set(`${first} draven-job-${wanted.jobId}`, { body, annotations: new Map() })
    expect(await ids(wanted)).toEqual([id])
    scene.clock.advance(10 * MINUTE_MS)
  })

  it('is never known of one that ended without a word, and that is no proof that there was none', async () => {
    scene.clock.advance(10 * MINUTE_MS)
    scene.forge.tell({ claims: false })
    const wanted = trigger()
    scene.forge.setPipeline(await started(wanted), 'FAILED')
    const fault = { name: 'RefusedFault', message: /never said whose it is.*docs\/bitbucket\.md/ }
    await expect(pipeline.find(wanted)).rejects.toMatchObject(fault)
    scene.clock.advance(10 * MINUTE_MS)
  })

  it('is no report of another pipeline to say', async () => {
    scene.clock.advance(10 * MINUTE_MS)
    const [one, other] = [trigger(), trigger()]
    await started(one)
    scene.forge.tell({ claims: false })
    await started(other)
    await expect(pipeline.find(one)).rejects.toMatchObject({ name: 'TransientFault' })
    scene.clock.advance(10 * MINUTE_MS)
  })

  it('is nobody for one that a person started, where the token has a name to compare', async () => {
    scene.clock.advance(10 * MINUTE_MS)
    const api = { text: scene.forge.token('alice', 'api'), email: 'alice@example.test' }
    const asAlice = scene.connect(undefined, api).connections.pipeline(scene.project())
    scene.forge.tell({ claims: false })
    await started(trigger())
    const wanted = trigger()
    // Made by the bot, so not by alice, in whose name we speak here.
    expect(await ids(wanted, asAlice)).toEqual([])
    await expect(pipeline.find(wanted)).rejects.toMatchObject({ name: 'TransientFault' })
    scene.clock.advance(10 * MINUTE_MS)
  })
})

describe('runs that are looked at together', () => {
  it('cost one list a look, however many they are', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, () => started()))
    scene.clock.advance(2_000)
    const before = scene.forge.calls()
    const seen = await Promise.all(many.map((externalId) => pipeline.observe({ externalId, selector: SELECTOR })))
    expect(new Set(seen.map(({ state }) => state))).toEqual(new Set(['queued']))
    expect(scene.forge.calls() - before).toBe(1)
  })

  it('are asked about alone when the list does not reach them', async () => {
    const id = await started()
    const short: typeof fetch = (input, init) => fetch(String(input).replace('pagelen=100', 'pagelen=1'), init)
    const nearsighted = scene.connect(short).connections.pipeline(scene.project())
    await started()
    expect(await nearsighted.observe({ externalId: id, selector: SELECTOR })).toMatchObject({ state: 'queued' })
  })

  it('are read again at once after one of them was asked to stop', async () => {
    const id = await started()
    await pipeline.observe({ externalId: id, selector: SELECTOR })
    await pipeline.cancel({ externalId: id })
    expect(await pipeline.observe({ externalId: id, selector: SELECTOR })).toMatchObject({ state: 'canceled' })
  })

  it('are read again after a list that could not be', async () => {
    const id = await started()
    scene.clock.advance(2_000)
    scene.forge.faults.add({ on: 'pipelines/list', kind: 'error_before' })
    await expect(pipeline.observe({ externalId: id, selector: SELECTOR })).rejects.toMatchObject({ name: 'TransientFault' })
    expect(await pipeline.observe({ externalId: id, selector: SELECTOR })).toMatchObject({ state: 'queued' })
  })
})

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { commitSha } from '../../../controller/model/names.ts'
import type { CheckMessage, DeploymentMessage, PullRequestVoice } from '../../../controller/notify/publisher.ts'
import { DEVELOPER, stateOf } from '../../sandbox/gitlab/world.ts'
import { CONFIG, type GitlabScene, openGitlabScene, SHOP } from './gitlab-scene.ts'

let scene: GitlabScene
let voice: PullRequestVoice
let requests = 0

beforeAll(async () => {
  scene = await openGitlabScene()
  scene.forge.user('alice')
  scene.forge.addMember(CONFIG, 'alice', DEVELOPER)
  voice = freshVoice()
})
afterEach(() => scene.check())
afterAll(() => scene.close())

function freshVoice(): PullRequestVoice {
  const { configHost } = scene.connect()
  if (configHost === null) throw new Error('no config host')
  return configHost.voice
}

async function opened() {
  const branch = `request-${++requests}`
  const sha = commitSha(await scene.forge.commit(CONFIG, branch, { [`requests/${branch}.yaml`]: 'x' }, { as: 'alice' }))
  return { sha, number: await scene.forge.openPull(CONFIG, { head: branch, author: 'alice' }) }
}

function message(sha: CheckMessage['sha'], more: Partial<CheckMessage> = {}): CheckMessage {
  return { sha, name: 'draven/gate', state: 'success', title: 'Allowed', summary: '', annotations: [], detailsUrl: null, ...more }
}
const posted = (sha: string) =>
  scene.forge
    .project(CONFIG)
    .statuses.filter((status) => status.sha === sha)
    .map(({ name, status, description, targetUrl }) => ({ name, status, description, targetUrl }))

describe('a status on a merge request', () => {
  it.each([
    ['success', 'success'],
    ['failure', 'failed'],
    ['canceled', 'canceled'],
  ] as const)('that says %s is shown as %s, once however often it is said', async (state, shown) => {
    const { sha } = await opened()
    const said = message(sha, { state, title: `It is ${state}`, detailsUrl: 'https://draven.test/jobs/1' })
    const id = await voice.publishCheck(said, null)
    expect(await freshVoice().publishCheck(said, id)).toBe(id)
    expect(posted(sha)).toEqual([
      { name: 'draven/gate', status: shown, description: `It is ${state}`, targetUrl: 'https://draven.test/jobs/1' },
    ])
  })

  it('is not posted while something is waited for, so that it keeps no pipeline running', async () => {
    const { sha } = await opened()
    const { id } = scene.forge.addPipeline(CONFIG, { ref: 'main', sha, source: 'push', by: 'alice', jobs: ['lint'] })
    scene.forge.setPipeline(id, 'success')
    expect(await voice.publishCheck(message(sha, { state: 'pending', title: 'Waits for 2 approvals' }), null)).toBe('')
    const [pipeline] = scene.forge.pipelines(CONFIG).filter((each) => each.id === id)
    expect(pipeline && stateOf(scene.forge.project(CONFIG), pipeline)).toBe('success')
    expect(posted(sha)).toEqual([])
  })

  it('that no longer holds does not stay a success', async () => {
    const { sha } = await opened()
    await voice.publishCheck(message(sha), null)
    await voice.publishCheck(message(sha, { state: 'pending', title: 'The tag has moved' }), null)
    expect(posted(sha).at(-1)).toMatchObject({ status: 'failed', description: 'The tag has moved' })
    await voice.publishCheck(message(sha), null)
    expect(posted(sha).at(-1)).toMatchObject({ status: 'success' })
  })

  it('may say an old state in new words, which GitLab refuses, and counts as said', async () => {
    const { sha } = await opened()
    const id = await voice.publishCheck(message(sha, { state: 'failure', title: 'One mistake' }), null)
    expect(await voice.publishCheck(message(sha, { state: 'failure', title: 'Two mistakes' }), id)).toBe(id)
    expect(posted(sha)).toHaveLength(1)
  })

  it('that GitLab refuses for another reason is trouble', async () => {
    const { sha } = await opened()
    const refusing: typeof fetch = (input, init) =>
      init?.method === 'POST' ? Promise.resolve(Response.json({ message: 'no' }, { status: 400 })) : fetch(input, init)
    const refused = scene.connect(refusing).configHost?.voice.publishCheck(message(sha), null)
    await expect(refused).rejects.toMatchObject({ name: 'RefusedFault', status: 400 })
  })

  it('is cut to what GitLab keeps', async () => {
    const { sha } = await opened()
    await voice.publishCheck(message(sha, { title: 'x'.repeat(300), detailsUrl: `https://draven.test/${'y'.repeat(300)}` }), null)
    expect(posted(sha)).toEqual([{ name: 'draven/gate', status: 'success', description: `${'x'.repeat(254)}…`, targetUrl: null }])
  })

  it('whose answer was lost is not posted again', async () => {
    const { sha } = await opened()
    scene.forge.faults.add({ on: 'statuses/create', kind: 'accept_then_drop' })
    await expect(voice.publishCheck(message(sha), null)).rejects.toMatchObject({ name: 'TransientFault' })
    await voice.publishCheck(message(sha), null)
    expect(posted(sha)).toHaveLength(1)
  })
})

describe('the note on a merge request', () => {
  const notes = (iid: number) => scene.forge.project(CONFIG).requests.find((each) => each.iid === iid)?.notes ?? []

  it('is written once and then edited in place', async () => {
    const { number } = await opened()
    const id = await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
    expect(await voice.upsertComment({ pullRequest: number, body: 'two' }, id)).toBe(id)
    expect(notes(number).map(({ body }) => body)).toEqual(['<!-- draven -->\ntwo'])
  })

  it('is found again by its mark when its id was lost, among many others', async () => {
    const { number } = await opened()
    for (let count = 0; count < 120; count++) scene.forge.comment(CONFIG, number, 'alice', `note ${count}`)
    const id = await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
    expect(await freshVoice().upsertComment({ pullRequest: number, body: 'two' }, null)).toBe(id)
    expect(notes(number).filter(({ body }) => body.includes('draven'))).toHaveLength(1)
  })

  it("is never somebody else's, whatever mark they copied", async () => {
    const { number } = await opened()
    const theirs = scene.forge.comment(CONFIG, number, 'alice', '<!-- draven -->\nI approve of everything')
    const id = await voice.upsertComment({ pullRequest: number, body: 'ours' }, null)
    expect(id).not.toBe(String(theirs))
    expect(notes(number).find((note) => note.id === theirs)?.body).toContain('I approve of everything')
  })

  it('is written anew when somebody deleted it', async () => {
    const { number } = await opened()
    const id = await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
    notes(number).length = 0
    expect(await voice.upsertComment({ pullRequest: number, body: 'one' }, id)).not.toBe(id)
    expect(notes(number)).toHaveLength(1)
  })

  it('whose answer was lost is not written twice', async () => {
    const { number } = await opened()
    scene.forge.faults.add({ on: 'notes/create', kind: 'error_after' })
    await expect(voice.upsertComment({ pullRequest: number, body: 'one' }, null)).rejects.toMatchObject({
      name: 'TransientFault',
    })
    await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
    expect(notes(number)).toHaveLength(1)
  })
})

describe("GitLab's list of deployments", () => {
  const said = (state: DeploymentMessage['state'], more: Partial<DeploymentMessage> = {}): DeploymentMessage => ({
    jobId: 'x',
    sha: commitSha('b'.repeat(40)),
    ref: 'main',
    environment: 'prod',
    production: true,
    state,
    description: '',
    logUrl: null,
    environmentUrl: null,
    ...more,
  })
  const mirror = (wanted: DeploymentMessage, known: string | null) => {
    const deployments = scene.connect().connections.deployments(scene.project())
    if (deployments === null) throw new Error('no deployments')
    return deployments.mirror(wanted, known)
  }
  const listed = () => scene.forge.project(SHOP).deployments

  it('has one deployment a job, from its start to its end', async () => {
    const before = listed().length
    const waiting = await mirror(said('queued'), null)
    expect([waiting, listed().length]).toEqual(['', before])
    const id = await mirror(said('in_progress'), waiting)
    expect(listed().at(-1)).toMatchObject({ id: Number(id), status: 'running', environment: 'prod', ref: 'main', tag: false })
    expect(await mirror(said('in_progress'), id)).toBe(id)
    expect(await mirror(said('success'), id)).toBe(id)
    expect(await mirror(said('success'), id)).toBe(id)
    expect([listed().length, listed().at(-1)?.status]).toEqual([before + 1, 'success'])
  })

  it.each([
    ['failure', 'failed'],
    ['inactive', 'canceled'],
  ] as const)('shows %s as %s', async (state, status) => {
    await mirror(said(state), await mirror(said('in_progress'), null))
    expect(listed().at(-1)?.status).toBe(status)
  })

  it('says that a tag is one, and makes a new entry for a try after the end', async () => {
    const head = await scene.forge.sha(SHOP, 'main')
    await scene.forge.createTag(SHOP, 'v1.0.0', head ?? '', { as: 'acme' })
    const id = await mirror(said('failure', { ref: 'v1.0.0' }), null)
    expect(listed().at(-1)).toMatchObject({ tag: true, status: 'failed' })
    expect(await mirror(said('in_progress', { ref: 'v1.0.0' }), id)).not.toBe(id)
    expect(listed().at(-1)?.status).toBe('running')
  })
})

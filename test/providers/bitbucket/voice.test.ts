import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { commitSha } from '../../../controller/model/names.ts'
import type { CheckAnnotation, CheckMessage, PullRequestVoice } from '../../../controller/notify/publisher.ts'
import { type BitbucketScene, CONFIG, openBitbucketScene } from './bitbucket-scene.ts'

let scene: BitbucketScene
let voice: PullRequestVoice
let requests = 0

beforeAll(async () => {
  scene = await openBitbucketScene()
  scene.forge.user('alice')
  scene.forge.addMember(CONFIG, 'alice', 'write')
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
const posted = (sha: string) => scene.forge.repository(CONFIG).statuses.get(sha) ?? []
const report = (sha: string) => scene.forge.repository(CONFIG).reports.get(`${sha} draven-validate`)

function annotation(more: Partial<CheckAnnotation> = {}): CheckAnnotation {
  const place = { path: 'requests/a.yaml', line: 3, column: 1, endColumn: 4 }
  return { ...place, severity: 'error', title: 'DRV1203 unknown key', message: 'did you mean `reason`?', ...more }
}

describe('a status on a pull request', () => {
  it.each([
    ['pending', 'INPROGRESS'],
    ['success', 'SUCCESSFUL'],
    ['failure', 'FAILED'],
    ['canceled', 'STOPPED'],
  ] as const)('that says %s is shown as %s, once however often it is said', async (state, shown) => {
    const { sha } = await opened()
    const said = message(sha, { state, title: `It is ${state}`, detailsUrl: 'https://draven.test/jobs/1' })
    const id = await voice.publishCheck(said, null)
    expect(await freshVoice().publishCheck(said, id)).toBe(id)
    expect(posted(sha)).toMatchObject([
      { key: 'draven/gate', state: shown, description: `It is ${state}`, url: 'https://draven.test/jobs/1' },
    ])
  })

  it('is one of the pull request, by its branch, once that was read', async () => {
    const { sha, number } = await opened()
    const { configHost } = scene.connect()
    await configHost?.reviews.pullRequest(number)
    await configHost?.voice.publishCheck(message(sha), null)
    expect(posted(sha)).toMatchObject([{ refname: scene.forge.pull(CONFIG, number).sourceBranch }])
  })

  it('takes the place of what it said before, and of what another said under its key', async () => {
    const { sha } = await opened()
    await voice.publishCheck(message(sha, { state: 'pending', title: 'Waits' }), null)
    await voice.publishCheck(message(sha), null)
    const forged = { key: 'draven/gate', name: 'draven/gate', description: 'All fine', url: 'https://x.test' }
    scene.forge.postStatus(CONFIG, sha, { ...forged, state: 'SUCCESSFUL' })
    await voice.publishCheck(message(sha, { state: 'failure', title: 'Refused' }), 'draven/gate')
    expect(posted(sha)).toMatchObject([{ state: 'FAILED', description: 'Refused' }])
  })

  it('leads to its commit when there is no page, and is cut to what Bitbucket keeps', async () => {
    const { sha } = await opened()
    await voice.publishCheck(message(sha, { title: 'x'.repeat(300) }), null)
    expect(posted(sha)).toMatchObject([
      { description: `${'x'.repeat(254)}…`, url: expect.stringMatching(new RegExp(`/acme/config/commits/${sha}$`)) },
    ])
  })

  it('whose answer was lost is posted once', async () => {
    const { sha } = await opened()
    scene.forge.faults.add({ on: 'statuses/create', kind: 'accept_then_drop' })
    await expect(voice.publishCheck(message(sha), null)).rejects.toMatchObject({ name: 'TransientFault' })
    await voice.publishCheck(message(sha), null)
    expect(posted(sha)).toHaveLength(1)
  })
})

describe('the report on a pull request', () => {
  const validate = (sha: CheckMessage['sha'], annotations: CheckAnnotation[], more: Partial<CheckMessage> = {}) =>
    message(sha, { name: 'draven/validate', state: 'failure', title: '1 mistake', annotations, ...more })

  it('shows each finding at its line', async () => {
    const { sha } = await opened()
    const warning = annotation({ line: 0, severity: 'warning', title: 'DRV1306 few admins' })
    await voice.publishCheck(validate(sha, [annotation(), warning], { detailsUrl: 'https://draven.test/config' }), null)
    expect(report(sha)?.body).toMatchObject({ result: 'FAILED', reporter: 'DRAVEN', link: 'https://draven.test/config' })
    expect([...(report(sha)?.annotations.values() ?? [])]).toMatchObject([
      { path: 'requests/a.yaml', line: 3, summary: 'DRV1203 unknown key', details: 'did you mean `reason`?', severity: 'HIGH' },
      { path: 'requests/a.yaml', line: 1, summary: 'DRV1306 few admins', severity: 'LOW' },
    ])
  })

  it('no longer shows what was mended', async () => {
    const { sha } = await opened()
    await voice.publishCheck(validate(sha, [annotation(), annotation({ line: 9 })]), null)
    await voice.publishCheck(validate(sha, [annotation({ line: 9 })]), null)
    expect([...(report(sha)?.annotations.values() ?? [])]).toMatchObject([{ line: 9 }])
    await voice.publishCheck(validate(sha, [], { state: 'success', title: 'all documents are valid' }), null)
    expect(report(sha)).toMatchObject({ body: { result: 'PASSED' } })
    expect(report(sha)?.annotations.size).toBe(0)
  })

  it('of many findings is sent in as many calls as Bitbucket asks for, and up to as many as it takes', async () => {
    const { sha } = await opened()
    const many = Array.from({ length: 1_050 }, (_, line) => annotation({ line, message: 'x'.repeat(3_000) }))
    await voice.publishCheck(validate(sha, many), null)
    expect(report(sha)?.annotations.size).toBe(1_000)
  })

  it('is none for the gate, which finds nothing in files', async () => {
    const { sha } = await opened()
    await voice.publishCheck(message(sha), null)
    expect(report(sha)).toBeUndefined()
  })
})

describe('the comment on a pull request', () => {
  const comments = (number: number) => scene.forge.pull(CONFIG, number).comments

  it('is written once and then edited in place, with a mark that nobody sees', async () => {
    const { number } = await opened()
    const id = await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
    expect(await voice.upsertComment({ pullRequest: number, body: 'two' }, id)).toBe(id)
    expect(comments(number).map(({ raw }) => raw)).toEqual(['[//]: # (draven)\n\ntwo'])
  })

  it('holds no tags, which Bitbucket would show', async () => {
    const { number } = await opened()
    await voice.upsertComment({ pullRequest: number, body: '| <code>a&#124;b</code> | one<br>two | &lt;br&gt; |' }, null)
    expect(comments(number).map(({ raw }) => raw)).toEqual(['[//]: # (draven)\n\n| a&#124;b | one · two | &lt;br&gt; |'])
  })

  it('is found again by its mark when its id was lost, among many others', async () => {
    const { number } = await opened()
    for (let count = 0; count < 120; count++) scene.forge.comment(CONFIG, number, 'alice', `comment ${count}`)
    const id = await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
    expect(await freshVoice().upsertComment({ pullRequest: number, body: 'two' }, null)).toBe(id)
    expect(comments(number).filter(({ raw }) => raw.includes('draven'))).toHaveLength(1)
  })

  it("is never somebody else's, whatever mark they copied", async () => {
    const { number } = await opened()
    const theirs = scene.forge.comment(CONFIG, number, 'alice', '[//]: # (draven)\n\nI approve of everything')
    const id = await voice.upsertComment({ pullRequest: number, body: 'ours' }, null)
    expect(id).not.toBe(String(theirs))
    expect(comments(number).find((each) => each.id === theirs)?.raw).toContain('I approve of everything')
    expect(await freshVoice().upsertComment({ pullRequest: number, body: 'ours again' }, null)).toBe(id)
  })

  it('is written anew when somebody deleted it', async () => {
    const { number } = await opened()
    const id = await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
    for (const each of comments(number)) each.deleted = true
    expect(await voice.upsertComment({ pullRequest: number, body: 'one' }, id)).not.toBe(id)
    expect(comments(number).filter(({ deleted }) => !deleted)).toHaveLength(1)
  })

  it('whose answer was lost is not written twice', async () => {
    const { number } = await opened()
    scene.forge.faults.add({ on: 'comments/create', kind: 'error_after' })
    const said = { pullRequest: number, body: 'one' }
    await expect(voice.upsertComment(said, null)).rejects.toMatchObject({ name: 'TransientFault' })
    await voice.upsertComment(said, null)
    expect(comments(number)).toHaveLength(1)
  })
})

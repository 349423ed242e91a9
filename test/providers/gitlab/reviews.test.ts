import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PullRequestFacts, ReviewHost } from '../../../controller/approvals/evidence.ts'
import { MINUTE_MS } from '../../../controller/clock.ts'
import { versionAt } from '../../../controller/providers/gitlab/approvals.ts'
import { DEVELOPER } from '../../sandbox/gitlab/world.ts'
import { CONFIG, type GitlabScene, openGitlabScene } from './gitlab-scene.ts'

let scene: GitlabScene
let reviews: ReviewHost
let requests = 0

beforeAll(async () => {
  scene = await openGitlabScene()
  for (const username of ['alice', 'bob', 'carol']) {
    scene.forge.user(username, { email: `${username}@acme.test` })
    scene.forge.addMember(CONFIG, username, DEVELOPER)
  }
  reviews = host()
})
afterEach(() => scene.check())
afterAll(() => scene.close())

function host(fetch?: typeof globalThis.fetch): ReviewHost {
  const { configHost } = scene.connect(fetch)
  if (configHost === null) throw new Error('no config host')
  return configHost.reviews
}

/** A merge request by alice, on a branch of its own, a minute after its commit. */
async function opened(files: Record<string, string> = {}): Promise<{ number: number; branch: string; head: string }> {
  const branch = `request-${++requests}`
  const head = await scene.forge.commit(CONFIG, branch, { [`requests/${branch}.yaml`]: 'x', ...files }, { as: 'alice' })
  scene.clock.advance(MINUTE_MS)
  const number = await scene.forge.openPull(CONFIG, { head: branch, author: 'alice', title: `Deploy ${branch}` })
  scene.clock.advance(MINUTE_MS)
  return { number, branch, head }
}

/** GitLab's own answers, with those to one path changed. */
function changing<Body>(path: RegExp, change: (body: Body) => unknown): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    if (!path.test(new URL(String(input)).pathname)) return response
    return new Response(JSON.stringify(change((await response.json()) as Body)), response)
  }
}

const logins = (facts: PullRequestFacts) => facts.pushers?.map(({ login }) => login).sort()

describe('a merge request of the config repository', () => {
  it('is read with everything a decision may use', async () => {
    const { number, head } = await opened()
    const openedAt = scene.clock.now() - MINUTE_MS
    scene.forge.approve(CONFIG, number, 'bob')
    const facts = await reviews.pullRequest(number)
    expect(facts).toMatchObject({
      number,
      url: expect.stringMatching(/\/acme\/config\/-\/merge_requests\/\d+$/),
      author: { provider: 'gitlab', login: 'alice', kind: 'user', id: String(scene.forge.user('alice').id) },
      state: 'open',
      draft: false,
      baseRef: 'main',
      headSha: head,
      mergeCommit: null,
      mergedAt: null,
      fromFork: false,
      commitsTruncated: false,
      createdAt: openedAt,
      updatedAt: scene.clock.now(),
      hostTime: scene.clock.now(),
    })
    expect(facts.commits).toMatchObject([{ sha: head, author: { login: 'alice' }, authorEmail: 'alice@acme.test' }])
    expect(facts.files).toEqual([{ path: `requests/request-${requests}.yaml`, status: 'added' }])
    expect(facts.reviews).toMatchObject([
      { reviewer: { login: 'bob', kind: 'user' }, state: 'approved', commit: head, submittedAt: scene.clock.now() },
    ])
    expect(reviews.headRef(number)).toBe(`refs/merge-requests/${number}/head`)
    expect(await scene.forge.sha(CONFIG, reviews.headRef(number))).toBe(head)
  })

  it.each(['merge', 'squash', 'ff', 'squash_ff', 'rebase'] as const)(
    'names the commit that a merge by %s made',
    async (method) => {
      const { number } = await opened()
      // A rebase is what follows a target that has moved on.
      if (method === 'rebase') await scene.forge.commit(CONFIG, 'main', { 'other.txt': 'x' }, { as: 'acme' })
      const merged = await scene.forge.merge(CONFIG, number, { by: 'bob', method })
      const facts = await reviews.pullRequest(number)
      expect(facts).toMatchObject({ state: 'merged', mergeCommit: merged, mergedAt: scene.clock.now() })
      expect(await scene.forge.sha(CONFIG, 'refs/heads/main')).toBe(merged)
    },
  )

  it('shows what it renames and removes under both names', async () => {
    await scene.forge.commit(CONFIG, 'main', { 'holds/a.yaml': 'one\ntwo\nthree\n', 'holds/b.yaml': 'b' }, { as: 'acme' })
    const { number } = await opened({ 'holds/c.yaml': 'one\ntwo\nthree\n', 'holds/a.yaml': null as never, 'holds/b.yaml': 'bb' })
    expect((await reviews.pullRequest(number)).files).toEqual(
      expect.arrayContaining([
        { path: 'holds/a.yaml', status: 'removed' },
        { path: 'holds/c.yaml', status: 'renamed' },
        { path: 'holds/b.yaml', status: 'modified' },
      ]),
    )
  })

  it.each(['1000+', '7'])('is refused when GitLab lists fewer files than it counts (%s)', async (count) => {
    const { number } = await opened()
    const shy = host(changing<object>(/\/merge_requests\/\d+$/, (body) => ({ ...body, changes_count: count })))
    await expect(shy.pullRequest(number)).rejects.toMatchObject({ name: 'RefusedFault' })
  })

  it('tells a fork by its project, also when that is gone', async () => {
    const fork = await scene.forge.fork(CONFIG, 'mallory')
    scene.forge.addMember(fork, 'project_7_bot_1', DEVELOPER)
    await scene.forge.commit(fork, 'request', { 'requests/fork.yaml': 'x' }, { as: 'mallory' })
    const number = await scene.forge.openPull(CONFIG, { head: 'mallory:request', author: 'mallory' })
    expect(await reviews.pullRequest(number)).toMatchObject({
      fromFork: true,
      pushers: [{ login: 'mallory' }, { login: 'mallory' }],
    })
    const orphan = host(changing<object>(/\/merge_requests\/\d+$/, (body) => ({ ...body, source_project_id: null })))
    expect((await orphan.pullRequest(number)).fromFork).toBe(true)
  })
})

describe('an approval on GitLab', () => {
  it('belongs to the version that was on show, and stays with it when commits come', async () => {
    const { number, branch, head } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    scene.clock.advance(MINUTE_MS)
    const later = await scene.forge.commit(CONFIG, branch, { 'requests/more.yaml': 'y' }, { as: 'alice' })
    const facts = await reviews.pullRequest(number)
    expect(facts.headSha).toBe(later)
    expect(facts.reviews).toMatchObject([{ reviewer: { login: 'bob' }, commit: head }])
  })

  it('given anew belongs to the new version', async () => {
    const { number, branch } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    const later = await scene.forge.commit(CONFIG, branch, { 'requests/more.yaml': 'z' }, { as: 'alice' })
    scene.clock.advance(1)
    scene.forge.unapprove(CONFIG, number, 'bob')
    scene.forge.approve(CONFIG, number, 'bob')
    expect((await reviews.pullRequest(number)).reviews).toMatchObject([{ commit: later }])
  })

  it('of the very moment of a push belongs to the version before it', async () => {
    const { number, branch, head } = await opened()
    await scene.forge.commit(CONFIG, branch, { 'requests/more.yaml': 'w' }, { as: 'alice' })
    scene.forge.approve(CONFIG, number, 'bob')
    expect((await reviews.pullRequest(number)).reviews).toMatchObject([{ commit: head }])
    expect(versionAt([{ id: 1, head_commit_sha: 'a'.repeat(40), created_at: '2026-01-01T00:00:00Z' }], 0)).toBeNull()
  })

  it('that was taken back is gone', async () => {
    const { number } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    scene.forge.unapprove(CONFIG, number, 'bob')
    expect((await reviews.pullRequest(number)).reviews).toEqual([])
  })

  it('has its time from the notes that GitLab writes where the answer lacks it, and a copied note tells nothing', async () => {
    const { number, branch, head } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    const at = scene.clock.now()
    scene.clock.advance(MINUTE_MS)
    await scene.forge.commit(CONFIG, branch, { 'requests/more.yaml': 'v' }, { as: 'alice' })
    scene.clock.advance(MINUTE_MS)
    scene.forge.comment(CONFIG, number, 'bob', 'approved this merge request')
    const old = host(
      changing<{ approved_by: { user: object }[] }>(/\/approvals$/, (body) => ({
        ...body,
        approved_by: body.approved_by.map(({ user }) => ({ user })),
      })),
    )
    expect((await old.pullRequest(number)).reviews).toMatchObject([{ commit: head, submittedAt: at }])
  })

  it('without any known time belongs to no commit', async () => {
    const { number } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    const strip = changing<{ approved_by: { user: object }[] }>(/\/approvals$/, ({ approved_by: given }) => ({
      approved_by: given.map(({ user }) => ({ user })),
    }))
    const mute: typeof fetch = async (input, init) =>
      /\/notes$/.test(new URL(String(input)).pathname) ? Response.json([]) : strip(input, init)
    expect((await host(mute).pullRequest(number)).reviews).toMatchObject([{ commit: null }])
  })

  it('does not stand beside the same person asking for changes', async () => {
    const { number } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    scene.forge.requestChanges(CONFIG, number, 'bob')
    expect((await reviews.pullRequest(number)).reviews).toMatchObject([
      { reviewer: { login: 'bob' }, state: 'changes_requested' },
    ])
  })

  it('by a bot or by somebody who was blocked says so', async () => {
    const { number } = await opened()
    scene.forge.user('renovate', { bot: true })
    scene.forge.user('dave')
    scene.forge.user('group_9_bot_4b1f')
    for (const username of ['renovate', 'dave', 'group_9_bot_4b1f']) scene.forge.approve(CONFIG, number, username)
    scene.forge.user('dave').state = 'blocked'
    const kinds = (await reviews.pullRequest(number)).reviews.map(({ reviewer }) => [reviewer?.login, reviewer?.kind])
    expect(kinds).toEqual([
      ['renovate', 'bot'],
      ['dave', 'gone'],
      ['group_9_bot_4b1f', 'bot'],
    ])
  })
})

describe('who had a part in a merge request', () => {
  it('are authors and committers by their verified e-mails, and co-authors by what they say', async () => {
    const { number, branch } = await opened()
    const message = 'Change\n\nCo-authored-by: Carol <carol@acme.test>'
    await scene.forge.commit(CONFIG, branch, { a: '1' }, { as: 'alice', author: 'bob', committer: 'carol', message })
    const facts = await reviews.pullRequest(number)
    expect(facts.commits[0]).toMatchObject({
      author: { login: 'bob' },
      committerEmail: 'carol@acme.test',
      coAuthorEmails: ['carol@acme.test'],
    })
    expect(logins(facts)).toEqual(['alice', 'alice', 'carol'])
  })

  it("are recognised by GitLab's private addresses", async () => {
    const { number, branch } = await opened()
    const hidden = { name: 'B', email: '42-bob@users.noreply.gitlab.com' }
    await scene.forge.commit(CONFIG, branch, { a: '2' }, { as: 'alice', author: hidden, committer: hidden })
    const [newest] = (await reviews.pullRequest(number)).commits
    expect(newest).toMatchObject({ committer: { login: 'bob', id: '42' } })
  })

  it('are everybody who pushed to the branch since it was made, and nobody who pushed elsewhere', async () => {
    await scene.forge.commit(CONFIG, 'elsewhere', { e: 'x' }, { as: 'carol' })
    const { number, branch } = await opened()
    const pushed = await scene.forge.commit(CONFIG, branch, { b: '1' }, { as: 'bob', author: 'alice' })
    await scene.forge.commit(CONFIG, branch, { b: '2' }, { as: 'alice' })
    await scene.forge.forcePush(CONFIG, branch, pushed, { as: 'alice' })
    expect(new Set(logins(await reviews.pullRequest(number)))).toEqual(new Set(['alice', 'bob']))
  })

  it('include whoever pushed many refs at once, which GitLab sums up without naming one', async () => {
    const { number } = await opened()
    const { pushes } = scene.forge.project(CONFIG)
    const last = pushes.at(-1)
    if (last === undefined) throw new Error('no push')
    pushes.push({ ...last, author: scene.forge.user('bob'), action: 'pushed', ref: null })
    expect(logins(await reviews.pullRequest(number))).toContain('bob')
    pushes.pop()
  })

  it.each([
    ['does not answer GraphQL', () => ({ errors: [{ message: 'no such field' }] })],
    [
      'names fewer commits there',
      (body: { data: GraphData }) => {
        body.data.project.mergeRequest.commits.nodes = []
        return body
      },
    ],
    [
      'stops naming committers',
      (body: { data: GraphData }) => {
        body.data.project.mergeRequest.committers.pageInfo.hasNextPage = true
        return body
      },
    ],
  ] as const)('cannot all be known when GitLab %s, and then nobody is shown to be free', async (_what, change) => {
    const { number } = await opened()
    const facts = await host(changing<{ data: GraphData }>(/\/graphql$/, change)).pullRequest(number)
    expect(facts.commitsTruncated).toBe(true)
  })

  it('are as far as known without the events of a fork that may not be read', async () => {
    const fork = await scene.forge.fork(CONFIG, 'eve')
    await scene.forge.commit(
      fork,
      'request',
      { 'requests/eve.yaml': 'x' },
      { as: 'eve', author: { name: 'x', email: 'x@x.test' } },
    )
    const number = await scene.forge.openPull(CONFIG, { head: 'eve:request', author: 'eve' })
    expect((await reviews.pullRequest(number)).pushers).toBeNull()
  })
})

interface GraphData {
  project: { mergeRequest: { commits: { nodes: unknown[] }; committers: { pageInfo: { hasNextPage: boolean } } } }
}

describe('the list of merge requests', () => {
  it('has all that are open, and the others as far back as asked', async () => {
    const old = await opened()
    scene.forge.closePull(CONFIG, old.number, { by: 'alice' })
    const waiting = await opened()
    scene.clock.advance(60 * MINUTE_MS)
    const since = scene.clock.now()
    const fresh = await opened()
    const merged = await scene.forge.merge(CONFIG, fresh.number, { by: 'bob' })
    const listed = await reviews.pullRequests({ baseRef: 'main', since })
    const byNumber = new Map(listed.map((each) => [each.number, each]))
    expect(byNumber.get(waiting.number)).toMatchObject({ state: 'open', headSha: waiting.head })
    expect(byNumber.get(fresh.number)).toMatchObject({ state: 'merged', mergeCommit: merged })
    expect(byNumber.has(old.number)).toBe(false)
    expect(await reviews.pullRequests({ baseRef: 'other', since: 0 })).toEqual([])
  })

  it('leaves out one without any commit, and keeps the others', async () => {
    const [empty, full] = [await opened(), await opened()]
    const hollow = changing<{ iid: number }[]>(/\/merge_requests$/, (list) =>
      list.map((each) => (each.iid === empty.number ? { ...each, sha: null } : each)),
    )
    const numbers = (await host(hollow).pullRequests({ baseRef: 'main', since: 0 })).map(({ number }) => number)
    expect(numbers).toContain(full.number)
    expect(numbers).not.toContain(empty.number)
  })

  it('reads every page', async () => {
    const before = (await reviews.pullRequests({ baseRef: 'main', since: 0 })).length
    const { number } = await opened()
    const { requests: all } = scene.forge.project(CONFIG)
    const template = all.find((each) => each.iid === number)
    if (template === undefined) throw new Error('no request')
    for (let more = 1; more <= 230; more++) all.push({ ...template, iid: number + more })
    expect(await reviews.pullRequests({ baseRef: 'main', since: 0 })).toHaveLength(before + 231)
    all.splice(-230)
  })
})

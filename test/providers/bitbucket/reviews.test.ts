import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ReviewHost } from '../../../controller/approvals/evidence.ts'
import { MINUTE_MS } from '../../../controller/clock.ts'
import { type BitbucketScene, BOT, CONFIG, openBitbucketScene } from './bitbucket-scene.ts'
import { bitbucketLogin } from './code-host.ts'

let scene: BitbucketScene
let reviews: ReviewHost
let requests = 0

beforeAll(async () => {
  scene = await openBitbucketScene()
  for (const nickname of ['alice', 'bob', 'carol']) {
    scene.forge.user(nickname, { email: `${nickname}@acme.test` })
    scene.forge.addMember(CONFIG, nickname, 'write')
  }
  reviews = host()
})
afterEach(() => scene.check())
afterAll(() => scene.close())

function host(fetch?: typeof globalThis.fetch, secret?: { text: string; email?: string }): ReviewHost {
  const { configHost } = scene.connect(fetch, secret)
  if (configHost === null) throw new Error('no config host')
  return configHost.reviews
}

/** A pull request by alice, on a branch of its own, a minute after its commit. */
async function opened(files: Record<string, string | null> = {}) {
  const branch = `request-${++requests}`
  const all = { [`requests/${branch}.yaml`]: 'x', ...files }
  const head = await scene.forge.commit(CONFIG, branch, all, { as: 'alice' })
  scene.clock.advance(MINUTE_MS)
  const number = await scene.forge.openPull(CONFIG, { head: branch, author: 'alice', title: `Deploy ${branch}` })
  scene.clock.advance(MINUTE_MS)
  return { number, branch, head }
}

/** Bitbucket's own answers, with those to one path changed. */
function changing<Body>(path: RegExp, change: (body: Body) => unknown): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    if (!path.test(new URL(String(input)).pathname) || !response.ok) return response
    return new Response(JSON.stringify(change((await response.json()) as Body)), response)
  }
}

/** Bitbucket, answering one kind of question with a status alone. */
function refusing(path: RegExp, status: number): typeof fetch {
  return async (input, init) =>
    path.test(new URL(String(input)).pathname)
      ? new Response(JSON.stringify({ type: 'error', error: { message: 'No' } }), { status })
      : fetch(input, init)
}

describe('a pull request of the config repository', () => {
  it('is read with everything a decision may use, every commit by its whole id', async () => {
    const { number, head, branch } = await opened()
    const openedAt = scene.clock.now() - MINUTE_MS
    scene.forge.approve(CONFIG, number, 'bob')
    const facts = await reviews.pullRequest(number)
    expect(facts).toMatchObject({
      number,
      url: expect.stringMatching(/\/acme\/config\/pull-requests\/\d+$/),
      author: { provider: 'bitbucket', login: bitbucketLogin('alice'), kind: 'user' },
      state: 'open',
      draft: false,
      baseRef: 'main',
      headSha: head,
      mergeCommit: null,
      mergedAt: null,
      fromFork: false,
      commitsTruncated: false,
      createdAt: openedAt,
      updatedAt: openedAt,
      hostTime: scene.clock.now(),
    })
    expect(facts.author?.id).toBe(scene.forge.user('alice').accountId)
    const alice = { login: bitbucketLogin('alice') }
    expect(facts.commits).toMatchObject([
      { sha: head, author: alice, committer: alice, authorEmail: 'alice@acme.test', committerEmail: 'alice@acme.test' },
    ])
    expect(facts.pushers).toMatchObject([alice])
    expect(facts.files).toEqual([{ path: `requests/${branch}.yaml`, status: 'added' }])
    expect(facts.reviews).toMatchObject([
      {
        reviewer: { login: bitbucketLogin('bob'), kind: 'user' },
        state: 'approved',
        commit: head,
        submittedAt: scene.clock.now(),
      },
    ])
    // Bitbucket serves no ref of its own for it.
    expect(reviews.headRef(number)).toBe(`refs/heads/${branch}`)
  })

  it.each(['merge', 'squash', 'ff'] as const)('names the commit that a merge by %s made, and when', async (method) => {
    const { number } = await opened()
    const merged = await scene.forge.merge(CONFIG, number, { by: 'bob', method })
    const at = scene.clock.now()
    scene.clock.advance(MINUTE_MS)
    // What is said afterwards makes the merge no younger.
    scene.forge.comment(CONFIG, number, 'carol', 'Thanks')
    const facts = await reviews.pullRequest(number)
    expect(facts).toMatchObject({ state: 'merged', mergeCommit: merged, mergedAt: at, updatedAt: scene.clock.now() })
    const [listed] = (await reviews.pullRequests({ baseRef: 'main', since: at })).filter((each) => each.number === number)
    expect(listed).toMatchObject({ state: 'merged', mergeCommit: merged, mergedAt: at })
  })

  it('still names who wrote it when its branch is gone', async () => {
    const { number, head } = await opened()
    await scene.forge.merge(CONFIG, number, { by: 'bob', method: 'squash', closeSource: true })
    const facts = await reviews.pullRequest(number)
    expect(facts).toMatchObject({ commitsTruncated: false, commits: [{ sha: head, author: { login: bitbucketLogin('alice') } }] })
  })

  it('shows what it renames and removes under both names', async () => {
    const before = { 'holds/a.yaml': 'one\ntwo\nthree\n', 'holds/b.yaml': 'b' }
    await scene.forge.commit(CONFIG, 'main', before, { as: 'acme' })
    const { number } = await opened({ 'holds/c.yaml': 'one\ntwo\nthree\n', 'holds/a.yaml': null, 'holds/b.yaml': 'bb' })
    expect((await reviews.pullRequest(number)).files).toEqual(
      expect.arrayContaining([
        { path: 'holds/a.yaml', status: 'removed' },
        { path: 'holds/c.yaml', status: 'renamed' },
        { path: 'holds/b.yaml', status: 'modified' },
      ]),
    )
  })

  it('that changes something without a path is refused', async () => {
    const { number } = await opened()
    const odd = host(changing<object>(/\/diffstat\//, () => ({ values: [{ status: 'merge conflict', old: null, new: null }] })))
    await expect(odd.pullRequest(number)).rejects.toMatchObject({ name: 'RefusedFault', message: /without a path/ })
  })

  it('whose list of commits is not that of its head names nobody for certain', async () => {
    const { number } = await opened()
    const lagging = host(
      changing<{ values: object[] }>(/\/commits$/, ({ values }) => ({ values: values.map(() => ({ hash: 'f'.repeat(40) })) })),
    )
    expect(await lagging.pullRequest(number)).toMatchObject({ commitsTruncated: true })
    const empty = host(changing(/\/commits$/, () => ({ values: [] })))
    expect(await empty.pullRequest(number)).toMatchObject({ commitsTruncated: true, commits: [] })
  })

  it('is read over as many pages as there are', async () => {
    const { number, branch } = await opened()
    for (let more = 0; more < 60; more++) scene.forge.comment(CONFIG, number, 'carol', `${more}`)
    scene.clock.advance(MINUTE_MS)
    const later = await scene.forge.commit(CONFIG, branch, { more: 'x' }, { as: 'carol' })
    scene.clock.advance(MINUTE_MS)
    scene.forge.approve(CONFIG, number, 'bob')
    const facts = await reviews.pullRequest(number)
    expect(facts.pushers?.map(({ login }) => login)).toEqual(['alice', 'carol'].map(bitbucketLogin))
    expect(facts.reviews).toMatchObject([{ commit: later }])
  })

  it('is not read when the next page is the page itself', async () => {
    const { number } = await opened()
    const circle = host(async (input, init) => {
      const response = await fetch(input, init)
      if (!/\/activity$/.test(new URL(String(input)).pathname)) return response
      return new Response(JSON.stringify({ values: [], next: String(input) }), response)
    })
    await expect(circle.pullRequest(number)).rejects.toMatchObject({ name: 'TransientFault' })
  })
})

describe('pull requests of the config repository', () => {
  it('are listed by one question: what is open, and what changed lately', async () => {
    const open = await opened()
    const old = await opened()
    scene.forge.decline(CONFIG, old.number, { by: 'alice' })
    scene.clock.advance(10 * MINUTE_MS)
    const since = scene.clock.now()
    const declined = await opened()
    scene.forge.decline(CONFIG, declined.number, { by: 'alice' })
    const before = scene.forge.calls()
    const listed = await reviews.pullRequests({ baseRef: 'main', since })
    const numbers = listed.map(({ number }) => number)
    expect(numbers).toEqual(expect.arrayContaining([open.number, declined.number]))
    expect(numbers).not.toContain(old.number)
    expect(listed.find(({ number }) => number === declined.number)).toMatchObject({ state: 'closed', headSha: declined.head })
    // Asked again, nothing but the list: what a short hash stands for does not change.
    const first = scene.forge.calls() - before
    await reviews.pullRequests({ baseRef: 'main', since })
    expect(scene.forge.calls() - before - first).toBe(1)
    expect(await reviews.pullRequests({ baseRef: 'elsewhere" OR state="OPEN', since })).toEqual([])
  })

  it('have changed when somebody approved, although Bitbucket does not count that as a change', async () => {
    const { number } = await opened()
    const listedAt = async (host: ReviewHost) =>
      (await host.pullRequests({ baseRef: 'main', since: 0 })).find((each) => each.number === number)?.updatedAt
    const before = await listedAt(reviews)
    scene.forge.approve(CONFIG, number, 'bob')
    expect([before, await listedAt(reviews)]).toEqual([scene.clock.now() - MINUTE_MS, scene.clock.now()])
    expect((await reviews.pullRequest(number)).updatedAt).toBe(scene.clock.now())
    // Where lists do not tell who stands where, nothing that a list cannot say is compared with it.
    const plain = host((input, init) => fetch(String(input).replace(/&fields=[^&]*/, ''), init))
    expect(await listedAt(plain)).toBe(before)
    expect((await plain.pullRequest(number)).updatedAt).toBe(before)
  })

  it('from a fork are judged nowhere, and say why', async () => {
    const fork = await scene.forge.fork(CONFIG, 'mallory')
    scene.forge.addMember(fork, BOT, 'read')
    const head = await scene.forge.commit(fork, 'request', { 'requests/fork.yaml': 'x' }, { as: 'mallory' })
    const number = await scene.forge.openPull(CONFIG, { head: 'mallory:request', author: 'mallory' })
    expect(await reviews.pullRequest(number)).toMatchObject({ fromFork: true, headSha: head })
    expect(() => reviews.headRef(number)).toThrow(/comes from a fork.*Push its branch to acme\/config itself/)
  })

  it('are listed although one comes from a fork that is gone, or not for us', async () => {
    const { number } = await opened()
    const since = scene.clock.now()
    const gone = host(
      changing<{ values: { id: number; source: object }[] }>(/\/pullrequests$/, (page) => ({
        ...page,
        values: page.values.map((each) =>
          each.id === number ? each : { ...each, source: { ...each.source, repository: null } },
        ),
      })),
    )
    expect((await gone.pullRequests({ baseRef: 'main', since })).map((each) => each.number)).toEqual([number])
    const secret = host(refusing(/\/repositories\/mallory\//, 403))
    expect((await secret.pullRequests({ baseRef: 'main', since })).map((each) => each.number)).toContain(number)
  })
})

describe('an approval on Bitbucket', () => {
  it('belongs to the version that was on show, and stays with it when commits come', async () => {
    const { number, branch, head } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    scene.clock.advance(MINUTE_MS)
    const later = await scene.forge.commit(CONFIG, branch, { 'requests/more.yaml': 'y' }, { as: 'alice' })
    const facts = await reviews.pullRequest(number)
    expect(facts.headSha).toBe(later)
    expect(facts.reviews).toMatchObject([{ reviewer: { login: bitbucketLogin('bob') }, commit: head }])
  })

  it('given in the very moment of a push belongs to the version before', async () => {
    const { number, branch, head } = await opened()
    await scene.forge.commit(CONFIG, branch, { 'requests/more.yaml': 'y' }, { as: 'alice' })
    scene.forge.approve(CONFIG, number, 'bob')
    expect((await reviews.pullRequest(number)).reviews).toMatchObject([{ commit: head }])
  })

  it('that was taken back is gone, although the log still tells of it', async () => {
    const { number } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    scene.forge.unapprove(CONFIG, number, 'bob')
    expect((await reviews.pullRequest(number)).reviews).toEqual([])
  })

  it('of whom the log says nothing is bound to no commit', async () => {
    const { number } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    const silent = host(
      changing<{ values: object[] }>(/\/activity$/, ({ values }) => ({
        values: values.filter((entry) => !('approval' in entry)),
      })),
    )
    expect((await silent.pullRequest(number)).reviews).toMatchObject([{ state: 'approved', commit: null, submittedAt: 0 }])
  })

  it('of a commit that Bitbucket no longer has is bound to none', async () => {
    const { number, branch, head } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    scene.clock.advance(MINUTE_MS)
    await scene.forge.commit(CONFIG, branch, { 'requests/more.yaml': 'y' }, { as: 'alice' })
    const forgetful = host(refusing(new RegExp(`/commit/${head.slice(0, 12)}$`), 404))
    expect((await forgetful.pullRequest(number)).reviews).toMatchObject([{ state: 'approved', commit: null }])
  })

  it('is an objection once changes are asked for, at the time at which they were', async () => {
    const { number } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    scene.clock.advance(MINUTE_MS)
    scene.forge.requestChanges(CONFIG, number, 'bob')
    const at = scene.clock.now()
    scene.clock.advance(MINUTE_MS)
    scene.forge.comment(CONFIG, number, 'bob', 'See above')
    expect((await reviews.pullRequest(number)).reviews).toMatchObject([{ state: 'changes_requested', submittedAt: at }])
    const silent = host(changing<{ values: object[] }>(/\/activity$/, ({ values }) => ({ values: values.slice(-1) })))
    expect((await silent.pullRequest(number)).reviews).toMatchObject([{ state: 'changes_requested', submittedAt: at }])
  })

  it('by an access token is one by a bot', async () => {
    const { number } = await opened()
    scene.forge.approve(CONFIG, number, BOT)
    expect((await reviews.pullRequest(number)).reviews).toMatchObject([{ reviewer: { kind: 'bot' } }])
  })

  it('by somebody who left the workspace is one of a gone account, where the token may ask who is in it', async () => {
    const { number } = await opened()
    scene.forge.user('dora')
    scene.forge.approve(CONFIG, number, 'dora')
    scene.forge.approve(CONFIG, number, 'bob')
    const kinds = async (host: ReviewHost) =>
      (await host.pullRequest(number)).reviews.map(({ reviewer }) => [reviewer?.login, reviewer?.kind])
    const asMember = host(undefined, { text: scene.forge.token('carol', 'api'), email: 'carol@acme.test' })
    expect(await kinds(asMember)).toEqual([
      [bitbucketLogin('dora'), 'gone'],
      [bitbucketLogin('bob'), 'user'],
    ])
    // The token of a repository may not ask, and access.yaml decides alone.
    expect(await kinds(host())).toEqual([
      [bitbucketLogin('dora'), 'user'],
      [bitbucketLogin('bob'), 'user'],
    ])
  })

  it('is of nobody when Bitbucket shows no uuid, and no nickname makes up for it', async () => {
    const { number } = await opened()
    scene.forge.approve(CONFIG, number, 'bob')
    const nameless = host(
      changing<{ participants: { user: object }[] }>(/\/pullrequests\/\d+$/, (body) => ({
        ...body,
        participants: body.participants.map((each) => ({ ...each, user: { type: 'user', nickname: 'bob' } })),
      })),
    )
    expect((await nameless.pullRequest(number)).reviews).toEqual([])
  })
})

describe('a short hash', () => {
  it('is not believed when Bitbucket answers with another commit', async () => {
    const { number, head } = await opened()
    const lying = host(
      changing<object>(/\/commit\/[0-9a-f]{12}$/, (body) => ({
        ...body,
        hash: `${head.slice(0, 11)}${head[11] === '0' ? '1' : '0'}${head.slice(12)}`,
      })),
    )
    await expect(lying.pullRequest(number)).rejects.toMatchObject({ name: 'TransientFault' })
  })

  it.each(['', 'HEAD', 'main', '../x', 'abc'])('like %j is never asked about', async (hash) => {
    const { number } = await opened()
    const odd = host(
      changing<{ source: object }>(/\/pullrequests\/\d+$/, (body) => ({ ...body, source: { ...body.source, commit: { hash } } })),
    )
    await expect(odd.pullRequest(number)).rejects.toMatchObject({ name: 'RefusedFault' })
  })
})

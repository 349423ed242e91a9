import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PullRequestFacts, ReviewHost } from '../../../controller/approvals/evidence.ts'
import { MINUTE_MS } from '../../../controller/clock.ts'
import { BOT, CONFIG, changing, type GiteaScene, openGiteaScene } from './gitea-scene.ts'

describe.each(['gitea', 'forgejo'] as const)('on %s', (server) => {
  let scene: GiteaScene
  let reviews: ReviewHost
  let requests = 0

  beforeAll(async () => {
    scene = await openGiteaScene(server, { maxPage: 3 })
    for (const login of ['alice', 'bob', 'carol']) {
      scene.forge.user(login, { email: `${login}@acme.test` })
      scene.forge.addCollaborator(CONFIG, login, 'write')
    }
    reviews = host()
  })
  afterEach(() => scene.check())
  afterAll(() => scene.close())

  function host(fetch?: typeof globalThis.fetch): ReviewHost {
    return scene.connect(fetch).configHost!.reviews
  }

  /** A pull request by alice, on a branch of its own, a minute after its commit. */
  async function opened(files: Record<string, string | null> = {}): Promise<{ number: number; branch: string; head: string }> {
    const branch = `request/${++requests}`
    const head = await scene.forge.commit(CONFIG, branch, { [`requests/${requests}.yaml`]: 'x', ...files }, { as: 'alice' })
    scene.clock.advance(MINUTE_MS)
    const number = await scene.forge.openPull(CONFIG, { head: branch, author: 'alice', title: `Deploy ${requests}` })
    scene.clock.advance(MINUTE_MS)
    return { number, branch, head }
  }

  const logins = (facts: PullRequestFacts) => facts.pushers?.map(({ login }) => login).sort()
  const seconds = (instant: number) => Math.floor(instant / 1_000) * 1_000

  describe('a pull request of the config repository', () => {
    it('is read with everything a decision may use', async () => {
      const { number, head } = await opened()
      scene.forge.review(CONFIG, number, { by: 'bob', state: 'APPROVED' })
      const facts = await reviews.pullRequest(number)
      expect(facts).toMatchObject({
        number,
        url: expect.stringMatching(/\/acme\/config\/pulls\/\d+$/),
        title: `Deploy ${requests}`,
        author: { provider: server, login: 'alice', kind: 'user', id: String(scene.forge.user('alice').id) },
        state: 'open',
        draft: false,
        baseRef: 'main',
        headSha: head,
        mergeCommit: null,
        mergedAt: null,
        fromFork: false,
        commitsTruncated: false,
        createdAt: seconds(scene.clock.now() - MINUTE_MS),
        updatedAt: seconds(scene.clock.now()),
        hostTime: seconds(scene.clock.now()),
      })
      expect(facts.commits).toMatchObject([{ sha: head, author: { login: 'alice' }, authorEmail: 'alice@acme.test' }])
      expect(facts.files).toEqual([{ path: `requests/${requests}.yaml`, status: 'added' }])
      expect(facts.reviews).toMatchObject([
        { reviewer: { login: 'bob', kind: 'user' }, state: 'approved', commit: head, submittedAt: seconds(scene.clock.now()) },
      ])
      expect(await scene.forge.sha(CONFIG, reviews.headRef(number))).toBe(head)
    })

    it.each(['merge', 'squash', 'ff', 'rebase'] as const)('names the commit that a merge by %s made', async (method) => {
      if (method !== 'ff') await scene.forge.commit(CONFIG, 'main', { 'other.txt': `${server} ${method}` }, { as: 'acme' })
      const { number, head } = await opened()
      const merged = await scene.forge.merge(CONFIG, number, { by: 'bob', method })
      const facts = await reviews.pullRequest(number)
      expect(facts).toMatchObject({ state: 'merged', headSha: head, mergeCommit: merged, mergedAt: seconds(scene.clock.now()) })
      expect(await scene.forge.sha(CONFIG, 'refs/heads/main')).toBe(merged)
    })

    it('that was merged keeps the head of the merge, whatever is pushed to its branch later', async () => {
      const { number, branch, head } = await opened()
      await scene.forge.merge(CONFIG, number, { by: 'bob' })
      await scene.forge.commit(CONFIG, branch, { 'requests/later.yaml': 'evil' }, { as: 'carol' })
      expect(await reviews.pullRequest(number)).toMatchObject({ headSha: head, files: [{ path: `requests/${requests}.yaml` }] })
      const [listed] = (await reviews.pullRequests({ baseRef: 'main', since: 0 })).filter((each) => each.number === number)
      expect(listed?.headSha).toBe(head)
      await scene.forge.deleteRef(CONFIG, `refs/heads/${branch}`, { as: 'carol' })
      expect((await reviews.pullRequest(number)).headSha).toBe(head)
    })

    it('is refused when that head is not there any more', async () => {
      const { number } = await opened()
      await scene.forge.merge(CONFIG, number, { by: 'bob' })
      // The server lists what begins so: a longer number is not it.
      const lost = host(
        changing<object[]>(/\/git\/refs\//, () => [{ ref: `refs/pull/${number}0/head`, object: { sha: 'a'.repeat(40) } }]),
      )
      await expect(lost.pullRequest(number)).rejects.toMatchObject({ name: 'RefusedFault' })
    })

    it('shows what it renames and removes under both names, over as many pages as it takes', async () => {
      await scene.forge.commit(CONFIG, 'main', { 'holds/a.yaml': 'one\ntwo\nthree\n', 'holds/b.yaml': 'b' }, { as: 'acme' })
      const more = Object.fromEntries([...Array(5).keys()].map((count) => [`holds/more-${count}.yaml`, 'x']))
      const { number } = await opened({
        'holds/c.yaml': 'one\ntwo\nthree\n',
        'holds/a.yaml': null,
        'holds/b.yaml': 'bb',
        ...more,
      })
      const { files } = await reviews.pullRequest(number)
      expect(files).toEqual(
        expect.arrayContaining([
          { path: 'holds/a.yaml', status: 'removed' },
          { path: 'holds/c.yaml', status: 'renamed' },
          { path: 'holds/b.yaml', status: 'modified' },
          { path: 'holds/more-4.yaml', status: 'added' },
        ]),
      )
      expect(files).toHaveLength(9)
    })

    it('shows a removed file as one', async () => {
      await scene.forge.commit(CONFIG, 'main', { 'holds/gone.yaml': 'nothing like the others' }, { as: 'acme' })
      const { number } = await opened({ 'holds/gone.yaml': null })
      expect((await reviews.pullRequest(number)).files).toContainEqual({ path: 'holds/gone.yaml', status: 'removed' })
    })

    it('is refused when the server lists fewer files than it counts, unless the branch may have moved on since the merge', async () => {
      const { number } = await opened()
      const shy = host(changing<object>(/\/pulls\/\d+$/, (body) => ({ ...body, changed_files: 7 })))
      await expect(shy.pullRequest(number)).rejects.toMatchObject({ name: 'RefusedFault' })
      await scene.forge.merge(CONFIG, number, { by: 'bob' })
      expect((await shy.pullRequest(number)).files).toHaveLength(1)
    })

    it('tells a fork by its repository; when that is gone, nobody can be shown not to have pushed', async () => {
      const fork = await scene.forge.fork(CONFIG, 'mallory')
      scene.forge.addCollaborator(fork, BOT, 'read')
      await scene.forge.commit(fork, 'proposal', { 'requests/fork.yaml': 'x' }, { as: 'mallory' })
      const number = await scene.forge.openPull(CONFIG, { head: 'mallory:proposal', author: 'mallory' })
      const facts = await reviews.pullRequest(number)
      expect([facts.fromFork, facts.commitsTruncated, logins(facts)]).toEqual([true, false, ['mallory']])
      scene.forge.addCollaborator(fork, BOT, 'none')
      expect(await reviews.pullRequest(number)).toMatchObject({ commitsTruncated: true, pushers: null })
      scene.forge.deleteRepo(fork)
      expect(await reviews.pullRequest(number)).toMatchObject({ fromFork: true, commitsTruncated: true, pushers: null })
    })
  })

  describe('a review', () => {
    it('belongs to the commit that was reviewed, and stays with it when commits come', async () => {
      const { number, branch, head } = await opened()
      scene.forge.review(CONFIG, number, { by: 'bob', state: 'APPROVED' })
      const later = await scene.forge.commit(CONFIG, branch, { 'requests/more.yaml': 'y' }, { as: 'alice' })
      scene.forge.review(CONFIG, number, { by: 'carol', state: 'APPROVED', commit: head })
      scene.forge.review(CONFIG, number, { by: 'bob', state: 'APPROVED' })
      const facts = await reviews.pullRequest(number)
      expect(facts.reviews.map(({ reviewer, commit }) => [reviewer?.login, commit])).toEqual([
        ['bob', head],
        ['carol', head],
        ['bob', later],
      ])
    })

    it.each([
      ['APPROVED', 'approved'],
      ['REQUEST_CHANGES', 'changes_requested'],
      ['COMMENT', 'commented'],
      ['PENDING', 'pending'],
      ['REQUEST_REVIEW', 'pending'],
    ] as const)('that is %s is %s', async (state, expected) => {
      const { number } = await opened()
      const id = scene.forge.review(CONFIG, number, { by: 'bob', state })
      expect((await reviews.pullRequest(number)).reviews).toMatchObject([{ id: String(id), state: expected }])
    })

    it.each(['APPROVED', 'REQUEST_CHANGES'] as const)('that was %s and taken back says so', async (state) => {
      const { number } = await opened()
      scene.forge.dismissReview(CONFIG, number, scene.forge.review(CONFIG, number, { by: 'bob', state }))
      expect((await reviews.pullRequest(number)).reviews).toMatchObject([{ state: 'dismissed' }])
    })

    it('is taken in the order in which reviews were made, whatever that of the list', async () => {
      const { number } = await opened()
      for (const state of ['APPROVED', 'REQUEST_CHANGES'] as const) scene.forge.review(CONFIG, number, { by: 'bob', state })
      const reversed = host(changing<object[]>(/\/reviews$/, (list) => list.toReversed()))
      expect((await reversed.pullRequest(number)).reviews.map(({ state }) => state)).toEqual(['approved', 'changes_requested'])
    })

    it('that was a comment is one, dismissed or not', async () => {
      const { number } = await opened()
      scene.forge.dismissReview(CONFIG, number, scene.forge.review(CONFIG, number, { by: 'bob', state: 'COMMENT' }))
      expect((await reviews.pullRequest(number)).reviews).toMatchObject([{ state: 'commented' }])
    })

    it('is not lost on a later page, nor out of order', async () => {
      const { number } = await opened()
      for (let count = 0; count < 7; count++) scene.forge.review(CONFIG, number, { by: 'bob', state: 'COMMENT' })
      scene.forge.review(CONFIG, number, { by: 'bob', state: 'REQUEST_CHANGES' })
      const states = (await reviews.pullRequest(number)).reviews.map(({ state }) => state)
      expect(states).toEqual([...Array(7).fill('commented'), 'changes_requested'])
    })

    it('by the ghost of a deleted account, or by the server itself, is by nobody who could approve', async () => {
      const { number } = await opened()
      for (const by of ['bob', 'carol']) scene.forge.review(CONFIG, number, { by, state: 'APPROVED' })
      const users = [{ id: -1, login: 'Ghost' }, { id: -2, login: `${server}-actions` }, null]
      const haunted = host(
        changing<object[]>(/\/reviews$/, (list) =>
          [...list, list[0]!].map((review, index) => ({ ...review, user: users[index] })),
        ),
      )
      const kinds = (await haunted.pullRequest(number)).reviews.map(({ reviewer }) => reviewer?.kind ?? null)
      expect(kinds.toSorted()).toEqual(['bot', 'gone', null])
    })

    it('of a commit that the server does not know any more belongs to none', async () => {
      const { number } = await opened()
      scene.forge.review(CONFIG, number, { by: 'bob', state: 'APPROVED' })
      const lost = host(changing<object[]>(/\/reviews$/, (list) => list.map((review) => ({ ...review, commit_id: '' }))))
      expect((await lost.pullRequest(number)).reviews).toMatchObject([{ commit: null }])
    })
  })

  describe('the list of pull requests', () => {
    it('has all that are open, and the others as far back as asked', async () => {
      const old = await opened()
      scene.forge.closePull(CONFIG, old.number, { by: 'alice' })
      const waiting = await opened()
      scene.clock.advance(60 * MINUTE_MS)
      const since = seconds(scene.clock.now())
      const fresh = await opened()
      const merged = await scene.forge.merge(CONFIG, fresh.number, { by: 'bob' })
      const listed = await reviews.pullRequests({ baseRef: 'main', since })
      const byNumber = new Map(listed.map((each) => [each.number, each]))
      expect(byNumber.get(waiting.number)).toMatchObject({ state: 'open', headSha: waiting.head })
      expect(byNumber.get(fresh.number)).toMatchObject({ state: 'merged', mergeCommit: merged })
      expect(byNumber.has(old.number)).toBe(false)
      expect((await reviews.pullRequests({ baseRef: 'main', since: 0 })).map(({ number }) => number)).toContain(old.number)
      expect(await reviews.pullRequests({ baseRef: 'other', since: 0 })).toEqual([])
    })

    it('has those of the very moment that is asked about, and is read no further back than needed', async () => {
      for (let count = 0; count < 4; count++) scene.forge.closePull(CONFIG, (await opened()).number, { by: 'alice' })
      const last = await opened()
      scene.clock.advance(1_000 - (scene.clock.now() % 1_000))
      scene.forge.closePull(CONFIG, last.number, { by: 'alice' })
      const asked: string[] = []
      const counting: typeof fetch = (input, init) => {
        if (String(input).includes('state=closed')) asked.push(String(input))
        return fetch(input, init)
      }
      const listed = await host(counting).pullRequests({ baseRef: 'main', since: scene.clock.now() })
      expect(listed.filter(({ state }) => state === 'closed').map(({ number }) => number)).toEqual([last.number])
      expect(asked).toHaveLength(1)
    })

    it('leaves out one without any commit, and keeps the others', async () => {
      const [empty, full] = [await opened(), await opened()]
      const hollow = changing<{ number: number; head: object }[]>(/\/pulls$/, (list) =>
        list.map((each) => (each.number === empty.number ? { ...each, head: { ...each.head, sha: '' } } : each)),
      )
      const numbers = (await host(hollow).pullRequests({ baseRef: 'main', since: 0 })).map(({ number }) => number)
      expect([numbers.includes(full.number), numbers.includes(empty.number)]).toEqual([true, false])
    })

    it('is refused when it is no list', async () => {
      const odd = host(changing(/\/pulls$/, () => ({ message: 'maintenance' })))
      await expect(odd.pullRequests({ baseRef: 'main', since: 0 })).rejects.toMatchObject({ name: 'TransientFault' })
    })
  })
})

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PullRequestFacts, ReviewHost } from '../../../controller/approvals/evidence.ts'
import { MINUTE_MS } from '../../../controller/clock.ts'
import { CONFIG, openScene, type Scene } from './forge-scene.ts'

let scene: Scene
let reviews: ReviewHost
let pulls = 0

beforeAll(async () => {
  scene = await openScene()
  for (const login of ['alice', 'bob', 'carol']) {
    scene.forge.user(login, { email: `${login}@acme.test` })
    scene.forge.addCollaborator(CONFIG, login, 'write')
  }
  scene.forge.user('renovate[bot]')
  reviews = host('token')
})
afterEach(() => scene.check())
afterAll(() => scene.close())

function host(kind: 'token' | 'app', fetch: typeof globalThis.fetch = globalThis.fetch): ReviewHost {
  const { configHost } = scene.connect(kind, { fetch })
  if (configHost === null) throw new Error('no config host')
  return configHost.reviews
}

/** A pull request by alice, on a branch of its own. */
async function opened(files: Record<string, string> = {}): Promise<{ number: number; branch: string; head: string }> {
  const branch = `request-${++pulls}`
  const head = await scene.forge.commit(CONFIG, branch, { [`requests/${branch}.yaml`]: 'x', ...files }, { as: 'alice' })
  scene.clock.advance(MINUTE_MS)
  return {
    number: await scene.forge.openPull(CONFIG, { head: branch, author: 'alice', title: `Deploy ${branch}` }),
    branch,
    head,
  }
}

/** The forge's own answer about one pull request, with some fields changed. */
function changedPull(changed: object): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    if (!/\/pulls\/\d+$/.test(new URL(String(input)).pathname)) return response
    return new Response(JSON.stringify({ ...((await response.json()) as object), ...changed }), response)
  }
}

const logins = (facts: PullRequestFacts) => facts.pushers?.map(({ login }) => login).sort()
const second = (ms: number) => Math.floor(ms / 1000) * 1000

describe('a pull request of the config repository', () => {
  it.each(['token', 'app'] as const)('is read with everything a decision may use (%s)', async (kind) => {
    const { number, head } = await opened()
    await scene.forge.review(CONFIG, number, { by: 'bob', state: 'APPROVED' })
    const facts = await host(kind).pullRequest(number)
    expect(facts).toMatchObject({
      number,
      title: expect.stringMatching(/^Deploy/),
      author: { provider: 'github', login: 'alice', kind: 'user', id: String(scene.forge.user('alice').id) },
      state: 'open',
      draft: false,
      baseRef: 'main',
      headSha: head,
      mergeCommit: null,
      mergedAt: null,
      fromFork: false,
      commitsTruncated: false,
      hostTime: second(scene.clock.now()),
      updatedAt: second(scene.clock.now()),
      createdAt: second(scene.clock.now()),
    })
    expect(facts.commits).toMatchObject([
      {
        sha: head,
        author: { login: 'alice' },
        authorEmail: 'alice@acme.test',
        committerEmail: 'alice@acme.test',
        coAuthorEmails: [],
      },
    ])
    expect(logins(facts)).toEqual(['alice'])
    expect(facts.reviews).toMatchObject([
      { reviewer: { login: 'bob', kind: 'user' }, state: 'approved', commit: head, submittedAt: second(scene.clock.now()) },
    ])
    expect(facts.files).toEqual([{ path: expect.stringMatching(/^requests\//), status: 'added' }])
    expect(reviews.headRef(number)).toBe(`refs/pull/${number}/head`)
  })

  it('names everybody who had a hand in it: authors, committers, co-authors, pushers', async () => {
    const { number, branch } = await opened()
    const stranger = { name: 'Stranger', email: 'Stranger@Elsewhere.test' }
    await scene.forge.commit(
      CONFIG,
      branch,
      { b: '1' },
      { as: 'bob', author: stranger, committer: 'carol', coAuthors: ['carol', stranger] },
    )
    const { commits, ...facts } = await reviews.pullRequest(number)
    expect(logins({ commits, ...facts })).toEqual(['alice', 'bob'])
    expect(commits.at(-1)).toMatchObject({
      author: null,
      authorEmail: 'stranger@elsewhere.test',
      committer: { login: 'carol' },
      coAuthorEmails: ['carol@acme.test', 'stranger@elsewhere.test'],
    })
  })

  it('remembers who pushed what a later force push took away', async () => {
    const { number, branch, head } = await opened()
    await scene.forge.commit(CONFIG, branch, { b: '1' }, { as: 'bob' })
    await scene.forge.forcePush(CONFIG, branch, head, { as: 'carol' })
    const facts = await reviews.pullRequest(number)
    expect(facts.headSha).toBe(head)
    expect(logins(facts)).toEqual(['alice', 'bob', 'carol'])
  })

  it('reads the pushers of more than one page', async () => {
    const { number, branch, head } = await opened()
    const other = await scene.forge.commit(CONFIG, branch, { b: '1' }, { as: 'bob' })
    await scene.forge.forcePush(CONFIG, branch, head, { as: 'carol' })
    await scene.forge.forcePush(CONFIG, branch, other, { as: 'carol' })
    let calls = 0
    const twoAtATime: typeof fetch = (input, init) => {
      const url = new URL(String(input))
      if (url.pathname.endsWith('/activity')) {
        calls++
        url.searchParams.set('per_page', '2')
      }
      return fetch(url, init)
    }
    expect(logins(await host('token', twoAtATime).pullRequest(number))).toEqual(['alice', 'bob', 'carol'])
    expect(calls).toBe(2)
  })

  it.each([
    ['more commits than were listed', { commits: 2 }, true],
    ['exactly as many commits as GitHub lists at most', { commits: 250 }, true],
    ['as many commits as were listed', {}, false],
  ])('with %s it may lack some of them: %o → %s', async (_what, changed, truncated) => {
    const { number } = await opened()
    expect((await host('token', changedPull(changed)).pullRequest(number)).commitsTruncated).toBe(truncated)
  })

  it('is refused when GitHub does not list all its files, which could hide a change of the rules', async () => {
    const { number } = await opened()
    await expect(host('token', changedPull({ changed_files: 3_001 })).pullRequest(number)).rejects.toMatchObject({
      name: 'RefusedFault',
    })
  })

  it('keeps every review, over all pages, with its state as it is now', async () => {
    const { number, head, branch } = await opened()
    for (let n = 0; n < 101; n++) await scene.forge.review(CONFIG, number, { by: 'bob', state: 'COMMENTED' })
    const dismissed = await scene.forge.review(CONFIG, number, { by: 'carol', state: 'APPROVED' })
    await scene.forge.dismissReview(CONFIG, number, dismissed, { by: 'alice' })
    const newHead = await scene.forge.commit(CONFIG, branch, { b: '2' }, { as: 'alice' })
    await scene.forge.review(CONFIG, number, { by: 'bob', state: 'CHANGES_REQUESTED' })
    await scene.forge.review(CONFIG, number, { by: 'renovate[bot]', state: 'APPROVED' })
    const facts = await reviews.pullRequest(number)
    expect(facts.reviews).toHaveLength(104)
    expect(facts.reviews.slice(101)).toMatchObject([
      { id: String(dismissed), state: 'dismissed', reviewer: { login: 'carol' }, commit: head },
      { state: 'changes_requested', reviewer: { login: 'bob' }, commit: newHead },
      { state: 'approved', reviewer: { login: 'renovate[bot]', kind: 'bot' } },
    ])
  })

  it('has nobody as the reviewer when the account was deleted', async () => {
    const { number } = await opened()
    scene.forge.user('leaver')
    scene.forge.addCollaborator(CONFIG, 'leaver', 'write')
    await scene.forge.review(CONFIG, number, { by: 'leaver', state: 'APPROVED' })
    scene.forge.deleteUser('leaver')
    const [review] = (await reviews.pullRequest(number)).reviews
    expect(review?.state).toBe('approved')
    expect(review?.reviewer?.kind ?? 'nobody').not.toBe('user')
  })

  it('tells a renamed file as one that went and one that came', async () => {
    const text = Array.from({ length: 40 }, (_, n) => `line ${n}`).join('\n')
    await scene.forge.commit(CONFIG, 'main', { 'old.yaml': text, 'gone.yaml': 'gone', 'kept.yaml': '1' }, { as: 'alice' })
    const { number } = await opened({ 'new.yaml': text, 'kept.yaml': '2' })
    const branch = `request-${pulls}`
    const { execFileSync } = await import('node:child_process')
    const clone = `${scene.root}/clone-${pulls}`
    execFileSync('git', ['clone', '-q', '-b', branch, `${scene.root}/git/acme/config.git`, clone])
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', clone, '-c', 'user.name=A', '-c', 'user.email=alice@acme.test', ...args], { stdio: 'pipe' })
    git('rm', '-q', 'old.yaml', 'gone.yaml')
    git('commit', '-q', '-m', 'Remove')
    git('push', '-q', 'origin', `HEAD:refs/heads/removal-${pulls}`)
    const removal = await scene.forge.openPull(CONFIG, { head: `removal-${pulls}`, author: 'alice' })
    const { files } = await reviews.pullRequest(removal)
    expect([...files].sort((a, b) => a.path.localeCompare(b.path))).toEqual([
      { path: 'gone.yaml', status: 'removed' },
      { path: 'kept.yaml', status: 'modified' },
      { path: 'new.yaml', status: 'renamed' },
      { path: 'old.yaml', status: 'removed' },
      { path: `requests/${branch}.yaml`, status: 'added' },
    ])
    expect(number).toBeLessThan(removal)
  })

  it('comes from a fork, whose pushers it cannot tell when the fork may not be read', async () => {
    scene.forge.user('outsider')
    const fork = await scene.forge.fork(CONFIG, 'outsider')
    await scene.forge.commit(fork, 'patch', { z: '1' }, { as: 'outsider' })
    const number = await scene.forge.openPull(CONFIG, { head: 'outsider:patch', author: 'outsider' })
    const facts = await reviews.pullRequest(number)
    expect(facts).toMatchObject({ fromFork: true, author: { login: 'outsider' }, pushers: null })
    scene.forge.addCollaborator(fork, 'draven-service', 'read')
    expect(logins(await reviews.pullRequest(number))).toEqual(['outsider'])
  })

  it('is merged with the commit that the base branch then holds', async () => {
    const { number } = await opened()
    const merged = await scene.forge.merge(CONFIG, number, { by: 'bob', method: 'squash' })
    expect(await reviews.pullRequest(number)).toMatchObject({
      state: 'merged',
      mergeCommit: merged,
      mergedAt: second(scene.clock.now()),
    })
  })

  it('throws a transient fault when a page cannot be read, rather than showing fewer reviews', async () => {
    const { number } = await opened()
    scene.forge.faults.add({ on: 'pulls/list-reviews', kind: 'error_before' })
    await expect(reviews.pullRequest(number)).rejects.toMatchObject({ name: 'TransientFault' })
  })

  it('is refused when it is not there', async () => {
    await expect(reviews.pullRequest(99_999)).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
  })
})

describe('the list of pull requests', () => {
  it('holds the open ones into the branch, and the closed ones that changed since', async () => {
    const old = await opened()
    await scene.forge.closePull(CONFIG, old.number, { by: 'alice' })
    scene.clock.advance(60 * MINUTE_MS)
    const since = scene.clock.now()
    const closed = await opened()
    await scene.forge.closePull(CONFIG, closed.number, { by: 'alice' })
    const merged = await opened()
    await scene.forge.merge(CONFIG, merged.number, { by: 'bob' })
    const open = await opened()
    const elsewhere = await opened()
    await scene.forge.commit(CONFIG, 'other-base', { o: '1' }, { as: 'alice' })
    await scene.forge.retarget(CONFIG, elsewhere.number, 'other-base', { by: 'alice' })

    const found = new Map((await reviews.pullRequests({ baseRef: 'main', since })).map((pull) => [pull.number, pull]))
    expect(found.get(closed.number)).toMatchObject({ state: 'closed', mergeCommit: null })
    expect(found.get(merged.number)).toMatchObject({ state: 'merged', mergeCommit: expect.stringMatching(/^[0-9a-f]{40}$/) })
    expect(found.get(open.number)).toMatchObject({ state: 'open', headSha: open.head, baseRef: 'main' })
    expect(found.has(old.number)).toBe(false)
    expect(found.has(elsewhere.number)).toBe(false)
  })
})

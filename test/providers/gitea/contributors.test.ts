import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PullRequestFacts, ReviewHost } from '../../../controller/approvals/evidence.ts'
import { MINUTE_MS } from '../../../controller/clock.ts'
import { CONFIG, changing, type GiteaScene, openGiteaScene, refusing } from './gitea-scene.ts'

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

  describe('who had a part in a pull request', () => {
    it('are authors and committers by their e-mails, private ones too, and co-authors by what they say', async () => {
      const { number, branch } = await opened()
      const message = 'Change\n\nCo-authored-by: Carol <Carol@acme.test>'
      const hidden = { name: 'B', email: 'bob@noreply.git.example.test' }
      const stranger = { name: 'S', email: 'S@else.test' }
      await scene.forge.commit(CONFIG, branch, { a: '1' }, { as: 'alice', author: hidden, committer: stranger, message })
      const [newest] = (await reviews.pullRequest(number)).commits
      expect(newest).toMatchObject({
        author: { login: 'bob' },
        committer: null,
        committerEmail: 's@else.test',
        coAuthorEmails: ['carol@acme.test'],
      })
    })

    it('are listed over as many pages as it takes', async () => {
      const { number, branch } = await opened()
      for (let count = 0; count < 7; count++) await scene.forge.commit(CONFIG, branch, { a: `${count}` }, { as: 'alice' })
      expect((await reviews.pullRequest(number)).commits).toHaveLength(8)
    })

    it('are everybody who pushed to the branch since it was made, and nobody who pushed elsewhere or to one of that name before', async () => {
      const name = `request/${requests + 1}`
      await scene.forge.commit(CONFIG, name, { old: 'x' }, { as: 'carol' })
      await scene.forge.deleteRef(CONFIG, `refs/heads/${name}`, { as: 'carol' })
      await scene.forge.commit(CONFIG, 'elsewhere', { e: 'x' }, { as: 'carol' })
      scene.clock.advance(MINUTE_MS)
      const { number, branch, head } = await opened()
      await scene.forge.commit(CONFIG, branch, { b: '1' }, { as: 'bob', author: 'alice' })
      await scene.forge.forcePush(CONFIG, branch, head, { as: 'alice' })
      expect(logins(await reviews.pullRequest(number))).toEqual(['alice', 'bob'])
    })

    it('are seen pushing while it was open also when they hide their activity, until a forced push', async () => {
      scene.forge.user('bob', { hidesActivity: true })
      const { number, branch, head } = await opened()
      await scene.forge.commit(CONFIG, branch, { b: '1' }, { as: 'bob', author: 'alice' })
      expect(logins(await reviews.pullRequest(number))).toEqual(['alice', 'bob'])
      await scene.forge.forcePush(CONFIG, branch, head, { as: 'alice' })
      expect(logins(await reviews.pullRequest(number))).toEqual(['alice'])
      scene.forge.user('bob', { hidesActivity: false })
    })

    it.each([
      ['the timeline', /\/timeline$/, 403],
      ['the activity', /\/activities\/feeds$/, 404],
    ])('are not known without %s, and then nobody is shown to be free', async (_what, path, status) => {
      const { number } = await opened()
      expect(await host(refusing(path, status)).pullRequest(number)).toMatchObject({ commitsTruncated: true, pushers: null })
    })

    it('are trouble, not unknown, while the server cannot answer', async () => {
      const { number } = await opened()
      await expect(host(refusing(/\/timeline$/, 500)).pullRequest(number)).rejects.toMatchObject({ name: 'TransientFault' })
      await expect(host(refusing(/\/timeline$/, 410)).pullRequest(number)).rejects.toMatchObject({ name: 'RefusedFault' })
    })

    it('are not known behind an activity without end', async () => {
      const { number } = await opened()
      const busy: typeof fetch = async (input, init) => {
        if (!/\/feeds$/.test(new URL(String(input)).pathname)) return fetch(input, init)
        const one = {
          op_type: 'push_tag',
          ref_name: 'refs/tags/x',
          content: '',
          act_user: null,
          created: new Date(8e14).toISOString(),
        }
        return Response.json(Array(500).fill(one), { headers: { 'x-total-count': '100000' } })
      }
      expect((await host(busy).pullRequest(number)).pushers).toBeNull()
    })

    it('are those before a branch was made anew, too', async () => {
      const branch = `request/${requests + 1}`
      await scene.forge.commit(CONFIG, branch, { before: 'x' }, { as: 'carol' })
      const { number, head } = await opened()
      await scene.forge.deleteRef(CONFIG, `refs/heads/${branch}`, { as: 'alice' })
      scene.clock.advance(MINUTE_MS)
      await scene.forge.forcePush(CONFIG, branch, head, { as: 'bob' })
      expect(logins(await reviews.pullRequest(number))).toEqual(['alice', 'bob', 'carol'])
    })

    it('are known also when the branch was deleted meanwhile', async () => {
      const { number, branch } = await opened()
      await scene.forge.deleteRef(CONFIG, `refs/heads/${branch}`, { as: 'carol' })
      expect(await reviews.pullRequest(number)).toMatchObject({ pushers: [{ login: 'alice' }], commitsTruncated: false })
    })

    it('are those of the timeline alone where the commits came without a branch', async () => {
      const { number } = await opened()
      const agit = changing<{ head: object }>(/\/pulls\/\d+$/, (body) => ({
        ...body,
        head: { ...body.head, label: '', ref: `refs/pull/${number}/head` },
      }))
      expect(await host(agit).pullRequest(number)).toMatchObject({ pushers: [], commitsTruncated: false })
    })
  })
})

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { commitSha } from '../../../controller/model/names.ts'
import type { CheckMessage, PullRequestVoice } from '../../../controller/notify/publisher.ts'
import { BOT, CONFIG, type GiteaScene, openGiteaScene } from './gitea-scene.ts'

describe.each(['gitea', 'forgejo'] as const)('on %s', (server) => {
  let scene: GiteaScene
  let voice: PullRequestVoice
  let requests = 0

  beforeAll(async () => {
    scene = await openGiteaScene(server)
    scene.forge.addCollaborator(CONFIG, 'alice', 'write')
    voice = freshVoice()
  })
  afterEach(() => scene.check())
  afterAll(() => scene.close())

  /** As after a restart. */
  function freshVoice(fetch?: typeof globalThis.fetch): PullRequestVoice {
    return scene.connect(fetch).configHost!.voice
  }
  async function opened(): Promise<{ number: number; sha: string }> {
    const head = `request-${++requests}`
    const sha = await scene.forge.commit(CONFIG, head, { [`requests/${requests}.yaml`]: 'x' }, { as: 'alice' })
    return { number: await scene.forge.openPull(CONFIG, { head, author: 'alice' }), sha }
  }
  const message = (sha: string, more: Partial<CheckMessage> = {}): CheckMessage => ({
    sha: commitSha(sha),
    name: 'draven/gate',
    state: 'success',
    title: 'All gates are open',
    summary: '',
    annotations: [],
    detailsUrl: null,
    ...more,
  })
  const posted = (sha: string) =>
    scene.forge
      .repository(CONFIG)
      .statuses.filter((status) => status.sha === sha)
      .map(({ context, state, description, targetUrl }) => ({ context, state, description, targetUrl }))

  describe('a check', () => {
    it.each([
      ['pending', 'pending'],
      ['success', 'success'],
      ['failure', 'failure'],
      ['canceled', 'error'],
    ] as const)('that is %s is shown as %s, once however often it is said', async (state, shown) => {
      const { sha } = await opened()
      const said = message(sha, { state, title: `It is ${state}`, detailsUrl: 'https://draven.test/jobs/1' })
      const id = await voice.publishCheck(said, null)
      expect(await freshVoice().publishCheck(said, null)).toBe(id)
      expect(posted(sha)).toEqual([
        { context: 'draven/gate', state: shown, description: `It is ${state}`, targetUrl: 'https://draven.test/jobs/1' },
      ])
    })

    it('says something else when something else is true, and the same again afterwards', async () => {
      const { sha } = await opened()
      await voice.publishCheck(message(sha), null)
      await voice.publishCheck(message(sha, { state: 'failure' }), null)
      await voice.publishCheck(message(sha, { state: 'failure', title: 'Another reason' }), null)
      await voice.publishCheck(message(sha, { state: 'failure', title: 'Another reason', detailsUrl: 'https://x.test' }), null)
      await voice.publishCheck(message(sha), null)
      expect(posted(sha).map(({ state }) => state)).toEqual(['success', 'failure', 'failure', 'failure', 'success'])
    })

    it('is not taken for another of the same words', async () => {
      const { sha } = await opened()
      await voice.publishCheck(message(sha, { name: 'draven/validate' }), null)
      await voice.publishCheck(message(sha), null)
      expect(posted(sha).map(({ context }) => context)).toEqual(['draven/validate', 'draven/gate'])
    })

    it('is cut to what a page shows', async () => {
      const { sha } = await opened()
      await voice.publishCheck(message(sha, { title: 'x'.repeat(300) }), null)
      expect(posted(sha)[0]?.description).toBe(`${'x'.repeat(254)}…`)
    })

    it('whose answer was lost is not posted again', async () => {
      const { sha } = await opened()
      scene.forge.faults.add({ on: 'statuses/create', kind: 'accept_then_drop' })
      await expect(voice.publishCheck(message(sha), null)).rejects.toMatchObject({ name: 'TransientFault' })
      await voice.publishCheck(message(sha), null)
      expect(posted(sha)).toHaveLength(1)
    })
  })

  describe('the comment on a pull request', () => {
    const comments = (number: number) =>
      scene.forge.repository(CONFIG).pulls.find((each) => each.number === number)?.comments ?? []

    it('is written once and then edited in place', async () => {
      const { number } = await opened()
      const id = await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
      expect(await voice.upsertComment({ pullRequest: number, body: 'two' }, id)).toBe(id)
      expect(comments(number).map(({ author, body }) => [author.login, body])).toEqual([[BOT, '<!-- draven -->\ntwo']])
    })

    it('is found again by its mark when its id was lost, among many others', async () => {
      const { number } = await opened()
      for (let count = 0; count < 120; count++) scene.forge.comment(CONFIG, number, 'alice', `comment ${count}`)
      const id = await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
      expect(await freshVoice().upsertComment({ pullRequest: number, body: 'two' }, null)).toBe(id)
      expect(await freshVoice().upsertComment({ pullRequest: number, body: 'two' }, 'not an id')).toBe(id)
      expect(comments(number).filter(({ body }) => body.includes('draven'))).toHaveLength(1)
    })

    it("is never somebody else's, whatever mark they copied", async () => {
      const { number } = await opened()
      const theirs = scene.forge.comment(CONFIG, number, 'alice', '<!-- draven -->\nI approve of everything')
      const id = await voice.upsertComment({ pullRequest: number, body: 'ours' }, null)
      expect(id).not.toBe(String(theirs))
      expect(comments(number).find((comment) => comment.id === theirs)?.body).toContain('I approve of everything')
    })

    it('is written anew when somebody deleted it', async () => {
      const { number } = await opened()
      const id = await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
      comments(number).length = 0
      expect(await voice.upsertComment({ pullRequest: number, body: 'one' }, id)).not.toBe(id)
      expect(comments(number)).toHaveLength(1)
    })

    it('whose answer was lost is not written twice', async () => {
      const { number } = await opened()
      scene.forge.faults.add({ on: 'comments/create', kind: 'error_after' })
      const lost = voice.upsertComment({ pullRequest: number, body: 'one' }, null)
      await expect(lost).rejects.toMatchObject({ name: 'TransientFault' })
      await voice.upsertComment({ pullRequest: number, body: 'one' }, null)
      expect(comments(number)).toHaveLength(1)
    })

    it('waits while the server does not say who we are, and asks again', async () => {
      const { number } = await opened()
      scene.forge.faults.add({ on: 'users/self', kind: 'error_before' })
      const ours = freshVoice()
      await expect(ours.upsertComment({ pullRequest: number, body: 'one' }, null)).rejects.toMatchObject({
        name: 'TransientFault',
      })
      await ours.upsertComment({ pullRequest: number, body: 'one' }, null)
      expect(comments(number)).toHaveLength(1)
    })
  })
})

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RefHost } from '../../../controller/jobs/evidence.ts'
import { commitSha } from '../../../controller/model/names.ts'
import { updateRef, writeTag } from '../../sandbox/git/repository.ts'
import type { RunState, StatusState } from '../../sandbox/gitea/world.ts'
import { BOT, CONFIG, type GiteaScene, openGiteaScene, SHOP } from './gitea-scene.ts'

describe.each(['gitea', 'forgejo'] as const)('on %s', (server) => {
  let scene: GiteaScene
  let refs: RefHost
  let commits = 0
  const actions = `${server}-actions`

  beforeAll(async () => {
    scene = await openGiteaScene(server, { maxPage: 3 })
    refs = scene.connect().connections.refs(scene.project())
    for (const login of ['alice', 'woodpecker']) scene.forge.addCollaborator(SHOP, login, 'write')
  })
  afterEach(() => scene.check())
  afterAll(() => scene.close())

  async function committed(branch = 'main') {
    return commitSha(await scene.forge.commit(SHOP, branch, { [`file-${++commits}`]: 'x' }, { as: 'acme' }))
  }
  const branch = (name: string) => refs.resolveRef({ type: 'branch', name })
  const tag = (name: string) => refs.resolveRef({ type: 'tag', name })
  const bySha = (name: string) => refs.resolveRef({ type: 'sha', name })
  const git = () => scene.forge.repository(SHOP).git

  describe('a ref', () => {
    it('is resolved by its kind, also where a branch and a tag share a name with slashes', async () => {
      const onBranch = await committed('release/2.4')
      const onTag = await committed()
      await scene.forge.createTag(SHOP, 'release/2.4', onTag, { as: 'acme' })
      expect(await branch('release/2.4')).toEqual({ found: true, sha: onBranch, reachable: true })
      expect(await tag('release/2.4')).toEqual({ found: true, sha: onTag, reachable: true })
    })

    it('gives the commit behind an annotated tag, also behind a tag of a tag, never the tag object', async () => {
      const sha = await committed()
      const object = await scene.forge.createTag(SHOP, 'v1.4.2', sha, { as: 'acme', message: 'Release' })
      expect(object).not.toBe(sha)
      expect(await tag('v1.4.2')).toEqual({ found: true, sha, reachable: true })
      const outer = (
        await git().run(['mktag'], { input: `object ${object}\ntype tag\ntag outer\ntagger A <a@x.test> 1 +0000\n\nx\n` })
      ).trim()
      await updateRef(git(), 'refs/tags/outer', outer)
      expect(await tag('outer')).toEqual({ found: true, sha, reachable: true })
    })

    it('is none when a tag names a tree', async () => {
      const tree = (await git().run(['rev-parse', 'main^{tree}'])).trim()
      await updateRef(git(), 'refs/tags/tree', tree)
      expect(await tag('tree')).toEqual({ found: false })
    })

    it.each(['nowhere', 'v9', '../main', '..', '.', 'main/', '/main', 'a//b', 'a/../main', '%2e%2e', 'a'.repeat(40)])(
      'named %j is not there',
      async (name) => {
        expect(await branch(name)).toEqual({ found: false })
        expect(await tag(name)).toEqual({ found: false })
      },
    )

    it('is not another one that the server shows instead', async () => {
      const other: typeof fetch = (input, init) =>
        fetch(String(input).replace(/\/(branches|tags)\/absent$/, '/branches/main'), init)
      const misled = scene.connect(other).connections.refs(scene.project())
      expect(await misled.resolveRef({ type: 'branch', name: 'absent' })).toEqual({ found: false })
      expect(await misled.resolveRef({ type: 'tag', name: 'absent' })).toEqual({ found: false })
    })

    it('that is a commit counts as reachable only on the default branch', async () => {
      const old = await committed()
      const head = await committed()
      const aside = await committed('aside')
      expect(await bySha(old)).toEqual({ found: true, sha: old, reachable: true })
      expect(await bySha(head)).toEqual({ found: true, sha: head, reachable: true })
      expect(await bySha(aside)).toEqual({ found: true, sha: aside, reachable: false })
      expect(await bySha('f'.repeat(40))).toEqual({ found: false })
      expect(await bySha(old.slice(0, 12))).toEqual({ found: false })
    })

    it('that is the id of a tag is no commit', async () => {
      const tagger = { name: 'A', email: 'a@x.test' }
      const object = await writeTag(git(), { name: 'x', target: await committed(), message: 'x', tagger, at: 0 })
      expect(await bySha(object)).toEqual({ found: false })
    })

    it('is trouble, not absence, when the repository may not be seen any more', async () => {
      scene.forge.addCollaborator(SHOP, BOT, 'none')
      for (const look of [branch('main'), tag('v1.4.2'), bySha('f'.repeat(40))])
        await expect(look).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
      scene.forge.addCollaborator(SHOP, BOT, 'write')
    })
  })

  describe('CI', () => {
    const evidence = (sha: string) => refs.ciEvidence(commitSha(sha))
    const job = 'ci.yml / build (push)'
    /** A run of the code, in a state. */
    function ci(sha: string, state: RunState, jobs: readonly string[] = ['build'], event = 'push'): number {
      const { id } = scene.forge.addRun(SHOP, { file: 'ci.yml', event, by: 'alice', sha, jobs })
      scene.forge.setRun(id, state)
      return id
    }

    it('has no results where nothing was said, whatever the combined state is called', async () => {
      const sha = await committed()
      expect(await evidence(sha)).toEqual({ sha, results: [], ignored: [] })
    })

    it.each<[RunState, string]>([
      ['waiting', 'pending'],
      ['running', 'pending'],
      ['success', 'success'],
      ['failure', 'failed'],
      ['cancelled', 'failed'],
      // It never ran.
      ['skipped', 'failed'],
    ])('whose job is %s is %s, of exactly this commit', async (state, expected) => {
      const [before, sha] = [await committed(), await committed()]
      ci(sha, state)
      expect((await evidence(sha)).results).toEqual([{ name: job, app: actions, state: expected, url: null }])
      expect((await evidence(before)).results).toEqual([])
    })

    it.each<[StatusState, string]>([
      ['pending', 'pending'],
      ['success', 'success'],
      ['failure', 'failed'],
      ['error', 'failed'],
      ['warning', 'failed'],
    ])('of another system that says %s is %s, told by its account', async (state, expected) => {
      const sha = await committed()
      scene.forge.setStatus(SHOP, sha, { context: 'ci/woodpecker', state, creator: 'woodpecker' })
      expect((await evidence(sha)).results).toEqual([{ name: 'ci/woodpecker', app: 'woodpecker', state: expected, url: null }])
    })

    it('says for each name what was said last', async () => {
      const sha = await committed()
      ci(sha, 'success')
      const again = ci(sha, 'failure')
      expect((await evidence(sha)).results).toMatchObject([{ name: job, state: 'failed' }])
      scene.forge.rerun(again)
      expect((await evidence(sha)).results).toMatchObject([{ name: job, state: 'pending' }])
      scene.forge.setRun(again, 'success')
      expect((await evidence(sha)).results).toMatchObject([{ name: job, app: actions, state: 'success' }])
    })

    it('is read to its last page, however short pages are', async () => {
      const sha = await committed()
      const jobs = [...Array(8).keys()].map((count) => `job ${count}`)
      for (let others = 0; others < 4; others++) ci(sha, 'failure', [`other ${others}`], 'pull_request')
      ci(sha, 'success', jobs)
      const { results } = await evidence(sha)
      expect(results).toHaveLength(12)
      expect(results.filter(({ app, state }) => app === actions && state === 'success')).toHaveLength(8)
    })

    it.each(['link', 'x-total-count'])('is read to its last page also behind a proxy that drops %s', async (header) => {
      const sha = await committed()
      ci(sha, 'success', ['a', 'b', 'c', 'd', 'e'])
      const dropping: typeof fetch = async (input, init) => {
        const response = await fetch(input, init)
        const headers = new Headers(response.headers)
        headers.delete(header)
        return new Response(await response.arrayBuffer(), { status: response.status, headers })
      }
      const there = scene.connect(dropping).connections.refs(scene.project())
      expect((await there.ciEvidence(sha)).results.filter(({ app }) => app === actions)).toHaveLength(5)
    })

    it('is believed by who posted it: a developer who posts over a failed job is not the CI', async () => {
      const sha = await committed()
      ci(sha, 'failure')
      scene.forge.setStatus(SHOP, sha, { context: job, state: 'success', creator: 'alice' })
      expect((await evidence(sha)).results).toEqual([{ name: job, app: 'alice', state: 'success', url: null }])
    })

    it.each<[string, (sha: string) => Promise<unknown> | unknown]>([
      ['without any run', () => {}],
      ['over a job that failed', (sha) => ci(sha, 'failure')],
      ['over a job that still runs', (sha) => ci(sha, 'running')],
      ['beside another job that succeeded', (sha) => ci(sha, 'success', ['lint', 'rebuild', 'uild'])],
      ['beside a run of the same name for another reason', (sha) => ci(sha, 'success', ['build'], 'pull_request')],
      ['beside a run of another commit', async () => ci(await committed(), 'success')],
    ])('in whose name any job may post is not believed %s', async (_what, before) => {
      const sha = await committed()
      await before(sha)
      // As a job does with the token of its own run.
      scene.forge.setStatus(SHOP, sha, { context: job, state: 'success' })
      const forged = (await evidence(sha)).results.find(({ name }) => name === job)
      expect(forged).toEqual({ name: job, app: null, state: 'success', url: null })
    })

    it('that succeeded elsewhere proves nothing here, also where the list ignores which commit is asked about', async () => {
      ci(await committed(), 'success')
      const sha = await committed()
      scene.forge.setStatus(SHOP, sha, { context: job, state: 'success' })
      const deaf: typeof fetch = (input, init) => {
        const url = new URL(String(input))
        url.searchParams.delete('head_sha')
        return fetch(url, init)
      }
      const there = scene.connect(deaf).connections.refs(scene.project())
      expect((await there.ciEvidence(sha)).results).toMatchObject([{ name: job, app: null }])
    })

    it('is nobody else by its name: not an account that took it, nor one that was deleted', async () => {
      const sha = await committed()
      scene.forge.user(actions.toUpperCase())
      scene.forge.setStatus(SHOP, sha, { context: 'fake', state: 'success', creator: actions })
      expect((await evidence(sha)).results).toMatchObject([{ name: 'fake', app: null }])
      const orphaned: typeof fetch = async (input, init) => {
        const response = await fetch(input, init)
        if (!/\/status$/.test(new URL(String(input)).pathname)) return response
        const body = (await response.json()) as { statuses: object[] }
        return Response.json({ ...body, statuses: body.statuses.map((status) => ({ ...status, creator: null })) }, response)
      }
      const there = scene.connect(orphaned).connections.refs(scene.project())
      expect((await there.ciEvidence(sha)).results).toMatchObject([{ name: 'fake', app: null }])
    })

    it('is never what we say ourselves, nor a job that was dispatched', async () => {
      const sha = await committed()
      for (const context of ['draven/gate', 'Draven/Validate']) {
        scene.forge.setStatus(SHOP, sha, { context, state: 'success', creator: BOT })
      }
      scene.forge.setStatus(SHOP, sha, { context: 'deploy.yml / deploy (workflow_dispatch)', state: 'success' })
      expect(await evidence(sha)).toEqual({
        sha,
        results: [],
        ignored: [
          { name: 'draven/gate', why: 'a status of this controller' },
          { name: 'Draven/Validate', why: 'a status of this controller' },
          { name: 'deploy.yml / deploy (workflow_dispatch)', why: 'a job that was dispatched, not CI' },
        ],
      })
    })

    it('of another commit is not taken, also when the server shows it instead', async () => {
      const [green, sha] = [await committed(), await committed()]
      ci(green, 'success')
      const wrong: typeof fetch = (input, init) => fetch(String(input).replace(sha, green), init)
      expect((await scene.connect(wrong).connections.refs(scene.project()).ciEvidence(sha)).results).toEqual([])
    })

    it('is trouble, not absence, while its runs may not be read', async () => {
      const sha = await committed()
      ci(sha, 'success')
      scene.forge.faults.add({ on: 'actions/list-workflow-runs', kind: 'error_before' })
      await expect(evidence(sha)).rejects.toMatchObject({ name: 'TransientFault' })
    })
  })

  it('a project has no list of deployments, and the config repository a host', () => {
    const connected = scene.connect()
    expect(connected.connections.deployments(scene.project())).toBeNull()
    expect(connected.configHost?.provider).toBe(server)
    expect(connected.gitAuthorization(scene.forge.gitUrl(CONFIG))).not.toBeNull()
  })
})

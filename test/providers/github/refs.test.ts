import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RefHost } from '../../../controller/jobs/evidence.ts'
import type { RefType } from '../../../controller/model/desired-state.ts'
import { commitSha } from '../../../controller/model/names.ts'
import { CHECK_NAMES } from '../../../controller/notify/publisher.ts'
import { trigger } from '../fixtures.ts'
import { openScene, type Scene, SHOP } from './forge-scene.ts'

let scene: Scene
let refs: RefHost
const commits: Record<string, string> = {}
const at = (name: string) => commitSha(commits[name] ?? '')

beforeAll(async () => {
  scene = await openScene()
  refs = scene.connect('token').connections.refs(scene.project())
  const { forge } = scene
  commits['base'] = (await forge.sha(SHOP, 'refs/heads/main')) ?? ''
  commits['one'] = await forge.commit(SHOP, 'main', { a: '1' }, { as: 'acme' })
  commits['two'] = await forge.commit(SHOP, 'main', { a: '2' }, { as: 'acme' })
  commits['side'] = await forge.commit(SHOP, 'feature/x', { a: '3' }, { as: 'acme' })
  await forge.createTag(SHOP, 'light', at('one'), { as: 'acme' })
  commits['tag object'] = await forge.createTag(SHOP, 'v1.4.2', at('one'), { as: 'acme', message: 'v1.4.2' })
  await forge.createTag(SHOP, 'shadow', at('two'), { as: 'acme' })
  commits['shadowing'] = await forge.commit(SHOP, 'shadow', { a: '4' }, { as: 'acme' })
  // A branch whose name is the full name of a tag that is not there.
  await forge.commit(SHOP, 'refs/tags/v9', { a: '5' }, { as: 'acme' })
  // A tag named like the default branch, on a commit that is not on it.
  await forge.createTag(SHOP, 'main', at('side'), { as: 'acme' })
})
afterEach(() => scene.check())
afterAll(() => scene.close())

const resolve = (type: RefType, name: string) => refs.resolveRef({ type, name })

describe('refs of a GitHub repository', () => {
  it.each([
    ['branch', 'main', 'two'],
    ['branch', 'feature/x', 'side'],
    ['tag', 'light', 'one'],
    ['tag', 'v1.4.2', 'one'],
    ['tag', 'shadow', 'two'],
    ['branch', 'shadow', 'shadowing'],
    ['tag', 'main', 'side'],
  ] as const)('%s %s is the commit "%s"', async (type, name, commit) => {
    expect(await resolve(type, name)).toEqual({ found: true, sha: at(commit), reachable: true })
  })

  it('peels a tag of a tag to its commit', async () => {
    const nested = await nestedTag()
    expect(nested).not.toBe(commits['tag object'])
    expect(await resolve('tag', 'v1-nested')).toEqual({ found: true, sha: at('one'), reachable: true })
  })

  it.each([
    ['tag', 'v9'],
    ['branch', 'v1.4.2'],
    ['branch', 'x'],
    ['branch', 'feature'],
    ['tag', 'v1'],
    ['sha', 'main'],
    ['sha', 'heads/main'],
  ] as const)('%s %s is not found', async (type, name) => {
    expect(await resolve(type, name)).toEqual({ found: false })
  })

  it('finds a commit by its full id, and says whether it is on the default branch', async () => {
    expect(await resolve('sha', at('two'))).toEqual({ found: true, sha: at('two'), reachable: true })
    expect(await resolve('sha', at('one'))).toEqual({ found: true, sha: at('one'), reachable: true })
    // A tag named `main` holds this one: only ids are compared, so that does not help it.
    expect(await resolve('sha', at('side'))).toEqual({ found: true, sha: at('side'), reachable: false })
    expect(await resolve('sha', 'f'.repeat(40))).toEqual({ found: false })
    expect(await resolve('sha', at('one').slice(0, 12))).toEqual({ found: false })
    expect(await resolve('sha', commits['tag object'] ?? '')).toEqual({ found: false })
  })

  it('does not take a commit that lives in a fork only for one of this repository', async () => {
    const { forge } = scene
    forge.user('mallory')
    const fork = await forge.fork(SHOP, 'mallory')
    const evil = await forge.commit(fork, 'main', { a: 'evil' }, { as: 'mallory' })
    // A pull request is what brings it into the parent's object store.
    await forge.openPull(SHOP, { head: 'mallory:main', author: 'mallory' })
    expect(await resolve('sha', evil)).toEqual({ found: true, sha: evil, reachable: false })
  })

  it('is a fault, not a missing ref, when the repository cannot be seen', async () => {
    scene.forge.addCollaborator(SHOP, 'draven-service', 'none')
    await expect(resolve('branch', 'main')).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
    await expect(resolve('sha', at('one'))).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
    scene.forge.addCollaborator(SHOP, 'draven-service', 'write')
  })

  it('is a fault when the default branch is not there', async () => {
    const wrong = scene.connect('token').connections.refs(scene.project({ defaultBranch: 'trunk' }))
    await expect(wrong.resolveRef({ type: 'tag', name: 'v9' })).rejects.toThrow(/default branch trunk/)
  })

  async function nestedTag(): Promise<string> {
    // The forge's people tag commits only; git itself makes the tag of a tag.
    const { execFileSync } = await import('node:child_process')
    const bare = `${scene.root}/git/acme/shop.git`
    const git = (...args: string[]) =>
      execFileSync(
        'git',
        ['-C', bare, '-c', 'user.name=T', '-c', 'user.email=t@acme.test', '-c', 'advice.nestedTag=false', ...args],
        { encoding: 'utf8' },
      ).trim()
    git('tag', '-a', 'v1-nested', '-m', 'nested', 'refs/tags/v1.4.2')
    return git('rev-parse', 'refs/tags/v1-nested')
  }
})

describe('CI results of a commit', () => {
  it('are none where nothing reported, whatever the combined state says', async () => {
    expect(await refs.ciEvidence(at('base'))).toEqual({ sha: at('base'), results: [], ignored: [] })
  })

  it('name the app of each check, and no app for a bare status, even when both have the same name', async () => {
    const { forge } = scene
    forge.user('dev')
    forge.addCollaborator(SHOP, 'dev', 'write')
    forge.setCheck(SHOP, at('one'), { name: 'build', conclusion: 'failure' })
    forge.setCheck(SHOP, at('one'), { name: 'build', app: 'evil-app', conclusion: 'success' })
    forge.setStatus(SHOP, at('one'), { context: 'build', state: 'success', creator: 'dev' })
    const { results } = await refs.ciEvidence(at('one'))
    expect(results).toHaveLength(3)
    expect(results).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'build', app: 'github-actions', state: 'failed' }),
        expect.objectContaining({ name: 'build', app: 'evil-app', state: 'success' }),
        expect.objectContaining({ name: 'build', app: null, state: 'success' }),
      ]),
    )
  })

  it('are of exactly this commit, not of its child', async () => {
    scene.forge.setCheck(SHOP, at('two'), { name: 'build', conclusion: 'success' })
    expect((await refs.ciEvidence(at('base'))).results).toEqual([])
    expect((await refs.ciEvidence(at('two'))).results).toEqual([expect.objectContaining({ name: 'build', state: 'success' })])
  })

  it('take the newest of a name that ran again', async () => {
    const sha = commitSha(await scene.forge.commit(SHOP, 'again', { a: 'again' }, { as: 'acme' }))
    scene.forge.setCheck(SHOP, sha, { name: 'build', conclusion: 'failure' })
    scene.forge.setCheck(SHOP, sha, { name: 'build', conclusion: 'success' })
    scene.forge.setStatus(SHOP, sha, { context: 'lint', state: 'failure', creator: 'acme' })
    scene.forge.setStatus(SHOP, sha, { context: 'lint', state: 'pending', creator: 'acme' })
    expect((await refs.ciEvidence(sha)).results.map(({ name, state }) => [name, state])).toEqual([
      ['build', 'success'],
      ['lint', 'pending'],
    ])
  })

  it.each([
    ['token', null],
    ['app', "a check of this controller's app"],
  ] as const)('leave out what this controller did itself (%s)', async (kind, whyApp) => {
    const { forge } = scene
    const sha = commitSha(await forge.commit(SHOP, `own-${kind}`, { a: kind }, { as: 'acme' }))
    const connected = scene.connect(kind)
    forge.setCheck(SHOP, sha, { name: 'build' })
    forge.setCheck(SHOP, sha, { name: CHECK_NAMES[0] })
    forge.setStatus(SHOP, sha, { context: 'DRAVEN/gate', state: 'success', creator: 'draven-service' })
    forge.setCheck(SHOP, sha, { name: 'odd name of our app', app: 'draven' })
    const pipeline = connected.connections.pipeline(scene.project())
    const outcome = await pipeline.start(
      trigger({ intendedAt: scene.clock.now(), selector: { selector: 'deploy.yml', workflowRef: `own-${kind}` } }),
    )
    forge.finishRun(Number(outcome.kind === 'started' ? outcome.run.externalId : 0), 'success')

    const evidence = await connected.connections.refs(scene.project()).ciEvidence(sha)
    const oddly = whyApp === null ? ['odd name of our app'] : []
    expect(evidence.results.map(({ name }) => name).sort()).toEqual(['build', ...oddly])
    expect([...evidence.ignored].sort((a, b) => a.name.localeCompare(b.name))).toEqual(
      [
        { name: 'deploy', why: 'a job of a deploy run' },
        { name: CHECK_NAMES[0], why: 'a check of this controller' },
        { name: 'DRAVEN/gate', why: 'a status of this controller' },
        ...(whyApp === null ? [] : [{ name: 'odd name of our app', why: whyApp }]),
      ].sort((a, b) => a.name.localeCompare(b.name)),
    )
  })

  it('are read to the last page', async () => {
    const sha = commitSha(await scene.forge.commit(SHOP, 'many', { a: 'many' }, { as: 'acme' }))
    for (let n = 0; n < 130; n++) {
      scene.forge.setCheck(SHOP, sha, { name: `check ${n}` })
      scene.forge.setStatus(SHOP, sha, { context: `status ${n}`, state: 'success', creator: 'acme' })
    }
    expect((await refs.ciEvidence(sha)).results).toHaveLength(260)
  })
})

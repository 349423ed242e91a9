import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RefHost } from '../../../controller/jobs/evidence.ts'
import { commitSha } from '../../../controller/model/names.ts'
import type { AddedPipeline } from '../../sandbox/bitbucket/forge.ts'
import type { PipelineWord, StatusState } from '../../sandbox/bitbucket/world.ts'
import { trigger } from '../fixtures.ts'
import { type BitbucketScene, BOT, openBitbucketScene, SHOP } from './bitbucket-scene.ts'

let scene: BitbucketScene
let refs: RefHost
let commits = 0

beforeAll(async () => {
  scene = await openBitbucketScene()
  refs = scene.connect().connections.refs(scene.project())
  scene.forge.user('alice')
  scene.forge.addMember(SHOP, 'alice', 'write')
})
afterEach(() => scene.check())
afterAll(() => scene.close())

async function committed(branch = 'main') {
  return commitSha(await scene.forge.commit(SHOP, branch, { [`file-${++commits}`]: 'x' }, { as: 'acme' }))
}
const branch = (name: string) => refs.resolveRef({ type: 'branch', name })
const tag = (name: string) => refs.resolveRef({ type: 'tag', name })
const bySha = (name: string) => refs.resolveRef({ type: 'sha', name })

describe('a ref of a repository on Bitbucket', () => {
  it('is resolved by its kind, also where a branch and a tag share a name with slashes', async () => {
    const onBranch = await committed('release/2.4')
    const onTag = await committed()
    await scene.forge.createTag(SHOP, 'release/2.4', onTag, { as: 'acme' })
    expect(await branch('release/2.4')).toEqual({ found: true, sha: onBranch, reachable: true })
    expect(await tag('release/2.4')).toEqual({ found: true, sha: onTag, reachable: true })
  })

  it('gives the commit behind an annotated tag, not the tag object', async () => {
    const sha = await committed()
    const object = await scene.forge.createTag(SHOP, 'v1.4.2', sha, { as: 'acme', message: 'Release' })
    expect(object).not.toBe(sha)
    expect(await tag('v1.4.2')).toEqual({ found: true, sha, reachable: true })
  })

  it.each(['nowhere', 'v9', 'a'.repeat(40)])('named %j is not there', async (name) => {
    expect(await branch(name)).toEqual({ found: false })
    expect(await tag(name)).toEqual({ found: false })
  })

  it('is not another one that Bitbucket shows instead', async () => {
    const other: typeof fetch = (input, init) =>
      fetch(String(input).replace(/\/(branches|tags)\/absent$/, '/branches/main'), init)
    const misled = scene.connect(other).connections.refs(scene.project())
    expect(await misled.resolveRef({ type: 'branch', name: 'absent' })).toEqual({ found: false })
    expect(await misled.resolveRef({ type: 'tag', name: 'absent' })).toEqual({ found: false })
  })

  it('that is a commit counts as reachable only on the default branch', async () => {
    const old = await committed()
    await committed()
    const aside = await committed('aside')
    expect(await bySha(old)).toEqual({ found: true, sha: old, reachable: true })
    expect(await bySha(aside)).toEqual({ found: true, sha: aside, reachable: false })
    expect(await bySha('f'.repeat(40))).toEqual({ found: false })
    expect(await bySha(old.slice(0, 12))).toEqual({ found: false })
  })

  it('is trouble, not absence, when the repository may not be seen any more', async () => {
    scene.forge.addMember(SHOP, BOT, null)
    await expect(branch('main')).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
    await expect(tag('v1.4.2')).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
    scene.forge.addMember(SHOP, BOT, 'write')
  })
})

describe('CI results on Bitbucket', () => {
  const asking = (requiredChecks: string[], apps = ['bitbucket-pipelines']) =>
    scene.connect().connections.refs(scene.project({ ci: { requiredChecks, apps } }))
  const evidence = (sha: string, checks = ['pipeline'], apps?: string[]) => asking(checks, apps).ciEvidence(commitSha(sha))
  const believed = async (sha: string, checks?: string[]) =>
    (await evidence(sha, checks)).results.flatMap(({ name, app, state }) =>
      app === 'bitbucket-pipelines' ? [[name, state]] : [],
    )

  function ran(sha: string, word: PipelineWord, more: Partial<AddedPipeline> = {}): string {
    const { uuid } = scene.forge.addPipeline(SHOP, { sha, by: 'alice', ...more })
    scene.forge.setPipeline(uuid, word)
    return uuid
  }
  const status = (sha: string, key: string, state: StatusState, url = 'https://ci.test/1') =>
    scene.forge.postStatus(SHOP, sha, { key, name: key, state, description: '', url })

  it.each([
    ['SUCCESSFUL', 'success'],
    ['FAILED', 'failed'],
    ['ERROR', 'failed'],
    ['STOPPED', 'failed'],
    ['EXPIRED', 'failed'],
    ['PENDING', 'pending'],
    ['RUNNING', 'pending'],
    ['PAUSED', 'pending'],
  ] as const)('a pipeline that is %s is %s', async (word, state) => {
    const sha = await committed()
    ran(sha, word)
    expect(await believed(sha)).toEqual([['pipeline', state]])
  })

  it('are none where nothing ran, which is no success', async () => {
    expect(await evidence(await committed())).toMatchObject({ results: [], ignored: [] })
  })

  it('are of exactly the commit asked about', async () => {
    const sha = await committed()
    ran(await committed(), 'SUCCESSFUL')
    expect(await believed(sha)).toEqual([])
    // Also when Bitbucket's filter does not hold.
    const loose: typeof fetch = (input, init) => fetch(String(input).replace(/target\.commit\.hash=[0-9a-f]+&?/, ''), init)
    expect((await scene.connect(loose).connections.refs(scene.project()).ciEvidence(sha)).results).toEqual([])
  })

  it('are those of the newest pipeline of each branch and tag', async () => {
    const sha = await committed()
    ran(sha, 'FAILED')
    ran(sha, 'SUCCESSFUL')
    ran(sha, 'SUCCESSFUL', { tag: 'v2' })
    expect(await believed(sha)).toEqual([
      ['pipeline', 'success'],
      ['pipeline', 'success'],
    ])
  })

  it('are those of its steps by their names, where a project asks for one', async () => {
    const sha = await committed()
    const uuid = ran(sha, 'RUNNING', { steps: ['build', 'links'] })
    scene.forge.setStep(uuid, 'build', 'SUCCESSFUL')
    scene.forge.setStep(uuid, 'links', 'FAILED')
    expect(await believed(sha, ['build', 'links'])).toEqual([
      ['pipeline', 'pending'],
      ['build', 'success'],
      ['links', 'failed'],
    ])
  })

  it('of steps are read once while nothing about them can change', async () => {
    const sha = await committed()
    const uuid = ran(sha, 'SUCCESSFUL')
    const host = asking(['build'])
    const calls = async () => {
      const before = scene.forge.calls()
      await host.ciEvidence(sha)
      return scene.forge.calls() - before
    }
    expect([await calls(), await calls()]).toEqual([2, 1])
    scene.forge.rerunPipeline(uuid)
    expect(await calls()).toBe(2)
  })

  it.each<[string, Partial<AddedPipeline>, string]>([
    ['a custom pipeline', { selector: { type: 'custom', pattern: 'deploy-prod' } }, 'custom pipeline'],
    ['one that somebody started', { trigger: 'manual' }, 'started by manual, not by the code'],
    ['a scheduled one', { trigger: 'schedule' }, 'started by schedule'],
    ['one of a pull request', { type: 'pipeline_pullrequest_target' }, 'a merge with the destination'],
  ])('of %s prove nothing, and neither does the status that it posts', async (_what, more, why) => {
    const sha = await committed()
    ran(sha, 'SUCCESSFUL', more)
    expect(await evidence(sha, ['pipeline'], ['bitbucket-pipelines', 'build-status'])).toMatchObject({
      results: [],
      ignored: [{ name: expect.stringMatching(/^pipeline \d+$/), why: expect.stringContaining(why) }],
    })
  })

  it('of our own deploys prove nothing', async () => {
    const sha = await committed()
    const pipeline = scene.connect().connections.pipeline(scene.project())
    const outcome = await pipeline.start(
      trigger({ sha, ref: 'main', refType: 'branch', selector: { selector: 'deploy-prod', workflowRef: null } }),
    )
    scene.forge.setPipeline(outcome.kind === 'started' ? outcome.run.externalId : '', 'SUCCESSFUL')
    expect((await evidence(sha)).results).toEqual([])
  })

  it.each<[StatusState, string]>([
    ['SUCCESSFUL', 'success'],
    ['FAILED', 'failed'],
    ['STOPPED', 'failed'],
    ['INPROGRESS', 'pending'],
  ])('by a build status that says %s are %s, for those who believe build statuses', async (state, ours) => {
    const sha = await committed()
    status(sha, 'jenkins-build', state)
    expect((await evidence(sha, ['jenkins-build'], ['build-status'])).results).toEqual([
      { name: 'jenkins-build', app: 'build-status', state: ours, url: 'https://ci.test/1' },
    ])
  })

  it('never rest on our own statuses', async () => {
    const sha = await committed()
    status(sha, 'draven/gate', 'SUCCESSFUL')
    expect(await evidence(sha, ['draven/gate'], ['build-status'])).toMatchObject({
      results: [],
      ignored: [{ name: 'draven/gate', why: 'a status of this controller' }],
    })
  })

  it('are not made by a status with the name of a pipeline, which anybody who can push may post', async () => {
    const sha = await committed()
    const url = `${scene.forge.gitUrl(SHOP).replace('.git', '')}/pipelines/results/4711`
    status(sha, 'pipeline', 'SUCCESSFUL', url)
    const { results } = await evidence(sha)
    expect(results).toEqual([expect.objectContaining({ name: 'pipeline', app: 'build-status' })])
    // As the gate sees it: heard of, and not believed.
    const { apps, requiredChecks } = scene.project().integration.ci
    expect(apps.some((app) => results.some((result) => result.app === app && requiredChecks.includes(result.name)))).toBe(false)
  })

  it('cost one call where pipelines prove all that is asked for', async () => {
    const sha = await committed()
    ran(sha, 'SUCCESSFUL')
    const before = scene.forge.calls()
    await evidence(sha)
    expect(scene.forge.calls() - before).toBe(1)
  })
})

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RefHost } from '../../../controller/jobs/evidence.ts'
import { commitSha } from '../../../controller/model/names.ts'
import { DEVELOPER } from '../../sandbox/gitlab/world.ts'
import { type GitlabScene, openGitlabScene, SHOP } from './gitlab-scene.ts'

let scene: GitlabScene
let refs: RefHost
let commits = 0

beforeAll(async () => {
  scene = await openGitlabScene()
  refs = scene.connect().connections.refs(scene.project())
  scene.forge.user('alice')
  scene.forge.addMember(SHOP, 'alice', DEVELOPER)
})
afterEach(() => scene.check())
afterAll(() => scene.close())

async function committed(branch = 'main') {
  return commitSha(await scene.forge.commit(SHOP, branch, { [`file-${++commits}`]: 'x' }, { as: 'acme' }))
}
const branch = (name: string) => refs.resolveRef({ type: 'branch', name })
const tag = (name: string) => refs.resolveRef({ type: 'tag', name })
const bySha = (name: string) => refs.resolveRef({ type: 'sha', name })

describe('a ref of a project on GitLab', () => {
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

  it.each(['nowhere', 'v9', '../main', 'main/', '%2e%2e', 'a'.repeat(40)])('named %j is not there', async (name) => {
    expect(await branch(name)).toEqual({ found: false })
    expect(await tag(name)).toEqual({ found: false })
  })

  it('is not another one that GitLab shows instead', async () => {
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

  it('is trouble, not absence, when the project may not be seen any more', async () => {
    scene.forge.addMember(SHOP, 'project_7_bot_1', 0)
    await expect(branch('main')).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
    await expect(tag('v1.4.2')).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
    scene.forge.addMember(SHOP, 'project_7_bot_1', DEVELOPER)
  })
})

describe('CI results on GitLab', () => {
  const evidence = (sha: string) => refs.ciEvidence(commitSha(sha))
  const believed = async (sha: string) =>
    Object.fromEntries(
      (await evidence(sha)).results.flatMap(({ name, app, state }) => (app === 'gitlab-ci' ? [[name, state]] : [])),
    )
  const ci = (sha: string, jobs: string[], more: { source?: string; ref?: string } = {}) =>
    scene.forge.addPipeline(SHOP, { ref: 'main', sha, source: 'push', by: 'alice', jobs, ...more })

  it('are none where nothing ran', async () => {
    const sha = await committed()
    expect(await evidence(sha)).toEqual({ sha, results: [], ignored: [] })
  })

  it('are the jobs of the pipeline of exactly this commit, and the pipeline as a whole', async () => {
    const [before, sha] = [await committed(), await committed()]
    const { id } = ci(sha, ['build', 'test'])
    expect(await believed(sha)).toEqual({ build: 'pending', test: 'pending', pipeline: 'pending' })
    scene.forge.setJob(id, 'build', 'success')
    expect(await believed(sha)).toEqual({ build: 'success', test: 'pending', pipeline: 'pending' })
    scene.forge.setJob(id, 'test', 'success')
    expect(await believed(sha)).toEqual({ build: 'success', test: 'success', pipeline: 'success' })
    expect(await believed(before)).toEqual({})
  })

  it.each([
    ['failed', 'failed'],
    ['canceled', 'failed'],
    // It followed a failure and never ran.
    ['skipped', 'failed'],
    ['manual', 'pending'],
    ['running', 'pending'],
    ['waiting_for_resource', 'pending'],
  ] as const)('a job that is %s is %s, and so is the pipeline', async (status, state) => {
    const sha = await committed()
    const { id } = ci(sha, ['build', 'test'])
    scene.forge.setJob(id, 'build', 'success')
    scene.forge.setJob(id, 'test', status)
    expect(await believed(sha)).toEqual({ build: 'success', test: state, pipeline: state })
  })

  it('let a job fail that may, but say of itself that it did', async () => {
    const sha = await committed()
    const { id } = ci(sha, ['build', 'lint', 'publish'])
    scene.forge.setJob(id, 'build', 'success')
    scene.forge.setJob(id, 'lint', 'failed', true)
    scene.forge.setJob(id, 'publish', 'manual', true)
    expect(await believed(sha)).toEqual({ build: 'success', lint: 'failed', publish: 'pending', pipeline: 'success' })
  })

  it.each(['api', 'trigger', 'schedule', 'web', 'external', 'parent_pipeline'])(
    'leave out a pipeline started by %s: our own deploys must never prove that CI succeeded',
    async (source) => {
      const sha = await committed()
      const { id } = ci(sha, ['build'], { source })
      scene.forge.setPipeline(id, 'success')
      expect(await evidence(sha)).toEqual({
        sha,
        results: [],
        ignored: [{ name: `pipeline ${id}`, why: expect.stringContaining(source) }],
      })
    },
  )

  it('are those of the newest pipeline of the branch, and of that of the merge request beside it', async () => {
    const sha = await committed()
    scene.forge.setPipeline(ci(sha, ['build']).id, 'failed')
    scene.forge.setPipeline(ci(sha, ['build']).id, 'success')
    expect(await believed(sha)).toEqual({ build: 'success', pipeline: 'success' })
    const request = ci(sha, ['review'], { source: 'merge_request_event', ref: 'refs/merge-requests/1/head' })
    scene.forge.setPipeline(request.id, 'failed')
    const { results } = await evidence(sha)
    expect(
      results
        .filter(({ name }) => name === 'pipeline')
        .map(({ state }) => state)
        .sort(),
    ).toEqual(['failed', 'success'])
  })

  it('are of no other commit, also where the list ignores which one is asked about', async () => {
    const [green, sha] = [await committed(), await committed()]
    scene.forge.setPipeline(ci(green, ['build']).id, 'success')
    const deaf: typeof fetch = (input, init) => {
      const url = new URL(String(input))
      url.searchParams.delete('sha')
      return fetch(url, init)
    }
    expect((await scene.connect(deaf).connections.refs(scene.project()).ciEvidence(sha)).results).toEqual([])
  })

  it('count the last try of a job', async () => {
    const sha = await committed()
    const { id } = ci(sha, ['build'])
    scene.forge.setPipeline(id, 'failed')
    scene.forge.retryPipeline(id)
    expect(await believed(sha)).toEqual({ build: 'pending', pipeline: 'pending' })
    scene.forge.setPipeline(id, 'success')
    expect(await believed(sha)).toEqual({ build: 'success', pipeline: 'success' })
  })

  it('are not mended by a status that a developer posts over a failed job, though GitLab then calls the pipeline a success', async () => {
    const sha = await committed()
    const { id } = ci(sha, ['build'])
    scene.forge.setPipeline(id, 'failed')
    scene.forge.postStatus(SHOP, {
      by: 'alice',
      sha,
      name: 'build',
      state: 'success',
      description: null,
      targetUrl: 'https://x.test',
    })
    expect(await believed(sha)).toEqual({ build: 'failed', pipeline: 'failed' })
    expect((await evidence(sha)).results).toContainEqual({ name: 'build', app: null, state: 'success', url: 'https://x.test' })
  })

  it('do not wait for statuses of this controller, which join the pipeline and keep it running', async () => {
    const sha = await committed()
    const { id } = ci(sha, ['build'])
    scene.forge.setPipeline(id, 'success')
    const status = {
      by: 'project_7_bot_1',
      sha,
      name: 'draven/gate',
      state: 'pending',
      description: null,
      targetUrl: null,
    } as const
    scene.forge.postStatus(SHOP, status)
    expect(await believed(sha)).toEqual({ build: 'success', pipeline: 'success' })
    expect((await evidence(sha)).ignored).toContainEqual({ name: 'draven/gate', why: 'a status of this controller' })
  })
})

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Forge } from './forge.ts'
import { octokitFor, sandboxClock, shop, temporaryForge } from './forge-fixture.ts'
import { GIT_ENVIRONMENT, listRefs, readCommit, readCommits } from './git/repository.ts'

const at = { owner: 'acme', repo: 'shop' }

describe('code and pull requests', () => {
  let forge: Forge
  let folder: string

  beforeAll(async () => {
    forge = await temporaryForge({ clock: sandboxClock('2026-11-21T09:00:00Z') })
    await shop(forge)
    folder = await mkdtemp(join(tmpdir(), 'clone-'))
  })
  afterAll(async () => {
    await forge.close()
    await rm(folder, { recursive: true, force: true })
  })

  const remote = (token: string) => forge.gitUrl('acme/shop').replace('://', `://x-access-token:${token}@`)
  const pull = async (number: number) =>
    (await octokitFor(forge, forge.token('alice')).pulls.get({ ...at, pull_number: number })).data

  async function git(...args: string[]): Promise<string> {
    const identity = ['-c', 'user.name=Carol', '-c', 'user.email=carol@example.test']
    const { stdout } = await promisify(execFile)('git', [...identity, ...args], { cwd: folder, env: { ...GIT_ENVIRONMENT } })
    return stdout.trim()
  }

  /** A branch with two commits by two people, while main moves on; gives the open pull request. */
  async function openTwoCommits(branch: string): Promise<number> {
    await forge.commit('acme/shop', branch, { [`${branch}/1`]: 'one' }, { as: 'carol', message: 'First' })
    await forge.commit('acme/shop', branch, { [`${branch}/2`]: 'two' }, { as: 'carol', author: 'bob', message: 'Second' })
    await forge.commit('acme/shop', 'main', { [`main-${branch}`]: 'x' }, { as: 'alice', message: 'Meanwhile' })
    return forge.openPull('acme/shop', { head: branch, author: 'carol', title: `Add ${branch}` })
  }

  it('merges with a merge commit: parents are base and head, the tree has both sides', async () => {
    const number = await openTwoCommits('by-merge')
    const [base, head] = [await forge.sha('acme/shop', 'main'), await forge.sha('acme/shop', 'by-merge')]
    const merged = await forge.merge('acme/shop', number, { by: 'alice' })
    expect(await forge.sha('acme/shop', 'main')).toBe(merged)
    const commit = await readCommit(forge.git('acme/shop'), merged)
    expect(commit).toMatchObject({ parents: [base, head], author: { name: 'alice' }, committer: { name: 'GitHub' } })
    expect(commit.message).toContain(`Merge pull request #${number} from acme/by-merge`)
    expect(await forge.read('acme/shop', 'main', 'by-merge/2')).toBe('two')
    expect(await forge.read('acme/shop', 'main', 'main-by-merge')).toBe('x')
    expect(await pull(number)).toMatchObject({
      merged: true,
      state: 'closed',
      merge_commit_sha: merged,
      merged_by: { login: 'alice' },
    })
    expect((await pull(number)).commits).toBe(2)
  })

  it('squashes into one commit on base that names the other authors', async () => {
    const number = await openTwoCommits('by-squash')
    const base = await forge.sha('acme/shop', 'main')
    const merged = await forge.merge('acme/shop', number, { by: 'alice', method: 'squash' })
    const commit = await readCommit(forge.git('acme/shop'), merged)
    expect(commit).toMatchObject({ parents: [base], author: { name: 'carol' } })
    expect(commit.message).toBe(`Add by-squash (#${number})\n\nCo-authored-by: bob <bob@example.test>`)
    expect(await forge.read('acme/shop', 'main', 'by-squash/1')).toBe('one')
    expect(await pull(number)).toMatchObject({ merged: true, merge_commit_sha: merged, changed_files: 2 })
  })

  it('rebases each commit anew on base and takes the last one as the merge commit', async () => {
    const number = await openTwoCommits('by-rebase')
    const base = await forge.sha('acme/shop', 'main')
    const head = await forge.sha('acme/shop', 'by-rebase')
    const merged = await forge.merge('acme/shop', number, { by: 'alice', method: 'rebase' })
    const commits = await readCommits(forge.git('acme/shop'), ['-3', merged])
    expect(commits.map((commit) => [commit.message, commit.author.name, commit.committer.name])).toMatchObject([
      ['Second', 'bob', 'alice'],
      ['First', 'carol', 'alice'],
      ['Meanwhile', 'alice', 'alice'],
    ])
    expect(commits[1]?.parents).toEqual([base])
    expect(merged).not.toBe(head)
    expect(await forge.read('acme/shop', 'main', 'by-rebase/1')).toBe('one')
    expect((await pull(number)).merge_commit_sha).toBe(merged)
  })

  it('shows a test merge while open, and says when there is a conflict', async () => {
    await forge.commit('acme/shop', 'clash', { 'README.md': 'theirs\n' }, { as: 'carol' })
    const number = await forge.openPull('acme/shop', { head: 'clash', author: 'carol' })
    const open = await pull(number)
    expect(open).toMatchObject({ merged: false, mergeable: true })
    expect(open.merge_commit_sha).not.toBe(open.head.sha)
    await forge.commit('acme/shop', 'main', { 'README.md': 'ours\n' }, { as: 'alice' })
    expect(await pull(number)).toMatchObject({ mergeable: false, merge_commit_sha: null })
    await expect(forge.merge('acme/shop', number, { by: 'alice' })).rejects.toThrow('not mergeable')
    await forge.closePull('acme/shop', number, { by: 'carol' })
    expect(await pull(number)).toMatchObject({ merged: false, state: 'closed', merge_commit_sha: null })
  })

  it('lets an evil merge on the branch bring in what neither side had', async () => {
    await forge.commit('acme/shop', 'evil', { good: '1' }, { as: 'carol' })
    await forge.commit('acme/shop', 'main', { other: '1' }, { as: 'alice' })
    const sha = await forge.commit(
      'acme/shop',
      'evil',
      { hidden: 'x' },
      { as: 'carol', merging: ['main'], message: 'Merge main' },
    )
    expect((await readCommit(forge.git('acme/shop'), sha)).parents).toHaveLength(2)
    expect(await forge.read('acme/shop', 'evil', 'hidden')).toBe('x')
  })

  it('retargets a pull request and keeps its reviews', async () => {
    await forge.commit('acme/shop', 'release', { r: '1' }, { as: 'alice' })
    await forge.commit('acme/shop', 'moving', { m: '1' }, { as: 'carol' })
    const number = await forge.openPull('acme/shop', { head: 'moving', base: 'release', author: 'carol' })
    const review = await forge.review('acme/shop', number, { by: 'bob', state: 'APPROVED' })
    await forge.retarget('acme/shop', number, 'main', { by: 'carol' })
    expect((await pull(number)).base).toMatchObject({ ref: 'main', sha: await forge.sha('acme/shop', 'main') })
    await forge.dismissReview('acme/shop', number, review, { by: 'alice' })
    const reviews = await octokitFor(forge, forge.token('alice')).pulls.listReviews({ ...at, pull_number: number })
    expect(reviews.data).toMatchObject([{ id: review, state: 'DISMISSED', user: { login: 'bob' } }])
    await expect(forge.review('acme/shop', number, { by: 'carol', state: 'APPROVED' })).rejects.toThrow('your own')
  })

  it('clones, pushes and follows the pull request head over HTTP', async () => {
    const token = forge.token('carol')
    await git('clone', '--quiet', remote(token), 'work')
    const inClone = (...args: string[]) => git('-C', 'work', ...args)
    await inClone('checkout', '--quiet', '-b', 'pushed')
    await writeFile(join(folder, 'work', 'pushed.txt'), 'by git\n')
    await inClone('add', 'pushed.txt')
    await inClone('commit', '--quiet', '-m', 'Push by git')
    await inClone('push', '--quiet', 'origin', 'pushed')
    const number = await forge.openPull('acme/shop', { head: 'pushed', author: 'carol' })
    await writeFile(join(folder, 'work', 'pushed.txt'), 'again\n')
    await inClone('commit', '--quiet', '-am', 'Push more')
    await inClone('push', '--quiet', 'origin', 'pushed')
    const head = await inClone('rev-parse', 'HEAD')
    expect((await pull(number)).head.sha).toBe(head)
    expect(await git('ls-remote', remote(token), `refs/pull/${number}/head`)).toContain(head)
    await inClone('fetch', '--quiet', 'origin', `refs/pull/${number}/head`)
    expect(await inClone('rev-parse', 'FETCH_HEAD')).toBe(head)
    expect(await readFile(join(folder, 'work', 'README.md'), 'utf8')).not.toBe('')
    const { data } = await octokitFor(forge, token).repos.listActivities({ ...at, ref: 'refs/heads/pushed' })
    expect(data.map((each) => [each.activity_type, each.actor?.login])).toEqual([
      ['push', 'carol'],
      ['branch_creation', 'carol'],
    ])
  })

  it('refuses git without a good token, and a push without the right to', async () => {
    await expect(git('ls-remote', remote('ghp_wrong'))).rejects.toThrow()
    await expect(git('ls-remote', forge.gitUrl('acme/shop'))).rejects.toThrow()
    expect(await git('ls-remote', remote(forge.token('dave')), 'HEAD')).toContain('HEAD')
    await expect(git('-C', 'work', 'push', remote(forge.token('dave')), 'HEAD:refs/heads/nope')).rejects.toThrow(/403|denied/)
    await expect(git('-C', 'work', 'push', remote(forge.token('carol')), 'HEAD:refs/pull/1/head')).rejects.toThrow()
    expect([...(await listRefs(forge.git('acme/shop'))).keys()]).not.toContain('refs/heads/nope')
  })

  it('takes pull requests from forks', async () => {
    const copy = await forge.fork('acme/shop', 'mallory')
    await forge.commit(copy, 'outside', { evil: '1' }, { as: 'mallory' })
    const number = await forge.openPull('acme/shop', { head: 'mallory:outside', author: 'mallory' })
    expect((await pull(number)).head).toMatchObject({ label: 'mallory:outside', repo: { full_name: 'mallory/shop', fork: true } })
    const before = (await pull(number)).head.sha
    await forge.commit(copy, 'outside', { evil: '2' }, { as: 'mallory' })
    expect((await pull(number)).head.sha).not.toBe(before)
    forge.assertClean()
  })

  it('moves and deletes tags and branches under everybody’s feet', async () => {
    await forge.createTag('acme/shop', 'v1.0.0', 'main~1', { as: 'alice' })
    await forge.moveTag('acme/shop', 'v1.0.0', 'main', { as: 'alice', message: 'now annotated' })
    expect(await forge.sha('acme/shop', 'v1.0.0')).toBe(await forge.sha('acme/shop', 'main'))
    await forge.deleteRef('acme/shop', 'refs/tags/v1.0.0', { as: 'alice' })
    expect(await forge.sha('acme/shop', 'refs/tags/v1.0.0')).toBeNull()
  })
})

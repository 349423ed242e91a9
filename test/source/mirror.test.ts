import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigFault, RefusedFault } from '../../controller/errors.ts'
import { type BlobId, blobId, type CommitSha, commitSha } from '../../controller/model/names.ts'
import type { Mirror } from '../../controller/source/mirror.ts'
import { mirrorDirectory, mirrorOf, repository } from './mirror-fixtures.ts'

const UNKNOWN = commitSha('0123456789'.repeat(4))

async function textOf(mirror: Mirror, commit: CommitSha, path: string): Promise<string> {
  const { entries } = await mirror.snapshot(commit)
  const entry = entries.find((candidate) => candidate.path === path)!
  const blobs = await mirror.readBlobs([entry.id])
  return Buffer.from(blobs.get(entry.id)!).toString()
}

test('the head of the branch is fetched, listed and read', async () => {
  const remote = repository()
  const commit = remote.commit({ 'draven.yaml': 'kind: ConfigRepository\n', 'projects/shop/project.yaml': 'kind: Project\n' })
  const mirror = await mirrorOf(remote.url)
  expect(await mirror.fetch()).toBe(commit)
  const { entries } = await mirror.snapshot(commit)
  expect(entries).toEqual([
    { path: 'draven.yaml', mode: '100644', id: remote.git('rev-parse', 'HEAD:draven.yaml'), size: 23 },
    {
      path: 'projects/shop/project.yaml',
      mode: '100644',
      id: remote.git('rev-parse', 'HEAD:projects/shop/project.yaml'),
      size: 14,
    },
  ])
  expect(await textOf(mirror, commit, 'projects/shop/project.yaml')).toBe('kind: Project\n')
})

test('a second commit changes the ids of the changed files only, so only those need to be read', async () => {
  const remote = repository()
  remote.commit({ 'a.yaml': 'a: 1\n', 'b.yaml': 'b: 1\n', 'c.yaml': 'c: 1\n' })
  const mirror = await mirrorOf(remote.url)
  const cache = new Map<BlobId, Uint8Array>()
  async function load(): Promise<number> {
    const { entries } = await mirror.snapshot(await mirror.fetch())
    const unread = entries.map((entry) => entry.id).filter((id) => !cache.has(id))
    const blobs = await mirror.readBlobs(unread)
    for (const [id, bytes] of blobs) cache.set(id, bytes)
    return blobs.size
  }
  expect(await load()).toBe(3)
  expect(await load()).toBe(0)
  remote.commit({ 'b.yaml': 'b: 2\n' })
  expect(await load()).toBe(1)
})

test('a mirror that is up to date writes nothing when it is fetched again', async () => {
  const remote = repository()
  remote.commit({ 'a.yaml': 'a: 1\n' })
  const logged: string[] = []
  const log = { debug() {}, info: (message: string) => void logged.push(message), warn() {}, error() {} }
  const mirror = await mirrorOf(remote.url, { log })
  await mirror.fetch()
  await mirror.fetch()
  expect(logged).toEqual(['config repository fetched'])
})

test('a mirror is opened again after a restart, with the locks of an interrupted fetch removed', async () => {
  const remote = repository()
  const first = remote.commit({ 'a.yaml': 'a: 1\n' })
  const directory = mirrorDirectory()
  const before = await mirrorOf(remote.url, { directory })
  await before.fetch()
  await before.close()
  writeFileSync(join(directory, 'refs/draven/heads/main.lock'), '')
  const second = remote.commit({ 'a.yaml': 'a: 2\n' })
  const after = await mirrorOf(remote.url, { directory })
  expect(await after.history.isAncestor(first, first)).toBe(true)
  expect(await after.fetch()).toBe(second)
})

test('a force-push is visible: the old head is no ancestor of the new one, and both can be read', async () => {
  const remote = repository()
  const base = remote.commit({ 'a.yaml': 'a: 1\n' })
  const old = remote.commit({ 'a.yaml': 'a: 2\n' })
  const mirror = await mirrorOf(remote.url)
  expect(await mirror.fetch()).toBe(old)
  remote.git('reset', '--quiet', '--hard', base)
  const forced = remote.commit({ 'a.yaml': 'a: 3\n' }, { message: 'Rewritten' })
  expect(await mirror.fetch()).toBe(forced)
  expect(await mirror.history.isAncestor(old, forced)).toBe(false)
  expect(await mirror.history.isAncestor(base, forced)).toBe(true)
  expect(await textOf(mirror, forced, 'a.yaml')).toBe('a: 3\n')
})

test('a commit that has left the branch before the mirror was made is fetched by its id', async () => {
  const remote = repository()
  const base = remote.commit({ 'a.yaml': 'a: 1\n' })
  const left = remote.commit({ 'a.yaml': 'a: 2\n' })
  remote.git('reset', '--quiet', '--hard', base)
  const mirror = await mirrorOf(remote.url)
  expect(await mirror.fetch()).toBe(base)
  expect(await textOf(mirror, left, 'a.yaml')).toBe('a: 2\n')
  await expect(mirror.snapshot(commitSha('1'.repeat(40)))).rejects.toThrow(ConfigFault)
})

test('a rewind is visible: the later commit is no ancestor of the head', async () => {
  const remote = repository()
  const base = remote.commit({ 'a.yaml': 'a: 1\n' })
  const later = remote.commit({ 'a.yaml': 'a: 2\n' })
  const mirror = await mirrorOf(remote.url)
  await mirror.fetch()
  remote.git('reset', '--quiet', '--hard', base)
  expect(await mirror.fetch()).toBe(base)
  expect(await mirror.history.isAncestor(later, base)).toBe(false)
})

test('history answers for known commits and says no, or null, for unknown ones', async () => {
  const remote = repository()
  const first = remote.commit({ 'a.yaml': 'a: 1\n' }, { author: 'First@Example.com' })
  const second = remote.commit({ 'b.yaml': 'b: 1\n' }, { author: 'second@example.com' })
  const third = remote.commit({ 'b.yaml': 'b: 2\n', '[x]*.yaml': 'glob: 1\n' })
  const { fetch, history } = await mirrorOf(remote.url)
  await fetch()
  expect(await history.commitsBetween(first, third, 10)).toEqual([third, second])
  expect(await history.commitsBetween(first, third, 1)).toEqual([third])
  expect(await history.commitsBetween(third, third, 10)).toEqual([])
  expect(await history.isAncestor(UNKNOWN, third)).toBe(false)
  expect(await history.isAncestor(third, UNKNOWN)).toBe(false)
  expect(await history.blobAt(third, 'b.yaml')).toBe(remote.git('rev-parse', 'HEAD:b.yaml'))
  expect(await history.blobAt(third, '[x]*.yaml')).toBe(remote.git('rev-parse', 'HEAD:[x]*.yaml'))
  for (const path of ['c.yaml', '*.yaml', '', '/a.yaml', './a.yaml', '../a.yaml', 'a.yaml/', '--help', ':/a.yaml']) {
    expect(await history.blobAt(third, path), path).toBeNull()
  }
  expect(await history.blobAt(UNKNOWN, 'b.yaml')).toBeNull()
  expect(await history.lastAuthorEmail(third, 'a.yaml')).toBe('first@example.com')
  expect(await history.lastAuthorEmail(second, 'b.yaml')).toBe('second@example.com')
  expect(await history.lastAuthorEmail(third, 'c.yaml')).toBeNull()
  expect(await history.lastAuthorEmail(third, '--output=x')).toBeNull()
  expect(await history.lastAuthorEmail(UNKNOWN, 'a.yaml')).toBeNull()
})

test('the id of a 64-digit name is unknown to a repository whose ids have 40 digits', async () => {
  const remote = repository()
  const head = remote.commit({ 'a.yaml': 'a: 1\n' })
  const mirror = await mirrorOf(remote.url)
  await mirror.fetch()
  const long = commitSha('a'.repeat(64))
  expect(await mirror.history.isAncestor(long, head)).toBe(false)
  expect(await mirror.history.blobAt(long, 'a.yaml')).toBeNull()
  await expect(mirror.snapshot(long)).rejects.toThrow(ConfigFault)
})

test('a pull request head is fetched only when the remote holds the expected commit', async () => {
  const remote = repository()
  const base = remote.commit({ 'a.yaml': 'a: 1\n' })
  remote.switchTo('feature')
  const head = remote.commit({ 'requests/shop/prod/1.yaml': 'kind: DeployRequest\n' })
  remote.git('update-ref', 'refs/pull/7/head', head)
  remote.switchTo('main')
  const { fetch, history } = await mirrorOf(remote.url)
  await fetch()
  expect(await history.fetchPull('refs/pull/7/head', base)).toBe(false)
  expect(await history.blobAt(head, 'requests/shop/prod/1.yaml')).toBeNull()
  expect(await history.fetchPull('refs/pull/8/head', head)).toBe(false)
  expect(await history.fetchPull('refs/pull/7/head', head)).toBe(true)
  expect(await history.blobAt(head, 'requests/shop/prod/1.yaml')).not.toBeNull()
  remote.git('update-ref', 'refs/pull/7/head', base)
  expect(await history.fetchPull('refs/pull/7/head', head)).toBe(false)
  expect(await history.fetchPull('refs/pull/7/head', base)).toBe(true)
})

test('a pull ref that holds an annotated tag is not taken for a commit', async () => {
  const remote = repository()
  remote.commit({ 'a.yaml': 'a: 1\n' })
  remote.git('tag', '--annotate', '--message', 'x', 'v1')
  const tag = commitSha(remote.git('rev-parse', 'refs/tags/v1'))
  remote.git('update-ref', 'refs/pull/1/head', tag)
  const { fetch, history } = await mirrorOf(remote.url)
  await fetch()
  expect(await history.fetchPull('refs/pull/1/head', tag)).toBe(false)
})

test('a blob over 64 KiB is refused by its size, and the reader goes on with the next', async () => {
  const remote = repository()
  const head = remote.commit({ 'big.yaml': 'x'.repeat(64 * 1024 + 1), 'edge.yaml': 'y'.repeat(64 * 1024), 'empty.yaml': '' })
  const mirror = await mirrorOf(remote.url)
  await mirror.fetch()
  const { entries } = await mirror.snapshot(head)
  const id = (path: string) => entries.find((entry) => entry.path === path)!.id
  await expect(mirror.readBlobs([id('edge.yaml'), id('big.yaml')])).rejects.toThrow(RefusedFault)
  const blobs = await mirror.readBlobs([id('edge.yaml'), id('empty.yaml'), id('edge.yaml')])
  expect([...blobs.values()].map((bytes) => bytes.length)).toEqual([64 * 1024, 0])
})

test('an id that no blob has is a fault, and reads at the same time keep their own answers', async () => {
  const remote = repository()
  const files = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`f${n}.yaml`, `n: ${n}\n`.repeat(n * 20 + 1)]))
  const head = remote.commit(files)
  const mirror = await mirrorOf(remote.url)
  await mirror.fetch()
  const { entries } = await mirror.snapshot(head)
  const [broken, ...reads] = await Promise.allSettled([
    mirror.readBlobs([blobId('f'.repeat(40))]),
    ...entries.map((entry) => mirror.readBlobs([entry.id])),
    mirror.readBlobs(entries.map((entry) => entry.id)),
  ])
  expect(broken).toMatchObject({ status: 'rejected', reason: expect.any(ConfigFault) })
  for (const [n, entry] of entries.entries()) {
    const read = reads[n]!
    if (read.status !== 'fulfilled') throw read.reason
    expect(Buffer.from(read.value.get(entry.id)!).toString()).toBe(files[entry.path])
  }
  expect(reads.at(-1)).toMatchObject({ status: 'fulfilled', value: expect.objectContaining({ size: 60 }) })
})

/** The reader's process, found by the git directory it was told. */
function catFileOf(directory: string): number {
  const owns = (pid: string) => {
    try {
      const told = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`GIT_DIR=${directory}`)
      return told && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('cat-file')
    } catch {
      return false
    }
  }
  return Number(readdirSync('/proc').find((name) => /^\d+$/.test(name) && owns(name)))
}

test.skipIf(process.platform !== 'linux')('one process reads all blobs, and is replaced when it dies', async () => {
  const remote = repository()
  const head = remote.commit({ 'a.yaml': 'a: 1\n', 'b.yaml': 'b: 1\n' })
  const directory = mirrorDirectory()
  const mirror = await mirrorOf(remote.url, { directory })
  await mirror.fetch()
  await textOf(mirror, head, 'a.yaml')
  const first = catFileOf(directory)
  await textOf(mirror, head, 'b.yaml')
  expect(catFileOf(directory)).toBe(first)
  process.kill(first, 'SIGKILL')
  expect(await textOf(mirror, head, 'a.yaml')).toBe('a: 1\n')
  expect(catFileOf(directory)).not.toBe(first)
  await mirror.close()
  expect(catFileOf(directory)).toBeNaN()
})

test('a directory with something else in it is refused and left as it was', async () => {
  const remote = repository()
  const directory = mirrorDirectory()
  mkdirSync(directory)
  writeFileSync(join(directory, 'thesis.txt'), 'years of work')
  await expect(mirrorOf(remote.url, { directory })).rejects.toThrow(ConfigFault)
  expect(readdirSync(directory)).toEqual(['thesis.txt'])
})

test('a mirror of another remote, and a damaged one, are refused with what to do', async () => {
  const remote = repository()
  const head = remote.commit({ 'a.yaml': 'a: 1\n' })
  const directory = mirrorDirectory()
  const mirror = await mirrorOf(remote.url, { directory })
  await mirror.fetch()
  await expect(mirrorOf(repository().url, { directory })).rejects.toThrow(/mirrors file:/)
  rmSync(join(directory, 'objects'), { recursive: true })
  mkdirSync(join(directory, 'objects'))
  await expect(mirror.snapshot(head)).rejects.toMatchObject({
    name: 'ConfigFault',
    fix: expect.stringContaining('delete this directory'),
  })
  rmSync(join(directory, 'HEAD'))
  await expect(mirrorOf(remote.url, { directory })).rejects.toThrow(/damaged/)
})

test('nothing but Git data lands in the mirror: no work tree, no hooks', async () => {
  const remote = repository()
  remote.commit({ 'draven.yaml': 'kind: ConfigRepository\n' })
  const directory = mirrorDirectory()
  const mirror = await mirrorOf(remote.url, { directory })
  await mirror.fetch()
  expect(existsSync(join(directory, 'draven.yaml'))).toBe(false)
  expect(existsSync(join(directory, 'hooks'))).toBe(false)
  expect(readFileSync(join(directory, 'config'), 'utf8')).toContain('bare = true')
})

test('a closed mirror refuses further work', async () => {
  const remote = repository()
  remote.commit({ 'a.yaml': 'a: 1\n' })
  const mirror = await mirrorOf(remote.url)
  await mirror.fetch()
  await mirror.close()
  await expect(mirror.fetch()).rejects.toThrow(/closed/)
})

import { appendFileSync, chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ConfigFault, RefusedFault } from '../../controller/errors.ts'
import { silentLogger } from '../../controller/log.ts'
import { type LocalDirectory, openLocalDirectory } from '../../controller/source/local-directory.ts'
import { temporaryDirectory } from '../git-fixtures.ts'
import { repository } from './mirror-fixtures.ts'

async function opened(directory: string, branch: string | null = null): Promise<LocalDirectory> {
  const source = await openLocalDirectory({ directory, branch, log: silentLogger })
  onTestFinished(() => source.close())
  return source
}

test('commits are read and the work tree is not', async () => {
  const fixture = repository()
  const head = fixture.commit({ 'a.yaml': 'a: committed\n' })
  writeFileSync(join(fixture.directory, 'a.yaml'), 'a: edited\n')
  writeFileSync(join(fixture.directory, 'b.yaml'), 'b: new\n')
  const source = await opened(fixture.directory)
  expect(await source.fetch()).toBe(head)
  const { entries } = await source.snapshot(head)
  expect(entries.map((entry) => entry.path)).toEqual(['a.yaml'])
  const blobs = await source.readBlobs([entries[0]!.id])
  expect(Buffer.from(blobs.get(entries[0]!.id)!).toString()).toBe('a: committed\n')
})

test('without a branch HEAD is followed; with one it is not', async () => {
  const fixture = repository()
  const main = fixture.commit({ 'a.yaml': 'a: 1\n' })
  const following = await opened(fixture.directory)
  const fixed = await opened(fixture.directory, 'main')
  fixture.switchTo('next')
  const next = fixture.commit({ 'a.yaml': 'a: 2\n' })
  expect(await following.fetch()).toBe(next)
  expect(await fixed.fetch()).toBe(main)
  expect(await fixed.history.isAncestor(main, next)).toBe(true)
  expect(await fixed.history.commitsBetween(main, next, 5)).toEqual([next])
  expect(await fixed.history.fetchPull('refs/heads/next', next)).toBe(true)
  expect(await fixed.history.fetchPull('refs/heads/next', main)).toBe(false)
  await expect(fixed.history.fetchPull('--all', next)).rejects.toThrow(RefusedFault)
})

test('bare repositories, linked work trees and SHA-256 repositories are read too', async () => {
  const fixture = repository()
  const head = fixture.commit({ 'a.yaml': 'a: 1\n' })
  expect(await (await opened(join(fixture.directory, '.git'))).fetch()).toBe(head)
  const { path, remove } = temporaryDirectory()
  onTestFinished(() => remove())
  fixture.git('worktree', 'add', '--quiet', '-b', 'linked', join(path, 'linked'))
  expect(await (await opened(join(path, 'linked'))).fetch()).toBe(head)
  fixture.git('init', '--quiet', '--object-format=sha256', '--initial-branch=main', join(path, 'long'))
  fixture.git('-C', join(path, 'long'), 'commit', '--quiet', '--allow-empty', '--message', 'x')
  expect(await (await opened(join(path, 'long'))).fetch()).toMatch(/^[0-9a-f]{64}$/)
})

test('no repository, no commit, no such branch and no branch at all are told apart', async () => {
  const { path, remove } = temporaryDirectory()
  onTestFinished(() => remove())
  await expect(opened(path)).rejects.toThrow(ConfigFault)
  await expect(opened(path, '--all')).rejects.toThrow(ConfigFault)
  const fixture = repository()
  await expect((await opened(fixture.directory)).fetch()).rejects.toThrow(/no commit/)
  const head = fixture.commit({ 'a.yaml': 'a: 1\n' })
  await expect((await opened(fixture.directory, 'prod')).fetch()).rejects.toThrow(RefusedFault)
  fixture.git('checkout', '--quiet', '--detach', head)
  await expect((await opened(fixture.directory)).fetch()).rejects.toThrow(/stands on no branch/)
})

test('settings of the repository start no program, not even to fetch a promised object', async () => {
  const fixture = repository()
  const head = fixture.commit({ 'a.yaml': 'a: 1\n', 'b.yaml': 'b: 1\n' })
  const { path, remove } = temporaryDirectory()
  onTestFinished(() => remove())
  const canary = join(path, 'canary')
  const script = join(path, 'script.sh')
  writeFileSync(script, `#!/bin/sh\ntouch ${canary}\n`)
  chmodSync(script, 0o755)
  const blob = fixture.git('rev-parse', 'HEAD:a.yaml')
  appendFileSync(
    join(fixture.directory, '.git/config'),
    [
      '[extensions]\n\tpartialClone = origin',
      `[remote "origin"]\n\turl = file://${fixture.directory}\n\tpromisor = true\n\tuploadpack = ${script}`,
      `[core]\n\tfsmonitor = ${script}\n\tsshCommand = ${script}\n\tpager = ${script}\n\talternateRefsCommand = ${script}`,
      `[log]\n\tshowSignature = true\n[gpg]\n\tprogram = ${script}`,
      '',
    ].join('\n'),
  )
  chmodSync(join(fixture.directory, '.git/objects', blob.slice(0, 2), blob.slice(2)), 0o644)
  writeFileSync(join(fixture.directory, '.git/objects', blob.slice(0, 2), blob.slice(2)), '')
  const source = await opened(fixture.directory)
  await source.fetch()
  const snapshot = await source.snapshot(head).catch((error) => error)
  expect(snapshot).toBeInstanceOf(ConfigFault)
  expect(await source.history.lastAuthorEmail(head, 'b.yaml')).toBe('ada@example.com')
  expect(existsSync(canary)).toBe(false)
})

test('a commit, a new branch and a packing of refs nudge; edits of files do not', async () => {
  const fixture = repository()
  fixture.commit({ 'a.yaml': 'a: 1\n' })
  const source = await opened(fixture.directory)
  let nudges = 0
  const stop = source.watch(() => nudges++)
  onTestFinished(stop)
  // The watcher needs a moment to start; a nudge that is lost before that is what polling is for.
  await new Promise((resolve) => setTimeout(resolve, 400))
  writeFileSync(join(fixture.directory, 'a.yaml'), 'a: edited\n')
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(nudges).toBe(0)
  fixture.commit({ 'a.yaml': 'a: 2\n' })
  await vi.waitFor(() => expect(nudges).toBeGreaterThan(0), 5_000)
  const afterCommit = nudges
  fixture.switchTo('next')
  await vi.waitFor(() => expect(nudges).toBeGreaterThan(afterCommit), 5_000)
  await stop()
  const stopped = nudges
  fixture.commit({ 'a.yaml': 'a: 3\n' })
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(nudges).toBe(stopped)
})

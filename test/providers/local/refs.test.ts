import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigFault } from '../../../controller/errors.ts'
import type { RefType } from '../../../controller/model/desired-state.ts'
import { localRefs } from '../../../controller/providers/local/refs.ts'

const repository = mkdtempSync(join(tmpdir(), 'draven-refs-'))
const identity = ['-c', 'user.name=T', '-c', 'user.email=t@acme.test', '-c', 'advice.nestedTag=false']
const git = (...args: string[]) =>
  execFileSync('git', ['-C', repository, ...identity, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim()
const commits: Record<string, string> = {}

beforeAll(() => {
  git('init', '-q', '-b', 'main')
  for (const name of ['one', 'two']) {
    git('commit', '-q', '--allow-empty', '-m', name)
    commits[name] = git('rev-parse', 'HEAD')
  }
  git('checkout', '-q', '-b', 'feature/x')
  git('commit', '-q', '--allow-empty', '-m', 'side')
  commits['side'] = git('rev-parse', 'HEAD')
  git('tag', '-a', 'v1', '-m', 'v1', commits['one'] ?? '')
  git('tag', '-a', 'v1-nested', '-m', 'nested', 'v1')
  git('tag', 'light', commits['two'] ?? '')
  git('tag', 'tree', `${commits['one']}^{tree}`)
  // Names made to be confused: a branch called like the full name of a tag, a tag called like a branch, a branch like a short id.
  git('update-ref', 'refs/heads/refs/tags/v9', commits['side'] ?? '')
  git('update-ref', 'refs/tags/main', commits['side'] ?? '')
  git('update-ref', `refs/heads/${commits['one']?.slice(0, 7)}`, commits['side'] ?? '')
})
afterAll(() => rmSync(repository, { recursive: true }))

const resolve = (type: RefType, name: string) => localRefs({ repository, defaultBranch: 'main' }).resolveRef({ type, name })

describe('refs of a local repository', () => {
  it.each([
    ['branch', 'main', 'two'],
    ['branch', 'feature/x', 'side'],
    ['tag', 'v1', 'one'],
    ['tag', 'v1-nested', 'one'],
    ['tag', 'light', 'two'],
    ['tag', 'main', 'side'],
  ] as const)('%s %s is the commit "%s"', async (type, name, commit) => {
    expect(await resolve(type, name)).toEqual({ found: true, sha: commits[commit], reachable: true })
  })

  it.each([
    ['tag', 'v9'],
    ['branch', 'v1'],
    ['branch', 'x'],
    ['branch', 'HEAD'],
    ['tag', 'tree'],
    ['tag', '--help'],
    ['branch', 'main^{commit}'],
    ['branch', 'main..feature/x'],
    ['branch', '../../config'],
    ['branch', 'main\nrefs/heads/main'],
    ['branch', ''],
    ['sha', 'HEAD'],
    ['sha', 'main'],
  ] as const)('%s %j is not found', async (type, name) => {
    expect(await resolve(type, name)).toEqual({ found: false })
  })

  it('finds a commit by its full id only, and says whether it is on the default branch', async () => {
    expect(await resolve('sha', commits['one'] ?? '')).toEqual({ found: true, sha: commits['one'], reachable: true })
    expect(await resolve('sha', commits['side'] ?? '')).toEqual({ found: true, sha: commits['side'], reachable: false })
    expect(await resolve('sha', commits['one']?.slice(0, 7) ?? '')).toEqual({ found: false })
    expect(await resolve('sha', 'f'.repeat(40))).toEqual({ found: false })
    expect(await resolve('sha', git('rev-parse', 'v1'))).toEqual({ found: false })
  })

  it('has no CI results to offer', async () => {
    const { found, ...two } = { ...(await resolve('branch', 'main')) }
    expect(found).toBe(true)
    const sha = 'sha' in two ? two.sha : null
    expect(sha && (await localRefs({ repository, defaultBranch: 'main' }).ciEvidence(sha))).toEqual({
      sha,
      results: [],
      ignored: [],
    })
  })

  it('is a fault of the configuration when there is no repository', async () => {
    const refs = localRefs({ repository: tmpdir(), defaultBranch: 'main' })
    await expect(refs.resolveRef({ type: 'branch', name: 'main' })).rejects.toThrow(ConfigFault)
  })
})

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import { GIT_ENVIRONMENT, resolveCommit } from '../sandbox/git/repository.ts'
import type { StoryForge } from './forges/story-forge.ts'
import { FORGES } from './forges/table.ts'

const REPO = 'acme/deploy-config'

describe.each([...FORGES])('the forge of the story, %s', (_name, start) => {
  let root: string
  let forge: StoryForge
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'draven-story-forge-'))
    forge = await start({ clock: systemClock(), root: join(root, 'forge') })
    await forge.createRepo(REPO, { VERSION: 'v1\n' })
  })
  afterEach(async () => {
    await forge.close()
    await rm(root, { recursive: true, force: true })
  })

  it('gives visitors an address from which they clone and to which they push, as Alice', async () => {
    const clone = join(root, 'visitor')
    const identity = ['-c', 'user.name=Visitor', '-c', 'user.email=visitor@example.test']
    const git = (...args: string[]) => promisify(execFile)('git', [...identity, ...args], { env: { ...GIT_ENVIRONMENT } })
    await git('clone', '--quiet', forge.cloneUrl(REPO, 'alice'), clone)
    await git('-C', clone, 'switch', '--quiet', '--create', 'demo/mine')
    await writeFile(join(clone, 'VERSION'), 'v2\n')
    await git('-C', clone, 'commit', '--quiet', '--all', '--message', 'Mine')
    await git('-C', clone, 'push', '--quiet', 'origin', 'demo/mine')
    const head = await resolveCommit(forge.git(REPO), 'refs/heads/demo/mine')
    const pull = await forge.openPull(REPO, { head: 'demo/mine', title: 'Mine', author: 'alice' })
    expect(head).not.toBeNull()
    expect(await forge.headOf(REPO, pull)).toBe(head)
    forge.contractKept()
  })

  it('shows nothing on a pull request before the controller said something', async () => {
    const head = await forge.commit(REPO, 'request', { VERSION: 'v2\n' }, { as: 'emil', message: 'Mine' })
    const pull = await forge.openPull(REPO, { head: 'request', title: 'Mine', author: 'emil' })
    expect(await forge.shownOn(REPO, pull, head)).toEqual({ validate: null, gate: null, comment: '' })
    forge.contractKept()
  })
})

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../controller/clock.ts'
import { manualClock } from '../providers/fixtures.ts'
import { type RawServer, rawServer } from '../providers/raw-server.ts'
import { defaultSpecPath } from './contract.ts'
import { GIT_ENVIRONMENT } from './git/repository.ts'
import { type Gitlab, startGitlab } from './gitlab/forge.ts'
import { DEVELOPER, REPORTER } from './gitlab/world.ts'

const SHOP = 'acme/shop'
const described = existsSync(join(dirname(defaultSpecPath()), 'gitlab.json'))
if (!described) console.warn('Skipped: the description of GitLab is not there.')

let forge: Gitlab
let clock: ReturnType<typeof manualClock>
let root: string
let receiver: RawServer | null = null
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'draven-gitlab-'))
  clock = manualClock()
  forge = await startGitlab({ clock, root })
  await forge.createRepo(SHOP, { files: { '.gitlab-ci.yml': 'deploy: {}\n' } })
  for (const username of ['alice', 'bob']) forge.user(username)
  forge.addMember(SHOP, 'alice', DEVELOPER)
  forge.addMember(SHOP, 'bob', REPORTER)
})
afterEach(async () => {
  await receiver?.close()
  receiver = null
  await forge.close()
  rmSync(root, { recursive: true, force: true })
})

async function call(method: string, path: string, body?: unknown, who = 'alice'): Promise<number> {
  const headers = { 'private-token': forge.token(who), 'content-type': 'application/json' }
  const answer = await fetch(`${forge.apiUrl}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return answer.status
}
const shop = `/projects/${encodeURIComponent(SHOP)}`

describe.runIf(described)('the contract with GitLab', () => {
  it.each<[string, string, string, unknown, string]>([
    ['an unknown path', 'GET', `${shop}/pipeline_runs`, undefined, 'does not exist here'],
    ['an unknown parameter', 'GET', `${shop}/pipelines?commit=x`, undefined, 'parameter commit is unknown'],
    ['an unknown property', 'POST', `${shop}/pipeline`, { ref: 'main', input: {} }, 'body property input is unknown'],
    [
      'a property of another call',
      'POST',
      `${shop}/statuses/${'a'.repeat(40)}`,
      { name: 'x', state: 'success', url: 'y' },
      'body property url',
    ],
  ])('catches %s', async (_what, method, path, body, violation) => {
    await call(method, path, body)
    expect(() => forge.assertClean()).toThrow(violation)
  })

  it('is kept by calls as the product makes them', async () => {
    expect(await call('POST', `${shop}/pipeline`, { ref: 'main', variables: [{ key: 'A', value: 'b' }] })).toBe(201)
    expect(await call('GET', `${shop}/pipelines?source=api&ref=main&per_page=100&page=1`)).toBe(200)
    forge.assertClean()
  })
})

describe('the emulated GitLab', () => {
  it.each([
    ['a stranger sees nothing', 'GET', shop, 'mallory', 404],
    ['a reporter may read', 'GET', `${shop}/pipelines`, 'bob', 200],
    ['a reporter may start nothing', 'POST', `${shop}/pipeline`, 'bob', 403],
    ['a developer sees no hooks', 'GET', `${shop}/hooks`, 'alice', 403],
  ])('%s', async (_what, method, path, who, status) => {
    forge.user('mallory')
    expect(await call(method, path, method === 'POST' ? { ref: 'main' } : undefined, who)).toBe(status)
  })

  it('refuses a pipeline at a commit, without a definition, and with inputs that are not declared', async () => {
    const sha = await forge.sha(SHOP, 'main')
    expect(await call('POST', `${shop}/pipeline`, { ref: sha })).toBe(400)
    await forge.commit(SHOP, 'bare', { '.gitlab-ci.yml': null }, { as: 'alice' })
    expect(await call('POST', `${shop}/pipeline`, { ref: 'bare' })).toBe(400)
    expect(await call('POST', `${shop}/pipeline`, { ref: 'main', inputs: { ENV: 'prod' } })).toBe(400)
    expect(forge.pipelines(SHOP)).toEqual([])
  })

  it('makes a new version of a merge request from a push by git, and keeps its approvals, as without approval rules', async () => {
    await forge.commit(SHOP, 'request', { a: '1' }, { as: 'alice' })
    const iid = await forge.openPull(SHOP, { head: 'request', author: 'alice' })
    forge.approve(SHOP, iid, 'bob')
    const work = join(root, 'work')
    const git = async (who: string, ...args: string[]) => {
      const address = `${forge.gitUrl(SHOP).replace('://', `://oauth2:${forge.token(who)}@`)}`
      const identity = ['-c', 'user.name=alice', '-c', 'user.email=alice@example.test']
      const filled = args.map((arg) => (arg === 'ORIGIN' ? address : arg))
      await promisify(execFile)('git', [...identity, ...filled], { cwd: existsSync(work) ? work : root, env: GIT_ENVIRONMENT })
    }
    await git('alice', 'clone', '--quiet', '--branch', 'request', 'ORIGIN', work)
    await git('alice', 'commit', '--quiet', '--allow-empty', '--message', 'More')
    await expect(git('bob', 'push', '--quiet', 'ORIGIN', 'request')).rejects.toThrow()
    await git('alice', 'push', '--quiet', 'ORIGIN', 'request')
    const request = forge.project(SHOP).requests.find((each) => each.iid === iid)
    expect(request?.versions.map(({ sha }) => sha)).toEqual([
      await forge.sha(SHOP, 'request~1'),
      await forge.sha(SHOP, 'request'),
    ])
    expect(request?.approvals).toHaveLength(1)
    expect(forge.project(SHOP).pushes.at(-1)).toMatchObject({ author: { username: 'alice' }, ref: 'request', action: 'pushed' })
  })

  it('rests a hook after four failures in a row, never sends again, and tries once more after a minute', async () => {
    receiver = await rawServer((_request, response) => response.writeHead(500).end())
    forge.addHook(SHOP, { url: `${receiver.origin}/webhooks/shop`, token: 'the token' })
    for (let pushes = 0; pushes < 6; pushes++) await forge.commit(SHOP, 'main', { [`f${pushes}`]: 'x' }, { as: 'alice' })
    await forge.settle()
    expect(receiver.seen).toHaveLength(4)
    expect(receiver.seen[0]?.headers).toMatchObject({ 'x-gitlab-event': 'Push Hook', 'x-gitlab-token': 'the token' })
    clock.advance(2 * MINUTE_MS)
    await forge.commit(SHOP, 'main', { again: 'x' }, { as: 'alice' })
    await forge.settle()
    expect(receiver.seen).toHaveLength(5)
  })

  it.each(['lost', 'duplicate', 'forged'] as const)('can make a delivery %s', async (kind) => {
    receiver = await rawServer((_request, response) => response.writeHead(202).end())
    forge.addHook(SHOP, { url: `${receiver.origin}/webhooks/shop`, token: 'the token' })
    forge.faults.add({ on: 'hook/Push Hook', kind })
    await forge.commit(SHOP, 'main', { x: kind }, { as: 'alice' })
    await forge.settle()
    const tokens = receiver.seen.map(({ headers }) => headers['x-gitlab-token'])
    expect(tokens).toEqual({ lost: [], duplicate: ['the token', 'the token'], forged: ['not the token', 'the token'] }[kind])
    expect(new Set(receiver.seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(
      { lost: 0, duplicate: 1, forged: 2 }[kind],
    )
  })

  describe('with scripts that really run', () => {
    const CI_FILE = 'deploy:\n  script:\n    - echo "$ENV gets $(cat VERSION)"\n    - $LAST\n'
    beforeEach(async () => {
      await forge.close()
      forge = await startGitlab({ clock, root: join(root, 'scripts'), pipelines: 'process' })
      await forge.createRepo(SHOP, { files: { '.gitlab-ci.yml': CI_FILE, VERSION: 'v1.4.2\n' } })
      forge.addMember(SHOP, 'alice', DEVELOPER)
    })
    const start = (LAST: string) => {
      const variables = Object.entries({ ENV: 'prod', LAST }).map(([key, value]) => ({ key, value }))
      return call('POST', `${shop}/pipeline`, { ref: 'main', variables })
    }

    it.each([
      ['true', 'success'],
      ['false', 'failed'],
    ])('runs them in a checkout of the commit and keeps what they print: ending with %s is %s', async (last, state) => {
      expect(await start(last)).toBe(201)
      await forge.settle()
      expect(forge.pipelines(SHOP)).toMatchObject([
        { endedAt: clock.now(), jobs: [{ name: 'deploy', status: state, log: 'prod gets v1.4.2\n' }] },
      ])
    })

    it('stops them with the pipeline', async () => {
      await start('sleep 600')
      await expect.poll(() => forge.pipelines(SHOP)[0]?.jobs[0]?.log).toContain('v1.4.2')
      const [{ id } = { id: 0 }] = forge.pipelines(SHOP)
      expect(await call('POST', `${shop}/pipelines/${id}/cancel`)).toBe(201)
      await forge.settle()
      expect(forge.pipelines(SHOP)).toMatchObject([{ jobs: [{ status: 'canceled' }] }])
    })
  })
})

import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { manualClock } from '../providers/fixtures.ts'
import { type RawServer, rawServer } from '../providers/raw-server.ts'
import { defaultSpecPath } from './contract.ts'
import { DEPLOY_WORKFLOW } from './forge-fixture.ts'
import { GIT_ENVIRONMENT } from './git/repository.ts'
import { type Gitea, startGitea } from './gitea/forge.ts'

const SHOP = 'acme/shop'
const described = existsSync(join(dirname(defaultSpecPath()), 'gitea.json'))
if (!described) console.warn('Skipped: the description of Gitea is not there.')

describe.each(['gitea', 'forgejo'] as const)('the emulated %s', (server) => {
  let forge: Gitea
  let root: string
  let clock: ReturnType<typeof manualClock>
  let receiver: RawServer | null = null
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), `draven-${server}-`))
    clock = manualClock()
    forge = await startGitea({ server, clock, root })
    await forge.createRepo(SHOP, { files: { '.github/workflows/deploy.yml': DEPLOY_WORKFLOW } })
    forge.addCollaborator(SHOP, 'alice', 'write')
    forge.addCollaborator(SHOP, 'bob', 'read')
    forge.user('mallory')
  })
  afterEach(async () => {
    await receiver?.close()
    receiver = null
    await forge.close()
    rmSync(root, { recursive: true, force: true })
  })

  async function call(method: string, path: string, body?: unknown, who = 'alice'): Promise<Response> {
    const headers = { authorization: `token ${forge.token(who)}`, 'content-type': 'application/json' }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    return fetch(`${forge.apiUrl}/repos/${SHOP}${path}`, { method, headers, ...sent })
  }
  const status = async (...args: Parameters<typeof call>) => (await call(...args)).status
  const dispatches = '/actions/workflows/deploy.yml/dispatches'

  describe.runIf(described)('keeps the contract and', () => {
    it.each<[string, string, string, unknown, string]>([
      ['an unknown path', 'GET', '/actions/pipelines', undefined, 'does not exist here'],
      ['an unknown parameter', 'GET', '/actions/runs?created=x', undefined, 'parameter created is unknown'],
      ['an unknown property', 'POST', dispatches, { ref: 'main', variables: {} }, 'body property variables is unknown'],
      ['a property of another call', 'POST', `/statuses/${'a'.repeat(40)}`, { state: 'success', ref: 'x' }, 'body property ref'],
      server === 'gitea'
        ? [
            "the other server's way to ask for a run",
            'POST',
            dispatches,
            { ref: 'main', return_run_info: true },
            'return_run_info',
          ]
        : ['what only the other can', 'POST', '/actions/runs/1/rerun', undefined, 'does not exist here'],
      server === 'gitea'
        ? ["the other server's cancel", 'POST', '/actions/runs/1/cancel', undefined, 'does not exist here']
        : ["the other server's filter", 'GET', '/actions/runs?workflow=x', undefined, 'parameter workflow is unknown'],
    ])('catches %s', async (_what, method, path, body, violation) => {
      await call(method, path, body)
      expect(() => forge.assertClean()).toThrow(violation)
    })

    it('takes calls as the product makes them', async () => {
      expect(await status('POST', dispatches, { ref: 'refs/heads/main', inputs: { JOB_ID: 'x' } })).toBe(204)
      expect(await status('GET', '/actions/runs?event=workflow_dispatch&page=1&limit=50')).toBe(200)
      forge.assertClean()
    })
  })

  it.each([
    ['a stranger sees nothing', 'GET', '', 'mallory', 404],
    ['a reader may read', 'GET', '/actions/runs', 'bob', 200],
    ['a reader may start nothing', 'POST', dispatches, 'bob', 403],
    ['a writer may', 'POST', dispatches, 'alice', 204],
  ])('knows rights: %s', async (_what, method, path, who, expected) => {
    expect(await status(method, path, method === 'POST' ? { ref: 'main' } : undefined, who)).toBe(expected)
  })

  it('refuses what cannot be dispatched, and drops inputs that are not declared', async () => {
    const sha = (await forge.sha(SHOP, 'main'))!
    expect(await status('POST', dispatches, { ref: sha })).toBe(404)
    expect(await status('POST', '/actions/workflows/absent.yml/dispatches', { ref: 'main' })).toBe(404)
    await forge.commit(SHOP, 'main', { '.github/workflows/ci.yml': 'on: push\njobs: {}\n' }, { as: 'alice' })
    expect(await status('POST', '/actions/workflows/ci.yml/dispatches', { ref: 'main' })).toBe(422)
    expect(forge.runs(SHOP)).toEqual([])
    await call('POST', dispatches, { ref: 'main', inputs: { JOB_ID: 'x', UNDECLARED: 'y' } })
    expect(forge.runs(SHOP)[0]?.inputs).toMatchObject({ JOB_ID: 'x', ENV: '' })
    expect(forge.runs(SHOP)[0]?.inputs).not.toHaveProperty('UNDECLARED')
  })

  it('looks into the first folder of workflows that is there, and no other', async () => {
    await forge.commit(SHOP, 'main', { [`.${server}/workflows/other.yml`]: DEPLOY_WORKFLOW }, { as: 'alice' })
    expect(await status('POST', dispatches, { ref: 'main' })).toBe(404)
    expect(await status('POST', '/actions/workflows/other.yml/dispatches', { ref: 'main' })).toBe(204)
  })

  it('lets nobody approve their own pull request, nor say anything decisive about a closed one', async () => {
    await forge.commit(SHOP, 'request', { a: '1' }, { as: 'alice' })
    const number = await forge.openPull(SHOP, { head: 'request', author: 'alice' })
    expect(() => forge.review(SHOP, number, { by: 'alice', state: 'APPROVED' })).toThrow()
    const id = forge.review(SHOP, number, { by: 'bob', state: 'APPROVED' })
    await forge.merge(SHOP, number, { by: 'acme' })
    expect(() => forge.review(SHOP, number, { by: 'bob', state: 'REQUEST_CHANGES' })).toThrow()
    expect(() => forge.dismissReview(SHOP, number, id)).toThrow()
    forge.review(SHOP, number, { by: 'bob', state: 'COMMENT' })
    await expect(forge.merge(SHOP, number, { by: 'acme' })).rejects.toThrow()
  })

  it('takes a push by git for what it is: a new head, a line in the timeline, reviews that are stale and stay', async () => {
    await forge.commit(SHOP, 'request', { a: '1' }, { as: 'alice' })
    const number = await forge.openPull(SHOP, { head: 'request', author: 'alice' })
    forge.review(SHOP, number, { by: 'bob', state: 'APPROVED' })
    const work = join(root, 'work')
    const git = async (who: string, ...args: string[]) => {
      const address = forge.gitUrl(SHOP).replace('://', `://any:${forge.token(who)}@`)
      const identity = ['-c', 'user.name=alice', '-c', 'user.email=alice@example.test']
      const filled = args.map((arg) => (arg === 'ORIGIN' ? address : arg))
      await promisify(execFile)('git', [...identity, ...filled], { cwd: existsSync(work) ? work : root, env: GIT_ENVIRONMENT })
    }
    await git('bob', 'clone', '--quiet', '--branch', 'request', 'ORIGIN', work)
    await git('alice', 'commit', '--quiet', '--allow-empty', '--message', 'More')
    await expect(git('bob', 'push', '--quiet', 'ORIGIN', 'request')).rejects.toThrow()
    forge.faults.add({ on: 'git/push', kind: 'error_before' })
    await expect(git('alice', 'push', '--quiet', 'ORIGIN', 'request')).rejects.toThrow()
    await git('alice', 'push', '--quiet', 'ORIGIN', 'request')
    const pull = forge.repository(SHOP).pulls.find((each) => each.number === number)
    expect(pull).toMatchObject({
      headSha: await forge.sha(SHOP, 'request'),
      pushes: [{ user: { login: 'alice' } }],
      reviews: [{ state: 'APPROVED', stale: true, dismissed: false }],
    })
    expect(await forge.sha(SHOP, `refs/pull/${number}/head`)).toBe(pull?.headSha)
    expect(forge.repository(SHOP).activities.at(-1)).toMatchObject({ kind: 'commit_repo', ref: 'refs/heads/request' })
  })

  describe('calls webhooks', () => {
    const hooked = async (secret?: string) => {
      receiver = await rawServer((_request, response) => response.writeHead(202).end())
      forge.addHook(SHOP, { url: `${receiver.origin}/webhooks/shop`, ...(secret === undefined ? {} : { secret }) })
      return receiver
    }
    const pushed = async () => {
      await forge.commit(SHOP, 'main', { x: String(Math.random()) }, { as: 'alice' })
      await forge.settle()
    }

    it('under its own name and those of the servers that it stands in for', async () => {
      const { seen } = await hooked('the secret')
      await pushed()
      const [{ headers, body }] = seen as [(typeof seen)[number]]
      const digest = createHmac('sha256', 'the secret').update(body).digest('hex')
      const families = ['gogs', 'gitea', ...(server === 'forgejo' ? ['forgejo'] : [])]
      for (const family of families)
        expect(headers).toMatchObject({ [`x-${family}-event`]: 'push', [`x-${family}-signature`]: digest })
      expect(headers).toMatchObject({ 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${digest}` })
      expect('x-forgejo-event' in headers).toBe(server === 'forgejo')
      expect(JSON.parse(body)).toMatchObject({ ref: 'refs/heads/main', repository: { full_name: SHOP } })
    })

    it('with empty signatures where there is no secret', async () => {
      const { seen } = await hooked()
      await pushed()
      expect(seen[0]?.headers).toMatchObject({ [`x-${server}-signature`]: '', 'x-hub-signature-256': 'sha256=' })
    })

    it.each(['lost', 'duplicate', 'forged'] as const)('and can make a delivery %s', async (kind) => {
      const { seen } = await hooked('the secret')
      forge.faults.add({ on: 'hook/push', kind })
      await pushed()
      const right = seen.map(
        ({ headers, body }) => headers[`x-${server}-signature`] === createHmac('sha256', 'the secret').update(body).digest('hex'),
      )
      expect(right).toEqual({ lost: [], duplicate: [true, true], forged: [false, true] }[kind])
      const ids = new Set(seen.map(({ headers }) => headers[`x-${server}-delivery`]))
      expect(ids.size).toBe({ lost: 0, duplicate: 1, forged: 2 }[kind])
    })

    it('late, overtaken by the next', async () => {
      const { seen } = await hooked('the secret')
      forge.faults.add({ on: 'hook/push', kind: 'late', delayMs: 60_000 })
      for (const branch of ['first', 'second']) await forge.commit(SHOP, branch, { x: branch }, { as: 'alice' })
      const refs = () =>
        seen.flatMap(({ body }) => (JSON.parse(body) as { ref?: string }).ref?.match(/^refs\/heads\/(.+)$/)?.[1] ?? [])
      while (!refs().includes('second')) await new Promise((resolve) => setTimeout(resolve, 5))
      clock.advance(60_000)
      await forge.settle()
      expect(refs()).toEqual(['second', 'first'])
    })

    it('about runs: each step on Gitea, the end alone on Forgejo, where the repository stands inside of the run', async () => {
      const { seen } = await hooked('the secret')
      await call('POST', dispatches, { ref: 'main', inputs: { JOB_ID: 'x' } })
      const id = forge.runs(SHOP)[0]!.id
      for (const state of ['running', 'success'] as const) forge.setRun(id, state)
      forge.rerun(id)
      forge.setRun(id, 'failure')
      await forge.settle()
      const events = seen.map(({ headers, body }) => {
        const { action, workflow_run, run } = JSON.parse(body) as Record<string, { id: number; repository: object }>
        return [headers[`x-${server}-event`], action, (workflow_run ?? run)?.id]
      })
      expect(events).toEqual(
        server === 'gitea'
          ? ['requested', 'in_progress', 'completed', 'requested', 'completed'].map((action) => ['workflow_run', action, id])
          : ['success', 'failure'].map((end) => [`action_run_${end}`, end, id]),
      )
      expect('repository' in (JSON.parse(seen[0]!.body) as object)).toBe(server === 'gitea')
    })
  })
})

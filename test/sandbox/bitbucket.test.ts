import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pipelineFile } from '../pipelines/files.ts'
import { manualClock } from '../providers/fixtures.ts'
import { type RawServer, rawServer } from '../providers/raw-server.ts'
import { type Bitbucket, startBitbucket } from './bitbucket/forge.ts'
import { defaultSpecPath } from './contract.ts'
import { GIT_ENVIRONMENT } from './git/repository.ts'

const SHOP = 'acme/shop'
const described = existsSync(join(dirname(defaultSpecPath()), 'bitbucket.json'))
if (!described) console.warn('Skipped: the description of Bitbucket is not there.')

let forge: Bitbucket
let clock: ReturnType<typeof manualClock>
let root: string
let receiver: RawServer | null = null
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'draven-bitbucket-'))
  clock = manualClock()
  forge = await startBitbucket({ clock, root })
  await forge.createRepo(SHOP, { files: { 'bitbucket-pipelines.yml': pipelineFile('bitbucket-pipelines.yml') } })
  for (const nickname of ['alice', 'bob', 'mallory']) forge.user(nickname)
  forge.addMember(SHOP, 'alice', 'write')
  forge.addMember(SHOP, 'bob', 'read')
})
afterEach(async () => {
  await receiver?.close()
  receiver = null
  await forge.close()
  rmSync(root, { recursive: true, force: true })
})

async function call(method: string, path: string, body?: unknown, token = forge.token('alice')): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return fetch(`${forge.apiUrl}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
}
const shop = `/repositories/${SHOP}`

function pipelineBody(commit: string, variables: Record<string, string> = {}, pattern = 'deploy-prod') {
  return {
    type: 'pipeline',
    target: {
      type: 'pipeline_commit_target',
      commit: { type: 'commit', hash: commit },
      selector: { type: 'custom', pattern },
    },
    variables: Object.entries(variables).map(([key, value]) => ({ type: 'pipeline_variable', key, value })),
  }
}

describe.runIf(described)('the contract with Bitbucket', () => {
  it.each<[string, string, string, unknown, string]>([
    ['an unknown path', 'GET', `${shop}/runs`, undefined, 'does not exist here'],
    ['an unknown parameter', 'GET', `${shop}/pipelines?commit=x`, undefined, 'parameter commit is unknown'],
    ['a word that is none', 'GET', `${shop}/pipelines?status=RUNNING`, undefined, 'parameter status'],
    ['a body without its type', 'POST', `${shop}/pipelines`, { target: { type: 'x' } }, 'type'],
    ['an unknown property', 'POST', `${shop}/pipelines`, { type: 'pipeline', inputs: {} }, 'inputs is unknown'],
    [
      'a state of another host',
      'POST',
      `${shop}/commit/${'a'.repeat(40)}/statuses/build`,
      { type: 'build', key: 'x', state: 'pending', url: 'https://x.test' },
      'must be equal to one of the allowed values',
    ],
  ])('catches %s', async (_what, method, path, body, violation) => {
    await call(method, path, body)
    expect(() => forge.assertClean()).toThrow(violation)
  })

  it('is kept by calls as the product makes them', async () => {
    const sha = (await forge.sha(SHOP, 'main')) ?? ''
    expect((await call('POST', `${shop}/pipelines`, pipelineBody(sha, { A: 'b' }))).status).toBe(201)
    expect((await call('GET', `${shop}/pipelines?sort=-created_on&pagelen=100`)).status).toBe(200)
    forge.assertClean()
  })
})

describe('the emulated Bitbucket', () => {
  it.each([
    ['a stranger sees nothing', 'GET', shop, 'mallory', 404],
    ['a reader may read', 'GET', `${shop}/pipelines`, 'bob', 200],
    ['a reader may start nothing', 'POST', `${shop}/pipelines`, 'bob', 403],
    ['a writer sees no hooks', 'GET', `${shop}/hooks`, 'alice', 403],
  ])('%s', async (_what, method, path, who, status) => {
    const body = method === 'POST' ? pipelineBody('main') : undefined
    expect((await call(method, path, body, forge.token(who))).status).toBe(status)
  })

  it('takes an access token as Bearer, and an API token with the e-mail of its account only', async () => {
    const [access, api] = [forge.token('alice'), forge.token('alice', 'api')]
    const status = async (authorization: string) => (await fetch(`${forge.apiUrl}${shop}`, { headers: { authorization } })).status
    const basic = (user: string, token: string) => `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`
    expect(await status(`Bearer ${access}`)).toBe(200)
    expect(await status(basic('alice@example.test', api))).toBe(200)
    for (const wrong of [`Bearer ${api}`, basic('alice', api), basic('alice@example.test', access), '']) {
      expect(await status(wrong)).toBe(401)
    }
  })

  it('refuses a pipeline that is not defined at the commit, at a commit that is not there, and variables for another kind', async () => {
    const sha = (await forge.sha(SHOP, 'main')) ?? ''
    const status = async (body: object) => (await call('POST', `${shop}/pipelines`, body)).status
    expect(await status(pipelineBody(sha, {}, 'deploy-moon'))).toBe(400)
    expect(await status(pipelineBody('a'.repeat(40)))).toBe(400)
    const bare = await forge.commit(SHOP, 'bare', { 'bitbucket-pipelines.yml': null }, { as: 'alice' })
    expect(await status(pipelineBody(bare))).toBe(400)
    const push = { ...pipelineBody(sha, { A: 'b' }).target, selector: { type: 'default' } }
    expect(await status({ ...pipelineBody(sha, { A: 'b' }), target: push })).toBe(400)
    expect(forge.pipelines(SHOP)).toEqual([])
  })

  it('shows 12 characters of a commit on a pull request, whole ones elsewhere, and serves no ref of its own for it', async () => {
    const sha = await forge.commit(SHOP, 'request', { a: '1' }, { as: 'alice' })
    const id = await forge.openPull(SHOP, { head: 'request', author: 'alice' })
    const pull = (await (await call('GET', `${shop}/pullrequests/${id}`)).json()) as { source: { commit: { hash: string } } }
    expect(pull.source.commit.hash).toBe(sha.slice(0, 12))
    expect(await (await call('GET', `${shop}/commit/${pull.source.commit.hash}`)).json()).toMatchObject({ hash: sha })
    const address = forge.gitUrl(SHOP).replace('://', `://x-token-auth:${forge.token('alice')}@`)
    const { stdout } = await promisify(execFile)('git', ['ls-remote', address], { env: GIT_ENVIRONMENT })
    expect(stdout).not.toMatch(/pull|request-/)
    expect(stdout).toContain(`${sha}\trefs/heads/request\n`)
  })

  it('keeps approvals over a push by git, and lists no commits once the branch is gone', async () => {
    await forge.commit(SHOP, 'request', { a: '1' }, { as: 'alice' })
    const id = await forge.openPull(SHOP, { head: 'request', author: 'alice' })
    forge.approve(SHOP, id, 'bob')
    await forge.commit(SHOP, 'request', { a: '2' }, { as: 'alice' })
    expect(forge.pull(SHOP, id).activity.map(({ kind }) => kind)).toEqual(['update', 'approval', 'update'])
    expect([...forge.pull(SHOP, id).participants.values()]).toMatchObject([{ state: 'approved' }])
    await forge.merge(SHOP, id, { by: 'alice', method: 'squash', closeSource: true })
    expect(await (await call('GET', `${shop}/pullrequests/${id}/commits`)).json()).toMatchObject({ values: [] })
  })

  it.each(['lost', 'duplicate', 'forged'] as const)('can make a delivery %s', async (kind) => {
    receiver = await rawServer((_request, response) => response.writeHead(202).end())
    forge.addHook(SHOP, { url: `${receiver.origin}/webhooks/shop`, secret: 'the secret' })
    forge.faults.add({ on: 'hook/repo:push', kind })
    await forge.commit(SHOP, 'main', { x: kind }, { as: 'alice' })
    await forge.settle()
    const seen = receiver.seen.map(({ headers }) => headers)
    expect(seen).toHaveLength({ lost: 0, duplicate: 2, forged: 2 }[kind])
    const distinct = { lost: 0, duplicate: 1, forged: 2 }[kind]
    for (const header of ['x-request-uuid', 'x-hub-signature'])
      expect(new Set(seen.map((headers) => headers[header])).size).toBe(distinct)
  })

  it('keeps to itself what is larger than 256 KB, and tells the next', async () => {
    receiver = await rawServer((_request, response) => response.writeHead(202).end())
    forge.addHook(SHOP, { url: `${receiver.origin}/webhooks/shop`, secret: 'the secret' })
    await forge.commit(SHOP, 'main', { a: '1' }, { as: 'alice', message: 'x'.repeat(256 * 1024) })
    await forge.commit(SHOP, 'main', { a: '2' }, { as: 'alice' })
    await forge.settle()
    expect(receiver.seen).toHaveLength(1)
    expect(forge.repository(SHOP).hooks.map(({ unsent }) => unsent)).toEqual([1])
  })
})

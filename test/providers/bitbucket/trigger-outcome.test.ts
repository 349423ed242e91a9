import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { StartOutcome } from '../../../controller/jobs/executor.ts'
import { CANARY_TOKEN, collectingLog, connect, project, TOKEN_REF, trigger } from '../fixtures.ts'
import { json, type RawServer, rawServer } from '../raw-server.ts'

let server: RawServer | null = null
afterEach(async () => {
  await server?.close()
  server = null
})

const selector = { selector: 'custom:deploy-prod', workflowRef: null }
const bitbucketProject = (more = {}) => project({ provider: 'bitbucket', ...more })

function connectTo(origin: string, more: Parameters<typeof connect>[0] = {}) {
  return connect({ github: null, bitbucket: { apiUrl: `${origin}/2.0`, tokenRef: TOKEN_REF, email: null }, ...more })
}

async function startAgainst(answer: (response: ServerResponse) => void, timeouts = { callMs: 5_000, triggerMs: 5_000 }) {
  server = await rawServer((_request, response) => answer(response))
  const log = collectingLog()
  const { connections } = connectTo(server.origin, { log, timeouts })
  const outcome = await connections.pipeline(bitbucketProject()).start(trigger({ selector }))
  expect(JSON.stringify(outcome) + log.lines.join('')).not.toContain(CANARY_TOKEN)
  return outcome
}

const echoesTheToken = `boom ${CANARY_TOKEN}`
const uuid = '{0c5a7d0e-5f3c-4f67-9a58-3d6f1d1b2c3d}'
const fault = (message: string, detail?: string) => ({ type: 'error', error: { message, ...(detail ? { detail } : {}) } })

describe('what one call to Bitbucket says about the pipeline', () => {
  it('starts the pipeline that Bitbucket names, by one call with commit, ref and the five agreed names', async () => {
    const outcome = await startAgainst((response) => json(response, 201, { uuid, build_number: 47 }))
    const url = `${server?.origin}/acme/shop/pipelines/results/47`
    expect(outcome).toEqual({ kind: 'started', run: { externalId: uuid, externalAttempt: 1, url } })
    expect(server?.seen).toHaveLength(1)
    const [call] = server?.seen ?? []
    expect(call).toMatchObject({ method: 'POST', path: '/2.0/repositories/acme/shop/pipelines' })
    expect(call?.headers.authorization).toBe(`Bearer ${CANARY_TOKEN}`)
    const variable = (key: string, value: string) => ({ type: 'pipeline_variable', key, value, secured: false })
    expect(JSON.parse(call?.body ?? '')).toEqual({
      type: 'pipeline',
      target: {
        type: 'pipeline_ref_target',
        ref_type: 'tag',
        ref_name: 'v1.4.2',
        commit: { type: 'commit', hash: 'a'.repeat(40) },
        selector: { type: 'custom', pattern: 'deploy-prod' },
      },
      variables: [
        variable('JOB_ID', trigger().jobId),
        variable('ENV', 'prod'),
        variable('REF', 'v1.4.2'),
        variable('TYPE', 'deploy'),
        variable('SHA', 'a'.repeat(40)),
      ],
    })
  })

  const forGood = { kind: 'refused', retryAfterMs: null, unreachable: false } as const
  const table: [string, (response: ServerResponse) => void, Partial<StartOutcome>][] = [
    ['201 without an id', (response) => json(response, 201, {}), { kind: 'accepted' }],
    ['201 with an id that is none', (response) => json(response, 201, { uuid: '47' }), { kind: 'accepted' }],
    ['201 that is not JSON', (response) => response.writeHead(201).end('<html>'), { kind: 'unknown' }],
    [
      '201 cut off',
      (response) => {
        response.writeHead(201, { 'content-type': 'application/json', 'content-length': '500' }).write('{"uuid"')
        setTimeout(() => response.destroy(), 20)
      },
      { kind: 'unknown' },
    ],
    [
      '400 with its detail',
      (response) => json(response, 400, fault('Bad request', `No such pipeline ${CANARY_TOKEN}`)),
      { ...forGood, why: expect.stringMatching(/Bad request: No such pipeline \*\*\*/) as unknown as string },
    ],
    ['401', (response) => json(response, 401, fault(echoesTheToken)), forGood],
    ['403', (response) => json(response, 403, fault('no scope')), forGood],
    ['404', (response) => json(response, 404, fault('not found')), forGood],
    ['410 of an app password', (response) => json(response, 410, fault('App passwords are gone')), forGood],
    [
      '429 with Retry-After',
      (response) => json(response, 429, {}, { 'retry-after': '7' }),
      { kind: 'refused', retryAfterMs: 7_000 },
    ],
    ['429 without', (response) => response.writeHead(429).end('slow'), { kind: 'refused', retryAfterMs: 60_000 }],
    ['302', (response) => response.writeHead(302, { location: '/2.0/repositories/acme/other/pipelines' }).end(), forGood],
    ['500', (response) => json(response, 500, fault(echoesTheToken)), { kind: 'unknown' }],
    ['502 from a proxy', (response) => response.writeHead(502).end(`<html>${echoesTheToken}`), { kind: 'unknown' }],
    ['503 with Retry-After', (response) => json(response, 503, {}, { 'retry-after': '5' }), { kind: 'unknown' }],
    ['555', (response) => json(response, 555, {}), { kind: 'unknown' }],
    ['a dropped connection', (response) => response.destroy(), { kind: 'unknown' }],
  ]
  it.each(table)('%s is one POST and %o', async (_what, answer, expected) => {
    expect(await startAgainst(answer)).toMatchObject(expected)
    expect(server?.posts()).toBe(1)
  })

  it('does not know the outcome when no answer comes in time', async () => {
    expect((await startAgainst(() => {}, { callMs: 60_000, triggerMs: 100 })).kind).toBe('unknown')
    expect((await startAgainst(() => {}, { callMs: 100, triggerMs: 60_000 })).kind).toBe('unknown')
  })

  it('is refused and may be repeated when nobody listens', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    const { connections } = connectTo(`http://127.0.0.1:${port}`)
    expect(await connections.pipeline(bitbucketProject()).start(trigger({ selector }))).toMatchObject({
      kind: 'refused',
      unreachable: true,
    })
  })
})

describe('the credential for Bitbucket', () => {
  const API_TOKEN = `ATATT3x${'c'.repeat(30)}`
  const ACCESS_TOKEN = `ATCTT3x${'d'.repeat(30)}`

  async function sent(secret: string, email: string | null = null) {
    server = await rawServer((_request, response) => json(response, 201, { uuid, build_number: 1 }))
    const bitbucket = { apiUrl: `${server.origin}/2.0`, tokenRef: TOKEN_REF, email }
    const configRepo = { provider: 'bitbucket', fullName: 'acme/config' }
    const connected = connect({ github: null, bitbucket, configRepo, env: { DRAVEN_SECRET_FORGE: secret } })
    const outcome = await connected.connections.pipeline(bitbucketProject()).start(trigger({ selector }))
    const plain = (header = '') => (header.startsWith('Basic ') ? Buffer.from(header.slice(6), 'base64').toString() : header)
    const git = connected.gitAuthorization(`${server.origin}/acme/config.git`)
    const header = await git?.().catch((error: Error) => error.message)
    return { outcome, api: plain(server.seen[0]?.headers.authorization), git: plain(header), calls: server.seen.length }
  }

  it('that is an access token stands for itself', async () => {
    expect(await sent(ACCESS_TOKEN, 'bot@acme.test')).toMatchObject({
      api: `Bearer ${ACCESS_TOKEN}`,
      git: `x-token-auth:${ACCESS_TOKEN}`,
    })
  })

  it.each([
    ['of the settings', API_TOKEN, 'bot@acme.test'],
    ['in the secret itself', `bot@acme.test:${API_TOKEN}`, 'other@acme.test'],
  ])('that is an API token goes with the e-mail %s, and to git under the name for such tokens', async (_what, secret, email) => {
    expect(await sent(secret, email)).toMatchObject({
      api: `bot@acme.test:${API_TOKEN}`,
      git: `x-bitbucket-api-token-auth:${API_TOKEN}`,
    })
  })

  it.each([
    ['an API token without its e-mail', API_TOKEN, 'DRAVEN_BITBUCKET_EMAIL'],
    ['an API token with a user name', `bot:${API_TOKEN}`, 'DRAVEN_BITBUCKET_EMAIL'],
    ['an app password', 'ATBBx9f7c8e6b5a4', 'app password'],
    ['an app password with its user', 'bot:ATBBx9f7c8e6b5a4', '9 June 2026'],
  ])('that is %s is refused for good, in words, without a call', async (_what, secret, words) => {
    const { outcome, calls, git } = await sent(secret)
    expect(outcome).toMatchObject({ kind: 'refused', retryAfterMs: null, why: expect.stringContaining(words) })
    expect(git).toContain(words.startsWith('DRAVEN') ? 'e-mail' : words)
    expect(JSON.stringify(outcome)).not.toContain(secret.split(':').at(-1))
    expect(calls).toBe(0)
  })

  it('is refused for good, without a call, when the secret is missing', async () => {
    server = await rawServer((_request, response) => json(response, 500, {}))
    const bitbucket = { apiUrl: `${server.origin}/2.0`, tokenRef: 'env:DRAVEN_SECRET_ABSENT', email: null }
    const { connections } = connect({ github: null, bitbucket })
    const outcome = await connections.pipeline(bitbucketProject()).start(trigger({ selector }))
    expect(outcome).toMatchObject({ kind: 'refused', retryAfterMs: null, why: expect.stringContaining('DRAVEN_SECRET_ABSENT') })
    expect(server.seen).toHaveLength(0)
  })
})

describe('a connection to Bitbucket', () => {
  it.each(['shop', 'acme/../shop', 'acme/..', 'acme/team/shop', 'acme/shop?x=1', '/acme/shop'])(
    'refuses %j for a repository',
    (repoFullName) => {
      expect(() => connectTo('https://api.bitbucket.org').connections.refs(bitbucketProject({ repoFullName }))).toThrow(
        /is not a Bitbucket repository/,
      )
    },
  )

  it("goes to no origin that the operator did not allow, and shows the controller's token to no other host", () => {
    const elsewhere = bitbucketProject({ apiUrl: 'https://bitbucket.acme.example/2.0' })
    expect(() => connectTo('https://api.bitbucket.org').connections.refs(elsewhere)).toThrow(/allowed origins/)
    const allowed = connectTo('https://api.bitbucket.org', { allowedOrigins: ['https://bitbucket.acme.example'] })
    expect(() => allowed.connections.refs(elsewhere)).toThrow(/must name its own/)
    const own = { ...elsewhere, integration: { ...elsewhere.integration, credentialRef: 'env:DRAVEN_SECRET_OTHER' } }
    expect(() => allowed.connections.refs(own)).not.toThrow()
    expect(() => connect({}).connections.refs(bitbucketProject())).toThrow(/allowed origins/)
  })

  it('gives git the token for the host of the pages, which is not that of the API', async () => {
    const configRepo = { provider: 'bitbucket', fullName: 'acme/config' }
    const connected = connectTo('https://api.bitbucket.org', { configRepo })
    const header = await connected.gitAuthorization('https://bitbucket.org/acme/config.git')?.()
    expect(Buffer.from(header?.split(' ')[1] ?? '', 'base64').toString()).toBe(`x-token-auth:${CANARY_TOKEN}`)
    for (const url of ['https://api.bitbucket.org/acme/config.git', 'https://bitbucket.org.evil.example/acme/config.git'])
      expect(connected.gitAuthorization(url)).toBeNull()
  })

  it('follows a redirect only where Bitbucket points from a pull request to what it changes', async () => {
    const configRepo = { provider: 'bitbucket', fullName: 'acme/config' }
    const moved: string[] = []
    server = await rawServer((request, response) => {
      moved.push(request.path)
      response.writeHead(302, { location: '/2.0/repositories/acme/renamed/diffstat/a..b' }).end()
    })
    const { configHost, connections } = connectTo(server.origin, { configRepo })
    await expect(configHost?.reviews.pullRequest(7)).rejects.toMatchObject({ name: 'RefusedFault', message: /renamed/ })
    await expect(connections.refs(bitbucketProject()).resolveRef({ type: 'branch', name: 'main' })).rejects.toMatchObject({
      name: 'RefusedFault',
    })
    expect(moved).toEqual(['/2.0/repositories/acme/config/pullrequests/7', '/2.0/repositories/acme/shop/refs/branches/main'])
  })

  it('has no list of deployments to write', () => {
    expect(connectTo('https://api.bitbucket.org').connections.deployments(bitbucketProject())).toBeNull()
  })
})

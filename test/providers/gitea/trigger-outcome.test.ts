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

type Kind = 'gitea' | 'forgejo'

function connectTo(kind: Kind, origin: string, more: Parameters<typeof connect>[0] = {}) {
  return connect({ github: null, [kind]: { apiUrl: `${origin}/api/v1`, tokenRef: TOKEN_REF }, ...more })
}

async function startAgainst(
  kind: Kind,
  answer: (response: ServerResponse) => void,
  timeouts = { callMs: 5_000, triggerMs: 5_000 },
) {
  server = await rawServer((_request, response) => answer(response))
  const log = collectingLog()
  const { connections } = connectTo(kind, server.origin, { log, timeouts })
  const outcome = await connections.pipeline(project({ provider: kind })).start(trigger())
  expect(JSON.stringify(outcome) + log.lines.join('')).not.toContain(CANARY_TOKEN)
  return outcome
}

const echoesTheToken = `boom ${CANARY_TOKEN}`
const forGood = { kind: 'refused', retryAfterMs: null, unreachable: false } as const

const TABLE: [string, (response: ServerResponse) => void, Partial<StartOutcome>][] = [
  ['204, as versions that name no run', (response) => response.writeHead(204).end(), { kind: 'accepted' }],
  ['200 without an id', (response) => json(response, 200, {}), { kind: 'accepted' }],
  [
    '201 with an id that is no number',
    (response) => json(response, 201, { id: '7', workflow_run_id: '7' }),
    { kind: 'accepted' },
  ],
  [
    '201 that is not JSON',
    (response) => response.writeHead(201, { 'content-type': 'text/html' }).end('<html>'),
    { kind: 'unknown' },
  ],
  [
    '200 cut off',
    (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' }).write('{"id"')
      setTimeout(() => response.destroy(), 20)
    },
    { kind: 'unknown' },
  ],
  ['400', (response) => json(response, 400, { message: echoesTheToken }), forGood],
  ['401', (response) => json(response, 401, { message: echoesTheToken }), forGood],
  ['403', (response) => json(response, 403, { message: 'workflow is disabled' }), forGood],
  ['404', (response) => json(response, 404, { errors: [], message: "workflow doesn't exist" }), forGood],
  ['409', (response) => json(response, 409, {}), forGood],
  ['422', (response) => json(response, 422, { message: 'has no workflow_dispatch event trigger' }), forGood],
  ['429 of a proxy', (response) => json(response, 429, {}, { 'retry-after': '7' }), { kind: 'refused', retryAfterMs: 7_000 }],
  ['429 without a time', (response) => response.writeHead(429).end('slow'), { kind: 'refused', retryAfterMs: 60_000 }],
  ['302', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/user/login' }).end(), forGood],
  ['408', (response) => json(response, 408, {}), { kind: 'unknown' }],
  ['500', (response) => json(response, 500, { message: echoesTheToken }), { kind: 'unknown' }],
  ['502 of a proxy', (response) => response.writeHead(502).end(`<html>${echoesTheToken}`), { kind: 'unknown' }],
  ['503 with Retry-After', (response) => json(response, 503, {}, { 'retry-after': '5' }), { kind: 'unknown' }],
  ['a dropped connection', (response) => response.destroy(), { kind: 'unknown' }],
]

describe.each(['gitea', 'forgejo'] as const)('what one call to %s says about the run', (kind) => {
  it.each(TABLE)('%s is one POST and %o', async (_what, answer, expected) => {
    expect(await startAgainst(kind, answer)).toMatchObject(expected)
    expect(server?.posts()).toBe(1)
  })

  it('does not know the outcome when no answer comes in time', async () => {
    expect((await startAgainst(kind, () => {}, { callMs: 60_000, triggerMs: 100 })).kind).toBe('unknown')
    expect((await startAgainst(kind, () => {}, { callMs: 100, triggerMs: 60_000 })).kind).toBe('unknown')
  })

  it('is refused and may be repeated when nobody listens', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    const { connections } = connectTo(kind, `http://127.0.0.1:${port}`)
    const outcome = await connections.pipeline(project({ provider: kind })).start(trigger())
    expect(outcome).toMatchObject({ kind: 'refused', unreachable: true })
  })

  it('is refused for good, without a call, when the secret is missing', async () => {
    server = await rawServer((_request, response) => json(response, 500, {}))
    const own = { apiUrl: `${server.origin}/api/v1`, tokenRef: 'env:DRAVEN_SECRET_ABSENT' }
    const { connections } = connect({ github: null, [kind]: own })
    const outcome = await connections.pipeline(project({ provider: kind })).start(trigger())
    expect(outcome).toMatchObject({ kind: 'refused', retryAfterMs: null, why: expect.stringContaining('DRAVEN_SECRET_ABSENT') })
    expect(server.seen).toHaveLength(0)
  })
})

describe('the call that starts a run', () => {
  const inputs = { JOB_ID: trigger().jobId, ENV: 'prod', REF: 'v1.4.2', TYPE: 'deploy', SHA: 'a'.repeat(40) }
  const path = '/api/v1/repos/acme/shop/actions/workflows/deploy.yml/dispatches'

  it('asks Gitea for the run by the query', async () => {
    const details = { workflow_run_id: 47, html_url: 'https://git.test/acme/shop/actions/runs/3', run_url: 'x' }
    const outcome = await startAgainst('gitea', (response) => json(response, 200, details))
    expect(outcome).toEqual({ kind: 'started', run: { externalId: '47', externalAttempt: 1, url: details.html_url } })
    const [call] = server?.seen ?? []
    expect(call).toMatchObject({ method: 'POST', path: `${path}?return_run_details=true` })
    expect(call?.headers.authorization).toBe(`token ${CANARY_TOKEN}`)
    expect(JSON.parse(call?.body ?? '')).toEqual({ ref: 'refs/heads/main', inputs })
  })

  it('asks Forgejo for it in the body, and makes its address of the number', async () => {
    const outcome = await startAgainst('forgejo', (response) => json(response, 201, { id: 47, run_number: 3, jobs: ['deploy'] }))
    const url = `${server?.origin}/acme/shop/actions/runs/3`
    expect(outcome).toEqual({ kind: 'started', run: { externalId: '47', externalAttempt: 1, url } })
    const [call] = server?.seen ?? []
    expect(call?.path).toBe(path)
    expect(JSON.parse(call?.body ?? '')).toEqual({ ref: 'refs/heads/main', inputs, return_run_info: true })
  })

  it('goes below the path of a server that is not at the root of its host', async () => {
    server = await rawServer((_request, response) => json(response, 201, { id: 47, run_number: 3 }))
    const forgejo = { apiUrl: `${server.origin}/git/api/v1/`, tokenRef: TOKEN_REF }
    const { connections } = connect({ github: null, forgejo })
    const outcome = await connections.pipeline(project({ provider: 'forgejo' })).start(trigger())
    expect(outcome).toMatchObject({ run: { url: `${server.origin}/git/acme/shop/actions/runs/3` } })
    expect(server.seen[0]?.path).toBe(`/git${path}`)
  })
})

describe.each([
  ['gitea', 'Gitea'],
  ['forgejo', 'Forgejo'],
] as const)('a connection to %s', (kind, name) => {
  const elsewhere = project({ provider: kind, apiUrl: 'https://other.example/api/v1' })

  it.each(['shop', 'acme/../shop', 'acme/shop/x', 'acme/shop?x=1', '../shop', 'acme/..', '/acme/shop', 'acme/'])(
    'refuses %j for a repository',
    (repoFullName) => {
      const { connections } = connectTo(kind, 'https://git.acme.example')
      expect(() => connections.refs(project({ provider: kind, repoFullName }))).toThrow(`is not a repository of ${name}`)
    },
  )

  it('has no address until the operator or a project names one', () => {
    expect(() => connect({}).connections.refs(project({ provider: kind }))).toThrow(`knows no ${name}`)
    expect(() => connect({}).connections.refs(elsewhere)).toThrow(/allowed origins/)
    const allowed = connect({ allowedOrigins: ['https://other.example'] })
    expect(() => allowed.connections.refs(elsewhere)).toThrow(`has no token for ${name}`)
    const own = { ...elsewhere, integration: { ...elsewhere.integration, credentialRef: 'env:DRAVEN_SECRET_OTHER' } }
    expect(() => allowed.connections.refs(own)).not.toThrow()
  })

  it("goes to no origin that the operator did not allow, and shows the controller's token to no other host", () => {
    expect(() => connectTo(kind, 'https://git.acme.example').connections.refs(elsewhere)).toThrow(/allowed origins/)
    const allowed = connectTo(kind, 'https://git.acme.example', { allowedOrigins: ['https://other.example'] })
    expect(() => allowed.connections.refs(elsewhere)).toThrow(/must name its own/)
    const sibling = kind === 'gitea' ? 'forgejo' : 'gitea'
    const there = allowed.connections
    expect(() => there.refs(project({ provider: sibling, apiUrl: 'https://git.acme.example/api/v1' }))).toThrow(/allowed origins/)
  })

  it('gives git the token for its own host only', async () => {
    const connected = connectTo(kind, 'https://git.acme.example', { configRepo: { provider: kind, fullName: 'acme/config' } })
    const header = await connected.gitAuthorization('https://git.acme.example/acme/config.git')?.()
    expect(Buffer.from(header?.split(' ')[1] ?? '', 'base64').toString()).toBe(`oauth2:${CANARY_TOKEN}`)
    expect(connected.gitAuthorization('https://codeberg.org/acme/config.git')).toBeNull()
  })
})

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

const selector = { selector: 'variables', workflowRef: null }
const gitlabProject = (more = {}) => project({ provider: 'gitlab', repoFullName: 'acme/team/shop', ...more })

function connectTo(origin: string, more: Parameters<typeof connect>[0] = {}) {
  return connect({ github: null, gitlab: { apiUrl: `${origin}/api/v4`, tokenRef: TOKEN_REF }, ...more })
}

async function startAgainst(answer: (response: ServerResponse) => void, timeouts = { callMs: 5_000, triggerMs: 5_000 }) {
  server = await rawServer((_request, response) => answer(response))
  const log = collectingLog()
  const { connections } = connectTo(server.origin, { log, timeouts })
  const outcome = await connections.pipeline(gitlabProject()).start(trigger({ selector }))
  expect(JSON.stringify(outcome) + log.lines.join('')).not.toContain(CANARY_TOKEN)
  return outcome
}

const echoesTheToken = `boom ${CANARY_TOKEN}`
const pipeline = { id: 47, web_url: 'https://gitlab.com/acme/team/shop/-/pipelines/47' }

describe('what one call to GitLab says about the pipeline', () => {
  it('starts the pipeline that GitLab names, by one call with the five agreed names', async () => {
    const outcome = await startAgainst((response) => json(response, 201, pipeline))
    expect(outcome).toEqual({ kind: 'started', run: { externalId: '47', externalAttempt: 1, url: pipeline.web_url } })
    expect(server?.seen).toHaveLength(1)
    const [call] = server?.seen ?? []
    expect(call).toMatchObject({ method: 'POST', path: '/api/v4/projects/acme%2Fteam%2Fshop/pipeline' })
    expect(call?.headers['private-token']).toBe(CANARY_TOKEN)
    const variable = (key: string, value: string) => ({ key, value, variable_type: 'env_var' })
    expect(JSON.parse(call?.body ?? '')).toEqual({
      ref: 'main',
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
    [
      '201 that is not JSON',
      (response) => response.writeHead(201, { 'content-type': 'text/html' }).end('<html>'),
      { kind: 'unknown' },
    ],
    [
      '201 cut off',
      (response) => {
        response.writeHead(201, { 'content-type': 'application/json', 'content-length': '500' }).write('{"id"')
        setTimeout(() => response.destroy(), 20)
      },
      { kind: 'unknown' },
    ],
    ['400', (response) => json(response, 400, { message: { base: [echoesTheToken] } }), forGood],
    ['401', (response) => json(response, 401, { error: 'invalid_token', error_description: echoesTheToken }), forGood],
    ['403', (response) => json(response, 403, { message: '403 Forbidden' }), forGood],
    ['404', (response) => json(response, 404, { message: '404 Project Not Found' }), forGood],
    ['409', (response) => json(response, 409, { message: 'Conflict' }), forGood],
    ['422', (response) => json(response, 422, { message: 'Unprocessable' }), forGood],
    [
      '429 with Retry-After',
      (response) => json(response, 429, {}, { 'retry-after': '7' }),
      { kind: 'refused', retryAfterMs: 7_000 },
    ],
    ['429 without', (response) => response.writeHead(429).end('Retry later'), { kind: 'refused', retryAfterMs: 60_000 }],
    [
      '429 with nothing left until the reset',
      (response) =>
        json(
          response,
          429,
          {},
          {
            date: 'Sat, 21 Nov 2026 09:00:00 GMT',
            'ratelimit-remaining': '0',
            'ratelimit-reset': String(Date.parse('2026-11-21T09:00:30Z') / 1_000),
          },
        ),
      { kind: 'refused', retryAfterMs: 30_000 },
    ],
    ['302', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/users/sign_in' }).end(), forGood],
    ['408', (response) => json(response, 408, {}), { kind: 'unknown' }],
    ['500', (response) => json(response, 500, { message: echoesTheToken }), { kind: 'unknown' }],
    ['502 from a proxy', (response) => response.writeHead(502).end(`<html>${echoesTheToken}`), { kind: 'unknown' }],
    ['503 with Retry-After', (response) => json(response, 503, {}, { 'retry-after': '5' }), { kind: 'unknown' }],
    ['504', (response) => json(response, 504, {}), { kind: 'unknown' }],
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
    expect(await connections.pipeline(gitlabProject()).start(trigger({ selector }))).toMatchObject({
      kind: 'refused',
      unreachable: true,
    })
  })

  it('is refused for good, without a call, when the secret is missing', async () => {
    server = await rawServer((_request, response) => json(response, 500, {}))
    const gitlab = { apiUrl: `${server.origin}/api/v4`, tokenRef: 'env:DRAVEN_SECRET_ABSENT' }
    const outcome = await connect({ github: null, gitlab }).connections.pipeline(gitlabProject()).start(trigger({ selector }))
    expect(outcome).toMatchObject({ kind: 'refused', retryAfterMs: null, why: expect.stringContaining('DRAVEN_SECRET_ABSENT') })
    expect(server.seen).toHaveLength(0)
  })
})

describe('a connection to GitLab', () => {
  it.each(['shop', 'acme/../shop', 'acme/shop?x=1', 'acme//shop', '/acme/shop'])('refuses %j for a project', (repoFullName) => {
    expect(() => connectTo('https://gitlab.com').connections.refs(gitlabProject({ repoFullName }))).toThrow(
      /is not a GitLab project/,
    )
  })

  it("goes to no origin that the operator did not allow, and shows the controller's token to no other host", () => {
    const elsewhere = gitlabProject({ apiUrl: 'https://git.acme.example/api/v4' })
    expect(() => connectTo('https://gitlab.com').connections.refs(elsewhere)).toThrow(/allowed origins/)
    const allowed = connectTo('https://gitlab.com', { allowedOrigins: ['https://git.acme.example'] })
    expect(() => allowed.connections.refs(elsewhere)).toThrow(/must name its own/)
    const own = { ...elsewhere, integration: { ...elsewhere.integration, credentialRef: 'env:DRAVEN_SECRET_OTHER' } }
    expect(() => allowed.connections.refs(own)).not.toThrow()
  })

  it('gives git the token for its own host only', async () => {
    const connected = connectTo('https://gitlab.acme.example', { configRepo: { provider: 'gitlab', fullName: 'acme/config' } })
    const header = await connected.gitAuthorization('https://gitlab.acme.example/acme/config.git')?.()
    expect(Buffer.from(header?.split(' ')[1] ?? '', 'base64').toString()).toBe(`oauth2:${CANARY_TOKEN}`)
    expect(connected.gitAuthorization('https://gitlab.com/acme/config.git')).toBeNull()
  })
})

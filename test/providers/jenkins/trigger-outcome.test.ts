import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { StartOutcome } from '../../../controller/jobs/executor.ts'
import { jobOf, jobPath } from '../../../controller/providers/jenkins/client.ts'
import { collectingLog, connect, project, TOKEN_REF, trigger } from '../fixtures.ts'
import { json, type RawServer, rawServer } from '../raw-server.ts'

const SECRET = 'draven:11canary7c9e6679f9b14a1d8e5e'
const selector = { selector: 'shop/deploy', workflowRef: null }
const declared = ['JOB_ID', 'ENV', 'REF', 'TYPE', 'SHA'].map((name) => ({ name }))

let server: RawServer | null = null
afterEach(async () => {
  await server?.close()
  server = null
})

const jenkinsProject = (apiUrl: string, more = {}) => project({ provider: 'jenkins', apiUrl, credentialRef: TOKEN_REF, ...more })

async function startAgainst(
  answer: (response: ServerResponse) => void,
  definition: (response: ServerResponse) => void = (response) =>
    json(response, 200, { buildable: true, property: [{}, { parameterDefinitions: declared }] }),
  timeouts = { callMs: 5_000, triggerMs: 5_000 },
) {
  server = await rawServer((request, response) => (request.method === 'GET' ? definition(response) : answer(response)))
  const log = collectingLog()
  const env = { DRAVEN_SECRET_FORGE: SECRET }
  const { connections } = connect({ log, timeouts, env, allowedOrigins: [server.origin] })
  const outcome = await connections.pipeline(jenkinsProject(`${server.origin}/ci/`)).start(trigger({ selector }))
  expect(JSON.stringify(outcome) + log.lines.join('')).not.toContain('11canary')
  return outcome
}

const made = (response: ServerResponse) =>
  response.writeHead(201, { location: 'http://jenkins.internal:8080/queue/item/47/' }).end()

describe('what one call to Jenkins says about the build', () => {
  it('is one POST with the five agreed names, and goes by the item of the queue, whatever host Jenkins thinks it has', async () => {
    const outcome = await startAgainst(made)
    const url = `${server!.origin}/ci/job/shop/job/deploy/`
    expect(outcome).toEqual({ kind: 'started', run: { externalId: '47', externalAttempt: 1, url } })
    const [read, post] = server!.seen
    expect(server!.seen).toHaveLength(2)
    expect(read?.path).toBe('/ci/job/shop/job/deploy/api/json?tree=buildable%2Cproperty%5BparameterDefinitions%5Bname%5D%5D')
    expect(post).toMatchObject({ method: 'POST', path: '/ci/job/shop/job/deploy/buildWithParameters' })
    expect(post?.headers.authorization).toBe(`Basic ${Buffer.from(SECRET).toString('base64')}`)
    expect(Object.fromEntries(new URLSearchParams(post?.body))).toEqual({
      JOB_ID: trigger().jobId,
      ENV: 'prod',
      REF: 'v1.4.2',
      TYPE: 'deploy',
      SHA: 'a'.repeat(40),
    })
  })

  const forGood = { kind: 'refused', retryAfterMs: null, unreachable: false } as const
  const table: [string, (response: ServerResponse) => void, Partial<StartOutcome>][] = [
    ['201 that names no item', (response) => response.writeHead(201).end(), { kind: 'accepted' }],
    ['201 that leads elsewhere', (response) => response.writeHead(201, { location: '/evil' }).end(), { kind: 'accepted' }],
    [
      '303, because the same waits already',
      (response) => response.writeHead(303, { location: '/queue/item/9/' }).end(),
      { kind: 'accepted' },
    ],
    ['302, because the queue did not take it', (response) => response.writeHead(302, { location: '.' }).end(), forGood],
    ['400', (response) => response.writeHead(400).end(`<html>${SECRET}`), forGood],
    ['401', (response) => response.writeHead(401).end(), forGood],
    ['403', (response) => response.writeHead(403).end('<html>No valid crumb'), forGood],
    ['404', (response) => response.writeHead(404).end(), forGood],
    ['409', (response) => response.writeHead(409).end(), forGood],
    [
      '429 of a proxy',
      (response) => response.writeHead(429, { 'retry-after': '7' }).end(),
      { kind: 'refused', retryAfterMs: 7_000 },
    ],
    ['500', (response) => response.writeHead(500).end(`<html>${SECRET}`), { kind: 'unknown' }],
    ['503 while it starts', (response) => response.writeHead(503).end('<html>Please wait'), { kind: 'unknown' }],
    ['a dropped connection', (response) => response.destroy(), { kind: 'unknown' }],
  ]
  it.each(table)('%s is one POST and %o', async (_what, answer, expected) => {
    expect(await startAgainst(answer)).toMatchObject(expected)
    expect(server?.posts()).toBe(1)
  })

  it('does not know the outcome when no answer comes in time', async () => {
    expect((await startAgainst(() => {}, undefined, { callMs: 60_000, triggerMs: 300 })).kind).toBe('unknown')
  })

  const before: [string, (response: ServerResponse) => void, Partial<StartOutcome>][] = [
    ['the job cannot be read now', (response) => response.writeHead(502).end(), { kind: 'refused', unreachable: true }],
    ['nobody answers', (response) => response.destroy(), { kind: 'refused', unreachable: true }],
    ['the job is not there', (response) => response.writeHead(404).end(), forGood],
    ['the answer makes no sense', (response) => response.writeHead(200).end('<html>'), { kind: 'refused', unreachable: true }],
    ['the job is disabled', (response) => json(response, 200, { buildable: false }), forGood],
    [
      'the job drops a parameter',
      (response) => json(response, 200, { buildable: true, property: [{ parameterDefinitions: declared.slice(1) }] }),
      { ...forGood, why: expect.stringContaining('does not declare JOB_ID,') },
    ],
    ['the job takes none', (response) => json(response, 200, { buildable: true }), forGood],
  ]
  it.each(before)('is not called when %s', async (_what, definition, expected) => {
    expect(await startAgainst(made, definition)).toMatchObject(expected)
    expect(server?.posts()).toBe(0)
  })
})

describe('a connection to Jenkins', () => {
  it('goes to no origin that the operator did not allow, and nowhere without a token', () => {
    const { connections } = connect({ allowedOrigins: ['https://jenkins.acme.example'] })
    const at = (apiUrl: string, more = {}) => connections.pipeline(jenkinsProject(apiUrl, more))
    expect(() => at('https://jenkins.acme.example/ci')).not.toThrow()
    expect(() => at('https://elsewhere.example')).toThrow(/allowed origins/)
    expect(() => at('https://jenkins.acme.example', { credentialRef: null })).toThrow(/API token/)
  })

  it('is refused, without showing it, with a credential that is no user and token', async () => {
    const { connections } = connect({ allowedOrigins: ['https://jenkins.acme.example'] })
    const outcome = await connections.pipeline(jenkinsProject('https://jenkins.acme.example')).start(trigger({ selector }))
    expect(outcome).toMatchObject({ kind: 'refused', retryAfterMs: null, why: expect.stringContaining('user:token') })
    expect(JSON.stringify(outcome)).not.toContain('canary')
  })

  it.each(['../admin', 'a/../b', 'a//b', '', '.', 'x?y', 'a\nb'])('refuses %j for a job', (name) => {
    expect(() => jobPath(name)).toThrow(/not a Jenkins job/)
  })

  it.each([
    ['http://jenkins.internal:8080/job/shop/job/deploy/', 'shop/deploy'],
    ['https://ci.example/jenkins/job/shop%20api/job/deploy/12/', 'shop api/deploy'],
    ['/job/deploy', 'deploy'],
    ['https://ci.example/view/all/', null],
    ['https://ci.example/job/%zz/', null],
  ])('reads from %s the job %s', (url, job) => {
    expect(jobOf(url)).toBe(job)
    if (job !== null) expect(jobOf(`https://other.example${jobPath(job)}/`)).toBe(job)
  })
})

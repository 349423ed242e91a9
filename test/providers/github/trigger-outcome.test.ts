import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { StartOutcome } from '../../../controller/jobs/executor.ts'
import { CANARY_TOKEN, collectingLog, connect, manualClock, project, trigger } from '../fixtures.ts'
import { json, type RawServer, rawServer } from '../raw-server.ts'

let server: RawServer | null = null
afterEach(async () => {
  await server?.close()
  server = null
})

async function startAgainst(
  answer: (response: ServerResponse, body: Record<string, unknown>) => void,
  timeouts = { callMs: 5_000, triggerMs: 5_000 },
) {
  server = await rawServer((request, response) => answer(response, JSON.parse(request.body)))
  const log = collectingLog()
  const outcome = await connect({ apiUrl: server.origin, log, timeouts }).connections.pipeline(project()).start(trigger())
  expect(JSON.stringify(outcome) + log.lines.join('')).not.toContain(CANARY_TOKEN)
  return outcome
}

const echoesTheToken = `boom ${CANARY_TOKEN} Bearer ${CANARY_TOKEN}`

describe('what one dispatch says about the run', () => {
  it('starts the run that the host names', async () => {
    const outcome = await startAgainst((response) =>
      json(response, 200, {
        workflow_run_id: 42,
        run_url: 'https://x/42',
        html_url: 'https://github.com/acme/shop/actions/runs/42',
      }),
    )
    expect(outcome).toEqual({
      kind: 'started',
      run: { externalId: '42', externalAttempt: 1, url: 'https://github.com/acme/shop/actions/runs/42' },
    })
    expect(server?.seen).toHaveLength(1)
    expect(server?.seen[0]).toMatchObject({ method: 'POST', path: '/repos/acme/shop/actions/workflows/deploy.yml/dispatches' })
    expect(server?.seen[0]?.headers).toMatchObject({
      'x-github-api-version': '2022-11-28',
      authorization: `Bearer ${CANARY_TOKEN}`,
    })
    expect(JSON.parse(server?.seen[0]?.body ?? '')).toEqual({
      ref: 'main',
      inputs: { JOB_ID: trigger().jobId, ENV: 'prod', REF: 'v1.4.2', TYPE: 'deploy', SHA: 'a'.repeat(40) },
      return_run_details: true,
    })
  })

  const table: [string, (response: ServerResponse) => void, Partial<StartOutcome>][] = [
    ['204', (response) => response.writeHead(204).end(), { kind: 'accepted' }],
    ['200 without a run', (response) => json(response, 200, {}), { kind: 'accepted' }],
    ['200 with a run whose id is no number', (response) => json(response, 200, { workflow_run_id: 'x' }), { kind: 'accepted' }],
    [
      '200 that is not JSON',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      { kind: 'unknown' },
    ],
    [
      '200 cut off',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' }).write('{"workflow_run_id"')
        setTimeout(() => response.destroy(), 20)
      },
      { kind: 'unknown' },
    ],
    [
      '400',
      (response) => json(response, 400, { message: echoesTheToken }),
      { kind: 'refused', retryAfterMs: null, unreachable: false },
    ],
    [
      '401',
      (response) => json(response, 401, { message: echoesTheToken }),
      { kind: 'refused', retryAfterMs: null, unreachable: false },
    ],
    [
      '403',
      (response) => json(response, 403, { message: 'Resource not accessible' }),
      { kind: 'refused', retryAfterMs: null, unreachable: false },
    ],
    [
      '404',
      (response) => json(response, 404, { message: 'Not Found' }),
      { kind: 'refused', retryAfterMs: null, unreachable: false },
    ],
    [
      '409',
      (response) => json(response, 409, { message: 'Conflict' }),
      { kind: 'refused', retryAfterMs: null, unreachable: false },
    ],
    [
      '422',
      (response) => json(response, 422, { message: 'No ref found' }),
      { kind: 'refused', retryAfterMs: null, unreachable: false },
    ],
    [
      '429 with Retry-After',
      (response) => json(response, 429, { message: 'slow down' }, { 'retry-after': '7' }),
      { kind: 'refused', retryAfterMs: 7_000 },
    ],
    [
      '429 without Retry-After',
      (response) => json(response, 429, { message: 'slow down' }),
      { kind: 'refused', retryAfterMs: 60_000 },
    ],
    [
      '403 of the secondary limit',
      (response) => json(response, 403, { message: 'You have exceeded a secondary rate limit' }),
      { kind: 'refused', retryAfterMs: 60_000 },
    ],
    [
      '403 with Retry-After',
      (response) => json(response, 403, { message: 'abuse' }, { 'retry-after': '3' }),
      { kind: 'refused', retryAfterMs: 3_000 },
    ],
    [
      '403 with nothing left until the reset',
      (response) =>
        json(
          response,
          403,
          { message: 'limit' },
          {
            date: 'Sat, 21 Nov 2026 09:00:00 GMT',
            'x-ratelimit-remaining': '0',
            'x-ratelimit-reset': String(Date.parse('2026-11-21T09:10:00Z') / 1000),
          },
        ),
      { kind: 'refused', retryAfterMs: 600_000 },
    ],
    [
      '301',
      (response) => response.writeHead(301, { location: 'http://127.0.0.1:1/elsewhere' }).end(),
      { kind: 'refused', retryAfterMs: null },
    ],
    [
      '307',
      (response) => response.writeHead(307, { location: 'http://127.0.0.1:1/elsewhere' }).end(),
      { kind: 'refused', retryAfterMs: null },
    ],
    ['408', (response) => json(response, 408, { message: 'slow' }), { kind: 'unknown' }],
    ['500', (response) => json(response, 500, { message: echoesTheToken }), { kind: 'unknown' }],
    [
      '502 from a proxy',
      (response) => response.writeHead(502, { 'content-type': 'text/html' }).end(`<html>${echoesTheToken}`),
      { kind: 'unknown' },
    ],
    ['503 with Retry-After', (response) => json(response, 503, { message: 'busy' }, { 'retry-after': '5' }), { kind: 'unknown' }],
    ['504', (response) => json(response, 504, { message: 'late' }), { kind: 'unknown' }],
    ['a dropped connection', (response) => response.destroy(), { kind: 'unknown' }],
  ]
  it.each(table)('%s is one POST and %o', async (_what, answer, expected) => {
    const outcome = await startAgainst(answer)
    expect(outcome).toMatchObject(expected)
    expect(server?.posts()).toBe(1)
  })

  it('does not know the outcome when no answer comes in time', async () => {
    const outcome = await startAgainst(() => {}, { callMs: 60_000, triggerMs: 100 })
    expect(outcome.kind).toBe('unknown')
    expect(server?.posts()).toBe(1)
  })

  it('bounds the call by the shorter of both deadlines', async () => {
    expect((await startAgainst(() => {}, { callMs: 100, triggerMs: 60_000 })).kind).toBe('unknown')
  })

  it('is refused and may be repeated when nobody listens', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    const outcome = await connect({ apiUrl: `http://127.0.0.1:${port}` })
      .connections.pipeline(project())
      .start(trigger())
    expect(outcome).toMatchObject({ kind: 'refused', unreachable: true, retryAfterMs: 10_000 })
  })

  it('is refused and may be repeated when the name does not resolve', async () => {
    const outcome = await connect({ apiUrl: 'https://draven.invalid' }).connections.pipeline(project()).start(trigger())
    expect(outcome).toMatchObject({ kind: 'refused', unreachable: true })
  })

  it('is refused for good, without a call, when the secret is missing', async () => {
    server = await rawServer((_request, response) => json(response, 500, {}))
    const github = { apiUrl: server.origin, auth: { kind: 'token', ref: 'env:DRAVEN_SECRET_ABSENT' } } as const
    const outcome = await connect({ github }).connections.pipeline(project()).start(trigger())
    expect(outcome).toMatchObject({ kind: 'refused', retryAfterMs: null, why: expect.stringContaining('DRAVEN_SECRET_ABSENT') })
    expect(server.seen).toHaveLength(0)
  })

  it.each([400, 422])(
    'asks again without return_run_details when the host refuses that field with %i, and remembers',
    async (status) => {
      server = await rawServer((request, response) => {
        if ('return_run_details' in JSON.parse(request.body))
          json(response, status, { message: 'Invalid request. "return_run_details" is not a permitted key.' })
        else response.writeHead(204).end()
      })
      const pipeline = connect({ apiUrl: server.origin }).connections.pipeline(project())
      expect(await pipeline.start(trigger())).toEqual({ kind: 'accepted' })
      expect(server.posts()).toBe(2)
      expect(await pipeline.start(trigger())).toEqual({ kind: 'accepted' })
      expect(server.posts()).toBe(3)
    },
  )

  it('sends nothing once the time for the whole call is over', async () => {
    const clock = manualClock()
    server = await rawServer((_request, response) => json(response, 500, {}))
    const slow = {
      read: async () => {
        clock.advance(10_000)
        return CANARY_TOKEN
      },
      readPrivateKey: async () => '',
    }
    const outcome = await connect({ apiUrl: server.origin, clock, secrets: slow })
      .connections.pipeline(project())
      .start(trigger())
    expect(outcome).toMatchObject({ kind: 'refused', unreachable: true })
    expect(server.seen).toHaveLength(0)
  })

  it.each(['deploy', '../deploy.yml', 'a/b.yml', '123', ''])('refuses the selector %j without a call', async (selector) => {
    server = await rawServer((_request, response) => json(response, 500, {}))
    const outcome = await connect({ apiUrl: server.origin })
      .connections.pipeline(project())
      .start(trigger({ selector: { selector, workflowRef: null } }))
    expect(outcome).toMatchObject({ kind: 'refused', retryAfterMs: null })
    expect(server.seen).toHaveLength(0)
  })
})

describe('finding runs over many pages', () => {
  const run = (id: number, title: string) => ({
    id,
    path: '.github/workflows/deploy.yml@refs/heads/main',
    display_title: title,
    run_attempt: 1,
    html_url: `https://github.com/acme/shop/actions/runs/${id}`,
    created_at: new Date(id * 1_000).toISOString(),
  })

  async function findOn(pageOf: (page: number) => object[], lastPage: number) {
    server = await rawServer((request, response) => {
      const page = Number(new URL(request.path, 'http://x').searchParams.get('page'))
      const next = `<${server?.origin}${request.path.replace(/page=\d+$/, `page=${page + 1}`)}>; rel="next"`
      json(response, 200, { total_count: 1, workflow_runs: pageOf(page) }, page < lastPage ? { link: next } : {})
    })
    return connect({ apiUrl: server.origin }).connections.pipeline(project()).find(trigger())
  }

  it('reads every page and sorts by age', async () => {
    const found = await findOn((page) => [run(30 - page, `deploy (${trigger().jobId})`), run(100 - page, 'other')], 3)
    expect(found.map(({ externalId }) => externalId)).toEqual(['27', '28', '29'])
    expect(server?.seen).toHaveLength(3)
    expect(server?.seen[0]?.path).toContain('event=workflow_dispatch&created=%3E%3D')
  })

  it('stops where GitHub shows no more runs of a list', async () => {
    await findOn(() => Array.from({ length: 100 }, (_, id) => run(id, 'other')), Number.POSITIVE_INFINITY)
    expect(server?.seen).toHaveLength(10)
  })
})

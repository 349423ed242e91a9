import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../../controller/clock.ts'
import type { Callback } from '../../../controller/jobs/callback.ts'
import type { PipelineProvider, StartOutcome } from '../../../controller/jobs/executor.ts'
import { signed } from '../../../controller/providers/http-hook/signature.ts'
import { CANARY_TOKEN, collectingLog, connect, JOB, project, TOKEN_REF, trigger } from '../fixtures.ts'
import { json, type RawServer, rawServer } from '../raw-server.ts'
import { openReceiverScene, type ReceiverScene } from './receiver-scene.ts'

const selector = { selector: 'shop/deploy', workflowRef: null }
const callback = { url: 'https://draven.example/callbacks/jobs/1', token: `dcb_${'a'.repeat(43)}` }
const wanted = trigger({ selector, callback })

it('is signed as Standard Webhooks says', () => {
  // The example of the specification's own libraries.
  const headers = signed(
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    '{"test": 2432232314}',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    1_614_265_330_000,
  )
  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

describe('what one call to a receiver says about the run', () => {
  let server: RawServer | null = null
  afterEach(async () => {
    await server?.close()
    server = null
  })
  const hookProject = (apiUrl: string, more = {}) => project({ provider: 'http', apiUrl, credentialRef: TOKEN_REF, ...more })

  async function startAgainst(answer: (response: ServerResponse) => void, timeouts = { callMs: 5_000, triggerMs: 5_000 }) {
    server = await rawServer((_request, response) => answer(response))
    const log = collectingLog()
    const { connections } = connect({ log, timeouts, allowedOrigins: [server.origin] })
    const outcome = await connections.pipeline(hookProject(`${server.origin}/hooks/`)).start(wanted)
    expect(JSON.stringify(outcome) + log.lines.join('')).not.toContain(CANARY_TOKEN)
    return outcome
  }

  it('is one POST, proved by a signature, that tells everything', async () => {
    const outcome = await startAgainst((response) => json(response, 200, { url: 'javascript:alert(1)' }))
    expect(outcome).toEqual({ kind: 'started', run: { externalId: JOB, externalAttempt: 1, url: null } })
    expect(server?.seen).toHaveLength(1)
    const [call] = server!.seen
    expect(call).toMatchObject({ method: 'POST', path: '/hooks/shop/deploy' })
    const { callback_url, callback_token, ...told } = JSON.parse(call!.body)
    expect(told).toEqual({ job_id: JOB, env: 'prod', ref: 'v1.4.2', sha: 'a'.repeat(40), type: 'deploy', attempt: 1 })
    expect({ url: callback_url, token: callback_token }).toEqual(callback)
    const at = Number(call!.headers['webhook-timestamp']) * 1_000
    expect(call!.headers).toMatchObject({ ...signed(`${JOB}-1`, call!.body, CANARY_TOKEN, at) })
  })

  const forGood = { kind: 'refused', retryAfterMs: null, unreachable: false } as const
  const table: [string, (response: ServerResponse) => void, Partial<StartOutcome>][] = [
    ['204 without a word', (response) => response.writeHead(204).end(), { kind: 'started' }],
    ['200 that is not JSON', (response) => response.writeHead(200).end('ok'), { kind: 'started' }],
    ['400', (response) => json(response, 400, { error: `boom ${CANARY_TOKEN}` }), forGood],
    ['401', (response) => json(response, 401, { message: 'who are you?' }), forGood],
    ['404', (response) => response.writeHead(404).end(), forGood],
    ['409', (response) => json(response, 409, { reason: 'busy' }), forGood],
    ['302', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), forGood],
    ['408', (response) => json(response, 408, {}), { kind: 'unknown' }],
    ['429 with a time', (response) => json(response, 429, {}, { 'retry-after': '7' }), { kind: 'refused', retryAfterMs: 7_000 }],
    ['500', (response) => json(response, 500, { error: `boom ${CANARY_TOKEN}` }), { kind: 'unknown' }],
    [
      '503 until a date',
      (response) => response.writeHead(503, { 'retry-after': 'Sat, 21 Nov 2099 09:00:00 GMT' }).end(),
      { kind: 'unknown' },
    ],
    ['a dropped connection', (response) => response.destroy(), { kind: 'unknown' }],
  ]
  it.each(table)('%s is one POST and %o', async (_what, answer, expected) => {
    expect(await startAgainst(answer)).toMatchObject(expected)
    expect(server?.posts()).toBe(1)
  })

  it('does not know the outcome when no answer comes in time', async () => {
    expect((await startAgainst(() => {}, { callMs: 60_000, triggerMs: 100 })).kind).toBe('unknown')
  })

  it('goes to no origin that the operator did not allow, and nowhere without a secret', () => {
    const { connections } = connect({ allowedOrigins: ['https://deploys.acme.example', 'http://10.0.0.7'] })
    const at = (apiUrl: string, more = {}) => connections.pipeline(hookProject(apiUrl, more))
    expect(() => at('https://deploys.acme.example/hooks')).not.toThrow()
    expect(() => at('https://elsewhere.example/hooks')).toThrow(/allowed origins/)
    expect(() => at('http://10.0.0.7/hooks')).toThrow(/https/)
    expect(() => at('https://deploys.acme.example/hooks', { credentialRef: null })).toThrow(/needs a secret/)
  })

  it.each(['../admin', 'a/../b', 'a b', 'x?y=1', '/etc', ''])(
    'is not made at %j, which is no path of a receiver',
    async (path) => {
      server = await rawServer((_request, response) => json(response, 200, {}))
      const { connections } = connect({ allowedOrigins: [server.origin] })
      const { pipeline } = { pipeline: connections.pipeline(hookProject(`${server.origin}/hooks`)) }
      const at = { selector: path, workflowRef: null }
      expect(await pipeline.start(trigger({ selector: at, callback }))).toMatchObject({
        kind: 'refused',
        why: expect.stringMatching(/not a path/),
      })
      expect(server.seen).toEqual([])
    },
  )

  it('has no refs of its own to tell', async () => {
    const { connections } = connect({ allowedOrigins: ['https://deploys.acme.example'] })
    const { refs } = { refs: connections.refs(hookProject('https://deploys.acme.example')) }
    await expect(refs.resolveRef({ type: 'branch', name: 'main' })).rejects.toThrow(/integration.code/)
  })
})

describe('a run of a receiver', () => {
  let scene: ReceiverScene
  let pipeline: PipelineProvider
  beforeEach(async () => {
    scene = await openReceiverScene()
    pipeline = scene.connect().connections.pipeline(scene.project())
  })
  afterEach(async () => {
    await scene.check()
    await scene.close()
  })
  const observe = () => pipeline.observe({ externalId: JOB, selector })

  function speak(change: Partial<Callback>): void {
    const said = { fence: 1, tokenHash: '', claimedBy: null, heardAt: null, result: null, detail: null, refusals: 0 }
    scene.spoken.push({ jobId: JOB, attempt: 1, createdAt: scene.clock.now(), ...said, ...change })
  }

  it('is not made when nobody could follow it', async () => {
    scene.receiver.offers.tells = false
    const outcome = await pipeline.start(trigger({ selector }))
    expect(outcome).toMatchObject({ kind: 'refused', retryAfterMs: null, why: expect.stringContaining('callbacks: true') })
    expect(scene.receiver.runs(JOB)).toEqual([])
    expect((await pipeline.start(wanted)).kind).toBe('started')
  })

  it('is not made, and may be later, when it cannot be asked whether one could follow it', async () => {
    scene.receiver.faults.add({ on: 'receiver/status', kind: 'error_before' })
    expect(await pipeline.start(trigger({ selector }))).toMatchObject({ kind: 'refused', unreachable: true })
    expect(scene.receiver.runs(JOB)).toEqual([])
    expect((await pipeline.start(trigger({ selector }))).kind).toBe('started')
  })

  it('is one, also when somebody sends the same start again', async () => {
    await pipeline.start(wanted)
    await pipeline.start(wanted)
    expect(scene.receiver.runs(JOB)).toHaveLength(1)
  })

  it('is known to be there when its pipeline has spoken, whatever the receiver tells', async () => {
    scene.receiver.offers.tells = false
    scene.receiver.faults.add({ on: 'receiver/start', kind: 'accept_then_drop' })
    expect((await pipeline.start(wanted)).kind).toBe('unknown')
    expect(await pipeline.find(wanted)).toEqual([])
    expect(await pipeline.doubt(wanted)).toContain('tells nothing')
    speak({ heardAt: scene.clock.now() })
    expect(await pipeline.find(wanted)).toEqual([{ externalId: JOB, externalAttempt: 1, url: null }])
  })

  it('goes as its pipeline says where the receiver tells nothing', async () => {
    scene.receiver.offers.tells = false
    await pipeline.start(wanted)
    expect(await observe()).toMatchObject({ state: 'vanished' })
    speak({})
    expect(await observe()).toMatchObject({ state: 'queued' })
    scene.spoken[0] = { ...scene.spoken[0]!, claimedBy: 'run 1', heardAt: scene.clock.now() }
    expect(await observe()).toMatchObject({ state: 'active' })
    scene.spoken[0] = { ...scene.spoken[0]!, result: 'failed', detail: 'exit code 3' }
    expect(await observe()).toMatchObject({ state: 'failed', detail: 'exit code 3' })
    scene.spoken[0] = { ...scene.spoken[0]!, result: 'canceled', detail: null }
    expect(await observe()).toMatchObject({ state: 'canceled' })
    scene.spoken[0] = { ...scene.spoken[0]!, result: 'succeeded', detail: null }
    expect(await observe()).toMatchObject({ state: 'success' })
  })

  it('is out of reach, not over, when nothing is heard of it for a quarter of an hour', async () => {
    scene.receiver.offers.tells = false
    speak({ claimedBy: 'run 1', heardAt: scene.clock.now() })
    scene.clock.advance(16 * MINUTE_MS)
    await expect(observe()).rejects.toMatchObject({
      name: 'TransientFault',
      message: expect.stringContaining('nothing was heard'),
    })
  })

  it('is not over because the receiver forgot it', async () => {
    await pipeline.start(wanted)
    scene.receiver.remove(JOB)
    expect(await observe()).toMatchObject({ state: 'vanished' })
    speak({ claimedBy: 'run 1', heardAt: scene.clock.now() })
    expect(await observe()).toMatchObject({ state: 'active' })
  })

  it('cannot be asked to stop where that is not offered, and that is said', async () => {
    await pipeline.start(wanted)
    scene.receiver.offers.stops = false
    await expect(pipeline.cancel({ externalId: JOB })).rejects.toMatchObject({
      name: 'RefusedFault',
      message: expect.stringMatching(/cannot stop a run/),
    })
  })

  it('is not known for a while when the answer makes no sense', async () => {
    const server = await rawServer((_request, response) => json(response, 200, { runs: [] }))
    const { connections } = connect({ allowedOrigins: [server.origin] })
    const odd = connections.pipeline(scene.project({ apiUrl: server.origin, credentialRef: TOKEN_REF }))
    await expect(odd.observe({ externalId: JOB, selector })).rejects.toMatchObject({ name: 'TransientFault' })
    await server.close()
  })

  it('is described with what the receiver does not offer', async () => {
    scene.receiver.offers.tells = false
    const describe = (callbacks: boolean) => scene.connect().describeAccess(scene.project({ callbacks }))
    expect(await describe(true)).toMatchObject({ provider: 'http', notes: [expect.stringContaining('only its callbacks')] })
    expect(await describe(false)).toMatchObject({ notes: [expect.stringContaining('cannot be followed')] })
    scene.receiver.offers.tells = true
    expect(await describe(false)).toMatchObject({ missing: [], notes: [] })
  })
})

import { describe, expect, it } from 'vitest'
import { githubSender } from '../../controller/webhooks/github.ts'
import { webhookApp } from '../../controller/webhooks/routes.ts'
import { deliver, headersFor, intake, PULL_REQUEST, SECRETS, signature } from './intake.ts'

describe('a webhook route', () => {
  it('stores the few facts of a delivery, wakes the loop and says so', async () => {
    const { app, inbox, wakes } = intake()
    const response = await deliver(app, PULL_REQUEST)
    expect([response.status, await response.json()]).toEqual([202, { accepted: true }])
    expect(inbox.rows).toEqual([
      {
        integration: 'forge',
        deliveryId: '4711:72d3162e-cc78-11e3-81ab-4c9367dc0958',
        event: 'pull_request',
        receivedAt: 1_700_000_000_000,
        nudge: { kind: 'pull_request', number: 12 },
      },
    ])
    expect(wakes.count).toBe(1)
  })

  it.each([
    ['an unknown integration', '/webhooks/nobody'],
    ['an integration without a secret', '/webhooks/no-secret'],
    ['an integration whose secret is empty', '/webhooks/empty-secret'],
    ['a property every object has', '/webhooks/constructor'],
    ['no integration', '/webhooks/'],
    ['a longer path', '/webhooks/forge/more'],
    ['a path that cannot be decoded', '/webhooks/%E0%A4%A'],
  ])('does not exist for %s', async (_name, path) => {
    const { app, inbox } = intake()
    const response = await deliver(app, PULL_REQUEST, { 'x-hub-signature-256': signature(PULL_REQUEST, '') }, path)
    expect(response.status).toBe(404)
    expect(inbox.rows).toEqual([])
  })

  it.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('does not exist for %s', async (method) => {
    expect((await intake().app.request('/webhooks/forge', { method })).status).toBe(404)
  })

  it.each([
    ['application/json', 202],
    ['application/json; charset=utf-8', 202],
    ['Application/JSON', 202],
    ['application/x-www-form-urlencoded', 415],
    ['text/plain', 415],
    ['application/json-patch+json', 415],
    ['text/application/json', 415],
    [null, 415],
  ])('answers content type %s with %i', async (type, status) => {
    const { app } = intake()
    // Without a header of its own a text body would be given one, so the bytes are sent bare.
    const body = new TextEncoder().encode(PULL_REQUEST)
    expect((await deliver(app, body, { 'content-type': type })).status).toBe(status)
  })

  it('keeps one row and wakes once when a delivery is replayed a hundred times', async () => {
    const { app, inbox, wakes } = intake()
    for (let i = 0; i < 100; i++) expect((await deliver(app, PULL_REQUEST)).status).toBe(202)
    expect(inbox.rows).toHaveLength(1)
    expect(wakes.count).toBe(1)
  })

  it('tells deliveries of two hooks apart although GitHub gives them one GUID', async () => {
    const { app, inbox } = intake()
    await deliver(app, PULL_REQUEST)
    await deliver(app, PULL_REQUEST, { 'x-github-hook-id': '4712' })
    expect(inbox.rows.map((row) => row.deliveryId.split(':')[0])).toEqual(['4711', '4712'])
  })

  it.each([
    ['no hook id', { 'x-github-hook-id': null }],
    ['no GUID', { 'x-github-delivery': null }],
    ['a hook id that is no number', { 'x-github-hook-id': '4711:x' }],
    ['a GUID with a colon', { 'x-github-delivery': 'a:b' }],
    ['an endless GUID', { 'x-github-delivery': 'a'.repeat(65) }],
  ])('refuses %s', async (_name, changes) => {
    const { app, inbox } = intake()
    expect((await deliver(app, PULL_REQUEST, changes)).status).toBe(400)
    expect(inbox.rows).toEqual([])
  })

  it('accepts a signed delivery that names no event, and stores nothing', async () => {
    const { app, inbox } = intake()
    expect((await deliver(app, PULL_REQUEST, { 'x-github-event': null })).status).toBe(202)
    expect(inbox.rows).toEqual([])
  })

  it('answers events that are none of its business without parsing them', async () => {
    const { app, inbox } = intake()
    for (const event of ['ping', 'star', 'issue_comment', '__proto__', '']) {
      expect((await deliver(app, 'not JSON at all', { 'x-github-event': event })).status).toBe(202)
    }
    expect(inbox.rows).toEqual([])
  })

  it.each([
    ['an empty body', ''],
    ['half an object', '{"pull_request":'],
    ['65 levels', '['.repeat(65) + ']'.repeat(65)],
    ['20,000 levels', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`],
  ])('refuses %s', async (_name, body) => {
    expect((await deliver(intake().app, body)).status).toBe(400)
  })

  it.each([
    ['an action that is an object', { action: { toString: 1 } }],
    ['a number beyond all numbers', { pull_request: { number: 1e300 } }],
    ['a repository that is a list', { repository: [] }],
  ])('survives %s', async (_name, change) => {
    const { app } = intake()
    const body = JSON.stringify({ ...JSON.parse(PULL_REQUEST), ...change })
    expect((await deliver(app, body)).status).toBe(202)
    expect((await deliver(app, PULL_REQUEST)).status).toBe(202)
  })

  it('lets no header choose who checks the signature', async () => {
    const { app, inbox } = intake()
    const impersonations = [
      { 'x-gitlab-token': SECRETS.forge[0]!, 'x-gitlab-event': 'Push Hook' },
      { 'x-gitea-event': 'push', 'x-gitea-signature': signature(PULL_REQUEST, SECRETS.forge[0]!).slice(7) },
      { 'x-hub-signature': signature(PULL_REQUEST, SECRETS.forge[0]!) },
      { 'x-github-hook-installation-target-id': 'other', 'x-forwarded-for': '127.0.0.1', authorization: 'Bearer x' },
    ]
    for (const headers of impersonations) {
      expect((await deliver(app, PULL_REQUEST, { ...headers, 'x-hub-signature-256': null })).status).toBe(401)
    }
    expect(inbox.rows).toEqual([])
  })

  it('asks to come back while the inbox fails, and takes the same delivery later', async () => {
    let broken = true
    const { inbox } = intake()
    const store = async (...args: Parameters<typeof inbox.store>) => {
      if (broken) throw new Error('disk full')
      return inbox.store(...args)
    }
    const { app, wakes } = intake({ inbox: { store } })
    const refused = await deliver(app, PULL_REQUEST)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
    expect(wakes.count).toBe(0)
    broken = false
    expect((await deliver(app, PULL_REQUEST)).status).toBe(202)
  })

  it('asks to come back when the secret cannot be read, and tells no details', async () => {
    const secrets = async () => {
      throw new Error('/run/secrets/forge: permission denied')
    }
    const { app } = intake({ integrations: new Map([['forge', { sender: githubSender, secrets }]]) })
    const response = await deliver(app, PULL_REQUEST)
    expect(response.status).toBe(503)
    expect(await response.text()).not.toContain('/run')
  })

  it('asks to come back when more deliveries are under way than it may hold, and recovers', async () => {
    const { inbox } = intake()
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const slow = { store: (delivery: Parameters<typeof inbox.store>[0]) => gate.then(() => inbox.store(delivery)) }
    const { app } = intake({ inbox: slow, maxInFlight: 3 })
    const started = ['a', 'b', 'c'].map((letter) => deliver(app, PULL_REQUEST, { 'x-github-delivery': letter.repeat(8) }))
    expect((await deliver(app, PULL_REQUEST)).status).toBe(503)
    open()
    expect((await Promise.all(started)).map((response) => response.status)).toEqual([202, 202, 202])
    expect((await deliver(app, PULL_REQUEST)).status).toBe(202)
  })

  it('accepts what says nothing to look at, and stores nothing', async () => {
    const { app, inbox, wakes } = intake()
    expect((await deliver(app, '{}', { 'x-github-event': 'push' })).status).toBe(202)
    expect([inbox.rows, wakes.count]).toEqual([[], 0])
  })

  const broken = () => new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) })
  const fails = async () => {
    throw new Error('disk full')
  }
  const large = { 'content-length': String(githubSender.maxBodyBytes + 1) }
  const announced = { 'content-length': String(PULL_REQUEST.length) }
  const failing = new Map([['forge', { sender: githubSender, secrets: fails }]])
  type Change = Record<string, string | null>
  it.each<[number, string, Parameters<typeof intake>[0], Change, (string | (() => ReadableStream))?, string?]>([
    [404, 'not found', {}, {}, PULL_REQUEST, '/webhooks/nobody'],
    [404, 'not found', {}, {}, PULL_REQUEST, '/webhooks/no-secret'],
    [404, 'not found', {}, {}, PULL_REQUEST, '/elsewhere'],
    [415, 'send application/json', {}, { 'content-type': 'text/plain' }],
    [413, 'payload too large', {}, large],
    [400, 'incomplete body', {}, {}, broken],
    [401, 'bad signature', {}, { 'x-hub-signature-256': 'sha256=' }],
    [400, 'missing or malformed delivery id', {}, { 'x-github-delivery': null }],
    [400, 'malformed JSON', {}, {}, '{'],
    [503, 'too many bytes at once', { maxBufferedBytes: 3 }, announced],
    [503, 'too many deliveries at once', { maxInFlight: 0 }, {}],
    [503, 'try again later', { inbox: { store: fails } }, {}],
    [503, 'try again later', { integrations: failing }, {}],
  ])(
    'answers %i and says %s, and when to come again only where that helps',
    async (status, error, options, changes, body = PULL_REQUEST, path = '/webhooks/forge') => {
      const { app } = intake(options)
      const headers = headersFor(typeof body === 'string' ? body : PULL_REQUEST, changes)
      const init = { method: 'POST', headers, body: typeof body === 'string' ? body : body(), duplex: 'half' } as RequestInit
      const answer = await app.request(new Request(`http://127.0.0.1${path}`, init))
      expect([answer.status, await answer.json()]).toEqual([status, { error }])
      expect(answer.headers.get('retry-after')).toBe(status === 503 ? '5' : null)
    },
  )

  it('tells its log what an operator has to know, and no secret', async () => {
    const told: unknown[][] = []
    const tell = (level: string) => (message: string, facts?: object) => told.push([level, message, facts])
    const log = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') }
    await deliver(intake({ log }).app, PULL_REQUEST)
    await deliver(intake({ log }).app, PULL_REQUEST, { 'x-hub-signature-256': null })
    await deliver(intake({ log, inbox: { store: fails } }).app, PULL_REQUEST)
    await deliver(intake({ log, integrations: failing }).app, PULL_REQUEST)
    const deliveryId = '4711:72d3162e-cc78-11e3-81ab-4c9367dc0958'
    expect(told).toEqual([
      ['debug', 'webhook received', expect.objectContaining({ integration: 'forge', deliveryId, stored: 'stored' })],
      ['warn', 'webhook refused: bad signature', { integration: 'forge' }],
      ['error', 'webhook not stored', { integration: 'forge', deliveryId, error: 'disk full' }],
      ['error', 'webhook handler failed', { error: 'disk full' }],
    ])
  })

  it('names the config repository when the integration serves it', async () => {
    const { inbox } = intake()
    const forge = {
      sender: githubSender,
      secrets: async () => SECRETS.forge,
      configBranch: { fullName: 'acme/config', branch: 'main' },
    }
    const app = webhookApp({ ...intakeOptions(), inbox, integrations: new Map([['forge', forge]]) })
    const push = JSON.stringify({ ref: 'refs/heads/main', repository: { full_name: 'Acme/Config' } })
    await app.request('/webhooks/forge', { method: 'POST', body: push, headers: headersFor(push, { 'x-github-event': 'push' }) })
    expect(inbox.rows.map((row) => row.nudge)).toEqual([{ kind: 'config' }])
  })
})

function intakeOptions() {
  const clock = { now: () => 0, elapsed: () => 0, sleep: async () => {} }
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  return { clock, log, onDelivery: () => {} }
}

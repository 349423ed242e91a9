import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import type { Nudge } from '../../controller/jobs/state-store.ts'
import { silentLogger } from '../../controller/log.ts'
import { gitlabSender } from '../../controller/webhooks/gitlab.ts'
import { type ConfigBranch, NOT_CONFIG } from '../../controller/webhooks/payload.ts'
import { webhookApp } from '../../controller/webhooks/routes.ts'
import { memoryInbox } from './intake.ts'

const NOW = 1_700_000_000_000
const KEY = Buffer.alloc(32, 7)
const SIGNING = `whsec_${KEY.toString('base64')}`
const TOKEN = 'a secret token'
const CONFIG: ConfigBranch = { fullName: 'acme/team/config', branch: 'main' }

const config = { path_with_namespace: 'acme/team/config' }
const shop = { path_with_namespace: 'acme/shop' }
const aboutShop: Nudge = { kind: 'repository', repoFullName: 'acme/shop' }
const mergeRequest = (iid: unknown, project: object = config) => ({ object_attributes: { iid, action: 'approved' }, project })
const pipeline = (source: string, project: object, id: unknown = 47) => ({ object_attributes: { id, source }, project })

const TABLE: readonly [event: string, payload: unknown, nudge: Nudge | null][] = [
  ['Merge Request Hook', mergeRequest(7), { kind: 'pull_request', number: 7 }],
  ['Merge Request Hook', mergeRequest(7, { path_with_namespace: 'ACME/Team/Config' }), { kind: 'pull_request', number: 7 }],
  ['Merge Request Hook', mergeRequest('7'), null],
  ['Merge Request Hook', mergeRequest(0), null],
  ['Merge Request Hook', mergeRequest(7, shop), null],
  ['Pipeline Hook', pipeline('api', shop), { kind: 'run', externalId: '47' }],
  ['Pipeline Hook', pipeline('api', shop, 2 ** 60), aboutShop],
  // The project's own CI: what it says about a commit may have changed.
  ['Pipeline Hook', pipeline('push', shop), aboutShop],
  ['Pipeline Hook', pipeline('push', config), null],
  ['Push Hook', { ref: 'refs/heads/main', project: config }, { kind: 'config' }],
  ['Push Hook', { ref: 'refs/heads/request-7', project: config }, null],
  ['Push Hook', { ref: 'refs/heads/main', project: shop }, aboutShop],
  ['Tag Push Hook', { ref: 'refs/tags/main', project: config }, null],
  ['Tag Push Hook', { ref: 'refs/tags/v1', project: shop }, aboutShop],
  ['Push Hook', { ref: 'refs/heads/main' }, null],
  ['Push Hook', { project: { path_with_namespace: 'no-group' } }, null],
  ['Push Hook', { project: { path_with_namespace: 'a/../../b c' } }, null],
  ['Note Hook', { merge_request: { iid: 7 }, project: config }, null],
  ['System Hook', { project: config }, null],
  ['constructor', { project: config }, null],
]

describe('what a delivery of GitLab says to look at', () => {
  it.each(TABLE)('%s %j → %j', (event, payload, nudge) => {
    expect(gitlabSender.nudge(event, payload, CONFIG)).toEqual(nudge)
  })

  it('is of a project in groups, by a path of at most five hundred characters', () => {
    const about = (path_with_namespace: unknown) => gitlabSender.nudge('Push Hook', { project: { path_with_namespace } }, CONFIG)
    const long = `${'a'.repeat(249)}/${'b'.repeat(250)}`
    expect(about(long)).toEqual({ kind: 'repository', repoFullName: long })
    for (const odd of [`${long}b`, '/acme/shop', 'acme/shop/', ['acme/shop']]) expect(about(odd)).toBeNull()
  })

  it('is no pull request where the config repository is elsewhere', () => {
    expect(gitlabSender.nudge('Merge Request Hook', mergeRequest(7), NOT_CONFIG)).toBeNull()
    expect(gitlabSender.nudge('Push Hook', { ref: 'refs/heads/main', project: shop }, NOT_CONFIG)).toEqual(aboutShop)
  })

  it('is never anything but a name, whatever arrives', () => {
    const events = fc.constantFrom('Merge Request Hook', 'Pipeline Hook', 'Push Hook', 'Tag Push Hook')
    fc.assert(
      fc.property(events, fc.jsonValue(), (event, payload) => {
        const nudge = gitlabSender.nudge(event, payload, CONFIG)
        expect(nudge === null || typeof nudge.kind === 'string').toBe(true)
      }),
    )
  })
})

function intake(secrets: readonly string[]) {
  const inbox = memoryInbox()
  const app = webhookApp({
    integrations: new Map([['gitlab', { sender: gitlabSender, secrets: async () => secrets, configBranch: CONFIG }]]),
    inbox,
    clock: { ...systemClock(), now: () => NOW },
    log: silentLogger,
    onDelivery: () => {},
  })
  return {
    app,
    inbox,
    async deliver(headers: Record<string, string>, body = BODY, event = 'Merge Request Hook') {
      const all = { 'content-type': 'application/json', 'x-gitlab-event': event, ...headers }
      return (await app.request('/webhooks/gitlab', { method: 'POST', headers: all, body })).status
    },
  }
}

const BODY = JSON.stringify(mergeRequest(7))

function signed(options: { id?: string; seconds?: number | string; body?: string; key?: Buffer; version?: string } = {}) {
  const { id = 'f5e5f430-f57b-4e6e-9fac-d9128cd7232f', seconds = NOW / 1_000, body = BODY, key = KEY, version = 'v1' } = options
  const digest = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `${version},${digest}` }
}

describe('the secret token of a delivery', () => {
  it.each([
    ['the beginning of it', TOKEN.slice(0, -1)],
    ['more than it', `${TOKEN}x`],
  ])('is not %s', async (_what, token) => {
    const { deliver, inbox } = intake([TOKEN])
    expect(await deliver({ 'x-gitlab-token': token })).toBe(401)
    expect(inbox.rows).toHaveLength(0)
  })

  it('is never empty', () => {
    const delivery = { header: () => '', body: Buffer.from(BODY), now: NOW }
    expect(gitlabSender.isAuthentic({ ...delivery, secrets: [''] })).toBe(false)
    expect(gitlabSender.isAuthentic({ ...delivery, header: () => undefined, secrets: [''] })).toBe(false)
  })

  it('is never a signing token sent in the open', async () => {
    expect(await intake([SIGNING]).deliver({ 'x-gitlab-token': SIGNING })).toBe(401)
  })
})

describe('the signature of a delivery by GitLab', () => {
  const right = signed()
  it.each<[string, Record<string, string>, number]>([
    ['as the second of two', { ...right, 'webhook-signature': `v1,${'A'.repeat(43)}= ${right['webhook-signature']}` }, 202],
    ['five minutes old', signed({ seconds: NOW / 1_000 - 300 }), 202],
    ['older than that', signed({ seconds: NOW / 1_000 - 301 }), 401],
    ['from the future', signed({ seconds: NOW / 1_000 + 301 }), 401],
    ['of another version', signed({ version: 'v2' }), 401],
    ['for another id', { ...right, 'webhook-id': '00000000-0000-4000-8000-000000000000' }, 401],
    ['for another time', { ...right, 'webhook-timestamp': String(NOW / 1_000 + 1) }, 401],
    ['without a time', { ...right, 'webhook-timestamp': '' }, 401],
    ['whose time is left out', { 'webhook-id': right['webhook-id'], 'webhook-signature': right['webhook-signature'] }, 401],
    ['that is empty', { ...right, 'webhook-signature': 'v1,' }, 401],
    ['beside the token alone', { 'x-gitlab-token': TOKEN }, 401],
  ])('%s is answered %3$i', async (_what, headers, status) => {
    const { deliver, inbox } = intake([SIGNING])
    expect(await deliver(headers)).toBe(status)
    expect(inbox.rows).toHaveLength(status === 202 ? 1 : 0)
  })

  it.each<[string, { id?: string; seconds?: string | number }]>([
    ['a name that is too short', { id: 'short' }],
    ['a name that says more', { id: `${right['webhook-id']}:x` }],
    ['a name with something before it', { id: `:${right['webhook-id']}` }],
    ['a time with a fraction', { seconds: `${NOW / 1_000}.5` }],
    ['a time in another notation', { seconds: `0x${(NOW / 1_000).toString(16)}` }],
    ['a time with something before it', { seconds: `+${NOW / 1_000}` }],
    ['a time with something after it', { seconds: `${NOW / 1_000}e0` }],
  ])('over %s proves nothing, however well it was made', async (_what, odd) => {
    expect(await intake([SIGNING]).deliver(signed(odd))).toBe(401)
  })

  it('is looked for among ten, each whole', async () => {
    const own = right['webhook-signature']
    const among = (before: number, signature = own) =>
      intake([SIGNING]).deliver({ ...right, 'webhook-signature': [...Array(before).fill('v1,x'), signature].join(' ') })
    expect([await among(9), await among(10)]).toEqual([202, 401])
    expect([await among(0, `x${own}`), await among(0, `${own}x`)]).toEqual([401, 401])
  })

  it('by an empty key counts for nothing', async () => {
    expect(await intake(['whsec_']).deliver(signed({ key: Buffer.alloc(0) }))).toBe(401)
  })

  it('and the token are both accepted while one replaces the other', async () => {
    const { deliver } = intake([SIGNING, TOKEN])
    expect([await deliver(right), await deliver({ 'x-gitlab-token': TOKEN })]).toEqual([202, 202])
  })
})

describe('an authentic delivery of GitLab', () => {
  it('that does not say what it is about is accepted and forgotten', async () => {
    const { app, inbox } = intake([TOKEN])
    const headers = { 'content-type': 'application/json', 'x-gitlab-token': TOKEN }
    expect((await app.request('/webhooks/gitlab', { method: 'POST', headers, body: BODY })).status).toBe(202)
    expect(inbox.rows).toHaveLength(0)
  })

  it('that repeats itself is kept once', async () => {
    const { deliver, inbox } = intake([TOKEN])
    const again = { 'x-gitlab-token': TOKEN, 'idempotency-key': 'f5e5f430-f57b-4e6e-9fac' }
    expect([await deliver(again), await deliver(again)]).toEqual([202, 202])
    expect(inbox.rows).toEqual([
      expect.objectContaining({ deliveryId: 'f5e5f430-f57b-4e6e-9fac', nudge: { kind: 'pull_request', number: 7 } }),
    ])
  })

  it('without an id is known by its content', async () => {
    const { deliver, inbox } = intake([TOKEN])
    await deliver({ 'x-gitlab-token': TOKEN })
    await deliver({ 'x-gitlab-token': TOKEN })
    expect(inbox.rows).toHaveLength(1)
    // Each request has a name of its own before GitLab 17.4: the same words again may mean another change.
    await deliver({ 'x-gitlab-token': TOKEN, 'x-gitlab-webhook-uuid': 'c2675c66-7e6e-4fe2' })
    await deliver({ 'x-gitlab-token': TOKEN, 'x-gitlab-webhook-uuid': 'd3675c66-7e6e-4fe2' })
    expect(inbox.rows).toHaveLength(3)
  })

  // GitLab rests a hook after four answers that are no 2xx.
  it.each(['Note Hook', 'Job Hook', 'Deployment Hook', 'System Hook', 'Something New'])(
    'is accepted and forgotten when it is about something else (%s)',
    async (event) => {
      const { deliver, inbox } = intake([TOKEN])
      expect(await deliver({ 'x-gitlab-token': TOKEN }, BODY, event)).toBe(202)
      expect(inbox.rows).toHaveLength(0)
    },
  )
})

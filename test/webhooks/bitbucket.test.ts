import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import type { Nudge } from '../../controller/jobs/state-store.ts'
import { silentLogger } from '../../controller/log.ts'
import { bitbucketSender } from '../../controller/webhooks/bitbucket.ts'
import { type ConfigBranch, NOT_CONFIG } from '../../controller/webhooks/payload.ts'
import { webhookApp } from '../../controller/webhooks/routes.ts'
import { memoryInbox } from './intake.ts'

const CONFIG: ConfigBranch = { fullName: 'acme/config', branch: 'main' }
const config = { full_name: 'acme/config' }
const shop = { full_name: 'acme/shop' }
const aboutShop: Nudge = { kind: 'repository', repoFullName: 'acme/shop' }
const pull = (id: unknown, repository: object = config) => ({ pullrequest: { id }, repository })
const side = (name: string, type = 'branch') => ({ type, name })
const push = (repository: object, ...changes: object[]) => ({ push: { changes }, repository })

const TABLE: readonly [event: string, payload: unknown, nudge: Nudge | null][] = [
  ['pullrequest:created', pull(7), { kind: 'pull_request', number: 7 }],
  ['pullrequest:updated', pull(7), { kind: 'pull_request', number: 7 }],
  ['pullrequest:push', pull(7), { kind: 'pull_request', number: 7 }],
  ['pullrequest:approved', pull(7), { kind: 'pull_request', number: 7 }],
  ['pullrequest:unapproved', pull(7), { kind: 'pull_request', number: 7 }],
  ['pullrequest:changes_request_created', pull(7), { kind: 'pull_request', number: 7 }],
  ['pullrequest:changes_request_removed', pull(7), { kind: 'pull_request', number: 7 }],
  ['pullrequest:fulfilled', pull(7, { full_name: 'ACME/Config' }), { kind: 'pull_request', number: 7 }],
  ['pullrequest:rejected', pull(7), { kind: 'pull_request', number: 7 }],
  ['pullrequest:approved', pull('7'), null],
  ['pullrequest:approved', pull(0), null],
  ['pullrequest:approved', pull(7, shop), null],
  ['pullrequest:comment_created', pull(7), null],
  ['repo:push', push(config, { new: side('main'), old: side('main') }), { kind: 'config' }],
  // A branch that was deleted, and one of several that moved in one push.
  ['repo:push', push(config, { new: null, old: side('main') }), { kind: 'config' }],
  ['repo:push', push(config, { new: side('x'), old: null }, { new: side('main'), old: null }), { kind: 'config' }],
  ['repo:push', push(config, { new: side('request-7'), old: null }), null],
  ['repo:push', push(config, { new: side('main', 'tag'), old: null }), null],
  ['repo:push', { push: { changes: 'main' }, repository: config }, null],
  ['repo:push', push(shop, { new: side('v1.4.2', 'tag'), old: null }), aboutShop],
  ['repo:commit_status_created', { commit_status: { state: 'SUCCESSFUL' }, repository: shop }, aboutShop],
  ['repo:commit_status_updated', { commit_status: { state: 'FAILED' }, repository: shop }, aboutShop],
  ['repo:commit_status_updated', { commit_status: { state: 'FAILED' }, repository: config }, null],
  ['repo:push', { push: { changes: [] } }, null],
  ['repo:push', push({ full_name: 'no-workspace' }), null],
  ['repo:push', push({ full_name: 'a/../b' }), null],
  ['repo:push', push({ full_name: `${'a'.repeat(100)}/${'b'.repeat(100)}` }), null],
  [
    'repo:push',
    push({ full_name: `${'a'.repeat(99)}/${'b'.repeat(100)}` }),
    { kind: 'repository', repoFullName: `${'a'.repeat(99)}/${'b'.repeat(100)}` },
  ],
  ['repo:fork', { repository: config }, null],
  ['constructor', { repository: config }, null],
]

describe('what a delivery of Bitbucket says to look at', () => {
  it.each(TABLE)('%s %j → %j', (event, payload, nudge) => {
    expect(bitbucketSender.nudge(event, payload, CONFIG)).toEqual(nudge)
  })

  it('is no pull request where the config repository is elsewhere', () => {
    expect(bitbucketSender.nudge('pullrequest:approved', pull(7), NOT_CONFIG)).toBeNull()
    expect(bitbucketSender.nudge('repo:push', push(shop), NOT_CONFIG)).toEqual(aboutShop)
  })

  it('is a pull request, and no branch, where nobody says which repository is the config', () => {
    expect(bitbucketSender.nudge('pullrequest:approved', pull(7), null)).toEqual({ kind: 'pull_request', number: 7 })
    expect(bitbucketSender.nudge('repo:push', push(shop, { new: side('main'), old: null }), null)).toEqual(aboutShop)
  })

  it('is never anything but a name, whatever arrives', () => {
    const events = fc.constantFrom('pullrequest:approved', 'repo:push', 'repo:commit_status_created')
    fc.assert(
      fc.property(events, fc.jsonValue(), (event, payload) => {
        const nudge = bitbucketSender.nudge(event, payload, CONFIG)
        expect(nudge === null || typeof nudge.kind === 'string').toBe(true)
      }),
    )
  })
})

const SECRET = 'the secret'
const BODY = JSON.stringify(pull(7))
const HOOK = '0c5a7d0e-5f3c-4f67-9a58-3d6f1d1b2c3d'
const REQUEST = '6fd2e1f7-1a52-4a31-8f4e-2d4a4b1c9e77'
const signatureOf = (body: string) => `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`

function intake() {
  const inbox = memoryInbox()
  const app = webhookApp({
    integrations: new Map([['bitbucket', { sender: bitbucketSender, secrets: async () => [SECRET], configBranch: CONFIG }]]),
    inbox,
    clock: systemClock(),
    log: silentLogger,
    onDelivery: () => {},
  })
  return {
    inbox,
    async deliver(headers: Record<string, string>, body = BODY) {
      const all = {
        'content-type': 'application/json',
        'x-event-key': 'pullrequest:approved',
        'x-hook-uuid': HOOK,
        'x-request-uuid': REQUEST,
        ...headers,
      }
      return (await app.request('/webhooks/bitbucket', { method: 'POST', headers: all, body })).status
    },
  }
}

describe('a delivery of Bitbucket', () => {
  it('with the digest alone is refused', async () => {
    const { deliver, inbox } = intake()
    expect(await deliver({ 'x-hub-signature': signatureOf(BODY).slice('sha256='.length) })).toBe(401)
    expect(inbox.rows).toHaveLength(0)
  })

  it.each([
    ['hook', 'x-hook-uuid', ''],
    ['request', 'x-request-uuid', '../../x'],
  ])('that does not name its %s is refused', async (_what, header, value) => {
    expect(await intake().deliver({ 'x-hub-signature': signatureOf(BODY), [header]: value })).toBe(400)
  })

  it('may name its hook in braces, and is kept once however often it is sent', async () => {
    const { deliver, inbox } = intake()
    const headers = { 'x-hub-signature': signatureOf(BODY), 'x-hook-uuid': `{${HOOK}}` }
    expect([await deliver(headers), await deliver({ ...headers, 'x-attempt-number': '2' })]).toEqual([202, 202])
    expect(inbox.rows).toEqual([
      expect.objectContaining({ deliveryId: `{${HOOK}}:${REQUEST}`, nudge: { kind: 'pull_request', number: 7 } }),
    ])
  })

  it('without an event, or with one that nobody watches, is accepted and forgotten', async () => {
    const { deliver, inbox } = intake()
    for (const event of ['', 'issue:created'])
      expect(await deliver({ 'x-hub-signature': signatureOf(BODY), 'x-event-key': event })).toBe(202)
    expect(inbox.rows).toHaveLength(0)
  })

  it('larger than Bitbucket ever sends is refused', async () => {
    const large = JSON.stringify({ ...pull(7), padding: 'x'.repeat(256 * 1024) })
    expect(await intake().deliver({ 'x-hub-signature': signatureOf(large) }, large)).toBe(413)
  })

  it('without any header proves nothing', () => {
    const header = () => undefined
    expect(bitbucketSender.isAuthentic({ header, body: Buffer.from(BODY), secrets: [SECRET], now: 0 })).toBe(false)
    expect(bitbucketSender.event(header)).toBe('')
    expect(bitbucketSender.deliveryId(header, Buffer.from(BODY))).toBeNull()
  })
})

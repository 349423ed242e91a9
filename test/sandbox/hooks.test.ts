import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { verify } from '@octokit/webhooks-methods'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FaultRule } from './faults.ts'
import type { Forge } from './forge.ts'
import { DEPLOY_INPUTS, octokitFor, sandboxClock, shop, temporaryForge } from './forge-fixture.ts'

const at = { owner: 'acme', repo: 'shop' }
const SECRET = 'a long secret'

interface Received {
  headers: IncomingHttpHeaders
  raw: Buffer
  body: Record<string, unknown>
}

describe('webhooks', () => {
  let forge: Forge
  let receiver: Server
  let received: Received[]
  let answer: number
  let url: string

  beforeEach(async () => {
    received = []
    answer = 202
    receiver = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const raw = Buffer.concat(chunks)
      received.push({ headers: request.headers, raw, body: JSON.parse(raw.toString('utf8')) })
      response.writeHead(answer).end()
    })
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`
    forge = await temporaryForge({ clock: sandboxClock('2026-11-21T09:00:00Z') })
    await shop(forge)
  })
  afterEach(async () => {
    await forge.close()
    await new Promise((resolve) => receiver.close(resolve))
  })

  const names = () => received.map(({ headers, body }) => [headers['x-github-event'], body['action'] ?? body['ref'] ?? null])
  const authentic = ({ headers, raw }: Received) => {
    const wanted = Buffer.from(`sha256=${createHmac('sha256', SECRET).update(raw).digest('hex')}`)
    return timingSafeEqual(wanted, Buffer.from(String(headers['x-hub-signature-256'])))
  }

  /** Registers a hook, forgets its ping, and pushes tags whose deliveries meet the given fault. */
  async function pushUnder(rule: FaultRule, tags: readonly string[]) {
    forge.addHook('acme/shop', { url, secret: SECRET, events: ['push'] })
    await forge.settle()
    received = []
    forge.faults.add(rule)
    for (const tag of tags) await forge.createTag('acme/shop', tag, 'main', { as: 'alice' })
    await forge.settle()
    return names().map(([, ref]) => String(ref).replace('refs/tags/', ''))
  }

  it('are registered over REST, pinged, and signed over the bytes that were sent', async () => {
    const alice = octokitFor(forge, forge.token('alice'))
    const config = { url, content_type: 'json', secret: SECRET }
    const { data: hook } = await alice.repos.createWebhook({ ...at, events: ['push'], config })
    expect(JSON.stringify(hook)).not.toContain(SECRET)
    await forge.commit('acme/shop', 'main', { 'ü.txt': 'ß' }, { as: 'carol', message: 'Naïve “quotes”' })
    await forge.settle()
    expect(names()).toEqual([
      ['ping', null],
      ['push', 'refs/heads/main'],
    ])
    for (const each of received) {
      expect(authentic(each)).toBe(true)
      expect(await verify(SECRET, each.raw.toString('utf8'), String(each.headers['x-hub-signature-256']))).toBe(true)
    }
    expect(received[1]?.headers).toMatchObject({ 'x-github-hook-id': String(hook.id), 'content-type': 'application/json' })
    expect(received[1]?.headers['x-github-delivery']).toMatch(/^[0-9a-f-]{36}$/)
    expect(received[1]?.body).toMatchObject({ sender: { login: 'carol' }, repository: { full_name: 'acme/shop' }, forced: false })
    forge.assertClean()
  })

  it('tell of pull requests and reviews, whose states they spell in small letters', async () => {
    forge.addHook('acme/shop', { url, secret: SECRET, events: ['pull_request', 'pull_request_review'] })
    await forge.commit('acme/shop', 'feature', { a: '1' }, { as: 'carol' })
    const number = await forge.openPull('acme/shop', { head: 'feature', author: 'carol' })
    const review = await forge.review('acme/shop', number, { by: 'bob', state: 'APPROVED' })
    await forge.commit('acme/shop', 'feature', { a: '2' }, { as: 'carol' })
    await forge.dismissReview('acme/shop', number, review, { by: 'alice' })
    await forge.merge('acme/shop', number, { by: 'alice' })
    await forge.settle()
    expect(names().slice(1)).toEqual([
      ['pull_request', 'opened'],
      ['pull_request_review', 'submitted'],
      ['pull_request', 'synchronize'],
      ['pull_request_review', 'dismissed'],
      ['pull_request', 'closed'],
    ])
    expect(received[2]?.body).toMatchObject({ review: { state: 'approved', user: { login: 'bob' } } })
    expect(received[5]?.body).toMatchObject({ number, pull_request: { merged: true } })
  })

  it('follow a run from its request to its end', async () => {
    forge.addHook('acme/shop', { url, secret: SECRET, events: ['workflow_run'] })
    const alice = octokitFor(forge, forge.token('alice'))
    await alice.actions.createWorkflowDispatch({ ...at, workflow_id: 'deploy.yml', ref: 'main', inputs: DEPLOY_INPUTS })
    await forge.settle()
    expect(received.slice(1).map(({ body }) => [body['action'], (body['workflow_run'] as { status: string }).status])).toEqual([
      ['requested', 'queued'],
      ['in_progress', 'in_progress'],
      ['completed', 'completed'],
    ])
  })

  it('are never repeated by themselves, but can be found and sent again under the same id', async () => {
    answer = 500
    const hook = forge.addHook('acme/shop', { url, secret: SECRET, events: ['push'] })
    await forge.createTag('acme/shop', 'v1', 'main', { as: 'alice' })
    await forge.settle()
    expect(names()).toHaveLength(2)
    answer = 202
    const alice = octokitFor(forge, forge.token('alice'))
    const { data } = await alice.repos.listWebhookDeliveries({ ...at, hook_id: hook, per_page: 1 })
    expect(data).toMatchObject([{ event: 'push', status_code: 500, redelivery: false }])
    await alice.repos.redeliverWebhookDelivery({ ...at, hook_id: hook, delivery_id: data[0]!.id })
    await forge.settle()
    expect(received[2]?.headers['x-github-delivery']).toBe(received[1]?.headers['x-github-delivery'])
    expect(forge.deliveries('acme/shop', hook).at(-1)).toMatchObject({ redelivery: true, statusCode: 202 })
    forge.assertClean()
  })

  it('share one delivery id among the hooks that hear of the same event', async () => {
    forge.addHook('acme/shop', { url, secret: SECRET, events: ['push'] })
    forge.addHook('acme/shop', { url: `${url}/2`, secret: SECRET, events: ['*'] })
    await forge.settle()
    received = []
    await forge.commit('acme/shop', 'main', { a: '1' }, { as: 'alice' })
    await forge.settle()
    expect(received).toHaveLength(2)
    expect(received[0]?.headers['x-github-delivery']).toBe(received[1]?.headers['x-github-delivery'])
  })

  it('get lost', async () => {
    expect(await pushUnder({ on: 'hook/push', kind: 'lost' }, ['a', 'b'])).toEqual(['b'])
    expect(forge.deliveries('acme/shop').map(({ status }) => status)).toContain('lost')
    expect(forge.faults.count('lost', 'hook/push')).toBe(1)
  })

  it('arrive twice under one id', async () => {
    expect(await pushUnder({ on: 'hook/*', kind: 'duplicate' }, ['a'])).toEqual(['a', 'a'])
    expect(new Set(received.map(({ headers }) => headers['x-github-delivery'])).size).toBe(1)
  })

  it('overtake each other', async () => {
    expect(await pushUnder({ on: 'hook/push', kind: 'reordered' }, ['a', 'b', 'c'])).toEqual(['b', 'a', 'c'])
  })

  it('are held back only until all is quiet', async () => {
    expect(await pushUnder({ on: 'hook/push', kind: 'reordered' }, ['a'])).toEqual(['a'])
  })

  it('come late', async () => {
    const arrived = await pushUnder({ on: 'hook/push', kind: 'late', delayMs: 60_000 }, ['a', 'b'])
    expect(arrived.toSorted()).toEqual(['a', 'b'])
    const [a] = forge.deliveries('acme/shop').filter(({ body }) => body.includes('refs/tags/a'))
    expect(a?.deliveredAt).toBe(Date.parse('2026-11-21T09:01:00Z'))
  })

  it('are forged by somebody who does not know the secret', async () => {
    expect(await pushUnder({ on: 'hook/push', kind: 'forged' }, ['a'])).toEqual(['a', 'a'])
    expect(received.map(authentic)).toEqual([false, true])
  })
})

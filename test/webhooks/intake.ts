import { createHmac } from 'node:crypto'
import { systemClock } from '../../controller/clock.ts'
import { silentLogger } from '../../controller/log.ts'
import { githubSender } from '../../controller/webhooks/github.ts'
import type { Delivery, Inbox } from '../../controller/webhooks/inbox.ts'
import { type WebhookOptions, webhookApp } from '../../controller/webhooks/routes.ts'

/** The port's contract in memory: a repeated (integration, delivery id) changes nothing. */
export function memoryInbox(): Inbox & { rows: Delivery[] } {
  const rows: Delivery[] = []
  return {
    rows,
    async store(delivery) {
      const known = rows.some((row) => row.integration === delivery.integration && row.deliveryId === delivery.deliveryId)
      if (known) return 'duplicate'
      rows.push(delivery)
      return 'stored'
    },
  }
}

export const SECRETS = { forge: ['current secret', 'previous secret'], other: ['secret of another tenant'] }

/** An app with two integrations, one whose secret list is empty, and one whose only secret is the empty string. */
export function intake(overrides: Partial<WebhookOptions> = {}) {
  const inbox = memoryInbox()
  const wakes = { count: 0 }
  const github = (secrets: readonly string[]) => ({ sender: githubSender, secrets: async () => secrets })
  const app = webhookApp({
    integrations: new Map([
      ['forge', github(SECRETS.forge)],
      ['other', github(SECRETS.other)],
      ['no-secret', github([])],
      ['empty-secret', github([''])],
    ]),
    inbox,
    clock: { ...systemClock(), now: () => 1_700_000_000_000 },
    log: silentLogger,
    onDelivery: () => {
      wakes.count++
    },
    ...overrides,
  })
  return { app, inbox, wakes }
}

export function signature(body: string | Uint8Array, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
}

export const PULL_REQUEST = JSON.stringify({
  action: 'opened',
  number: 12,
  pull_request: { number: 12, title: 'Release v1.4.2' },
  repository: { id: 1, full_name: 'acme/config' },
})

/** Headers of a well-formed, well-signed delivery; null in `changes` takes a header away. */
export function headersFor(body: string | Uint8Array, changes: Record<string, string | null> = {}): Record<string, string> {
  const headers: Record<string, string | null> = {
    'content-type': 'application/json',
    'x-github-event': 'pull_request',
    'x-github-hook-id': '4711',
    'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
    'x-hub-signature-256': signature(body, SECRETS.forge[0]!),
    ...changes,
  }
  return Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== null))
}

export function deliver(
  app: ReturnType<typeof webhookApp>,
  body: string | Uint8Array<ArrayBuffer>,
  changes: Record<string, string | null> = {},
  path = '/webhooks/forge',
): Promise<Response> {
  return Promise.resolve(app.request(path, { method: 'POST', body, headers: headersFor(body, changes) }))
}

import { type Context, Hono } from 'hono'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Nudge } from '../jobs/state-store.ts'
import type { Logger } from '../log.ts'
import { bodyBudget, type ReadBody, withBody } from './body.ts'
import type { Delivery, Inbox } from './inbox.ts'
import { type ConfigBranch, parseJson } from './payload.ts'
import type { Sender } from './sender.ts'

/** One sender of webhooks. The path names it, so a header can never choose who checks the signature. */
export interface WebhookIntegration {
  sender: Sender
  /** Current secret and, during a rotation, the previous one. None (or only empty ones): the route does not exist. */
  secrets: () => Promise<readonly string[]>
  /** The config repository, when this integration may speak of it: tells its pushes from those of the projects. */
  configBranch?: ConfigBranch | null
}

export interface WebhookOptions {
  /** By the name in the path. */
  integrations: { get(name: string): WebhookIntegration | undefined }
  inbox: Inbox
  clock: Clock
  log: Logger
  /** Wakes the loop; called once for every new delivery, after it is durable. */
  onDelivery: () => void
  /** Requests under way at once; more are asked to come back. */
  maxInFlight?: number
  /** Memory of all bodies under way together. */
  maxBufferedBytes?: number
}

const DEFAULT_MAX_IN_FLIGHT = 1_000
const DEFAULT_MAX_BUFFERED_BYTES = 128 * 1024 * 1024
const RETRY_AFTER_SECONDS = '5'

type Refusal = 400 | 401 | 404 | 413 | 415 | 503

/**
 * `POST /webhooks/:integration` and nothing else: raw bytes → signature → limits → the few facts → a durable row → 202.
 * A delivery carries no state: losing all of them costs time only. Input never causes a 5xx; 503 means that we cannot take it now.
 */
export function webhookApp(options: WebhookOptions): Hono {
  const { integrations, log, maxInFlight = DEFAULT_MAX_IN_FLIGHT } = options
  const budget = bodyBudget(options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES)
  const app = new Hono()
  let inFlight = 0

  app.notFound((c) => refuse(c, 404, 'not found'))
  app.onError((error, c) => {
    log.error('webhook handler failed', { error: messageOf(error) })
    return refuse(c, 503, 'try again later')
  })
  app.post('/webhooks/:integration', async (c) => {
    const name = c.req.param('integration')
    const integration = integrations.get(name)
    if (!integration) return refuse(c, 404, 'not found')
    if (inFlight >= maxInFlight) return refuse(c, 503, 'too many deliveries at once')
    inFlight++
    try {
      const secrets = (await integration.secrets()).filter((secret) => secret !== '')
      if (secrets.length === 0) return refuse(c, 404, 'not found')
      if (!isJson(c.req.header('content-type'))) return refuse(c, 415, 'send application/json')
      const limits = { maxBytes: integration.sender.maxBodyBytes, budget }
      return await withBody(c.req, limits, (body) => receive(c, { name, integration, secrets, body }, options))
    } finally {
      inFlight--
    }
  })
  return app
}

interface Received {
  name: string
  integration: WebhookIntegration
  secrets: readonly string[]
  body: ReadBody
}

/** Everything after the last byte: signature, event, facts, inbox. */
async function receive(c: Context, { name, integration, secrets, body }: Received, options: WebhookOptions): Promise<Response> {
  if (body.kind === 'too_large') return refuse(c, 413, 'payload too large')
  if (body.kind === 'busy') return refuse(c, 503, 'too many bytes at once')
  if (body.kind === 'aborted') return refuse(c, 400, 'incomplete body')
  const { sender } = integration
  const header = (name: string) => c.req.header(name)
  if (!sender.isAuthentic({ header, body: body.bytes, secrets, now: options.clock.now() })) {
    options.log.warn('webhook refused: bad signature', { integration: name })
    return refuse(c, 401, 'bad signature')
  }
  const event = sender.event(header)
  if (!sender.isWatched(event)) return accept(c)
  const deliveryId = sender.deliveryId(header, body.bytes)
  if (deliveryId === null) return refuse(c, 400, 'missing or malformed delivery id')
  const payload = parseJson(body.bytes)
  if (payload === undefined) return refuse(c, 400, 'malformed JSON')
  const nudge = sender.nudge(event, payload, integration.configBranch ?? null)
  if (nudge === null) return accept(c)
  return keep(c, { integration: name, deliveryId, event, nudge }, options)
}

async function keep(
  c: Context,
  facts: { integration: string; deliveryId: string; event: string; nudge: Nudge },
  { inbox, clock, log, onDelivery }: WebhookOptions,
): Promise<Response> {
  const delivery: Delivery = { ...facts, receivedAt: clock.now() }
  let stored: 'stored' | 'duplicate'
  try {
    stored = await inbox.store(delivery)
  } catch (error) {
    log.error('webhook not stored', { integration: facts.integration, deliveryId: facts.deliveryId, error: messageOf(error) })
    return refuse(c, 503, 'try again later')
  }
  log.debug('webhook received', { ...facts, stored })
  if (stored === 'stored') onDelivery()
  return accept(c)
}

/** Only JSON: GitHub's form encoding would carry another text than the one that forges compatible with it sign. */
function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(?:;|$)/i.test(contentType ?? '')
}

function accept(c: Context): Response {
  return c.json({ accepted: true }, 202)
}

function refuse(c: Context, status: Refusal, error: string): Response {
  if (status === 503) c.header('Retry-After', RETRY_AFTER_SECONDS)
  return c.json({ error }, status)
}

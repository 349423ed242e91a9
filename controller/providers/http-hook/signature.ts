import { createHmac } from 'node:crypto'
import { type Instant, SECOND_MS } from '../../clock.ts'

/** Secrets in this form are base64 (Standard Webhooks); any other is taken as the bytes that it is. */
const ENCODED = 'whsec_'

/**
 * Headers that prove a call, as Standard Webhooks has them: HMAC-SHA256 over `id.timestamp.content`, base64, with a version before.
 * `content` is the body; of a call without one, `METHOD path?query`, which would else be proved by nothing.
 */
export function signed(id: string, content: string, secret: string, now: Instant): Record<string, string> {
  const key = secret.startsWith(ENCODED) ? Buffer.from(secret.slice(ENCODED.length), 'base64') : Buffer.from(secret)
  const timestamp = String(Math.floor(now / SECOND_MS))
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.${content}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${digest}` }
}

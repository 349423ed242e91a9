import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { type Instant, MINUTE_MS, SECOND_MS } from '../clock.ts'
import type { Nudge } from '../jobs/state-store.ts'
import { type ConfigBranch, field, isInConfig, pullRequestNudge, runNudge } from './payload.ts'
import type { Header, Sender } from './sender.ts'

/** GitLab's word for a pipeline that somebody made by the API, as we do. */
const OWN_SOURCE = 'api'
/** What each event may be about. Notes are left out: comments are never parsed, and most are our own. */
const SUBJECTS: Readonly<Record<string, 'merge_request' | 'pipeline' | 'branch' | 'tag'>> = {
  'Merge Request Hook': 'merge_request',
  'Pipeline Hook': 'pipeline',
  'Push Hook': 'branch',
  'Tag Push Hook': 'tag',
}

/**
 * GitLab.com and self-managed GitLab. A secret that begins with `whsec_` is a signing token: only signed deliveries prove it.
 * Any other is the secret token, which GitLab sends along as it is.
 *
 * GitLab never sends again and rests a hook after a few answers other than 2xx, so whatever proves itself is accepted.
 */
export const gitlabSender: Sender = {
  maxBodyBytes: 25 * 1024 * 1024,
  isAuthentic({ header, body, secrets, now }) {
    let matched = false
    for (const secret of secrets) {
      if (secret === '') continue
      const fits = secret.startsWith(SIGNING_PREFIX) ? isSigned(header, body, secret, now) : isToken(header, secret)
      matched = fits || matched
    }
    return matched
  },
  event: (header) => header('x-gitlab-event') ?? '',
  isWatched: (event) => Object.hasOwn(SUBJECTS, event),
  deliveryId(header, body) {
    // One id for all repetitions where there is one; older versions name each request anew, and the oldest none.
    const id = header('webhook-id') ?? header('idempotency-key') ?? header('x-gitlab-webhook-uuid') ?? ''
    return DELIVERY_ID.test(id) ? id : `body:${createHash('sha256').update(body).digest('hex')}`
  },
  nudge: gitlabNudge,
}

const DELIVERY_ID = /^[0-9A-Za-z_.-]{8,100}$/
const SIGNING_PREFIX = 'whsec_'
/** Older deliveries may be repetitions by somebody who listened. */
const TOLERANCE_MS = 5 * MINUTE_MS

/** Digests are compared, so that neither content nor length of the secret shows in the time. */
function isToken(header: Header, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const token = header('x-gitlab-token')
  return token !== undefined && timingSafeEqual(digest(token), digest(secret))
}

/** Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, base64, one of several in the header. */
function isSigned(header: Header, body: Uint8Array, secret: string, now: Instant): boolean {
  const [id, timestamp] = [header('webhook-id') ?? '', header('webhook-timestamp') ?? '']
  if (!DELIVERY_ID.test(id) || !/^\d{1,12}$/.test(timestamp)) return false
  if (Math.abs(now - Number(timestamp) * SECOND_MS) > TOLERANCE_MS) return false
  const key = Buffer.from(secret.slice(SIGNING_PREFIX.length), 'base64')
  if (key.length === 0) return false
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
  let matched = false
  for (const part of (header('webhook-signature') ?? '').split(' ').slice(0, 10)) {
    const claimed = /^v1,([0-9A-Za-z+/]{43}=)$/.exec(part)?.[1]
    if (claimed !== undefined) matched = timingSafeEqual(expected, Buffer.from(claimed, 'base64')) || matched
  }
  return matched
}

function gitlabNudge(event: string, payload: unknown, config: ConfigBranch | null): Nudge | null {
  const subject = Object.hasOwn(SUBJECTS, event) ? SUBJECTS[event] : undefined
  const repoFullName = projectOf(payload)
  if (subject === undefined || repoFullName === null) return null
  const inConfig = isInConfig(repoFullName, config)
  const attributes = field(payload, 'object_attributes')
  switch (subject) {
    case 'merge_request':
      return inConfig === false ? null : pullRequestNudge(field(attributes, 'iid'))
    case 'pipeline':
      if (field(attributes, 'source') === OWN_SOURCE)
        return runNudge(field(attributes, 'id')) ?? { kind: 'repository', repoFullName }
      // The CI of the config repository decides nothing.
      return inConfig ? null : { kind: 'repository', repoFullName }
    case 'branch':
      if (!inConfig) return { kind: 'repository', repoFullName }
      return field(payload, 'ref') === `refs/heads/${config?.branch}` ? { kind: 'config' } : null
    case 'tag':
      return inConfig ? null : { kind: 'repository', repoFullName }
  }
}

/** Groups nest: up to twenty, and the project. */
function projectOf(payload: unknown): string | null {
  const name = field(field(payload, 'project'), 'path_with_namespace')
  return typeof name === 'string' && name.length <= 500 && /^[\w.-]{1,255}(?:\/[\w.-]{1,255}){1,20}$/.test(name) ? name : null
}

import { createHmac } from 'node:crypto'
import type { Clock, Instant } from '../../controller/clock.ts'
import { silentLogger } from '../../controller/log.ts'
import { type WebhookOptions, webhookApp } from '../../controller/webhooks/routes.ts'
import type { Sender } from '../../controller/webhooks/sender.ts'
import { senderOf } from '../../controller/webhooks/senders.ts'
import { deliveryHeaders } from '../sandbox/gitea/hooks.ts'

type Bytes = string | Uint8Array

/** What a delivery says beside its body. */
export interface Sent {
  event: string
  id: string
  at: Instant
}

/** The webhook route of one kind of sender, and how a delivery goes through it. */
export interface Door {
  name: string
  sender: Sender
  secret: string
  previous: string
  /** Of another tenant whose webhooks come from the same host. */
  foreign: string
  wrong: string
  /** Events that are watched; the first is about pull request 7 of `body`. */
  events: readonly [string, ...string[]]
  /** A pull request of the config repository, as this host tells of it. */
  body: Readonly<Record<string, unknown>>
  /** Headers that the proof rests on. */
  proofs: readonly string[]
  /** All that the host sends, signed where it signs. */
  headers(body: Bytes, secret: string, sent: Sent): Record<string, string>
}

export const HOOK = '0c5a7d0e-5f3c-4f67-9a58-3d6f1d1b2c3d'
const REPOSITORY = { repository: { full_name: 'acme/config' } }
const hex = (algorithm: string, body: Bytes, secret: string) => createHmac(algorithm, secret).update(body).digest('hex')
const signingToken = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`
const TEXTS = {
  secret: 'the current secret',
  previous: 'the previous secret',
  foreign: 'the secret of another tenant',
  wrong: 'wrong',
}

const gitlab = {
  sender: senderOf('gitlab')!,
  events: ['Merge Request Hook', 'Pipeline Hook', 'Push Hook', 'Tag Push Hook'],
  body: { object_attributes: { iid: 7, action: 'approved' }, project: { path_with_namespace: 'acme/config' } },
} as const

export const DOORS: readonly Door[] = [
  {
    name: 'github',
    sender: senderOf('github')!,
    ...TEXTS,
    events: [
      'pull_request',
      'pull_request_review',
      'push',
      'workflow_run',
      'check_run',
      'check_suite',
      'status',
      'create',
      'delete',
    ],
    body: { action: 'opened', pull_request: { number: 7 }, ...REPOSITORY },
    proofs: ['x-hub-signature-256'],
    headers: (body, secret, { event, id }) => ({
      'x-github-event': event,
      'x-github-hook-id': '4711',
      'x-github-delivery': id,
      'x-hub-signature': `sha1=${hex('sha1', body, secret)}`,
      'x-hub-signature-256': `sha256=${hex('sha256', body, secret)}`,
    }),
  },
  {
    name: 'gitlab-token',
    ...gitlab,
    ...TEXTS,
    proofs: ['x-gitlab-token'],
    headers: (_body, secret, { event, id }) => ({
      'x-gitlab-event': event,
      'x-gitlab-token': secret,
      'idempotency-key': id,
    }),
  },
  {
    name: 'gitlab-signing',
    ...gitlab,
    secret: signingToken(1),
    previous: signingToken(2),
    foreign: signingToken(3),
    wrong: signingToken(4),
    proofs: ['webhook-signature'],
    headers(body, secret, { event, id, at }) {
      const seconds = String(Math.floor(at / 1_000))
      const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
      const digest = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')
      return {
        'x-gitlab-event': event,
        'webhook-id': id,
        'webhook-timestamp': seconds,
        'webhook-signature': `v1,${digest}`,
      }
    },
  },
  {
    name: 'bitbucket',
    sender: senderOf('bitbucket')!,
    ...TEXTS,
    events: ['pullrequest:approved', 'pullrequest:push', 'repo:push', 'repo:commit_status_updated'],
    body: { pullrequest: { id: 7 }, ...REPOSITORY },
    proofs: ['x-hub-signature'],
    headers: (body, secret, { event, id }) => ({
      'x-event-key': event,
      'x-hook-uuid': HOOK,
      'x-request-uuid': id,
      'x-hub-signature': `sha256=${hex('sha256', body, secret)}`,
    }),
  },
  ...(['gitea', 'forgejo'] as const).map(
    (server): Door => ({
      name: server,
      sender: senderOf(server)!,
      ...TEXTS,
      events: [
        'pull_request_approved',
        'pull_request',
        'push',
        'workflow_run',
        'action_run_success',
        'status',
        'create',
        'delete',
      ],
      body: { action: 'reviewed', number: 7, ...REPOSITORY },
      proofs: [`x-${server}-signature`],
      headers: (body, secret, { event, id }) => deliveryHeaders(server, event, id, body, secret),
    }),
  ),
]

/** The headers of every other sender, signed with the very secret of this door, without any that this door goes by. */
export function impersonation(door: Door, body: Bytes, sent: Sent): Record<string, string> {
  const others = DOORS.filter(({ name }) => name !== door.name).map((other) => {
    const secret = other.name === 'gitlab-signing' ? `whsec_${Buffer.from(door.secret).toString('base64')}` : door.secret
    return other.headers(body, secret, { ...sent, event: other.events[0] })
  })
  const all = Object.entries(Object.assign({}, ...others) as Record<string, string>)
  return Object.fromEntries(all.filter(([name]) => !door.proofs.includes(name)))
}

/** The real routes, one for each door under its name. */
export function openDoors(
  inbox: WebhookOptions['inbox'],
  clock: Clock,
  secretsOf: (door: Door) => readonly string[] = ({ secret, previous }) => [secret, previous],
): ReturnType<typeof webhookApp> {
  const configBranch = { fullName: 'acme/config', branch: 'main' }
  const routes = DOORS.map(
    (door) => [door.name, { sender: door.sender, secrets: async () => secretsOf(door), configBranch }] as const,
  )
  return webhookApp({ integrations: new Map(routes), inbox, clock, log: silentLogger, onDelivery: () => {} })
}

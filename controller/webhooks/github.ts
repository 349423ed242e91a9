import type { EmitterWebhookEventName } from '@octokit/webhooks'
import type { Nudge } from '../jobs/state-store.ts'
import { type ConfigBranch, field, isInConfig, movedBranch, pullRequestNudge, repositoryOf, runNudge } from './payload.ts'
import type { Sender } from './sender.ts'
import { isSignedByGitHub } from './signature.ts'

/** What each event may be about. Anything else is answered without being parsed. */
const SUBJECTS = {
  pull_request: 'pull_request',
  pull_request_review: 'pull_request',
  workflow_run: 'run',
  push: 'repository',
  create: 'repository',
  delete: 'repository',
  check_run: 'results',
  check_suite: 'results',
  status: 'results',
} as const satisfies Partial<Record<EmitterWebhookEventName, string>>

type GitHubEvent = keyof typeof SUBJECTS

function isWatchedEvent(event: string): event is GitHubEvent {
  return Object.hasOwn(SUBJECTS, event)
}

/** As sent by GitHub: a number, and a GUID that is the same for every hook of one event; only both together name a delivery. */
const HOOK_ID = /^\d{1,20}$/
const DELIVERY_ID = /^[0-9A-Za-z-]{8,64}$/

/** GitHub and GitHub Enterprise Server. */
export const githubSender: Sender = {
  // GitHub's cap; larger ones are not sent.
  maxBodyBytes: 25 * 1024 * 1024,
  isAuthentic: ({ header, body, secrets }) => isSignedByGitHub(body, header('x-hub-signature-256'), secrets),
  event: (header) => header('x-github-event') ?? '',
  isWatched: isWatchedEvent,
  deliveryId(header) {
    const [hookId, delivery] = [header('x-github-hook-id') ?? '', header('x-github-delivery') ?? '']
    return HOOK_ID.test(hookId) && DELIVERY_ID.test(delivery) ? `${hookId}:${delivery}` : null
  },
  nudge: githubNudge,
}

function githubNudge(event: string, payload: unknown, config: ConfigBranch | null): Nudge | null {
  if (!isWatchedEvent(event)) return null
  const repoFullName = repositoryOf(payload)
  if (repoFullName === null) return null
  const inConfig = isInConfig(repoFullName, config)
  switch (SUBJECTS[event]) {
    case 'pull_request':
      return inConfig === false ? null : pullRequestNudge(field(field(payload, 'pull_request'), 'number'))
    case 'run':
      return runNudge(field(field(payload, 'workflow_run'), 'id')) ?? { kind: 'repository', repoFullName }
    case 'repository':
      if (!inConfig) return { kind: 'repository', repoFullName }
      return movedBranch(payload) === config?.branch ? { kind: 'config' } : null
    case 'results':
      return inConfig ? null : { kind: 'repository', repoFullName }
  }
}

import type { Nudge } from '../jobs/state-store.ts'
import { type ConfigBranch, field, isInConfig, pullRequestNudge } from './payload.ts'
import type { Sender } from './sender.ts'
import { isSignedByGitHub } from './signature.ts'

/** What each event may be about. Comments are left out: they are never parsed, and most are our own. */
const SUBJECTS: Readonly<Record<string, 'pull_request' | 'push' | 'status'>> = {
  'pullrequest:created': 'pull_request',
  'pullrequest:updated': 'pull_request',
  'pullrequest:push': 'pull_request',
  'pullrequest:approved': 'pull_request',
  'pullrequest:unapproved': 'pull_request',
  'pullrequest:changes_request_created': 'pull_request',
  'pullrequest:changes_request_removed': 'pull_request',
  'pullrequest:fulfilled': 'pull_request',
  'pullrequest:rejected': 'pull_request',
  'repo:push': 'push',
  'repo:commit_status_created': 'status',
  'repo:commit_status_updated': 'status',
}

/** As sent by Bitbucket: UUIDs, of the hook in braces. */
const UUID = /^\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?$/i

/** Bitbucket Cloud. It signs only where the hook has a secret, in the form that GitHub brought up, under the older header. */
export const bitbucketSender: Sender = {
  // Larger payloads than 256 KB are never sent, nor told about (Atlassian's knowledge base, "Troubleshoot webhooks").
  maxBodyBytes: 256 * 1024,
  isAuthentic: ({ header, body, secrets }) => isSignedByGitHub(body, header('x-hub-signature'), secrets),
  event: (header) => header('x-event-key') ?? '',
  isWatched: (event) => Object.hasOwn(SUBJECTS, event),
  deliveryId(header) {
    const [hook, request] = [header('x-hook-uuid') ?? '', header('x-request-uuid') ?? '']
    return UUID.test(hook) && UUID.test(request) ? `${hook}:${request}` : null
  },
  nudge: bitbucketNudge,
}

function bitbucketNudge(event: string, payload: unknown, config: ConfigBranch | null): Nudge | null {
  const subject = Object.hasOwn(SUBJECTS, event) ? SUBJECTS[event] : undefined
  const repoFullName = repositoryOf(payload)
  if (subject === undefined || repoFullName === null) return null
  const inConfig = isInConfig(repoFullName, config)
  switch (subject) {
    case 'pull_request':
      return inConfig === false ? null : pullRequestNudge(field(field(payload, 'pullrequest'), 'id'))
    case 'push':
      if (!inConfig) return { kind: 'repository', repoFullName }
      return movedBranches(payload).includes(config?.branch) ? { kind: 'config' } : null
    case 'status':
      // Check results there are mostly our own.
      return inConfig ? null : { kind: 'repository', repoFullName }
  }
}

function repositoryOf(payload: unknown): string | null {
  const name = field(field(payload, 'repository'), 'full_name')
  return typeof name === 'string' && name.length <= 200 && /^[\w.-]{1,100}\/[\w.-]{1,100}$/.test(name) ? name : null
}

/** Branches that one push made, moved or took away. */
function movedBranches(payload: unknown): unknown[] {
  const changes = field(field(payload, 'push'), 'changes')
  const sides = (Array.isArray(changes) ? changes : []).flatMap((change) => [field(change, 'new'), field(change, 'old')])
  return sides.filter((side) => field(side, 'type') === 'branch').map((side) => field(side, 'name'))
}

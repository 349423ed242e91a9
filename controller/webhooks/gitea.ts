import type { Nudge } from '../jobs/state-store.ts'
import { type ConfigBranch, field, isInConfig, movedBranch, pullRequestNudge, repositoryOf, runNudge } from './payload.ts'
import type { Sender } from './sender.ts'
import { isSignedByGitea } from './signature.ts'

/**
 * What each event may be about. Both servers put the kinds of pull request events under one name and reviews under three of their
 * own; only Gitea tells of each step of a run, only Forgejo of its end. Ordinary comments are left out: most are our own.
 */
const SUBJECTS: Readonly<Record<string, 'pull_request' | 'run' | 'repository' | 'results'>> = {
  pull_request: 'pull_request',
  pull_request_approved: 'pull_request',
  pull_request_rejected: 'pull_request',
  pull_request_comment: 'pull_request',
  workflow_run: 'run',
  action_run_success: 'run',
  action_run_failure: 'run',
  action_run_recover: 'run',
  push: 'repository',
  create: 'repository',
  delete: 'repository',
  status: 'results',
}

/** How runs are told apart that we, or a person, may have asked for. */
const DISPATCHED = 'workflow_dispatch'
const DELIVERY_ID = /^[0-9A-Za-z-]{8,64}$/

export const giteaSender = familySender('gitea')
export const forgejoSender = familySender('forgejo')

/**
 * Every delivery also carries the headers of Gogs and GitHub, a Forgejo's those of Gitea too, and none is signed without a secret.
 * So only the server's own headers are read, and only whole digests.
 */
function familySender(server: 'gitea' | 'forgejo'): Sender {
  return {
    maxBodyBytes: 25 * 1024 * 1024,
    isAuthentic: ({ header, body, secrets }) => isSignedByGitea(body, header(`x-${server}-signature`), secrets),
    event: (header) => header(`x-${server}-event`) ?? '',
    isWatched: (event) => Object.hasOwn(SUBJECTS, event),
    // A delivery that somebody repeats on the page has a new one.
    deliveryId(header) {
      const id = header(`x-${server}-delivery`) ?? ''
      return DELIVERY_ID.test(id) ? id : null
    },
    nudge: giteaNudge,
  }
}

function giteaNudge(event: string, payload: unknown, config: ConfigBranch | null): Nudge | null {
  const subject = Object.hasOwn(SUBJECTS, event) ? SUBJECTS[event] : undefined
  // Gitea says `workflow_run`; Forgejo says `run`, and the repository inside of it only.
  const run = field(payload, 'workflow_run') ?? field(payload, 'run')
  const repoFullName = repositoryOf(payload) ?? repositoryOf(run)
  if (subject === undefined || repoFullName === null) return null
  const inConfig = isInConfig(repoFullName, config)
  switch (subject) {
    case 'pull_request':
      return inConfig === false ? null : pullRequestNudge(field(payload, 'number'))
    case 'run':
      if (field(run, 'trigger_event') === DISPATCHED || field(run, 'event') === DISPATCHED)
        return runNudge(field(run, 'id')) ?? { kind: 'repository', repoFullName }
      // The CI of the config repository decides nothing.
      return inConfig ? null : { kind: 'repository', repoFullName }
    case 'repository':
      if (!inConfig) return { kind: 'repository', repoFullName }
      return movedBranch(payload) === config?.branch ? { kind: 'config' } : null
    case 'results':
      return inConfig ? null : { kind: 'repository', repoFullName }
  }
}

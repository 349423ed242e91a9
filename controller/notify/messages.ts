import type { Job, Run } from '../jobs/job.ts'
import type { OutboxMessage } from '../jobs/state-store.ts'
import type { Environment } from '../model/desired-state.ts'
import { plainText } from './escape.ts'
import type { CheckMessage, CheckName, CommentMessage, DeploymentMessage } from './publisher.ts'

/** What a `deployment` row holds: the message, and the project whose repository it belongs to. */
export interface DeploymentBody {
  project: string
  message: DeploymentMessage
}

/** One row per pull request and check: a newer state replaces one that was not sent yet. */
export function checkKey(pullRequest: number, name: CheckName): string {
  return `check:${pullRequest}:${name}`
}

export function commentKey(pullRequest: number): string {
  return `comment:${pullRequest}`
}

export function deploymentKey(jobId: string): string {
  return `deployment:${jobId}`
}

export function checkRow(pullRequest: number, message: CheckMessage): OutboxMessage {
  return { key: checkKey(pullRequest, message.name), channel: 'check', body: { ...message } }
}

export function commentRow(message: CommentMessage): OutboxMessage {
  return { key: commentKey(message.pullRequest), channel: 'comment', body: { ...message } }
}

export function deploymentRow(project: string, message: DeploymentMessage): OutboxMessage {
  const body: DeploymentBody = { project, message }
  return { key: deploymentKey(message.jobId), channel: 'deployment', body: { ...body } }
}

/**
 * The mirror of a job in the forge's Deployments list. Null while there is nothing to mirror: before the first trigger,
 * without a pinned commit, and always for a dry run, which deploys nothing.
 */
export function deploymentMessage(job: Job, run: Run | null, environment: Environment): DeploymentMessage | null {
  if (job.type === 'dry_run' || job.pin === null || job.startedAt === null) return null
  return {
    jobId: job.id,
    sha: job.pin.sha,
    ref: job.ref?.name ?? job.pin.sha,
    environment: environment.name,
    production: PRODUCTION_NAMES.has(environment.name),
    state: deploymentState(job, run),
    description: plainText(job.reason.text),
    logUrl: run?.url ?? null,
    environmentUrl: environment.url,
  }
}

/** Forges mark production only by our word, and the name is all that an environment document says about it. */
const PRODUCTION_NAMES: ReadonlySet<string> = new Set(['prod', 'production', 'live'])

function deploymentState(job: Job, run: Run | null): DeploymentMessage['state'] {
  switch (job.status) {
    case 'queued':
    case 'waiting_approval':
      return 'queued'
    case 'running':
      return run?.state === 'started' && job.reason.code !== 'run_queued' ? 'in_progress' : 'queued'
    case 'success':
      return 'success'
    case 'failed':
      return 'failure'
    case 'canceled':
    case 'expired':
      return 'inactive'
  }
}

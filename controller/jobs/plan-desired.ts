import type { Instant } from '../clock.ts'
import type { DeployRequest, DesiredState } from '../model/desired-state.ts'
import type { Reason } from '../model/reason.ts'
import type { Job, TerminalStatus } from './job.ts'
import { reasonOf } from './job-reasons.ts'

/** Is it known what is asked for? Where it is not, what is missing was not withdrawn: runs are followed, and all else stays. */
export function isReadable(desired: DesiredState): boolean {
  return desired.repository.id !== ''
}

/** A dry run changes nothing and locks nothing. */
export function takesLock(desired: DesiredState, request: DeployRequest): boolean {
  return request.type !== 'dry_run' && desired.environments.get(request.key)?.lockStrategy === 'exclusive'
}

/** What a job needs is not there (any more): as what it ends, and why. */
export interface Gone {
  status: TerminalStatus
  reason: Reason
}

export function requestGone(desired: DesiredState, job: Job, now: Instant): Gone {
  const unusable = desired.unusableRequests.get(job.requestPath)
  if (unusable === undefined) {
    return { status: 'canceled', reason: reasonOf('request_deleted', `The request file ${job.requestPath} was deleted.`, now) }
  }
  const first = unusable.findings[0]
  const where = first ? `: ${first.message} (${first.place.file}:${first.place.line})` : ''
  return {
    status: 'failed',
    reason: reasonOf('invalid_request', `The request file cannot be used${where}.`, now, first?.help ?? null),
  }
}

/** Requests for something that is not there are refused: absence never allows. */
export function environmentGone(desired: DesiredState, request: DeployRequest, now: Instant): Gone | null {
  if (desired.environments.has(request.key) && desired.projects.has(request.project)) return null
  const unusable = desired.unusableEnvironments.get(request.key)
  if (unusable !== undefined) {
    const first = unusable[0]
    const why = first ? `: ${first.message} (${first.place.file}:${first.place.line})` : ''
    return {
      status: 'failed',
      reason: reasonOf('environment_unusable', `${request.key} cannot be used${why}.`, now, first?.help ?? null),
    }
  }
  return desired.projects.has(request.project)
    ? {
        status: 'failed',
        reason: reasonOf('environment_unknown', `Project ${request.project} has no environment ${request.environment}.`, now),
      }
    : { status: 'failed', reason: reasonOf('project_unknown', `There is no project ${request.project}.`, now) }
}

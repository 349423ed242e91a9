import type { SubjectPin, TalliedReview } from '../approvals/tally.ts'
import type { Instant } from '../clock.ts'
import type { ProjectIntegration, Ref, RequestType } from '../model/desired-state.ts'
import type { BlobId, CommitSha, EnvironmentKey, JobId } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import type { GateResult } from '../policy/decision.ts'

export const JOB_STATUSES = ['queued', 'waiting_approval', 'running', 'success', 'failed', 'canceled', 'expired'] as const
export type JobStatus = (typeof JOB_STATUSES)[number]
export type TerminalStatus = 'success' | 'failed' | 'canceled' | 'expired'

/** The tracked fulfilment of one request. */
export interface Job {
  id: JobId
  /** Order of acceptance; the queue of an environment is first in, first out by this number. */
  seq: number
  requestPath: string
  requestBlob: BlobId
  /** Commit of the config branch on which the request was accepted. */
  acceptedCommit: CommitSha
  project: string
  environment: string
  key: EnvironmentKey
  type: RequestType
  /** As asked for; null for a rollback to "the one before". */
  ref: Ref | null
  /** What runs: the subject on show, pinned before the merge when there was a pull request; null until first resolved. */
  pin: SubjectPin | null
  /** Why the requester wants it, as written in the file. */
  requestReason: string
  /** Person id, or `provider:login` of an account that belongs to nobody; null when unknown. */
  requester: string | null
  pullRequest: { number: number; url: string } | null
  status: JobStatus
  reason: Reason
  /** The last decision's gates, as shown on page, PR and CLI. */
  gates: readonly GateResult[]
  /** The last tally: each review, counted or not, with why. */
  approvals: readonly TalliedReview[]
  /** Number of trigger attempts so far; part of every compare-and-set. */
  attempt: number
  /** Grows with every write; part of every compare-and-set. */
  version: number
  forced: boolean
  createdAt: Instant
  startedAt: Instant | null
  endedAt: Instant | null
  /** Set when the request file was deleted or an operator asked: the run is to be canceled. */
  cancelRequestedAt: Instant | null
}

/**
 * intended: the intent is durable, the call may or may not have been made.
 * unknown: the call was made and got no usable answer. started: the provider's id is recorded.
 * refused: the provider definitively did not create a run. ended: the provider's run is terminal, or we gave it up.
 */
export const RUN_STATES = ['intended', 'unknown', 'started', 'refused', 'ended'] as const
export type RunState = (typeof RUN_STATES)[number]

/** One attempt to have a provider run a job. */
export interface Run {
  jobId: JobId
  attempt: number
  /** Fence of the lock under which it was intended; null for a job that takes no lock. */
  fence: number | null
  state: RunState
  provider: string
  repoFullName: string
  selector: string
  externalId: string | null
  /** The provider's own attempt number; a re-run at the provider has a higher one. */
  externalAttempt: number | null
  url: string | null
  outcome: RunOutcome | null
  detail: string | null
  intendedAt: Instant
  /** No call for this attempt can still be under way after this. */
  sendDeadline: Instant
  startedAt: Instant | null
  observedAt: Instant | null
  endedAt: Instant | null
  /** For a refused attempt that may be repeated: not before. */
  retryAt: Instant | null
  /** When its pipeline asked whether it may act, and was told to; null: it did not (yet), or has no way to ask. */
  claimedAt: Instant | null
  /** The commit that its pipeline says it has checked out; null: it said none. One that is not the approved one stays on record. */
  checkedOutSha: CommitSha | null
  /** For when the config repository cannot tell any more; null: it began before this was kept. */
  connection: RunConnection | null
}

/** How a run is reached besides its provider, repository and selector, and how long it may take: as its project said when it began. */
export interface RunConnection {
  integration: Pick<ProjectIntegration, 'apiUrl' | 'defaultBranch' | 'credentialRef' | 'callbacks' | 'code'>
  workflowRef: string | null
  maxRunMs: number
}

export type RunOutcome = 'success' | 'failed' | 'canceled' | 'timed_out' | 'vanished' | 'unknown' | 'refused'

/** Exclusive right to a target. It belongs to a job, not to a process, and ends only by the job's own end. */
export interface Lock {
  key: string
  jobId: JobId
  fence: number
  acquiredAt: Instant
}

export function lockKey(key: EnvironmentKey): string {
  return `environment:${key}`
}

/** The commit that was approved, and the other one that its pipeline says it has checked out. */
export interface CommitMismatch {
  approved: CommitSha
  checkedOut: CommitSha
}

/** Null: they are the same, or one of them is not known; what a pipeline does not say is not compared. */
export function commitMismatch(
  { pin }: Pick<Job, 'pin'>,
  { checkedOutSha: checkedOut }: Pick<Run, 'checkedOutSha'>,
): CommitMismatch | null {
  return pin === null || checkedOut === null || checkedOut === pin.sha ? null : { approved: pin.sha, checkedOut }
}

export function isTerminal(status: JobStatus): status is TerminalStatus {
  return status === 'success' || status === 'failed' || status === 'canceled' || status === 'expired'
}

import type { Instant } from '../clock.ts'
import type { PipelineSelector, RefType, RequestType } from '../model/desired-state.ts'
import type { CommitSha, JobId } from '../model/names.ts'
import type { CallbackOffer } from './callback.ts'

/**
 * What a pipeline is told. These names are the contract with every pipeline: JOB_ID, ENV, REF, TYPE, and the pinned SHA; with
 * callbacks also CALLBACK_URL and CALLBACK_TOKEN.
 */
export interface Trigger {
  jobId: JobId
  attempt: number
  environment: string
  /** Name of the branch or tag, or the full sha. */
  ref: string
  refType: RefType
  sha: CommitSha
  type: RequestType
  selector: PipelineSelector
  intendedAt: Instant
  /** Null unless the project asks for it: a pipeline must know what to do with it, and some refuse what they did not declare. */
  callback: CallbackOffer | null
}

/** A run at the provider. */
export interface RunHandle {
  externalId: string
  externalAttempt: number
  url: string | null
}

export type StartOutcome =
  | { kind: 'started'; run: RunHandle }
  /** Accepted, but the provider did not say which run: look it up by JOB_ID. */
  | { kind: 'accepted' }
  /** Certainly not created. `retryAfterMs` null: asking again cannot help. */
  | { kind: 'refused'; why: string; retryAfterMs: number | null; unreachable: boolean }
  /** No answer, or one that does not say: the run may exist. Never re-send; look it up. */
  | { kind: 'unknown'; why: string }

export interface RunObservation {
  state: 'queued' | 'active' | 'blocked' | 'success' | 'failed' | 'canceled' | 'timed_out' | 'vanished'
  externalAttempt: number
  url: string | null
  /** The provider's own words for the state, shown beside ours. */
  detail: string | null
  /** By the provider's clock, where it says so. */
  startedAt?: Instant
  endedAt?: Instant
}

/** Which run is looked for, and in which time it was created. */
export interface RunQuery extends Pick<Trigger, 'jobId' | 'selector' | 'intendedAt'> {
  /** Not later than this; without it, up to now. */
  until?: Instant
}

/** What can start, find, observe and cancel a run. One call is one HTTP request (no library retries) with a deadline of `callTimeoutMs`. */
export interface PipelineProvider {
  start(trigger: Trigger): Promise<StartOutcome>
  /** Runs whose JOB_ID is this job's, created at or after `intendedAt` less clock skew; oldest first. */
  find(query: RunQuery): Promise<readonly RunHandle[]>
  /** Why `find` giving nothing proves nothing about whether a run was ever made; null when it is proof. A clause for a person. */
  doubt(query: RunQuery): Promise<string | null>
  observe(run: { externalId: string; selector: PipelineSelector }): Promise<RunObservation>
  /** Asks; the run is over only when `observe` says so. */
  cancel(run: { externalId: string }): Promise<void>
}

/** What a dry run may use: no cancel, nothing that writes beyond the trigger itself. */
export type DryRunProvider = Pick<PipelineProvider, 'start' | 'find' | 'doubt' | 'observe'>

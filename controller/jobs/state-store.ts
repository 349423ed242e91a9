import type { SubjectPin } from '../approvals/tally.ts'
import type { AuditEvent } from '../audit/event.ts'
import { HOUR_MS, type Instant } from '../clock.ts'
import type { BlobId, CommitSha, EnvironmentKey, JobId } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import type { Success } from '../policy/facts.ts'
import type { Callback, LogLine } from './callback.ts'
import type { Job, JobStatus, Lock, Run, RunState } from './job.ts'

/**
 * The state store as the engine needs it. Everything happens inside a unit of work: all of it is durable when the promise
 * resolves, or none of it happened. Units never interleave. Reads that a decision rests on belong into the unit that acts on it.
 */
export interface StateStore {
  unit<T>(name: string, work: (tx: StateTx) => Promise<T>): Promise<T>
}

export interface StateTx {
  config: ConfigTable
  jobs: JobTable
  runs: RunTable
  locks: LockTable
  pulls: PullTable
  nudges: NudgeTable
  outbox: OutboxTable
  callbacks: CallbackTable
  lines: LogLineTable
  /** Appends to the hash chain. */
  audit(event: AuditEvent): Promise<void>
  /** Is this still the fence of the leader's lease? If so, nobody else can take the lease before this unit has ended. */
  holdsLease(fence: number): Promise<boolean>
}

/** What of the config repository is in force. One row. */
export interface ConfigState {
  /** Last commit of the config branch that was seen and accepted. */
  head: CommitSha
  /** Commit whose rules (everything but requests/) are in force. Differs from `head` while a rules change lacks its approval. */
  rulesCommit: CommitSha
  /** When the rules in force were accepted. */
  acceptedAt: Instant
  /**
   * First commit this store ever accepted. A job that was accepted with it may have run before the store existed
   * (a lost database), so its run is looked up before its first trigger.
   */
  bootstrapCommit: CommitSha
  /** Id of the config repository, of which every job id is made: a change of it would make a new job of every request there ever was. */
  repositoryId: string
  /** Set while nothing may start: history was rewritten, or a rules change is not approved. */
  frozen: Reason | null
}

export interface ConfigTable {
  read(): Promise<ConfigState | null>
  write(state: ConfigState): Promise<void>
}

/** Names a job as it was when it was read. A write that finds anything else changes nothing. */
export interface JobVersion {
  id: JobId
  status: JobStatus
  attempt: number
  version: number
}

export type JobChange = Partial<
  Pick<
    Job,
    | 'status'
    | 'reason'
    | 'gates'
    | 'approvals'
    | 'attempt'
    | 'pin'
    | 'ref'
    | 'requester'
    | 'pullRequest'
    | 'forced'
    | 'startedAt'
    | 'endedAt'
    | 'cancelRequestedAt'
    | 'requestBlob'
    | 'type'
    | 'requestReason'
  >
>

export interface JobTable {
  /** Jobs that have not ended, by seq. */
  open(): Promise<readonly Job[]>
  get(id: JobId): Promise<Job | null>
  /** Ids of all jobs there ever were, with the request content each was made from: a path is never used twice. */
  known(): Promise<ReadonlyMap<JobId, BlobId>>
  /** False when the id exists already: creating twice is creating once. `seq` and `version` are given by the store. */
  insert(job: Omit<Job, 'seq' | 'version'>): Promise<boolean>
  /** Compare-and-set on all of `JobVersion`; `version` grows by one. False: nothing was changed, and no side effect may follow. */
  update(before: JobVersion, change: JobChange): Promise<boolean>
  /** Successful deploys and rollbacks (never dry runs) of an environment, newest first, at most `limit`. */
  successes(key: EnvironmentKey, limit: number): Promise<readonly Success[]>
}

export type RunChange = Partial<
  Pick<
    Run,
    | 'state'
    | 'externalId'
    | 'externalAttempt'
    | 'url'
    | 'outcome'
    | 'detail'
    | 'sendDeadline'
    | 'startedAt'
    | 'observedAt'
    | 'endedAt'
    | 'retryAt'
    | 'claimedAt'
    | 'checkedOutSha'
  >
>

export interface RunTable {
  /** Runs of these jobs, by (job, attempt). */
  of(jobIds: readonly JobId[]): Promise<readonly Run[]>
  /** Runs that a provider knows by this id; several providers may use the same. */
  known(externalId: string): Promise<readonly Run[]>
  insert(run: Run): Promise<void>
  /** Compare-and-set on (job, attempt, state). */
  update(before: { jobId: JobId; attempt: number; state: RunState }, change: RunChange): Promise<boolean>
}

export interface CallbackTable {
  /** Of every attempt of the job, by attempt. */
  of(jobId: JobId): Promise<readonly Callback[]>
  insert(callback: Callback): Promise<void>
  update(
    of: Pick<Callback, 'jobId' | 'attempt'>,
    change: Partial<Pick<Callback, 'claimedBy' | 'heardAt' | 'result' | 'detail' | 'refusals'>>,
  ): Promise<void>
}

export interface LogLineTable {
  /** Number of the last line of a job; 0: there is none. */
  last(jobId: JobId): Promise<number>
  append(lines: readonly LogLine[]): Promise<void>
  /** Takes away what is older than `before`, and then the oldest until at most `keep` are left. */
  prune(before: Instant, keep: number): Promise<void>
}

export interface LockTable {
  all(): Promise<readonly Lock[]>
  /** Null when it is held. The fence of a key strictly increases over the life of the store, also after releases. */
  acquire(key: string, jobId: JobId, at: Instant): Promise<Lock | null>
  /** Compare-and-delete on all three. */
  release(lock: Pick<Lock, 'key' | 'jobId' | 'fence'>): Promise<boolean>
}

/** What we remember of a pull request of the config repository. */
export interface PullRow {
  number: number
  headSha: CommitSha
  baseRef: string
  state: 'open' | 'merged' | 'closed'
  updatedAt: Instant
  /** By request path: the subject on show, and the request content it was made from. */
  pins: ReadonlyMap<string, { pin: SubjectPin; blob: BlobId }>
}

export interface PullTable {
  open(): Promise<readonly PullRow[]>
  get(number: number): Promise<PullRow | null>
  save(row: PullRow): Promise<void>
}

/** "Look at this now": carries a name, never state. */
export type Nudge =
  | { kind: 'config' }
  | { kind: 'pull_request'; number: number }
  | { kind: 'run'; externalId: string }
  /** Its pipeline spoke to us. */
  | { kind: 'job'; jobId: string }
  | { kind: 'repository'; repoFullName: string }

export interface NudgeTable {
  /** Deliveries not yet handled, oldest first. */
  pending(limit: number): Promise<readonly { id: string; nudge: Nudge }[]>
  settle(ids: readonly string[], at: Instant): Promise<void>
}

/**
 * A message that must reach the outside at least once. One row per `key` (`check:12:draven/gate`): a newer body replaces an
 * undelivered older one, an equal body is not sent again, so that a surface always converges to the last state.
 */
export interface OutboxMessage {
  key: string
  channel: OutboxChannel
  body: Readonly<Record<string, unknown>>
}

export const OUTBOX_CHANNELS = ['check', 'comment', 'deployment', 'notice'] as const
export type OutboxChannel = (typeof OUTBOX_CHANNELS)[number]

export interface OutboxRow extends OutboxMessage {
  revision: number
  attempts: number
  /** The host's id of what an earlier revision created (comment id, check run id …). */
  externalId: string | null
  lastError: string | null
}

/** No message is put off for longer. One that seems to be was put off before the clock was set back, and is due. */
export const LONGEST_PUT_OFF_MS = HOUR_MS

export interface OutboxTable {
  put(message: OutboxMessage, at: Instant): Promise<void>
  /** What is due by now, or later than it can have been put off. */
  due(at: Instant, limit: number): Promise<readonly OutboxRow[]>
  /** Compare-and-set on (key, revision): a body replaced meanwhile stays due. */
  delivered(row: Pick<OutboxRow, 'key' | 'revision'>, externalId: string | null, at: Instant): Promise<void>
  failed(row: Pick<OutboxRow, 'key' | 'revision'>, error: string, retryAt: Instant): Promise<void>
  /** Earliest time at which something is due; null: nothing is. */
  nextDueAt(): Promise<Instant | null>
}

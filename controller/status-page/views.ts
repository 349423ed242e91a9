import type { AuditRow } from '../audit/event.ts'
import type { Instant } from '../clock.ts'
import type { LogLine } from '../jobs/callback.ts'
import type { Job, JobStatus, Lock, Run } from '../jobs/job.ts'
import type { ConfigState } from '../jobs/state-store.ts'
import type { DesiredState } from '../model/desired-state.ts'
import type { EnvironmentKey } from '../model/names.ts'

/** What the loop knows right now, for pages and health checks. */
export interface LiveView {
  /** Null until the config repository was read for the first time. */
  desired(): DesiredState | null
  health(): LoopHealth
  /** Null: one controller has the store for itself. */
  leader(): Leader | null
}

/** Which of several controllers on one store leads: it decides and triggers, all take webhooks and show pages. */
export interface Leader {
  /** The name of this one. */
  replica: string
  /** This one leads. */
  here: boolean
  /** Null: nobody leads at the moment. */
  name: string | null
  since: Instant | null
}

export interface LoopHealth {
  startedAt: Instant
  lastTickAt: Instant | null
  lastTickMs: number | null
  /** Last time the config repository was reached. */
  sourceSeenAt: Instant | null
  sourceError: string | null
  lastWebhookAt: Instant | null
  pollMs: number
  /** Last failure of a tick; null when the last one was fine. */
  error: string | null
  version: string
}

export interface EnvironmentView {
  key: EnvironmentKey
  /** Last successful deploy or rollback. */
  current: Job | null
  /** Last job that ended in any way. */
  last: Job | null
  /** Not yet ended, by seq. */
  open: readonly Job[]
  lock: Lock | null
}

export interface JobFilter {
  project?: string
  environment?: string
  status?: JobStatus
  /** Only jobs with a smaller seq: the cursor of the next page. */
  beforeSeq?: number
  limit: number
}

export interface JobView {
  job: Job
  runs: readonly Run[]
  audit: readonly AuditRow[]
  /** The last of what its pipeline said, oldest first, the newest few hundred. */
  lines: readonly LogLine[]
}

/** Read-only look at the store. */
export interface StoreViews {
  environments(): Promise<readonly EnvironmentView[]>
  jobs(filter: JobFilter): Promise<readonly Job[]>
  job(id: string): Promise<JobView | null>
  audit(filter: { beforeSeq?: number; limit: number }): Promise<readonly AuditRow[]>
  config(): Promise<ConfigState | null>
  counts(): Promise<{
    jobsByStatus: Readonly<Record<JobStatus, number>>
    locks: number
    inboxPending: number
    outboxPending: number
    deliveries: number
  }>
  /** Does a real write and undoes it; throws when the store cannot take one. */
  probe(): Promise<void>
}

import type { Tally } from '../approvals/tally.ts'
import type { Instant } from '../clock.ts'
import type { Job, Run } from '../jobs/job.ts'
import type { Ref, RequestType } from '../model/desired-state.ts'
import type { Finding } from '../model/finding.ts'
import type { CommitSha } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import type { Decision } from '../policy/decision.ts'

/** Everything that a pull request of the config repository shows, gathered before a word is written. */
export interface PullReport {
  number: number
  headSha: CommitSha
  /** Findings on files that this pull request adds or changes, in file order. */
  findings: readonly Finding[]
  /** How many more there are than `findings` lists; they may be errors, so any of them fails the check. */
  truncated: number
  /** The pull request changes something outside requests/: policies, people, projects … */
  rulesChanged: boolean
  /** Why a change of rules is not in force yet (`rules_change_unapproved` …), when that is known. */
  rulesReason?: Reason | null
  requests: readonly RequestReport[]
  /** Root of the status page as people reach it; null when there is none. */
  statusUrl: string | null
  /** Only decides whether a year must be named; nothing that is shown changes merely because it does. */
  asOf: Instant
}

/** One request file of the pull request. */
export interface RequestReport {
  path: string
  /** Null when the path is not well formed. */
  project: string | null
  environment: string | null
  /** Null when the request cannot be used. */
  type: RequestType | null
  /** What would run, as asked for or as resolved for a rollback. */
  ref: Ref | null
  sha: CommitSha | null
  /** What is there now; null: nothing yet, or nobody knows. */
  from: { ref: Ref | null; sha: CommitSha } | null
  /** Name of the policy that judges it. */
  policy: string | null
  /** Zone of the policy's window, in which times are shown beside UTC. */
  timeZone: string | null
  /** Null when the request cannot be used, or once a job follows it. */
  decision: Decision | null
  tally: Tally | null
  /** Why it waits or was refused, when that is no gate's answer; a job's own reason comes first. */
  reason: Reason | null
  /** Null before the merge. */
  job: JobOnShow | null
  run: Pick<Run, 'url' | 'state' | 'attempt'> | null
  /** Place among the jobs of the environment, 1 being next, and the job directly ahead. */
  queue: { position: number; behind: string | null } | null
}

export type JobOnShow = Pick<Job, 'id' | 'status' | 'reason' | 'gates' | 'approvals' | 'startedAt' | 'endedAt' | 'forced'>

import type { Tally } from '../approvals/tally.ts'
import type { Instant } from '../clock.ts'
import type { DeployRequest, DesiredState, Environment, Project, Ref } from '../model/desired-state.ts'
import type { CommitSha, PersonId } from '../model/names.ts'
import type { Fact } from './decision.ts'

/** Where a ref points, resolved by its exact full name and peeled to a commit. */
export type ResolvedRef =
  | {
      found: true
      sha: CommitSha
      /** For `sha` refs: is it an ancestor of (or equal to) the default branch? Always true for branches and tags. */
      reachable: boolean
    }
  | { found: false }

/** One CI result on exactly the sha in question. */
export interface CiResult {
  name: string
  /** App slug that reported it; null for a bare commit status. */
  app: string | null
  state: 'success' | 'pending' | 'failed'
  url: string | null
}

export interface CiEvidence {
  sha: CommitSha
  /** Every result on the sha except our own runs, checks and statuses. The rule decides which apps and names count. */
  results: readonly CiResult[]
  /** Our own results, which never count, and why they were recognised as ours. */
  ignored: readonly { name: string; why: string }[]
}

export interface Success {
  jobId: string
  sha: CommitSha
  ref: Ref | null
  endedAt: Instant
}

/** Everything the gates may look at for one request, gathered first, decided purely. */
export interface PolicyFacts {
  now: Instant
  request: DeployRequest
  project: Project
  environment: Environment
  desired: DesiredState
  /** Who asks. `person` null: the account belongs to nobody in access.yaml, or nobody is known. */
  requester: { person: PersonId | null; label: string | null }
  /** The ref that would run: as asked for, or the rollback's target. Null when a rollback has no target. */
  target: Ref | null
  ref: Fact<ResolvedRef>
  /** Null when the policy asks for no CI result. */
  ci: Fact<CiEvidence> | null
  /** Null when the policy asks for no approval. */
  tally: Fact<Tally> | null
  /** The pull request takes no review any more, so what it lacks can only be had by another one. */
  reviewsClosed: boolean
  /** Successful deploys and rollbacks of this environment, newest first. */
  successes: readonly Success[]
  /** Did this commit succeed in `environment.promoteFrom`? Null when there is no such rule. */
  promoted: boolean | null
  /** State of the exclusive lock. `aheadInQueue`: ready jobs of the same environment accepted earlier. */
  lock: { holder: { jobId: string; since: Instant } | null; aheadInQueue: readonly string[] }
}

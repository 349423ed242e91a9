import type { PullRequestFacts, ReviewedContent } from '../approvals/evidence.ts'
import type { SubjectPin } from '../approvals/tally.ts'
import type { Instant } from '../clock.ts'
import type { Ref } from '../model/desired-state.ts'
import type { CommitSha } from '../model/names.ts'
import type { Fact } from '../policy/decision.ts'
import type { CiEvidence, ResolvedRef } from '../policy/facts.ts'
import type { RunHandle, RunObservation } from './executor.ts'

/** How the request came onto the config branch. */
export type RequestOrigin =
  | {
      kind: 'pull_request'
      facts: PullRequestFacts
      content: ReviewedContent /** Rules changed in the same merge. */
      changesRules: boolean
    }
  | { kind: 'direct_push' }
  | { kind: 'local' /** E-mail of the commit that last touched the file; null when there is none. */; authorEmail: string | null }

/** What the provider says about a job that may have run before this process, or this store, could have seen it. */
export type PastRun =
  /** `run` is the oldest, which counts; there should be no `others`. */
  | { found: true; run: RunHandle; others: readonly RunHandle[]; seen: RunObservation }
  /**
   * `broughtAt`: when the config branch got the request. `shows`: a run from before the job was accepted would be on the list by now.
   * `doubt`: why not finding a run proves nothing; null when it does, or where no proof is asked for.
   */
  | { found: false; broughtAt: Instant; shows: boolean; doubt: string | null }

/** What must be known to decide one job, each fact with the time at which it was read. */
export interface Evidence {
  origin: Fact<RequestOrigin>
  ref: Fact<ResolvedRef>
  ci: Fact<CiEvidence> | null
  /** The subject that was on show on the pull request that brought this content; null when none was. */
  shown: SubjectPin | null
  /** Null when nothing can have run, or it was asked before and nothing had. */
  past: Fact<PastRun> | null
  /** When the oldest of the facts was read: what a start may rest on. */
  at: Instant
  /** Of the clock in the pass that read them: by one that was set since, nobody knows how old they are. */
  drift: number
  /** When they were last looked at, whether or not they had to be read anew. */
  lookedAt: Instant
}

/** Reads facts of a project's own repository. */
export interface RefHost {
  /** Exact by kind: never a name search. A missing ref is `{found: false}`; trouble is thrown as TransientFault or RefusedFault. */
  resolveRef(ref: Ref): Promise<ResolvedRef>
  ciEvidence(sha: CommitSha): Promise<CiEvidence>
}

import type { ReviewHost } from '../approvals/evidence.ts'
import type { Instant } from '../clock.ts'
import type { RefHost } from '../jobs/evidence.ts'
import type { PipelineProvider } from '../jobs/executor.ts'
import type { Project } from '../model/desired-state.ts'
import type { BlobId, CommitSha } from '../model/names.ts'
import type { ReadBlobs, Snapshot } from '../model/snapshot.ts'
import type { DeploymentMirror, PullRequestVoice } from '../notify/publisher.ts'

/** The config repository, read from our own bare mirror. Nothing is ever checked out. */
export interface ConfigSource {
  /** Brings the mirror up to date and gives the head of the config branch. TransientFault when the remote cannot be reached. */
  fetch(): Promise<CommitSha>
  snapshot(commit: CommitSha): Promise<Snapshot>
  readBlobs: ReadBlobs
  history: SourceHistory
}

export interface SourceHistory {
  /** False also when one of the commits is unknown. */
  isAncestor(ancestor: CommitSha, descendant: CommitSha): Promise<boolean>
  /** Commits in (from, to], newest first, at most `limit`. */
  commitsBetween(from: CommitSha, to: CommitSha, limit: number): Promise<readonly CommitSha[]>
  /** Makes a pull request's head available; false when the remote's ref does not hold `expected`. */
  fetchPull(headRef: string, expected: CommitSha): Promise<boolean>
  /** Blob of one path at one commit; null when path or commit is not there. */
  blobAt(commit: CommitSha, path: string): Promise<BlobId | null>
  /** Author e-mail (lower case) of the last commit that touched the path. */
  lastAuthorEmail(commit: CommitSha, path: string): Promise<string | null>
  /**
   * When the config branch got the path's present content: the committer's time of the commit or merge on its first-parent
   * line. As true as who wrote it, so it may only ever take rights away.
   */
  broughtAt(commit: CommitSha, path: string): Promise<Instant | null>
}

/** The forge that holds the config repository; null in `ControllerPorts` for a plain directory. */
export interface ConfigHost {
  provider: string
  reviews: ReviewHost
  voice: PullRequestVoice
}

/** Connections to the projects' own systems, made on demand from their integration. */
export interface Connections {
  refs(project: Project): RefHost
  pipeline(project: Project): PipelineProvider
  deployments(project: Project): DeploymentMirror | null
}

/** Ids that are not derived from content (delivery ids of our own calls and the like). */
export interface Ids {
  uuid(): string
}

export interface LoopTiming {
  /** Config repository, pull requests and waiting jobs are looked at this often without any webhook. */
  pollMs: number
  /** Active runs are looked at this often. */
  runPollMs: number
  /** No fact older than this may let a job start. */
  evidenceMaxAgeMs: number
  /** Deadline of one trigger call. */
  triggerTimeoutMs: number
  /** A trigger whose outcome is unknown is searched for this long, then the job fails. */
  triggerLookupMs: number
}

export type { Instant }

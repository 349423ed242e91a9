import type { Instant } from '../clock.ts'
import type { BlobId, CommitSha } from '../model/names.ts'

/** An account at a provider. `id` is the provider's own, kept as a string (2^53 is smaller than some ids). */
export interface Account {
  provider: string
  login: string
  id: string
  /** `user` is the only kind that can approve. `gone`: deleted or suspended. */
  kind: 'user' | 'bot' | 'gone'
}

export type ReviewState = 'approved' | 'changes_requested' | 'dismissed' | 'commented' | 'pending'

/** A review object of the code host. Comments are never parsed for approvals. */
export interface Review {
  id: string
  reviewer: Account | null
  state: ReviewState
  /** Head of the pull request when the review was given; null when the host no longer knows. */
  commit: CommitSha | null
  submittedAt: Instant
  url: string
}

export interface PullRequestCommit {
  sha: CommitSha
  /** Accounts the host could match; null when it could not (the e-mail then still excludes). */
  author: Account | null
  committer: Account | null
  authorEmail: string
  committerEmail: string
  /** E-mails named by `Co-authored-by:` trailers. */
  coAuthorEmails: readonly string[]
}

/** Everything about a pull request of the config repository that a decision may use, read in one go. */
export interface PullRequestFacts {
  number: number
  url: string
  title: string
  author: Account | null
  state: 'open' | 'merged' | 'closed'
  draft: boolean
  /** Branch it wants to go into, now. */
  baseRef: string
  headSha: CommitSha
  /** Commit on the config branch that the merge produced. */
  mergeCommit: CommitSha | null
  mergedAt: Instant | null
  createdAt: Instant
  updatedAt: Instant
  fromFork: boolean
  commits: readonly PullRequestCommit[]
  /** True when the host could not list all commits (GitHub stops at 250): nobody can then be shown not to be an author. */
  commitsTruncated: boolean
  /** Accounts that pushed to the head branch; null when this host cannot tell. */
  pushers: readonly Account[] | null
  reviews: readonly Review[]
  /** Paths that the pull request adds, changes or deletes. */
  files: readonly { path: string; status: 'added' | 'modified' | 'removed' | 'renamed' }[]
  /** The host's own clock at the answer (HTTP `Date`), to compare with `submittedAt`. */
  hostTime: Instant
}

/** A pull request as a list call shows it: enough to know whether to look closer. */
export interface PullRequestSummary {
  number: number
  state: 'open' | 'merged' | 'closed'
  baseRef: string
  headSha: CommitSha
  mergeCommit: CommitSha | null
  mergedAt: Instant | null
  updatedAt: Instant
}

/** The code host of the config repository, as approvals need it. Read-only. */
export interface ReviewHost {
  /** Open pull requests into `baseRef`, and closed ones updated at or after `since`. */
  pullRequests(options: { baseRef: string; since: Instant }): Promise<readonly PullRequestSummary[]>
  pullRequest(number: number): Promise<PullRequestFacts>
  /** Refspec source under which Git serves the head of a pull request, e.g. `refs/pull/12/head`. */
  headRef(number: number): string
}

/** What a reviewer's pull request head held at the commit of the review, read from our own mirror. */
export interface ReviewedContent {
  /** Blob of the request file at that commit; null when the file or the commit is not there. */
  blobAt: ReadonlyMap<CommitSha, BlobId | null>
}

import type { Instant } from '../clock.ts'
import type { CommitSha, PersonId, SubjectDigest } from '../model/names.ts'

/** Why a review does not count. Closed list; the words are shown on every surface. */
export const DISMISSALS = [
  'author',
  'committer',
  'co_author',
  'pusher',
  'requester',
  'bot',
  'account_gone',
  'unknown_person',
  'not_in_role',
  'stale_subject',
  'before_pin',
  'expired',
  'dismissed',
  'changes_requested',
  'later_review',
  'not_a_stance',
  'committers_unknown',
  'wrong_base',
] as const
export type DismissalCode = (typeof DISMISSALS)[number]

/** One review as the decision saw it. */
export interface TalliedReview {
  reviewId: string
  /** `provider:login`, or `unknown` for a deleted account. */
  account: string
  person: PersonId | null
  state: 'approved' | 'changes_requested' | 'dismissed' | 'commented' | 'pending'
  counted: boolean
  /** Null exactly when counted. */
  why: DismissalCode | null
  /** One plain sentence, e.g. `alice wrote this change, so her approval does not count`. */
  text: string
  submittedAt: Instant
  url: string
}

export interface Tally {
  needed: number
  /** Distinct people whose approval counts. */
  approvers: readonly PersonId[]
  /** People whose last stance is "changes requested" and who hold the approver role: they hold the gate until they change it. */
  objectors: readonly PersonId[]
  /** People who could still approve: hold the role here and are not excluded. */
  eligible: readonly PersonId[]
  reviews: readonly TalliedReview[]
}

/**
 * Since when exactly this subject has been on show (host time). An approval given earlier approved something else.
 * Pinned when the controller first sees the pull request, and anew each time the digest changes.
 */
export interface SubjectPin {
  digest: SubjectDigest
  sha: CommitSha
  since: Instant
}

import type { DesiredState } from '../model/desired-state.ts'
import type { BlobId, PersonId } from '../model/names.ts'
import { may } from '../model/roles.ts'
import type { PullRequestFacts, Review, ReviewedContent } from './evidence.ts'
import { exclusionsOf } from './exclusions.ts'
import { lastStances } from './stances.ts'

/** A pull request that touched a rules file, and what its reviewers had before them there. */
export interface RulesReview {
  pull: PullRequestFacts
  content: ReviewedContent
}

export interface RulesChangeInput {
  /** The rules in force: who is an admin is told by them, never by the change itself. */
  desired: DesiredState
  provider: string
  configBranch: string
  /** The file as it would be in force; null when it is deleted. */
  after: BlobId | null
  reviews: readonly RulesReview[]
}

/**
 * Admins who approved one rules file exactly as it now is and had no part in the change. An admin who asked for changes
 * stops it. Bound to content like every approval, so no merge method and no later commit can slip anything in.
 */
export function approversOfRules(input: RulesChangeInput): readonly PersonId[] {
  const approvers = new Set<PersonId>()
  for (const { pull, content } of input.reviews) {
    if (pull.baseRef !== input.configBranch || pull.commitsTruncated) continue
    const exclusions = exclusionsOf(input.desired, input.provider, pull, null)
    const admins = [...lastStances(input.desired, pull.reviews)].filter(([person]) =>
      may(input.desired, person, 'change_rules', null),
    )
    if (admins.some(([, review]) => review.state === 'changes_requested')) continue
    for (const [person, review] of admins) {
      const hadPart = exclusions.ofPerson(person) ?? exclusions.ofAccount(review.reviewer!)
      if (review.state === 'approved' && hadPart === null && approvedAsIs(input.after, pull, content, review))
        approvers.add(person)
    }
  }
  return [...approvers].sort()
}

function approvedAsIs(after: BlobId | null, pull: PullRequestFacts, content: ReviewedContent, review: Review): boolean {
  if (review.commit === null) return false
  // An absent file and a commit that is gone look alike, so a deletion must have been approved on the final head.
  if (after === null) return review.commit === pull.headSha && content.blobAt.get(review.commit) === null
  return content.blobAt.get(review.commit) === after
}

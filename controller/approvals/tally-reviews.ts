import type { Instant } from '../clock.ts'
import type { DesiredState } from '../model/desired-state.ts'
import type { BlobId, PersonId } from '../model/names.ts'
import { may, personOf } from '../model/roles.ts'
import { countedText, dismissalText } from './dismissal-text.ts'
import type { PullRequestFacts, Review, ReviewedContent } from './evidence.ts'
import { type Exclusions, exclusionsOf } from './exclusions.ts'
import { inOrder, isStance, lastStances } from './stances.ts'
import type { DismissalCode, SubjectPin, TalliedReview, Tally } from './tally.ts'

export interface TallyInput {
  /** In force now: who people are and what they may is never taken from the pull request or from the day of the review. */
  desired: DesiredState
  /** Provider of the config repository. */
  provider: string
  project: string
  environment: string
  facts: PullRequestFacts
  content: ReviewedContent
  /** Content of the request file as it would run. */
  requestBlob: BlobId
  /** The pull request must go into this branch. */
  configBranch: string
  requester: PersonId | null
  pin: SubjectPin
  needed: number
  /** An approval older than this is void. */
  validMs: number
  now: Instant
}

/**
 * Which reviews count: the last stance of each person, when it is an approval by somebody who may approve and had no part
 * in the change. Every review keeps its own answer, because "why does mine not count?" is what people ask.
 *
 * An approval is bound to what it approved in two ways: the request file at the reviewed commit has the content that would
 * run, and the review is not older than the pin, which is set anew whenever ref, policy or environment change the digest.
 */
export function tallyReviews(input: TallyInput): Tally {
  const { desired, facts } = input
  const sides: Sides = {
    exclusions: exclusionsOf(desired, input.provider, facts, input.requester),
    lastStance: lastStances(desired, facts.reviews),
  }
  const reviews = inOrder(facts.reviews).map((review) => judge(input, sides, review))
  const approvers = new Set(reviews.filter(({ counted }) => counted).map(({ person }) => person))
  const people = [...desired.people.keys()]
  const reviewers = people.filter((person) => mayApprove(input, person))
  return {
    needed: input.needed,
    approvers: people.filter((person) => approvers.has(person)),
    objectors: reviewers.filter((person) => sides.lastStance.get(person)?.state === 'changes_requested'),
    eligible: reviewers.filter((person) => !approvers.has(person) && couldApprove(input, sides, person)),
    reviews,
  }
}

interface Sides {
  exclusions: Exclusions
  lastStance: ReadonlyMap<PersonId, Review>
}

function judge(input: TallyInput, sides: Sides, review: Review): TalliedReview {
  const { reviewer } = review
  const person = reviewer && personOf(input.desired, reviewer)
  const why = dismissalOf(input, sides, review, person)
  const account = reviewer ? `${reviewer.provider}:${reviewer.login}` : 'unknown'
  const words = {
    who: person ?? account,
    account,
    environment: `${input.project}/${input.environment}`,
    baseRef: input.facts.baseRef,
    configBranch: input.configBranch,
    validMs: input.validMs,
  }
  return {
    reviewId: review.id,
    account,
    person,
    state: review.state,
    counted: why === null,
    why,
    text: why === null ? countedText(words) : dismissalText(why, words),
    submittedAt: review.submittedAt,
    url: review.url,
  }
}

/** Null when the review counts: first what the review is, then who gave it, then what it was given to. */
function dismissalOf(input: TallyInput, sides: Sides, review: Review, person: PersonId | null): DismissalCode | null {
  const { reviewer, state } = review
  if (!isStance(review)) return 'not_a_stance'
  if (!reviewer || reviewer.kind === 'gone') return 'account_gone'
  if (reviewer.kind !== 'user') return 'bot'
  if (person === null) return 'unknown_person'
  if (sides.lastStance.get(person) !== review) return 'later_review'
  if (state !== 'approved') return state === 'dismissed' ? 'dismissed' : 'changes_requested'
  const part = sides.exclusions.ofPerson(person) ?? sides.exclusions.ofAccount(reviewer)
  if (part) return part
  if (!mayApprove(input, person)) return 'not_in_role'
  return voidingOf(input, review)
}

/** Comparisons are worded so that a time which is no number never counts. */
function voidingOf({ facts, configBranch, content, requestBlob, pin, validMs, now }: TallyInput, review: Review) {
  if (facts.commitsTruncated) return 'committers_unknown'
  if (facts.baseRef !== configBranch) return 'wrong_base'
  if (review.commit === null || content.blobAt.get(review.commit) !== requestBlob) return 'stale_subject'
  if (!(review.submittedAt >= pin.since)) return 'before_pin'
  if (!(now - review.submittedAt <= validMs)) return 'expired'
  return null
}

function mayApprove({ desired, project, environment }: TallyInput, person: PersonId): boolean {
  return may(desired, person, 'approve', { project, environment })
}

/** Somebody with an account at this host, who had no part in the change. */
function couldApprove({ desired, provider, facts }: TallyInput, { exclusions }: Sides, person: PersonId): boolean {
  if (facts.commitsTruncated) return false
  return desired.people.get(person)!.accounts.has(provider) && exclusions.ofPerson(person) === null
}

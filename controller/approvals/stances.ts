import type { DesiredState } from '../model/desired-state.ts'
import type { PersonId } from '../model/names.ts'
import { personOf } from '../model/roles.ts'
import type { Review } from './evidence.ts'

/**
 * Where each person stands. A person, not an account, has one stance: the last of approved, changes requested and dismissed
 * by `submittedAt` (then by place in the list). Comments and drafts are no stance, and a dismissal brings nothing older back.
 * Hosts rewrite a dismissed review in place, so its time is that of the review, not of the dismissal.
 * Bots, gone accounts and strangers have no stance: they can neither approve nor object.
 */
export function lastStances(desired: DesiredState, reviews: readonly Review[]): Map<PersonId, Review> {
  const stances = new Map<PersonId, Review>()
  for (const review of inOrder(reviews)) {
    const person = review.reviewer?.kind === 'user' ? personOf(desired, review.reviewer) : null
    if (person !== null && isStance(review)) stances.set(person, review)
  }
  return stances
}

export function isStance({ state }: Review): boolean {
  return state === 'approved' || state === 'changes_requested' || state === 'dismissed'
}

/** By time, then by place in the list. A review without a time is taken for the last, where it can only take away. */
export function inOrder(reviews: readonly Review[]): Review[] {
  const time = ({ submittedAt }: Review) => (Number.isNaN(submittedAt) ? Number.MAX_VALUE : submittedAt)
  return reviews.toSorted((one, other) => time(one) - time(other))
}

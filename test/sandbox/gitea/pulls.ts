import { emit } from './hooks.ts'
import { type Pull, pullOf, type Repository, type ReviewState, repositoryOf, type User, userOf, type World } from './world.ts'

/** What people say on pull requests, without HTTP. What the servers forbid throws here too. */
export interface PullPeople {
  /** A review of the head, or of an older commit whose page was still open. Gives its id. */
  review(repo: string, number: number, options: { by: string; state: ReviewState; commit?: string }): number
  /** An admin takes a review back; nobody can take back their own. */
  dismissReview(repo: string, number: number, id: number): void
  comment(repo: string, number: number, login: string, body: string): number
}

export function pullPeople(world: World): PullPeople {
  const repository = (fullName: string) => repositoryOf(world, fullName)
  return {
    review(repo, number, { by, state, commit }) {
      const pull = pullOf(repository(repo), number)
      const user = userOf(world, by)
      const isStance = state === 'APPROVED' || state === 'REQUEST_CHANGES'
      if (isStance && user === pull.author)
        throw new Error(`${state === 'APPROVED' ? 'approve' : 'reject'} your own pull is not allowed`)
      if (isStance && pull.state !== 'open') throw new Error("can't submit review for a closed or merged PR")
      // Only the last stance of somebody is official.
      if (isStance) for (const earlier of pull.reviews) if (earlier.user === user) earlier.official = false
      const id = world.nextId()
      const of = commit ?? pull.headSha
      const at = world.clock.now()
      pull.reviews.push({ id, user, state, commit: of, dismissed: false, stale: of !== pull.headSha, official: isStance, at })
      touch(world, pull)
      emitReview(world, repository(repo), pull, state, user)
      return id
    },
    dismissReview(repo, number, id) {
      const pull = pullOf(repository(repo), number)
      if (pull.state !== 'open') throw new Error('nothing is dismissed on a closed pull request')
      const review = pull.reviews.find((each) => each.id === id)
      if (!review) throw new Error(`there is no review ${id}`)
      review.dismissed = true
      touch(world, pull)
    },
    comment(repo, number, login, body) {
      const pull = pullOf(repository(repo), number)
      const author = userOf(world, login)
      const comment = addComment(world, pull, author, body)
      const payload = { action: 'created', issue: { number }, comment: { id: comment.id }, is_pull: true }
      emit(world, repository(repo), { name: 'issue_comment', payload, sender: author })
      return comment.id
    },
  }
}

export function addComment(world: World, pull: Pull, author: User, body: string) {
  const now = world.clock.now()
  const comment = { id: world.nextId(), author, body, createdAt: now, updatedAt: now }
  pull.comments.push(comment)
  touch(world, pull)
  return comment
}

export function touch(world: World, pull: Pull): void {
  pull.updatedAt = world.clock.now()
}

const REVIEW_EVENTS: Partial<Record<ReviewState, string>> = {
  APPROVED: 'pull_request_approved',
  REQUEST_CHANGES: 'pull_request_rejected',
  COMMENT: 'pull_request_comment',
}

/** Neither the commit nor the review is named there. */
function emitReview(world: World, repository: Repository, pull: Pull, state: ReviewState, sender: User): void {
  const name = REVIEW_EVENTS[state]
  if (name === undefined) return
  const shown = { number: pull.number, state: pull.state }
  const review = { type: name.replace('pull_request_', 'pull_request_review_'), content: '' }
  emit(world, repository, { name, payload: { action: 'reviewed', number: pull.number, pull_request: shown, review }, sender })
}

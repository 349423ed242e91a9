import { nodeId, type Pull, type Repository, type Review, type World } from '../world.ts'
import { type Answer, type Call, type Operation, page } from './call.ts'
import { pullParam } from './pulls.ts'
import { repositoryApiUrl, repositoryWebUrl, timestamp } from './urls.ts'
import { userBodyOrNull } from './users.ts'

/** `pull-request-review`. REST spells states in capitals; webhooks do not (see `webhookReviewBody`). */
function reviewBody(world: World, repository: Repository, pull: Pull, review: Review) {
  const html = `${repositoryWebUrl(world, repository, `/pull/${pull.number}`)}#pullrequestreview-${review.id}`
  const api = repositoryApiUrl(world, repository, `/pulls/${pull.number}`)
  return {
    id: review.id,
    node_id: nodeId('PullRequestReview', review.id),
    user: userBodyOrNull(world, review.reviewer),
    body: review.body,
    state: review.state as string,
    html_url: html,
    pull_request_url: api,
    _links: { html: { href: html }, pull_request: { href: api } },
    commit_id: review.commit,
    author_association: 'COLLABORATOR',
    submitted_at: timestamp(review.submittedAt),
  }
}

export function webhookReviewBody(world: World, repository: Repository, pull: Pull, review: Review) {
  return { ...reviewBody(world, repository, pull, review), state: review.state.toLowerCase() }
}

function listReviews(call: Call): Answer {
  const pull = pullParam(call)
  const { items, headers } = page(call, pull.reviews)
  return { status: 200, headers, body: items.map((review) => reviewBody(call.world, call.repository, pull, review)) }
}

export const REVIEW_OPERATIONS: readonly Operation[] = [
  {
    id: 'pulls/list-reviews',
    method: 'GET',
    path: '/repos/{owner}/{repo}/pulls/{pull_number}/reviews',
    needs: 'read',
    handle: listReviews,
  },
]

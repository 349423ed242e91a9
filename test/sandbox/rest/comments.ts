import { emit } from '../hooks.ts'
import { type Comment, nodeId, type Pull, type Repository, type World } from '../world.ts'
import { type Answer, type Call, notFound, numberParam, type Operation, ok, page, requiredText } from './call.ts'
import { repositoryApiUrl, repositoryWebUrl, timestamp } from './urls.ts'
import { appBody, userBodyOrNull } from './users.ts'

/** `issue-comment`. */
function commentBody(world: World, repository: Repository, comment: Comment) {
  return {
    id: comment.id,
    node_id: nodeId('IssueComment', comment.id),
    url: repositoryApiUrl(world, repository, `/issues/comments/${comment.id}`),
    html_url: `${repositoryWebUrl(world, repository, `/pull/${comment.issue}`)}#issuecomment-${comment.id}`,
    body: comment.body,
    user: userBodyOrNull(world, comment.author),
    created_at: timestamp(comment.createdAt),
    updated_at: timestamp(comment.updatedAt),
    issue_url: repositoryApiUrl(world, repository, `/issues/${comment.issue}`),
    author_association: 'COLLABORATOR',
    performed_via_github_app: comment.app && appBody(world, comment.app),
  }
}

function list(call: Call): Answer {
  const { repository, world } = call
  const issue = pullOfIssue(call).number
  const since = Date.parse(call.url.searchParams.get('since') ?? '') || 0
  const found = repository.comments.filter((comment) => comment.issue === issue && comment.updatedAt >= since)
  const { items, headers } = page(call, found)
  return { status: 200, headers, body: items.map((comment) => commentBody(world, repository, comment)) }
}

function create(call: Call): Answer {
  const { repository, world, token } = call
  const now = world.clock.now()
  const pull = pullOfIssue(call)
  // A comment counts as an update of what it is on.
  pull.updatedAt = now
  const comment: Comment = {
    id: world.nextId(),
    issue: pull.number,
    author: token.account,
    app: token.app,
    body: requiredText(call, 'body'),
    createdAt: now,
    updatedAt: now,
  }
  repository.comments.push(comment)
  const body = commentBody(world, repository, comment)
  emitComment(world, repository, comment, 'created')
  return { status: 201, headers: { location: body.url }, body }
}

function update(call: Call): Answer {
  const { repository, world } = call
  const id = numberParam(call, 'comment_id')
  const comment = repository.comments.find((each) => each.id === id)
  if (!comment) throw notFound()
  comment.body = requiredText(call, 'body')
  comment.updatedAt = world.clock.now()
  emitComment(world, repository, comment, 'edited')
  return ok(commentBody(world, repository, comment))
}

function emitComment(world: World, repository: Repository, comment: Comment, action: string): void {
  const payload = { issue: { number: comment.issue }, comment: commentBody(world, repository, comment) }
  emit(world, repository, { name: 'issue_comment', action, payload, sender: comment.author })
}

/** The sandbox has pull requests, but no issues beside them. */
function pullOfIssue(call: Call): Pull {
  const number = numberParam(call, 'issue_number')
  const pull = call.repository.pulls.find((each) => each.number === number)
  if (!pull) throw notFound()
  return pull
}

const ISSUES = '/repos/{owner}/{repo}/issues'

export const COMMENT_OPERATIONS: readonly Operation[] = [
  { id: 'issues/list-comments', method: 'GET', path: `${ISSUES}/{issue_number}/comments`, needs: 'read', handle: list },
  { id: 'issues/create-comment', method: 'POST', path: `${ISSUES}/{issue_number}/comments`, needs: 'read', handle: create },
  { id: 'issues/update-comment', method: 'PATCH', path: `${ISSUES}/comments/{comment_id}`, needs: 'write', handle: update },
]

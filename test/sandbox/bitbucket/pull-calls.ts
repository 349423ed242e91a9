import { commitsBetween, resolveCommit } from '../git/repository.ts'
import { Refusal } from '../refusal.ts'
import { created, found, listed, ok, textOf } from './answers.ts'
import type { Answer, Call } from './api.ts'
import { activityBody, commentBody, commitBody, pullBody } from './bodies.ts'
import type { Comment, PullRequest } from './world.ts'

function pullIn({ repository, params }: Call): PullRequest {
  return found(
    repository.pulls.find(({ id }) => String(id) === params['pull_request_id']),
    'Pull request',
  )
}

/** The one question that the product asks: into this branch, and open or changed since. */
const QUESTION = /^destination\.branch\.name="([^"]*)" AND \(state="OPEN" OR updated_on>=([^\s)]+)\)$/

export function list({ world, repository, query }: Call): Answer {
  const [, branch, since] = QUESTION.exec(query.get('q') ?? '') ?? []
  if (branch === undefined || Number.isNaN(Date.parse(since ?? ''))) throw new Refusal(400, `Invalid query: ${query.get('q')}`)
  const states = query.getAll('state')
  const fitting = repository.pulls.filter(
    ({ state, targetBranch, updatedAt }) =>
      (states.length === 0 ? state === 'OPEN' : states.includes(state)) &&
      targetBranch === branch &&
      (state === 'OPEN' || updatedAt >= Date.parse(since ?? '')),
  )
  return listed(
    fitting.map((pull) => pullBody(world, repository, pull, { whole: query.get('fields') === '+values.participants' })).reverse(),
  )
}

export function get(call: Call): Answer {
  return ok(pullBody(call.world, call.repository, pullIn(call), { whole: true }))
}

export function activity(call: Call): Answer {
  const pull = pullIn(call)
  return listed(pull.activity.map((entry) => activityBody(pull, entry)).reverse())
}

/** Empty once the source branch is gone. */
export async function commits(call: Call): Promise<Answer> {
  const { mergeBase, sha, source, sourceBranch } = pullIn(call)
  if ((await resolveCommit(source.git, `refs/heads/${sourceBranch}`)) === null) return listed([])
  const list = await commitsBetween(call.repository.git, mergeBase, sha)
  return listed(list.map((commit) => commitBody(commit, call.world.users)).reverse())
}

export function diffstat(call: Call): Answer {
  const { mergeBase, sha, id } = pullIn(call)
  const { world, repository } = call
  const spec = `${mergeBase}..${sha}?from_pullrequest_id=${id}`
  return { status: 302, location: `${world.origin}/2.0/repositories/${repository.fullName}/diffstat/${spec}` }
}

export function listComments(call: Call): Answer {
  return listed(pullIn(call).comments.map(commentBody))
}

const rawIn = ({ body }: Call) => textOf((body['content'] as { raw?: unknown } | undefined)?.raw)

export function makeComment(call: Call): Answer {
  const now = call.world.clock.now()
  const comment: Comment = {
    id: call.world.nextId(),
    author: call.user,
    raw: rawIn(call),
    deleted: false,
    createdAt: now,
    updatedAt: now,
  }
  const pull = pullIn(call)
  pull.comments.push(comment)
  pull.updatedAt = now
  return created(commentBody(comment))
}

export function editComment(call: Call): Answer {
  const comment = found(
    pullIn(call).comments.find(({ id, deleted }) => String(id) === call.params['comment_id'] && !deleted),
    'Comment',
  )
  if (comment.author !== call.user) throw new Refusal(403, 'You may not edit the comment of another.')
  Object.assign(comment, { raw: rawIn(call), updatedAt: call.world.clock.now() })
  return ok(commentBody(comment))
}

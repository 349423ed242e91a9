import { commitsBetween, diffFiles, resolveCommit } from '../git/repository.ts'
import { Refusal } from '../refusal.ts'
import { commentBody, commitBody, fileBody, moment, pullBody, reviewBody, userBody } from './bodies.ts'
import { type Answer, type Call, created, found, ok, paged, text } from './call.ts'
import { addComment, touch } from './pulls.ts'
import { mayDo, type Pull } from './world.ts'

async function shownPull({ world, repository }: Call, pull: Pull, withFiles: boolean) {
  const { source, branch } = pull
  const head = source === null ? null : await resolveCommit(source.git, `refs/heads/${branch}`)
  const files = withFiles ? (await diffFiles(repository.git, pull.mergeBase, pull.headSha)).length : null
  return pullBody(world, repository, pull, head ?? '', files)
}

export async function listPulls(call: Call): Promise<Answer> {
  const state = call.query.get('state') ?? 'open'
  const listed = call.repository.pulls.filter((pull) => state === 'all' || pull.state === state)
  const byChange = call.query.get('sort') === 'recentupdate'
  const sorted = listed.toSorted((one, other) => (byChange && other.updatedAt - one.updatedAt) || other.number - one.number)
  const { items, headers } = paged(call, sorted)
  return { ...ok(await Promise.all(items.map((pull) => shownPull(call, pull, false)))), headers }
}

function pullIn({ repository, params }: Call): Pull {
  return found(repository.pulls.find(({ number }) => String(number) === params['index']))
}

export async function getPull(call: Call): Promise<Answer> {
  return ok(await shownPull(call, pullIn(call), true))
}

export async function pullCommits(call: Call): Promise<Answer> {
  const { mergeBase: from, headSha: to } = pullIn(call)
  const commits = await commitsBetween(call.repository.git, from, to)
  const { items, headers } = paged(call, commits.toReversed())
  return { ...ok(items.map((commit) => commitBody(call.world, commit))), headers }
}

export async function pullFiles(call: Call): Promise<Answer> {
  const { mergeBase: from, headSha: to } = pullIn(call)
  const { items, headers } = paged(call, await diffFiles(call.repository.git, from, to))
  return { ...ok(items.map(fileBody)), headers }
}

export function pullReviews(call: Call): Answer {
  const pull = pullIn(call)
  const { items, headers } = paged(call, pull.reviews)
  return { ...ok(items.map((review) => reviewBody(call.world, call.repository, pull, review))), headers }
}

/** Everything at once unless a page is asked for. */
export function timeline(call: Call): Answer {
  const { pushes, comments } = pullIn(call)
  const entries = [
    ...pushes.map(({ id, user, at }) => ({ id, type: 'pull_push', user: userBody(user), created_at: moment(at) })),
    ...comments.map((comment) => ({ ...commentBody(comment), type: 'comment' })),
  ]
  return ok(entries.length === 0 ? null : entries)
}

export function listComments(call: Call): Answer {
  return ok(pullIn(call).comments.map(commentBody))
}

export function createComment(call: Call): Answer {
  return created(commentBody(addComment(call.world, pullIn(call), call.user, text(call.body['body']))))
}

export function editComment({ world, repository, user, params, body }: Call): Answer {
  const pull = found(repository.pulls.find(({ comments }) => comments.some(({ id }) => String(id) === params['id'])))
  const comment = found(pull.comments.find(({ id }) => String(id) === params['id']))
  if (comment.author !== user && !mayDo(repository, user, 'admin')) throw new Refusal(403, 'forbidden')
  comment.body = text(body['body'])
  comment.updatedAt = world.clock.now()
  touch(world, pull)
  return ok(commentBody(comment))
}

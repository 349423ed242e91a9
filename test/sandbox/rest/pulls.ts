import { commitsBetween, diffFiles } from '../git/repository.ts'
import { nodeId, type Pull, type Repository, type World } from '../world.ts'
import { type Answer, type Call, notFound, numberParam, type Operation, ok, page, Refusal } from './call.ts'
import { commitBody, fileBody } from './commits.ts'
import { repositoryBody } from './repositories.ts'
import { apiUrl, repositoryApiUrl, repositoryWebUrl, timestamp, timestampOrNull } from './urls.ts'
import { userBodyOrNull } from './users.ts'

/** GitHub lists no more commits of one pull request, and does not say that it stopped. */
const COMMITS_SHOWN = 250

/** `pull-request-simple`, as lists carry it. */
export function pullSummaryBody(world: World, repository: Repository, pull: Pull) {
  const api = repositoryApiUrl(world, repository, `/pulls/${pull.number}`)
  const issue = repositoryApiUrl(world, repository, `/issues/${pull.number}`)
  const web = repositoryWebUrl(world, repository, `/pull/${pull.number}`)
  const statuses = repositoryApiUrl(world, repository, `/statuses/${pull.headSha}`)
  const reviewComment = repositoryApiUrl(world, repository, '/pulls/comments{/number}')
  return {
    url: api,
    id: pull.id,
    node_id: nodeId('PullRequest', pull.id),
    html_url: web,
    diff_url: `${web}.diff`,
    patch_url: `${web}.patch`,
    issue_url: issue,
    commits_url: `${api}/commits`,
    review_comments_url: `${api}/comments`,
    review_comment_url: reviewComment,
    comments_url: `${issue}/comments`,
    statuses_url: statuses,
    number: pull.number,
    state: pull.state,
    locked: false,
    title: pull.title,
    user: userBodyOrNull(world, pull.author),
    body: null,
    labels: [],
    milestone: null,
    created_at: timestamp(pull.createdAt),
    updated_at: timestamp(pull.updatedAt),
    closed_at: timestampOrNull(pull.closedAt),
    merged_at: timestampOrNull(pull.mergedAt),
    merge_commit_sha: pull.mergeCommitSha,
    assignee: null,
    assignees: [],
    requested_reviewers: [],
    requested_teams: [],
    draft: pull.draft,
    head: sideBody(world, pull.headRepository, pull.headRef, pull.headSha),
    base: sideBody(world, repository, pull.baseRef, pull.baseSha),
    _links: {
      self: { href: api },
      html: { href: web },
      issue: { href: issue },
      comments: { href: `${issue}/comments` },
      review_comments: { href: `${api}/comments` },
      review_comment: { href: reviewComment },
      commits: { href: `${api}/commits` },
      statuses: { href: statuses },
    },
    author_association: 'COLLABORATOR',
    auto_merge: null,
  }
}

function sideBody(world: World, repository: Repository, ref: string, sha: string) {
  return {
    label: `${repository.owner.login}:${ref}`,
    ref,
    sha,
    user: userBodyOrNull(world, repository.owner),
    repo: repositoryBody(world, repository),
  }
}

/** `pull-request`, in full. */
export async function pullBody(world: World, repository: Repository, pull: Pull) {
  const files = await diffFiles(repository.git, pull.mergeBase, pull.headSha)
  const sum = (count: (file: (typeof files)[number]) => number) => files.reduce((total, file) => total + count(file), 0)
  return {
    ...pullSummaryBody(world, repository, pull),
    merged: pull.mergedAt !== null,
    mergeable: pull.state === 'open' ? pull.mergeable : null,
    mergeable_state: pull.state !== 'open' ? 'unknown' : pull.mergeable ? 'clean' : 'dirty',
    merged_by: userBodyOrNull(world, pull.mergedBy),
    comments: repository.comments.filter((comment) => comment.issue === pull.number).length,
    review_comments: 0,
    maintainer_can_modify: false,
    commits: (await commitsOf(repository, pull)).length,
    additions: sum((file) => file.additions),
    deletions: sum((file) => file.deletions),
    changed_files: files.length,
  }
}

/** `pull-request-minimal` of the open pull requests whose head is this commit. */
export function pullsWithHead(world: World, repository: Repository, sha: string) {
  const side = (ref: string, commit: string, of: Repository) => ({
    ref,
    sha: commit,
    repo: { id: of.id, url: apiUrl(world, `/repos/${of.fullName}`), name: of.name },
  })
  return repository.pulls
    .filter((pull) => pull.state === 'open' && pull.headSha === sha)
    .map((pull) => ({
      id: pull.id,
      number: pull.number,
      url: repositoryApiUrl(world, repository, `/pulls/${pull.number}`),
      head: side(pull.headRef, pull.headSha, pull.headRepository),
      base: side(pull.baseRef, pull.baseSha, repository),
    }))
}

export function pullParam(call: Call): Pull {
  const number = numberParam(call, 'pull_number')
  const pull = call.repository.pulls.find((each) => each.number === number)
  if (!pull) throw notFound()
  return pull
}

async function commitsOf(repository: Repository, pull: Pull) {
  const commits = await commitsBetween(repository.git, pull.mergeBase, pull.headSha)
  return commits.slice(0, COMMITS_SHOWN)
}

function listPulls(call: Call): Answer {
  const { repository, world } = call
  const query = call.url.searchParams
  const state = query.get('state') ?? 'open'
  const sort = query.get('sort') ?? 'created'
  const direction = query.get('direction') ?? (sort === 'created' ? 'desc' : 'asc')
  if (!['open', 'closed', 'all'].includes(state)) throw new Refusal(422, 'Validation Failed')
  const key = (pull: Pull) => (sort === 'updated' ? pull.updatedAt : pull.createdAt)
  const found = repository.pulls
    .filter((pull) => state === 'all' || pull.state === state)
    .filter((pull) => !query.has('base') || pull.baseRef === query.get('base'))
    .filter((pull) => !query.has('head') || `${pull.headRepository.owner.login}:${pull.headRef}` === query.get('head'))
    .sort((one, other) => key(one) - key(other) || one.number - other.number)
  if (direction === 'desc') found.reverse()
  const { items, headers } = page(call, found)
  return { status: 200, headers, body: items.map((pull) => pullSummaryBody(world, repository, pull)) }
}

async function listFiles(call: Call): Promise<Answer> {
  const { repository, world } = call
  const pull = pullParam(call)
  const { items, headers } = page(call, await diffFiles(repository.git, pull.mergeBase, pull.headSha))
  return { status: 200, headers, body: items.map((change) => fileBody(world, repository, change, pull.headSha)) }
}

async function listCommits(call: Call): Promise<Answer> {
  const { repository, world } = call
  const { items, headers } = page(call, await commitsOf(repository, pullParam(call)))
  return { status: 200, headers, body: items.map((commit) => commitBody(world, repository, commit)) }
}

const PULL = '/repos/{owner}/{repo}/pulls/{pull_number}'

export const PULL_OPERATIONS: readonly Operation[] = [
  { id: 'pulls/list', method: 'GET', path: '/repos/{owner}/{repo}/pulls', needs: 'read', handle: listPulls },
  {
    id: 'pulls/get',
    method: 'GET',
    path: PULL,
    needs: 'read',
    handle: async (call) => ok(await pullBody(call.world, call.repository, pullParam(call))),
  },
  { id: 'pulls/list-files', method: 'GET', path: `${PULL}/files`, needs: 'read', handle: listFiles },
  { id: 'pulls/list-commits', method: 'GET', path: `${PULL}/commits`, needs: 'read', handle: listCommits },
]

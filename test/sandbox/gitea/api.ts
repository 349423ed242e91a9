import { commitsBetween, mergeBase, readCommit, resolveCommit, resolveRef } from '../git/repository.ts'
import { activityBody, commitBody, GITEA_WORDS, repositoryBody, runBody, statusBody, userBody, webOf } from './bodies.ts'
import { type Answer, type Call, created, found, ok, paged, text } from './call.ts'
import {
  createComment,
  editComment,
  getPull,
  listComments,
  listPulls,
  pullCommits,
  pullFiles,
  pullReviews,
  timeline,
} from './pull-api.ts'
import { dispatch, setState } from './runs.ts'
import { postStatus } from './statuses.ts'
import { isOver, mayDo, type Role, type Run, type StatusState, type World } from './world.ts'

export interface Operation {
  id: string
  method: 'GET' | 'POST' | 'PATCH'
  path: string
  /** Least role in the repository; null for calls about none. */
  role: Role | null
  /** Only one of the servers has it. */
  only?: World['server']
  handle(call: Call): Answer | Promise<Answer>
}

const A = '/api/v1'
const R = `${A}/repos/{owner}/{repo}`
const P = `${R}/pulls/{index}`
const RUN = `${R}/actions/runs/{run}`

/** Ids as in the emulated GitHub where they mean the same. */
export const OPERATIONS: readonly Operation[] = [
  { id: 'version/get', method: 'GET', path: `${A}/version`, role: null, handle: ({ world }) => ok({ version: world.version }) },
  { id: 'users/self', method: 'GET', path: `${A}/user`, role: null, handle: ({ user }) => ok(userBody(user)) },
  { id: 'repos/get', method: 'GET', path: R, role: 'read', handle: getRepository },
  {
    id: 'actions/create-workflow-dispatch',
    method: 'POST',
    path: `${R}/actions/workflows/{workflow_id}/dispatches`,
    role: 'write',
    handle: createDispatch,
  },
  { id: 'actions/list-workflow-runs', method: 'GET', path: `${R}/actions/runs`, role: 'read', handle: listRuns },
  { id: 'actions/get-workflow-run', method: 'GET', path: RUN, role: 'read', handle: getRun },
  { id: 'actions/list-jobs', method: 'GET', path: `${RUN}/jobs`, role: 'read', handle: listJobs },
  {
    id: 'actions/cancel-workflow-run',
    method: 'POST',
    path: `${RUN}/cancel`,
    role: 'write',
    only: 'forgejo',
    handle: cancelRun,
  },
  { id: 'statuses/combined', method: 'GET', path: `${R}/commits/{ref}/status`, role: 'read', handle: combinedStatus },
  { id: 'statuses/create', method: 'POST', path: `${R}/statuses/{sha}`, role: 'write', handle: createStatus },
  { id: 'branches/get', method: 'GET', path: `${R}/branches/{branch}`, role: 'read', handle: getBranch },
  { id: 'tags/get', method: 'GET', path: `${R}/tags/{tag}`, role: 'read', handle: getTag },
  { id: 'git/get-commit', method: 'GET', path: `${R}/git/commits/{sha}`, role: 'read', handle: getCommit },
  { id: 'git/get-ref', method: 'GET', path: `${R}/git/refs/{ref}`, role: 'read', handle: getRefs },
  { id: 'compare', method: 'GET', path: `${R}/compare/{basehead}`, role: 'read', handle: compare },
  { id: 'pulls/list', method: 'GET', path: `${R}/pulls`, role: 'read', handle: listPulls },
  { id: 'pulls/get', method: 'GET', path: P, role: 'read', handle: getPull },
  { id: 'pulls/commits', method: 'GET', path: `${P}/commits`, role: 'read', handle: pullCommits },
  { id: 'pulls/files', method: 'GET', path: `${P}/files`, role: 'read', handle: pullFiles },
  { id: 'pulls/reviews', method: 'GET', path: `${P}/reviews`, role: 'read', handle: pullReviews },
  { id: 'issues/timeline', method: 'GET', path: `${R}/issues/{index}/timeline`, role: 'read', handle: timeline },
  { id: 'comments/list', method: 'GET', path: `${R}/issues/{index}/comments`, role: 'read', handle: listComments },
  { id: 'comments/create', method: 'POST', path: `${R}/issues/{index}/comments`, role: 'read', handle: createComment },
  { id: 'comments/edit', method: 'PATCH', path: `${R}/issues/comments/{id}`, role: 'read', handle: editComment },
  { id: 'activities/feeds', method: 'GET', path: `${R}/activities/feeds`, role: 'read', handle: feeds },
]

export const OPERATION_IDS = OPERATIONS.map(({ id }) => id)

function getRepository({ repository, user }: Call): Answer {
  const permissions = { admin: mayDo(repository, user, 'admin'), push: mayDo(repository, user, 'write'), pull: true }
  return ok({ ...repositoryBody(repository), permissions, has_actions: repository.hasActions })
}

async function createDispatch({ world, repository, user, params, query, body }: Call): Promise<Answer> {
  const inputs = (body['inputs'] ?? {}) as Record<string, string>
  const run = await dispatch(world, repository, { file: params['workflow_id'] ?? '', ref: text(body['ref']), inputs, user })
  if (!world.namesRun) return { status: 204 }
  if (world.server === 'forgejo') {
    if (body['return_run_info'] !== true) return { status: 204 }
    return created({ id: run.id, run_number: run.number, jobs: run.workflow.jobs.map(({ name }) => name) })
  }
  if (query.get('return_run_details') !== 'true') return { status: 204 }
  const place = `/actions/runs/${run.id}`
  return ok({
    workflow_run_id: run.id,
    html_url: `${webOf(world, repository)}/actions/runs/${run.number}`,
    run_url: `${world.origin}${A}/repos/${repository.fullName}${place}`,
  })
}

function listRuns(call: Call): Answer {
  const { world, repository, query, fault } = call
  const youngest = fault?.kind === 'stale_list' ? world.clock.now() - (fault.youngerThanMs ?? 0) : Number.POSITIVE_INFINITY
  const listed = repository.runs.filter(
    (run) =>
      run.createdAt <= youngest &&
      (!query.has('event') || query.get('event') === run.event) &&
      (!query.has('workflow_id') || query.get('workflow_id') === run.file) &&
      (!query.has('head_sha') || query.get('head_sha') === run.sha),
  )
  const { items, headers } = paged(call, listed.toReversed())
  const runs = items.map((run) => runBody(world, repository, run))
  return { ...ok({ total_count: listed.length, workflow_runs: runs }), headers }
}

function runIn({ repository, params }: Call): Run {
  return found(repository.runs.find(({ id }) => String(id) === params['run']))
}

function getRun(call: Call): Answer {
  return ok(runBody(call.world, call.repository, runIn(call)))
}

function listJobs(call: Call): Answer {
  const run = runIn(call)
  const jobs = run.workflow.jobs.map(({ name }, index) => ({ id: run.id * 10 + index, run_id: run.id, name }))
  if (call.world.server === 'forgejo') return ok(jobs.map((job) => ({ ...job, attempt: run.attempt, status: run.state })))
  const [status, conclusion] = GITEA_WORDS[run.state]
  const { items, headers } = paged(call, jobs)
  const shown = items.map((job) => ({ ...job, run_attempt: run.attempt, status, conclusion }))
  return { ...ok({ total_count: jobs.length, jobs: shown }), headers }
}

function cancelRun(call: Call): Answer {
  const run = runIn(call)
  if (!isOver(run.state) && call.fault?.kind !== 'cancel_ignored') {
    setState(call.world, call.repository, run, 'cancelled')
    call.world.scripts.stop(run)
  }
  return { status: 204 }
}

/** The newest of each context; the state of them all is `pending` where there is none. */
function combinedStatus(call: Call): Answer {
  const { repository, params } = call
  const sha = params['ref'] ?? ''
  const newest = new Map(repository.statuses.filter((status) => status.sha === sha).map((status) => [status.context, status]))
  const { items, headers } = paged(call, [...newest.values()])
  const states = [...newest.values()].map(({ state }) => state)
  const state = states.length > 0 && states.every((each) => each === 'success') ? 'success' : 'pending'
  return {
    ...ok({ sha, state, statuses: items.length === 0 ? null : items.map(statusBody), total_count: items.length }),
    headers,
  }
}

function createStatus({ world, repository, user, params, body }: Call): Answer {
  const status = postStatus(world, repository, {
    sha: params['sha'] ?? '',
    context: text(body['context']),
    state: text(body['state']) as StatusState,
    description: text(body['description']),
    targetUrl: text(body['target_url']),
    creator: user,
  })
  return created(statusBody(status))
}

async function getBranch({ repository, params }: Call): Promise<Answer> {
  const name = params['branch'] ?? ''
  const id = found(await resolveCommit(repository.git, `refs/heads/${name}`))
  return ok({ name, commit: { id, message: '' }, protected: false })
}

/** `commit` is what the tag object names, which may be another tag, or no commit at all. */
async function getTag({ repository, params }: Call): Promise<Answer> {
  const name = params['tag'] ?? ''
  const ref = found(await resolveRef(repository.git, `refs/tags/${name}`))
  const sha =
    ref.type === 'tag' ? /^object ([0-9a-f]{40})/.exec(await repository.git.run(['cat-file', 'tag', ref.sha]))?.[1] : ref.sha
  return ok({ name, id: ref.sha, message: '', commit: { sha } })
}

/** Of a tag object the commit behind it. */
async function getCommit({ world, repository, params }: Call): Promise<Answer> {
  const sha = found(await resolveCommit(repository.git, params['sha'] ?? ''))
  return ok(commitBody(world, await readCommit(repository.git, sha)))
}

/** Every ref whose name begins so, as a list even when it is one. */
async function getRefs({ repository, params }: Call): Promise<Answer> {
  const listed = await repository.git.run([
    'for-each-ref',
    '--format=%(objectname) %(objecttype) %(refname)',
    `refs/${params['ref']}*`,
  ])
  const refs = listed.split('\n').flatMap((line) => {
    const [sha = '', type = '', ref = ''] = line.split(' ')
    return ref === '' ? [] : [{ ref, object: { sha, type } }]
  })
  return ok(found(refs.length === 0 ? null : refs))
}

async function compare({ world, repository, params }: Call): Promise<Answer> {
  const [from = '', to = ''] = (params['basehead'] ?? '').split('...')
  const base = found(await mergeBase(repository.git, from, to))
  const commits = await commitsBetween(repository.git, base, to)
  return ok({ total_commits: commits.length, commits: commits.map((commit) => commitBody(world, commit)) })
}

/** Newest first; who hides their activity is not among it. */
function feeds(call: Call): Answer {
  const shown = call.repository.activities.filter(({ user }) => !user.hidesActivity || user === call.user)
  const sorted = shown.toSorted((one, other) => Math.floor(other.at / 1_000) - Math.floor(one.at / 1_000) || one.id - other.id)
  const { items, headers } = paged(call, sorted, 'total')
  return { ...ok(items.map((activity) => activityBody(call.repository, activity))), headers }
}

import type { FaultRule } from '../faults.ts'
import { commitsBetween, diffFiles, mergeBase, readCommit, resolveCommit, resolveRef } from '../git/repository.ts'
import { Refusal } from '../refusal.ts'
import {
  commitBody,
  deploymentBody,
  hookBody,
  jobBody,
  jobStatusBody,
  noteBody,
  pipelineBody,
  pipelineDetails,
  requestBody,
  statusBody,
  userBody,
} from './bodies.ts'
import { createPipeline, postStatus, retry, setState } from './pipelines.ts'
import { begin } from './runner.ts'
import {
  DEVELOPER,
  GUEST,
  MAINTAINER,
  type MergeRequest,
  type Note,
  PIPELINE_STATES,
  type Pipeline,
  type PipelineState,
  type Project,
  REPORTER,
  stateOf,
  type User,
  type World,
} from './world.ts'

export interface Call {
  world: World
  project: Project
  user: User
  params: Readonly<Record<string, string>>
  query: URLSearchParams
  body: Readonly<Record<string, unknown>>
  fault: FaultRule | null
}

/** Lists are cut into pages by the server. */
export type Answer = { status: number; body: unknown }

export interface Operation {
  id: string
  method: 'GET' | 'POST' | 'PUT'
  path: string
  /** Least access level in the project; 0 for calls about no project. */
  level: number
  handle(call: Call): Answer | Promise<Answer>
}

const ok = (body: unknown): Answer => ({ status: 200, body })
const created = (body: unknown): Answer => ({ status: 201, body })
const P = '/api/v4/projects/{id}'
const MR = `${P}/merge_requests/{merge_request_iid}`

export const OPERATIONS: readonly Operation[] = [
  { id: 'projects/get', method: 'GET', path: P, level: GUEST, handle: getProject },
  { id: 'pipelines/create', method: 'POST', path: `${P}/pipeline`, level: DEVELOPER, handle: makePipeline },
  { id: 'pipelines/list', method: 'GET', path: `${P}/pipelines`, level: REPORTER, handle: listPipelines },
  { id: 'pipelines/get', method: 'GET', path: `${P}/pipelines/{pipeline_id}`, level: REPORTER, handle: getPipeline },
  {
    id: 'pipelines/variables',
    method: 'GET',
    path: `${P}/pipelines/{pipeline_id}/variables`,
    level: DEVELOPER,
    handle: variables,
  },
  {
    id: 'pipelines/cancel',
    method: 'POST',
    path: `${P}/pipelines/{pipeline_id}/cancel`,
    level: DEVELOPER,
    handle: cancelPipeline,
  },
  { id: 'pipelines/retry', method: 'POST', path: `${P}/pipelines/{pipeline_id}/retry`, level: DEVELOPER, handle: retryPipeline },
  { id: 'pipelines/jobs', method: 'GET', path: `${P}/pipelines/{pipeline_id}/jobs`, level: REPORTER, handle: listJobs },
  { id: 'commits/get', method: 'GET', path: `${P}/repository/commits/{sha}`, level: REPORTER, handle: getCommit },
  {
    id: 'commits/statuses',
    method: 'GET',
    path: `${P}/repository/commits/{sha}/statuses`,
    level: REPORTER,
    handle: listStatuses,
  },
  { id: 'statuses/create', method: 'POST', path: `${P}/statuses/{sha}`, level: DEVELOPER, handle: makeStatus },
  { id: 'tags/get', method: 'GET', path: `${P}/repository/tags/{tag_name}`, level: REPORTER, handle: getTag },
  { id: 'branches/get', method: 'GET', path: `${P}/repository/branches/{branch}`, level: REPORTER, handle: getBranch },
  { id: 'repository/merge-base', method: 'GET', path: `${P}/repository/merge_base`, level: REPORTER, handle: getMergeBase },
  { id: 'events/list', method: 'GET', path: `${P}/events`, level: REPORTER, handle: listEvents },
  { id: 'merge-requests/list', method: 'GET', path: `${P}/merge_requests`, level: REPORTER, handle: listRequests },
  { id: 'merge-requests/get', method: 'GET', path: MR, level: REPORTER, handle: getRequest },
  { id: 'merge-requests/approvals', method: 'GET', path: `${MR}/approvals`, level: REPORTER, handle: approvals },
  { id: 'merge-requests/reviewers', method: 'GET', path: `${MR}/reviewers`, level: REPORTER, handle: reviewers },
  { id: 'merge-requests/versions', method: 'GET', path: `${MR}/versions`, level: REPORTER, handle: versions },
  { id: 'merge-requests/commits', method: 'GET', path: `${MR}/commits`, level: REPORTER, handle: commits },
  { id: 'merge-requests/diffs', method: 'GET', path: `${MR}/diffs`, level: REPORTER, handle: diffs },
  { id: 'notes/list', method: 'GET', path: `${MR}/notes`, level: REPORTER, handle: listNotes },
  { id: 'notes/create', method: 'POST', path: `${MR}/notes`, level: REPORTER, handle: makeNote },
  { id: 'notes/edit', method: 'PUT', path: `${MR}/notes/{note_id}`, level: REPORTER, handle: editNote },
  { id: 'deployments/create', method: 'POST', path: `${P}/deployments`, level: DEVELOPER, handle: makeDeployment },
  { id: 'deployments/get', method: 'GET', path: `${P}/deployments/{deployment_id}`, level: REPORTER, handle: getDeployment },
  { id: 'deployments/edit', method: 'PUT', path: `${P}/deployments/{deployment_id}`, level: DEVELOPER, handle: editDeployment },
  {
    id: 'hooks/list',
    method: 'GET',
    path: `${P}/hooks`,
    level: MAINTAINER,
    handle: ({ project }) => ok(project.hooks.map(hookBody)),
  },
  {
    id: 'users/self',
    method: 'GET',
    path: '/api/v4/user',
    level: 0,
    handle: ({ user }) => ok({ ...userBody(user), bot: user.bot }),
  },
  { id: 'users/get', method: 'GET', path: '/api/v4/users/{id}', level: 0, handle: getUser },
  {
    id: 'tokens/self',
    method: 'GET',
    path: '/api/v4/personal_access_tokens/self',
    level: 0,
    handle: () => ok({ id: 1, scopes: ['api'], expires_at: '2027-11-21' }),
  },
  { id: 'graphql', method: 'POST', path: '/api/graphql', level: 0, handle: graphql },
]

export const OPERATION_IDS = OPERATIONS.map(({ id }) => id)

function number(call: Call, name: string): number {
  return Number(call.params[name])
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function found<T>(item: T | undefined | null, what: string): T {
  if (item === undefined || item === null) throw new Refusal(404, `404 ${what} Not Found`)
  return item
}

function pipelineIn(call: Call): Pipeline {
  return found(
    call.project.pipelines.find(({ id }) => id === number(call, 'pipeline_id')),
    'Pipeline',
  )
}

function requestIn(call: Call): MergeRequest {
  return found(
    call.project.requests.find(({ iid }) => iid === number(call, 'merge_request_iid')),
    'Merge Request',
  )
}

function getProject({ project, user }: Call): Answer {
  const level = project.members.get(user) ?? 0
  return ok({
    id: project.id,
    path_with_namespace: project.fullName,
    default_branch: project.defaultBranch,
    permissions: { project_access: { access_level: level, notification_level: 3 }, group_access: null },
    ...(level >= DEVELOPER ? { ci_pipeline_variables_minimum_override_role: project.variablesRole } : {}),
  })
}

async function makePipeline({ world, project, user, body }: Call): Promise<Answer> {
  const given = (body['variables'] ?? []) as { key: string; value: string }[]
  const pipeline = await createPipeline(world, project, {
    ref: text(body['ref']) ?? '',
    source: 'api',
    user,
    variables: Object.fromEntries(given.map(({ key, value }) => [key, value])),
    inputs: (body['inputs'] ?? {}) as Record<string, string>,
  })
  begin(world, project, pipeline)
  return created(pipelineDetails(world, project, pipeline))
}

function listPipelines({ world, project, query, fault }: Call): Answer {
  const wanted = (name: string, value: string) => !query.has(name) || query.get(name) === value
  const youngest = fault?.kind === 'stale_list' ? world.clock.now() - (fault.youngerThanMs ?? 0) : Number.POSITIVE_INFINITY
  const after = Date.parse(query.get('updated_after') ?? '1970-01-01')
  const listed = project.pipelines.filter(
    (each) =>
      wanted('sha', each.sha) &&
      wanted('ref', each.ref) &&
      wanted('source', each.source) &&
      each.updatedAt >= after &&
      each.createdAt <= youngest,
  )
  return ok(listed.map((each) => pipelineBody(world, project, each)).reverse())
}

function getPipeline(call: Call): Answer {
  return ok(pipelineDetails(call.world, call.project, pipelineIn(call)))
}

function variables(call: Call): Answer {
  const list = Object.entries(pipelineIn(call).variables).map(([key, value]) => ({
    key,
    value,
    variable_type: 'env_var',
    raw: false,
  }))
  return ok(list)
}

function cancelPipeline(call: Call): Answer {
  const { world, project } = call
  const pipeline = pipelineIn(call)
  const over = ['success', 'failed', 'canceled', 'skipped'].includes(stateOf(project, pipeline))
  if (!over && call.fault?.kind !== 'cancel_ignored') {
    setState(world, project, pipeline, 'canceled')
    world.scripts.stop(pipeline)
  }
  return created(pipelineDetails(world, project, pipeline))
}

function retryPipeline(call: Call): Answer {
  retry(call.world, call.project, pipelineIn(call))
  return created(pipelineDetails(call.world, call.project, pipelineIn(call)))
}

function listJobs(call: Call): Answer {
  const pipeline = pipelineIn(call)
  const jobs = pipeline.jobs.filter((job) => !job.retried || call.query.get('include_retried') === 'true')
  return ok(jobs.map((job) => jobBody(call.world, call.project, pipeline, job)))
}

async function getCommit({ project, params }: Call): Promise<Answer> {
  const sha = found(await resolveCommit(project.git, params['sha'] ?? ''), 'Commit')
  return ok(commitBody(await readCommit(project.git, sha)))
}

function listStatuses({ project, params, query }: Call): Answer {
  const all = query.get('all') === 'true'
  const posted = project.statuses.filter((each) => each.sha === params['sha'] && (all || !each.retried)).map(statusBody)
  const jobs = project.pipelines
    .filter((each) => each.sha === params['sha'])
    .flatMap((pipeline) => pipeline.jobs.filter((job) => all || !job.retried).map((job) => jobStatusBody(pipeline, job)))
  const name = query.get('name')
  return ok([...posted, ...jobs].filter((each) => name === null || each.name === name))
}

function makeStatus({ world, project, user, params, body }: Call): Answer {
  const state = text(body['state']) as PipelineState | null
  if (state === null || !PIPELINE_STATES.includes(state)) throw new Refusal(400, 'state does not have a valid value')
  const status = postStatus(world, project, {
    sha: params['sha'] ?? '',
    state,
    name: text(body['name']) ?? 'default',
    description: text(body['description']),
    targetUrl: text(body['target_url']),
    author: user,
  })
  return created(statusBody(status))
}

async function getTag({ project, params }: Call): Promise<Answer> {
  const name = params['tag_name'] ?? ''
  const ref = found(await resolveRef(project.git, `refs/tags/${name}`), 'Tag')
  const commit = await resolveCommit(project.git, ref.sha)
  // The target is the tag object where there is one.
  return ok({
    name,
    message: '',
    target: ref.sha,
    protected: false,
    commit: commit === null ? null : commitBody(await readCommit(project.git, commit)),
  })
}

async function getBranch({ project, params }: Call): Promise<Answer> {
  const name = params['branch'] ?? ''
  const commit = found(await resolveCommit(project.git, `refs/heads/${name}`), 'Branch')
  const body = commitBody(await readCommit(project.git, commit))
  return ok({ name, merged: false, default: name === project.defaultBranch, protected: false, commit: body })
}

async function getMergeBase({ project, query }: Call): Promise<Answer> {
  const [one = '', other = ''] = query.getAll('refs[]')
  const base = found(await mergeBase(project.git, one, other), 'Merge Base')
  return ok(commitBody(await readCommit(project.git, base)))
}

function listEvents({ project }: Call): Answer {
  const events = project.pushes.map(({ at, author, action, kind, ref, before, after }, index) => ({
    id: index + 1,
    action_name: action === 'created' ? 'pushed new' : action === 'removed' ? 'deleted' : 'pushed to',
    created_at: new Date(at).toISOString(),
    author: userBody(author),
    push_data: { action, ref_type: kind, ref, commit_from: before, commit_to: after, commit_count: 1 },
  }))
  return ok(events.reverse())
}

function listRequests({ world, project, query }: Call): Answer {
  const state = query.get('state') ?? 'all'
  const after = Date.parse(query.get('updated_after') ?? '1970-01-01')
  const listed = project.requests.filter(
    (each) =>
      (state === 'all' || each.state === state) &&
      each.updatedAt > after &&
      (!query.has('target_branch') || each.targetBranch === query.get('target_branch')),
  )
  return ok(listed.map((each) => requestBody(world, project, each, null)).reverse())
}

async function getRequest(call: Call): Promise<Answer> {
  const request = requestIn(call)
  const { git } = call.project
  return ok(requestBody(call.world, call.project, request, (await diffFiles(git, request.mergeBase, request.sha)).length))
}

function approvals(call: Call): Answer {
  const given = requestIn(call).approvals
  const list = given.map(({ user, at }) => ({ user: userBody(user), approved_at: new Date(at).toISOString() }))
  return ok({ approved: given.length > 0, user_has_approved: false, user_can_approve: false, approved_by: list })
}

function reviewers(call: Call): Answer {
  return ok([...requestIn(call).reviewers].map(([user, state]) => ({ user: userBody(user), state })))
}

function versions(call: Call): Answer {
  const { id: requestId, versions: all } = requestIn(call)
  const list = all.map(({ id, sha, base, at }) => ({
    id,
    head_commit_sha: sha,
    base_commit_sha: base,
    start_commit_sha: base,
    created_at: new Date(at).toISOString(),
    merge_request_id: requestId,
    state: 'collected',
    real_size: '1',
  }))
  return ok(list.reverse())
}

async function commits(call: Call): Promise<Answer> {
  const request = requestIn(call)
  return ok((await commitsBetween(call.project.git, request.mergeBase, request.sha)).map(commitBody).reverse())
}

async function diffs(call: Call): Promise<Answer> {
  const request = requestIn(call)
  const changes = await diffFiles(call.project.git, request.mergeBase, request.sha)
  return ok(
    changes.map(({ path, previousPath, status }) => ({
      old_path: previousPath ?? path,
      new_path: path,
      new_file: status === 'added',
      renamed_file: status === 'renamed',
      deleted_file: status === 'removed',
      diff: '',
    })),
  )
}

function listNotes(call: Call): Answer {
  const request = requestIn(call)
  return ok(request.notes.map((note) => noteBody(request, note)))
}

function makeNote(call: Call): Answer {
  const request = requestIn(call)
  const now = call.world.clock.now()
  const note: Note = {
    id: call.world.nextId(),
    author: call.user,
    body: text(call.body['body']) ?? '',
    system: false,
    createdAt: now,
    updatedAt: now,
  }
  request.notes.push(note)
  return created(noteBody(request, note))
}

function editNote(call: Call): Answer {
  const request = requestIn(call)
  const note = found(
    request.notes.find(({ id }) => id === number(call, 'note_id')),
    'Note',
  )
  if (note.author !== call.user) throw new Refusal(403, '403 Forbidden')
  note.body = text(call.body['body']) ?? note.body
  note.updatedAt = call.world.clock.now()
  return ok(noteBody(request, note))
}

const DEPLOYMENT_STATES: readonly unknown[] = ['running', 'success', 'failed', 'canceled']

function makeDeployment({ world, project, body }: Call): Answer {
  const now = world.clock.now()
  const { environment, sha, ref, tag, status } = body
  if (!DEPLOYMENT_STATES.includes(status)) throw new Refusal(400, 'status does not have a valid value')
  const deployment = {
    id: world.nextId(),
    environment: String(environment),
    sha: String(sha),
    ref: String(ref),
    tag: tag === true,
    status: String(status),
    createdAt: now,
    updatedAt: now,
  }
  project.deployments.push(deployment)
  return created(deploymentBody(deployment))
}

function deploymentIn(call: Call) {
  return found(
    call.project.deployments.find(({ id }) => id === number(call, 'deployment_id')),
    'Deployment',
  )
}

function getDeployment(call: Call): Answer {
  return ok(deploymentBody(deploymentIn(call)))
}

function editDeployment(call: Call): Answer {
  const deployment = deploymentIn(call)
  const { status } = call.body
  if (!DEPLOYMENT_STATES.includes(status)) throw new Refusal(400, 'status does not have a valid value')
  if (deployment.status !== 'running') throw new Refusal(400, { status: ['cannot transition'] })
  deployment.status = String(status)
  deployment.updatedAt = call.world.clock.now()
  return ok(deploymentBody(deployment))
}

function getUser({ world, params }: Call): Answer {
  const user = found(
    [...world.users.values()].find(({ id }) => id === Number(params['id'])),
    'User',
  )
  return ok({ ...userBody(user), bot: user.bot })
}

/** The one question that the product asks: who committed, by verified e-mails. */
async function graphql({ world, body, user }: Call): Promise<Answer> {
  const asked = (body['variables'] ?? {}) as { project?: string; iid?: string }
  const project = world.projects.get(String(asked.project).toLowerCase())
  const request = project?.members.has(user) ? project.requests.find(({ iid }) => String(iid) === asked.iid) : undefined
  if (project === undefined || request === undefined) return ok({ data: { project: null } })
  const byEmail = (email: string) => [...world.users.values()].find((each) => each.email === email) ?? null
  const shown = (each: User | null) => each && { id: `gid://gitlab/User/${each.id}`, username: each.username }
  const list = await commitsBetween(project.git, request.mergeBase, request.sha)
  const committers = new Set(list.flatMap((commit) => byEmail(commit.committer.email) ?? []))
  return ok({
    data: {
      project: {
        mergeRequest: {
          committers: { nodes: [...committers].map(shown), pageInfo: { hasNextPage: false } },
          commits: {
            nodes: list.map((commit) => ({ sha: commit.sha, author: shown(byEmail(commit.author.email)) })),
            pageInfo: { hasNextPage: false, endCursor: null },
          },
        },
      },
    },
  })
}

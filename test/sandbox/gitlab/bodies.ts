import { type Instant, toIso } from '../../../controller/clock.ts'
import type { CommitFacts } from '../git/repository.ts'
import {
  type Deployment,
  type Hook,
  type Job,
  type MergeRequest,
  type Note,
  type Pipeline,
  type Project,
  type Status,
  stateOf,
  type User,
  type World,
} from './world.ts'

const time = (at: Instant | null) => (at === null ? null : toIso(at))
const webUrl = (world: World, project: Project, rest: string) => `${world.origin}/${project.fullName}/-/${rest}`

export function userBody({ id, username, state }: User) {
  return { id, username, state, name: username, web_url: `https://gitlab.test/${username}`, avatar_url: null, locked: false }
}

export function pipelineBody(world: World, project: Project, pipeline: Pipeline) {
  const { id, iid, sha, ref, source, name, createdAt, updatedAt } = pipeline
  return {
    id,
    iid,
    project_id: project.id,
    sha,
    ref,
    status: stateOf(project, pipeline),
    source,
    created_at: time(createdAt),
    updated_at: time(updatedAt),
    web_url: webUrl(world, project, `pipelines/${id}`),
    name,
  }
}

export function pipelineDetails(world: World, project: Project, pipeline: Pipeline) {
  return { ...pipelineBody(world, project, pipeline), tag: pipeline.tag, user: userBody(pipeline.user), yaml_errors: null }
}

export function jobBody(world: World, project: Project, pipeline: Pipeline, { id, name, status, allowFailure }: Job) {
  return {
    id,
    name,
    status,
    stage: 'test',
    ref: pipeline.ref,
    tag: pipeline.tag,
    allow_failure: allowFailure,
    created_at: time(pipeline.createdAt),
    web_url: webUrl(world, project, `jobs/${id}`),
    pipeline: { id: pipeline.id, sha: pipeline.sha, ref: pipeline.ref, status: stateOf(project, pipeline) },
  }
}

export function statusBody(status: Status) {
  return {
    id: status.id,
    sha: status.sha,
    ref: status.pipeline.ref,
    status: status.status,
    name: status.name,
    target_url: status.targetUrl,
    description: status.description,
    created_at: time(status.createdAt),
    author: userBody(status.author),
    allow_failure: false,
    pipeline_id: status.pipeline.id,
  }
}

/** A job shows among the statuses of its commit too. */
export function jobStatusBody(pipeline: Pipeline, job: Job) {
  return {
    id: job.id,
    sha: pipeline.sha,
    ref: pipeline.ref,
    status: job.status,
    name: job.name,
    target_url: null,
    description: null,
    created_at: time(pipeline.createdAt),
    author: userBody(pipeline.user),
    allow_failure: job.allowFailure,
    pipeline_id: pipeline.id,
  }
}

export function requestBody(world: World, project: Project, request: MergeRequest, files: number | null) {
  return {
    id: request.id,
    iid: request.iid,
    project_id: project.id,
    title: request.title,
    description: '',
    state: request.state,
    created_at: time(request.createdAt),
    updated_at: time(request.updatedAt),
    merged_at: time(request.mergedAt),
    target_branch: request.targetBranch,
    source_branch: request.sourceBranch,
    source_project_id: request.source.id,
    target_project_id: project.id,
    author: userBody(request.author),
    draft: request.draft,
    sha: request.sha,
    merge_commit_sha: request.mergeCommit,
    squash_commit_sha: request.squashCommit,
    web_url: webUrl(world, project, `merge_requests/${request.iid}`),
    ...(files === null ? {} : { changes_count: String(files) }),
  }
}

export function noteBody(request: MergeRequest, note: Note) {
  const { id, author, body, system, createdAt, updatedAt } = note
  return {
    id,
    body,
    system,
    author: userBody(author),
    created_at: time(createdAt),
    updated_at: time(updatedAt),
    noteable_iid: request.iid,
    noteable_type: 'MergeRequest',
  }
}

export function commitBody(commit: CommitFacts) {
  return {
    id: commit.sha,
    short_id: commit.sha.slice(0, 8),
    title: commit.message.split('\n')[0],
    message: commit.message,
    author_name: commit.author.name,
    author_email: commit.author.email,
    authored_date: commit.author.date,
    committer_name: commit.committer.name,
    committer_email: commit.committer.email,
    committed_date: commit.committer.date,
    created_at: commit.committer.date,
    parent_ids: commit.parents,
  }
}

export function deploymentBody(deployment: Deployment) {
  const { id, sha, ref, status, createdAt, updatedAt, environment } = deployment
  return {
    id,
    iid: id,
    ref,
    sha,
    status,
    created_at: time(createdAt),
    updated_at: time(updatedAt),
    environment: { id: 1, name: environment },
  }
}

export function hookBody({ id, url, disabledUntil, signingToken }: Hook) {
  return {
    id,
    url,
    alert_status: disabledUntil === null ? 'executable' : 'temporarily_disabled',
    signing_token_present: signingToken !== null,
  }
}

import { type Instant, toIso } from '../../../controller/clock.ts'
import type { CommitFacts, FileChange } from '../git/repository.ts'
import {
  type Activity,
  type Comment,
  ENDED,
  type Hook,
  type Pipeline,
  type PipelineWord,
  type PullRequest,
  type Repository,
  type Status,
  type Step,
  type User,
  type World,
} from './world.ts'

/** Microseconds and an offset, as Bitbucket writes times. */
const time = (at: Instant) => toIso(at).replace('Z', '000+00:00')
/** Pull requests show no more of a commit. */
const short = (sha: string) => sha.slice(0, 12)

export function userBody({ type, uuid, accountId, nickname }: User) {
  return { type, uuid, account_id: accountId, nickname, display_name: nickname, links: {} }
}

export function repositoryBody(world: World, { uuid, fullName }: Repository) {
  return {
    type: 'repository',
    uuid,
    full_name: fullName,
    name: fullName.split('/')[1],
    links: { html: { href: `${world.origin}/${fullName}` } },
  }
}

function stateBody(word: PipelineWord) {
  if (ENDED.includes(word)) {
    const result = { type: `pipeline_state_completed_${word.toLowerCase()}`, name: word }
    return { type: 'pipeline_state_completed', name: 'COMPLETED', result }
  }
  if (word === 'PENDING' || word === 'PARSING') return { type: `pipeline_state_${word.toLowerCase()}`, name: word }
  const stage = { type: `pipeline_state_in_progress_${word.toLowerCase()}`, name: word }
  return { type: 'pipeline_state_in_progress', name: 'IN_PROGRESS', stage }
}

export function pipelineBody(world: World, repository: Repository, pipeline: Pipeline, tellsVariables: boolean) {
  const { uuid, number, run, target, trigger, variables, secured, creator, word, createdAt, completedAt } = pipeline
  const { type, refType, refName, commit, selector } = target
  const given = Object.entries(variables)
  return {
    type: 'pipeline',
    uuid,
    build_number: number,
    run_number: run,
    creator: userBody(creator),
    repository: repositoryBody(world, repository),
    target: {
      type,
      ...(refType === null ? {} : { ref_type: refType, ref_name: refName }),
      commit: { type: 'commit', hash: commit },
      selector: { type: selector.type, ...(selector.pattern === null ? {} : { pattern: selector.pattern }) },
    },
    trigger: { type: `pipeline_trigger_${trigger}`, name: trigger.toUpperCase() },
    state: stateBody(word),
    has_variables: given.length > 0,
    created_on: time(createdAt),
    ...(completedAt === null ? {} : { completed_on: time(completedAt) }),
    ...(tellsVariables ? { variables: given.map(([key, value]) => variableBody(key, secured.has(key) ? null : value)) } : {}),
  }
}

function variableBody(key: string, value: string | null) {
  return { type: 'pipeline_variable', key, secured: value === null, ...(value === null ? {} : { value }) }
}

export function stepBody({ uuid, name, word }: Step) {
  return { type: 'pipeline_step', uuid, name, state: stateBody(word) }
}

export function statusBody({ key, name, refname, state, description, url, createdAt, updatedAt }: Status) {
  return {
    type: 'build',
    key,
    name,
    ...(refname === null ? {} : { refname }),
    state,
    description,
    url,
    created_on: time(createdAt),
    updated_on: time(updatedAt),
  }
}

function endpoint(world: World, repository: Repository, branch: string, sha: string) {
  return {
    repository: repositoryBody(world, repository),
    branch: { name: branch },
    commit: { type: 'commit', hash: short(sha) },
  }
}

/** Participants are in the answer about one pull request only. */
export function pullBody(world: World, target: Repository, pull: PullRequest, { whole }: { whole: boolean }) {
  const { id, title, state, draft, author, source, sourceBranch, targetBranch, sha, base, mergeCommit } = pull
  return {
    type: 'pullrequest',
    id,
    title,
    state,
    draft,
    author: userBody(author),
    source: endpoint(world, source, sourceBranch, sha),
    destination: endpoint(world, target, targetBranch, base),
    merge_commit: mergeCommit === null ? null : { type: 'commit', hash: short(mergeCommit) },
    created_on: time(pull.createdAt),
    updated_on: time(pull.updatedAt),
    links: { html: { href: `${world.origin}/${target.fullName}/pull-requests/${id}` } },
    ...(whole ? { participants: [...pull.participants].map(([user, stance]) => participantBody(user, stance)) } : {}),
  }
}

function participantBody(user: User, { state, at }: { state: 'approved' | 'changes_requested' | null; at: Instant }) {
  const participated = { approved: state === 'approved', state, participated_on: time(at) }
  return { type: 'participant', user: userBody(user), role: 'PARTICIPANT', ...participated }
}

export function activityBody(pull: PullRequest, entry: Activity) {
  const pullrequest = { type: 'pullrequest', id: pull.id, title: pull.title }
  if (entry.kind === 'update') {
    const source = { branch: { name: pull.sourceBranch }, commit: { type: 'commit', hash: short(entry.sha) } }
    const update = { state: entry.state, title: pull.title, author: userBody(entry.by), date: time(entry.at), source }
    return { update, pull_request: pullrequest }
  }
  if (entry.kind === 'comment')
    return { comment: { user: userBody(entry.by), created_on: time(entry.at) }, pull_request: pullrequest }
  return { [entry.kind]: { date: time(entry.at), user: userBody(entry.by), pullrequest }, pull_request: pullrequest }
}

/** `users`: whose verified addresses Bitbucket knows. */
export function commitBody(commit: CommitFacts, users: ReadonlyMap<string, User>) {
  const identity = (type: string, { name, email }: { name: string; email: string }) => {
    const user = [...users.values()].find((each) => each.email === email)
    return { type, raw: `${name} <${email}>`, ...(user === undefined ? {} : { user: userBody(user) }) }
  }
  return {
    type: 'commit',
    hash: commit.sha,
    date: commit.committer.date,
    message: commit.message,
    author: identity('author', commit.author),
    committer: identity('committer', commit.committer),
    parents: commit.parents.map((hash) => ({ type: 'commit', hash })),
  }
}

export function diffstatBody({ path, previousPath, status }: FileChange) {
  const file = (each: string) => ({ type: 'commit_file', path: each })
  return {
    type: 'diffstat',
    status,
    lines_added: 0,
    lines_removed: 0,
    old: status === 'added' ? null : file(previousPath ?? path),
    new: status === 'removed' ? null : file(path),
  }
}

export function commentBody({ id, author, raw, deleted, createdAt, updatedAt }: Comment) {
  return {
    type: 'pullrequest_comment',
    id,
    content: { raw: deleted ? '' : raw, markup: 'markdown', html: '' },
    user: userBody(author),
    deleted,
    created_on: time(createdAt),
    updated_on: time(updatedAt),
  }
}

export function hookBody({ uuid, url, active, secret }: Hook) {
  return { type: 'webhook_subscription', uuid, url, active, secret_set: secret !== null, events: ['repo:push'] }
}

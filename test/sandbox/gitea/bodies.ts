import { type Instant, toIso } from '../../../controller/clock.ts'
import type { CommitFacts, FileChange } from '../git/repository.ts'
import {
  type Activity,
  type Comment,
  isOver,
  type Pull,
  privateEmail,
  type Repository,
  type Review,
  type Run,
  type Status,
  type User,
  userByEmail,
  type World,
} from './world.ts'

/** Go's moment that never was. */
const NEVER = '0001-01-01T00:00:00Z'

/** Whole seconds, as both servers keep them. */
export function moment(at: Instant | null): string {
  return at === null ? NEVER : `${toIso(at).slice(0, 19)}Z`
}

export function userBody({ id, login }: User) {
  return { id, login, full_name: '', email: privateEmail(login), html_url: `https://git.example.test/${login}`, active: false }
}

export function repositoryBody(repository: Repository) {
  const [, name] = repository.fullName.split('/')
  return { id: repository.id, name, full_name: repository.fullName, default_branch: repository.defaultBranch }
}

export function webOf(world: World, repository: Repository): string {
  return `${world.origin}/${repository.fullName}`
}

export function commitBody(world: World, commit: CommitFacts) {
  const known = (email: string) => {
    const user = userByEmail(world, email)
    return user && userBody(user)
  }
  const person = ({ name, email, date }: CommitFacts['author']) => ({ name, email, date })
  return {
    sha: commit.sha,
    commit: { message: commit.message, author: person(commit.author), committer: person(commit.committer) },
    author: known(commit.author.email),
    committer: known(commit.committer.email),
    parents: commit.parents.map((sha) => ({ sha })),
  }
}

export function statusBody({ id, context, state, description, targetUrl, creator, createdAt }: Status) {
  const at = moment(createdAt)
  const shown = { id, context, status: state, description, target_url: targetUrl, created_at: at, updated_at: at }
  return { ...shown, creator: userBody(creator) }
}

/** `headSha`: where the branch is now, also after the merge. */
export function pullBody(world: World, repository: Repository, pull: Pull, headSha: string, files: number | null) {
  const { merge, source } = pull
  const isThere = source !== null && headSha !== ''
  return {
    id: pull.id,
    number: pull.number,
    title: pull.title,
    body: '',
    state: pull.state,
    draft: pull.draft,
    merged: merge !== null,
    user: userBody(pull.author),
    base: { label: pull.base, ref: pull.base, sha: '', repo_id: repository.id, repo: repositoryBody(repository) },
    head: {
      label: pull.branch,
      ref: isThere ? pull.branch : `refs/pull/${pull.number}/head`,
      sha: headSha || pull.headSha,
      repo_id: source?.id ?? -1,
      repo: source && repositoryBody(source),
    },
    merge_base: pull.mergeBase,
    merge_commit_sha: merge?.commit ?? null,
    merged_at: merge === null ? null : moment(merge.at),
    created_at: moment(pull.createdAt),
    updated_at: moment(pull.updatedAt),
    html_url: `${webOf(world, repository)}/pulls/${pull.number}`,
    ...(files === null ? {} : { changed_files: files }),
  }
}

export function reviewBody(world: World, repository: Repository, pull: Pull, review: Review) {
  const page = `${webOf(world, repository)}/pulls/${pull.number}`
  return {
    id: review.id,
    user: userBody(review.user),
    state: review.state,
    body: '',
    commit_id: review.commit,
    dismissed: review.dismissed,
    stale: review.stale,
    official: review.official,
    comments_count: 0,
    submitted_at: moment(review.at),
    updated_at: moment(review.at),
    html_url: `${page}#issuecomment-${review.id}`,
    pull_request_url: page,
  }
}

export function commentBody({ id, author, body, createdAt, updatedAt }: Comment) {
  return { id, body, user: userBody(author), created_at: moment(createdAt), updated_at: moment(updatedAt) }
}

const FILE_STATES = { added: 'added', removed: 'deleted', modified: 'changed', renamed: 'renamed', changed: 'changed' } as const

export function fileBody({ path, previousPath, status, additions, deletions }: FileChange) {
  const counts = { additions, deletions, changes: additions + deletions }
  return {
    filename: path,
    status: FILE_STATES[status],
    ...counts,
    ...(previousPath === null ? {} : { previous_filename: previousPath }),
  }
}

export function activityBody(repository: Repository, { id, at, user, kind, ref, content }: Activity) {
  return {
    id,
    user_id: user.id,
    op_type: kind,
    act_user_id: user.id,
    act_user: userBody(user),
    repo_id: repository.id,
    repo: repositoryBody(repository),
    ref_name: ref,
    is_private: true,
    content,
    created: moment(at),
  }
}

/** What `services/convert` makes of the words inside. */
export const GITEA_WORDS = {
  waiting: ['queued', ''],
  blocked: ['waiting', ''],
  running: ['in_progress', ''],
  cancelling: ['in_progress', ''],
  success: ['completed', 'success'],
  failure: ['completed', 'failure'],
  cancelled: ['completed', 'cancelled'],
  skipped: ['completed', 'skipped'],
} as const

export function runBody(world: World, repository: Repository, run: Run) {
  const web = `${webOf(world, repository)}/actions/runs/${run.number}`
  if (world.server === 'forgejo') {
    return {
      id: run.id,
      index_in_repo: run.number,
      title: run.title,
      workflow_id: run.file,
      prettyref: run.ref.replace(/^refs\/(?:heads|tags)\//, ''),
      commit_sha: run.sha,
      event: run.event,
      trigger_event: run.event,
      event_payload: JSON.stringify({ ref: run.ref, inputs: run.inputs }),
      status: run.state,
      need_approval: false,
      trigger_user: userBody(run.user),
      repository: repositoryBody(repository),
      created: moment(run.createdAt),
      started: moment(run.startedAt),
      stopped: moment(run.endedAt),
      updated: moment(run.endedAt ?? run.startedAt ?? run.createdAt),
      html_url: web,
    }
  }
  const [status, conclusion] = GITEA_WORDS[run.state]
  return {
    id: run.id,
    run_number: run.number,
    run_attempt: run.attempt,
    display_title: run.title,
    path: `${run.file}@${run.ref}`,
    event: run.event,
    head_branch: run.ref.replace(/^refs\/heads\//, ''),
    head_sha: run.sha,
    status,
    conclusion,
    actor: userBody(run.user),
    trigger_actor: userBody(run.user),
    repository: repositoryBody(repository),
    started_at: moment(run.startedAt),
    completed_at: moment(isOver(run.state) ? run.endedAt : null),
    html_url: web,
    url: `${world.origin}/api/v1/repos/${repository.fullName}/actions/runs/${run.id}`,
  }
}

import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { type BranchPeople, branchPeople, type RefMove } from '../branch-people.ts'
import { mergeCommit, rebasedTip, squashCommit } from '../git/merge.ts'
import { createBareRepository, type Files, mergeBase, resolveCommit, updateRef, ZERO_SHA } from '../git/repository.ts'
import { stableId } from '../world.ts'
import { emit } from './hooks.ts'
import { addUser, type MergeRequest, type Project, projectOf, requestOf, type User, userOf, type World } from './world.ts'

export type MergeMethod = 'merge' | 'squash' | 'ff' | 'squash_ff' | 'rebase'

/** What people do with code and merge requests, without HTTP. Names of methods as in the other emulated forge where they mean the same. */
export interface CodePeople extends BranchPeople {
  createRepo(fullName: string, options?: { files?: Files }): Promise<void>
  fork(fullName: string, namespace: string): Promise<string>
  /** A user's access level (`DEVELOPER`, …); 0 takes it away. */
  addMember(repo: string, username: string, level: number): void
  openPull(
    repo: string,
    options: { head: string; base?: string; title?: string; author: string; draft?: boolean },
  ): Promise<number>
  approve(repo: string, iid: number, username: string): void
  unapprove(repo: string, iid: number, username: string): void
  /** A reviewer of a paid plan asks for changes. */
  requestChanges(repo: string, iid: number, username: string): void
  comment(repo: string, iid: number, username: string, body: string): number
  merge(repo: string, iid: number, options: { by: string; method?: MergeMethod }): Promise<string>
  closePull(repo: string, iid: number, options: { by: string }): void
}

export function codePeople(world: World): CodePeople {
  const project = (fullName: string) => projectOf(world, fullName)
  const touch = (request: MergeRequest) => {
    request.updatedAt = world.clock.now()
  }

  async function addProject(fullName: string): Promise<Project> {
    const path = join(world.root, 'git', `${fullName}.git`)
    const created: Project = {
      id: stableId(`gitlab project ${fullName}`),
      fullName,
      git: await createBareRepository(world.programs, path, 'main'),
      defaultBranch: 'main',
      members: new Map(),
      variablesRole: 'developer',
      createdAt: world.clock.now(),
      requests: [],
      pipelines: [],
      statuses: [],
      deployments: [],
      pushes: [],
      hooks: [],
    }
    world.projects.set(fullName.toLowerCase(), created)
    return created
  }

  function note(repo: Project, request: MergeRequest, author: User, body: string, system: boolean): number {
    const now = world.clock.now()
    const id = world.nextId()
    request.notes.push({ id, author, body, system, createdAt: now, updatedAt: now })
    touch(request)
    if (!system) emitRequest(world, repo, request, 'note', author)
    return id
  }

  const people = branchPeople((fullName) => {
    const repo = project(fullName)
    return {
      git: repo.git,
      defaultBranch: repo.defaultBranch,
      now: world.clock.now,
      person(username) {
        const { username: name, email } = userOf(world, username)
        return { name, email }
      },
      moved: (move, by) => refMoved(world, repo, { ...move, by: userOf(world, by) }),
    }
  })

  return {
    ...people,
    async createRepo(fullName, { files = { 'README.md': '# A project\n' } } = {}) {
      const owner = addUser(world, fullName.split('/')[0] ?? '')
      const created = await addProject(fullName)
      created.members.set(owner, 50)
      await people.commit(fullName, 'main', files, { as: owner.username, message: 'First commit' })
    },
    async fork(fullName, namespace) {
      const parent = project(fullName)
      const copy = await addProject(`${namespace}/${fullName.split('/').at(-1)}`)
      copy.members.set(addUser(world, namespace), 50)
      await cp(parent.git.path, copy.git.path, { recursive: true })
      return copy.fullName
    },
    addMember(repo, username, level) {
      const user = addUser(world, username)
      if (level === 0) project(repo).members.delete(user)
      else project(repo).members.set(user, level)
    },
    openPull: (repo, options) => openPull(world, project(repo), options),
    approve(repo, iid, username) {
      const request = requestOf(project(repo), iid)
      const user = userOf(world, username)
      if (request.reviewers.has(user)) request.reviewers.set(user, 'approved')
      if (request.approvals.some((each) => each.user === user)) return
      request.approvals.push({ user, at: world.clock.now() })
      note(project(repo), request, user, 'approved this merge request', true)
      emitRequest(world, project(repo), request, 'approved', user)
    },
    unapprove(repo, iid, username) {
      const request = requestOf(project(repo), iid)
      const user = userOf(world, username)
      request.approvals = request.approvals.filter((each) => each.user !== user)
      note(project(repo), request, user, 'unapproved this merge request', true)
      emitRequest(world, project(repo), request, 'unapproved', user)
    },
    requestChanges(repo, iid, username) {
      const request = requestOf(project(repo), iid)
      request.reviewers.set(userOf(world, username), 'requested_changes')
      touch(request)
    },
    comment: (repo, iid, username, body) =>
      note(project(repo), requestOf(project(repo), iid), userOf(world, username), body, false),
    merge: (repo, iid, { by, method = 'merge' }) =>
      merge(world, project(repo), requestOf(project(repo), iid), userOf(world, by), method),
    closePull(repo, iid, { by }) {
      const request = requestOf(project(repo), iid)
      request.state = 'closed'
      touch(request)
      emitRequest(world, project(repo), request, 'close', userOf(world, by))
    },
  }
}

async function openPull(
  world: World,
  target: Project,
  { head, base = target.defaultBranch, title = 'A request', author, draft = false }: Parameters<CodePeople['openPull']>[1],
): Promise<number> {
  const [namespace, forked] = head.includes(':') ? head.split(':') : [null, head]
  const source = namespace == null ? target : projectOf(world, `${namespace}/${target.fullName.split('/').at(-1)}`)
  const branch = forked ?? head
  const sha = await resolveCommit(source.git, `refs/heads/${branch}`)
  if (sha === null) throw new Error(`${source.fullName} has no branch ${branch}`)
  const now = world.clock.now()
  const request: MergeRequest = {
    id: world.nextId(),
    iid: target.requests.length + 1,
    title,
    author: userOf(world, author),
    source,
    sourceBranch: branch,
    targetBranch: base,
    sha,
    mergeBase: sha,
    state: 'opened',
    draft,
    createdAt: now,
    updatedAt: now,
    mergedAt: null,
    mergeCommit: null,
    squashCommit: null,
    versions: [],
    approvals: [],
    reviewers: new Map(),
    notes: [],
  }
  target.requests.push(request)
  await newVersion(world, target, request, sha)
  emitRequest(world, target, request, 'open', request.author)
  return request.iid
}

async function newVersion(world: World, target: Project, request: MergeRequest, sha: string): Promise<void> {
  if (request.source !== target) await target.git.run(['fetch', '--quiet', '--no-tags', request.source.git.path, sha])
  await updateRef(target.git, `refs/merge-requests/${request.iid}/head`, sha)
  const base = await resolveCommit(target.git, `refs/heads/${request.targetBranch}`)
  request.sha = sha
  request.mergeBase = (base === null ? null : await mergeBase(target.git, base, sha)) ?? sha
  request.updatedAt = world.clock.now()
  request.versions.push({ id: world.nextId(), sha, base: request.mergeBase, at: world.clock.now() })
}

interface Move extends RefMove {
  by: User
}

/** All that follows when a branch or tag has moved. Approvals stay: a plan without approval rules never takes one away. */
export async function refMoved(world: World, project: Project, { ref, before, after, by }: Move): Promise<void> {
  if (before === after) return
  const isTag = ref.startsWith('refs/tags/')
  const name = ref.replace(/^refs\/(?:heads|tags)\//, '')
  const action = after === ZERO_SHA ? 'removed' : before === ZERO_SHA ? 'created' : 'pushed'
  project.pushes.push({ at: world.clock.now(), author: by, action, kind: isTag ? 'tag' : 'branch', ref: name, before, after })
  emit(world, project, isTag ? 'Tag Push Hook' : 'Push Hook', {
    object_kind: isTag ? 'tag_push' : 'push',
    ref,
    before,
    after,
    user_id: by.id,
    user_username: by.username,
  })
  if (isTag || after === ZERO_SHA) return
  for (const target of world.projects.values()) {
    for (const request of target.requests) {
      if (request.state !== 'opened' || request.source !== project || request.sourceBranch !== name) continue
      await newVersion(world, target, request, after)
      emitRequest(world, target, request, 'update', by, { oldrev: before })
    }
  }
}

async function merge(world: World, project: Project, request: MergeRequest, by: User, method: MergeMethod): Promise<string> {
  const { git } = project
  const ref = `refs/heads/${request.targetBranch}`
  const base = await resolveCommit(git, ref)
  if (base === null || request.state !== 'opened') throw new Error(`merge request ${request.iid} cannot be merged`)
  const author = { name: by.username, email: by.email }
  const now = world.clock.now()
  const work = { base, head: request.sha, mergeBase: request.mergeBase, author, message: request.title, at: now }
  if (method === 'rebase') {
    const tip = await rebasedTip(git, work, author)
    if (tip === null) throw new Error('conflict')
    await updateRef(git, `refs/heads/${request.sourceBranch}`, tip)
    // A rebase pushes the source branch in the name of the person who asked for it.
    await refMoved(world, project, { ref: `refs/heads/${request.sourceBranch}`, before: request.sha, after: tip, by })
  }
  const squashed = method === 'squash' || method === 'squash_ff' ? await squashCommit(git, work) : null
  const head = squashed ?? request.sha
  const merged = method === 'merge' || method === 'squash' ? await mergeCommit(git, { ...work, head }) : null
  const tip = merged ?? head
  await updateRef(git, ref, tip)
  Object.assign(request, { state: 'merged', mergedAt: now, updatedAt: now, mergeCommit: merged, squashCommit: squashed })
  await refMoved(world, project, { ref, before: base, after: tip, by })
  emitRequest(world, project, request, 'merge', by)
  return tip
}

function emitRequest(
  world: World,
  project: Project,
  request: MergeRequest,
  action: string,
  by: User,
  more: Record<string, unknown> = {},
): void {
  const { iid, state, sourceBranch, targetBranch, sha } = request
  const attributes = {
    iid,
    state,
    action,
    source_branch: sourceBranch,
    target_branch: targetBranch,
    last_commit: { id: sha },
    ...more,
  }
  const user = { id: by.id, username: by.username }
  if (action === 'note') {
    const about = { id: 1, noteable_type: 'MergeRequest' }
    emit(world, project, 'Note Hook', { object_kind: 'note', user, object_attributes: about, merge_request: { iid } })
  } else emit(world, project, 'Merge Request Hook', { object_kind: 'merge_request', user, object_attributes: attributes })
}

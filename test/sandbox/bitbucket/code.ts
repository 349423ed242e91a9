import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { type BranchPeople, branchPeople, type RefMove } from '../branch-people.ts'
import { mergeCommit, squashCommit } from '../git/merge.ts'
import {
  commitsBetween,
  createBareRepository,
  type Files,
  mergeBase,
  resolveCommit,
  updateRef,
  ZERO_SHA,
} from '../git/repository.ts'
import { emit, emitPull } from './hooks.ts'
import {
  addUser,
  type Permission,
  type PullRequest,
  pullOf,
  type Repository,
  repositoryOf,
  type User,
  userOf,
  uuidOf,
  type World,
} from './world.ts'

export type MergeMethod = 'merge' | 'squash' | 'ff'

/** What people do with code and pull requests, without HTTP. Names of methods as in the other emulated forges where they mean the same. */
export interface CodePeople extends BranchPeople {
  createRepo(fullName: string, options?: { files?: Files }): Promise<void>
  fork(fullName: string, workspace: string): Promise<string>
  /** Null takes the permission away. */
  addMember(repo: string, nickname: string, permission: Permission | null): void
  openPull(
    repo: string,
    options: { head: string; base?: string; title?: string; author: string; draft?: boolean },
  ): Promise<number>
  approve(repo: string, id: number, nickname: string): void
  unapprove(repo: string, id: number, nickname: string): void
  requestChanges(repo: string, id: number, nickname: string): void
  comment(repo: string, id: number, nickname: string, raw: string): number
  merge(repo: string, id: number, options: { by: string; method?: MergeMethod; closeSource?: boolean }): Promise<string>
  decline(repo: string, id: number, options: { by: string }): void
}

export function codePeople(world: World): CodePeople {
  const repository = (fullName: string) => repositoryOf(world, fullName)

  async function addRepository(fullName: string): Promise<Repository> {
    const created: Repository = {
      uuid: `{${uuidOf(`bitbucket repository ${fullName}`)}}`,
      fullName,
      git: await createBareRepository(world.programs, join(world.root, 'git', `${fullName}.git`), 'main'),
      defaultBranch: 'main',
      members: new Map(),
      pulls: [],
      pipelines: [],
      statuses: new Map(),
      reports: new Map(),
      hooks: [],
    }
    world.repositories.set(fullName.toLowerCase(), created)
    return created
  }

  const people = branchPeople((fullName) => {
    const repo = repository(fullName)
    return {
      git: repo.git,
      defaultBranch: repo.defaultBranch,
      now: world.clock.now,
      person(nickname) {
        const { email } = userOf(world, nickname)
        return { name: nickname, email }
      },
      moved: (move, by) => refMoved(world, repo, move, userOf(world, by)),
    }
  })

  /** A stance of somebody on a pull request, which does not count as a change of it. */
  function stand(
    repo: string,
    id: number,
    nickname: string,
    state: 'approved' | 'changes_requested' | null,
    event: string,
  ): void {
    const [by, at] = [userOf(world, nickname), world.clock.now()]
    const pull = pullOf(repository(repo), id)
    pull.participants.set(by, { state, at })
    if (state !== null) pull.activity.push({ kind: state === 'approved' ? 'approval' : state, at, by })
    emitPull(world, repository(repo), pull, event, by)
  }

  return {
    ...people,
    async createRepo(fullName, { files = { 'README.md': '# A project\n' } } = {}) {
      const owner = addUser(world, fullName.split('/')[0] ?? '')
      const created = await addRepository(fullName)
      created.members.set(owner, 'admin')
      await people.commit(fullName, 'main', files, { as: owner.nickname, message: 'First commit' })
    },
    async fork(fullName, workspace) {
      const parent = repository(fullName)
      const copy = await addRepository(`${workspace}/${fullName.split('/').at(-1)}`)
      copy.members.set(addUser(world, workspace), 'admin')
      await cp(parent.git.path, copy.git.path, { recursive: true })
      return copy.fullName
    },
    addMember(repo, nickname, permission) {
      const user = addUser(world, nickname)
      if (permission === null) repository(repo).members.delete(user)
      else repository(repo).members.set(user, permission)
    },
    openPull: (repo, options) => openPull(world, repository(repo), options),
    approve(repo, id, nickname) {
      const stance = pullOf(repository(repo), id).participants.get(userOf(world, nickname))
      if (stance?.state !== 'approved') stand(repo, id, nickname, 'approved', 'approved')
    },
    unapprove: (repo, id, nickname) => stand(repo, id, nickname, null, 'unapproved'),
    requestChanges: (repo, id, nickname) => stand(repo, id, nickname, 'changes_requested', 'changes_request_created'),
    comment(repo, id, nickname, raw) {
      const [author, now] = [userOf(world, nickname), world.clock.now()]
      const pull = pullOf(repository(repo), id)
      const comment = { id: world.nextId(), author, raw, deleted: false, createdAt: now, updatedAt: now }
      pull.comments.push(comment)
      pull.activity.push({ kind: 'comment', at: now, by: author })
      const stance = pull.participants.get(author)
      if (stance === undefined) pull.participants.set(author, { state: null, at: now })
      pull.updatedAt = now
      emitPull(world, repository(repo), pull, 'comment_created', author)
      return comment.id
    },
    merge: (repo, id, options) => merge(world, repository(repo), pullOf(repository(repo), id), options),
    decline(repo, id, { by }) {
      const pull = pullOf(repository(repo), id)
      update(world, pull, userOf(world, by), { state: 'DECLINED' })
      emitPull(world, repository(repo), pull, 'rejected', userOf(world, by))
    },
  }
}

/** The pull request is something else from now on, which its log keeps. */
function update(world: World, pull: PullRequest, by: User, change: Partial<Pick<PullRequest, 'sha' | 'state'>>): void {
  Object.assign(pull, change)
  pull.updatedAt = world.clock.now()
  pull.activity.push({ kind: 'update', at: pull.updatedAt, by, state: pull.state, sha: pull.sha })
}

async function openPull(
  world: World,
  target: Repository,
  { head, base = target.defaultBranch, title = 'A request', author, draft = false }: Parameters<CodePeople['openPull']>[1],
): Promise<number> {
  const [workspace, forked] = head.includes(':') ? head.split(':') : [null, head]
  const source = workspace == null ? target : repositoryOf(world, `${workspace}/${target.fullName.split('/').at(-1)}`)
  const branch = forked ?? head
  const sha = await resolveCommit(source.git, `refs/heads/${branch}`)
  const into = await resolveCommit(target.git, `refs/heads/${base}`)
  if (sha === null || into === null)
    throw new Error(`${source.fullName} has no branch ${branch}, or ${target.fullName} no ${base}`)
  const now = world.clock.now()
  const pull: PullRequest = {
    id: target.pulls.length + 1,
    title,
    author: userOf(world, author),
    source,
    sourceBranch: branch,
    targetBranch: base,
    sha,
    base: into,
    mergeBase: sha,
    state: 'OPEN',
    draft,
    createdAt: now,
    updatedAt: now,
    mergeCommit: null,
    participants: new Map(),
    activity: [],
    comments: [],
  }
  target.pulls.push(pull)
  await bring(target, pull)
  update(world, pull, pull.author, {})
  emitPull(world, target, pull, 'created', pull.author)
  return pull.id
}

/** Makes the head's objects known to the target, as Bitbucket does for itself; git serves no ref that names them. */
async function bring(target: Repository, pull: PullRequest): Promise<void> {
  if (pull.source !== target) await target.git.run(['fetch', '--quiet', '--no-tags', pull.source.git.path, pull.sha])
  pull.mergeBase = (await mergeBase(target.git, pull.base, pull.sha)) ?? pull.sha
}

/** All that follows when a branch or tag has moved. Approvals stay: nothing here takes one away. */
export async function refMoved(world: World, repository: Repository, { ref, before, after }: RefMove, by: User): Promise<void> {
  if (before === after) return
  const type = ref.startsWith('refs/tags/') ? 'tag' : 'branch'
  const name = ref.replace(/^refs\/(?:heads|tags)\//, '')
  const side = (sha: string) => (sha === ZERO_SHA ? null : { type, name, target: { type: 'commit', hash: sha } })
  // A push tells the messages of its first commits, so it is only as small as these are.
  const commits = before === ZERO_SHA || after === ZERO_SHA ? [] : await commitsBetween(repository.git, before, after)
  const told = commits.slice(0, 5).map(({ sha: hash, message }) => ({ type: 'commit', hash, message }))
  emit(world, repository, 'repo:push', { push: { changes: [{ new: side(after), old: side(before), commits: told }] } })
  if (type === 'tag' || after === ZERO_SHA) return
  for (const target of world.repositories.values()) {
    for (const pull of target.pulls) {
      if (pull.state !== 'OPEN' || pull.source !== repository || pull.sourceBranch !== name) continue
      update(world, pull, by, { sha: after })
      await bring(target, pull)
      emitPull(world, target, pull, 'updated', by)
    }
  }
}

async function merge(
  world: World,
  repository: Repository,
  pull: PullRequest,
  { by: nickname, method = 'merge', closeSource = false }: Parameters<CodePeople['merge']>[2],
): Promise<string> {
  const { git } = repository
  const by = userOf(world, nickname)
  const ref = `refs/heads/${pull.targetBranch}`
  const base = await resolveCommit(git, ref)
  if (base === null || pull.state !== 'OPEN') throw new Error(`pull request ${pull.id} cannot be merged`)
  const author = { name: by.nickname, email: by.email }
  const work = { base, head: pull.sha, mergeBase: pull.mergeBase, author, message: pull.title, at: world.clock.now() }
  const tip = method === 'ff' ? pull.sha : await (method === 'squash' ? squashCommit(git, work) : mergeCommit(git, work))
  if (tip === null) throw new Error('conflict')
  await updateRef(git, ref, tip)
  Object.assign(pull, { base, mergeCommit: tip })
  update(world, pull, by, { state: 'MERGED' })
  await refMoved(world, repository, { ref, before: base, after: tip }, by)
  emitPull(world, repository, pull, 'fulfilled', by)
  if (closeSource) {
    const source = `refs/heads/${pull.sourceBranch}`
    await updateRef(pull.source.git, source, null)
    await refMoved(world, pull.source, { ref: source, before: pull.sha, after: ZERO_SHA }, by)
  }
  return tip
}

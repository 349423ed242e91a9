import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { type BranchPeople, branchPeople, type RefMove } from '../branch-people.ts'
import { mergeCommit, rebasedTip, squashCommit } from '../git/merge.ts'
import { createBareRepository, type Files, isAncestor, mergeBase, resolveCommit, updateRef, ZERO_SHA } from '../git/repository.ts'
import { stableId } from '../world.ts'
import { emit } from './hooks.ts'
import { touch } from './pulls.ts'
import { addUser, type Pull, pullOf, type Repository, type Role, repositoryOf, type User, userOf, type World } from './world.ts'

export type MergeMethod = 'merge' | 'squash' | 'rebase' | 'ff'

/** What people do with code and pull requests, without HTTP. Names of methods as in the other emulated forges where they mean the same. */
export interface CodePeople extends BranchPeople {
  createRepo(fullName: string, options?: { files?: Files }): Promise<void>
  fork(fullName: string, owner: string): Promise<string>
  /** The fork is gone; the pull requests that came from it stay. */
  deleteRepo(fullName: string): void
  addCollaborator(repo: string, login: string, role: Role): void
  openPull(
    repo: string,
    options: { head: string; base?: string; title?: string; author: string; draft?: boolean },
  ): Promise<number>
  merge(repo: string, number: number, options: { by: string; method?: MergeMethod }): Promise<string>
  closePull(repo: string, number: number, options: { by: string }): void
}

export function codePeople(world: World): CodePeople {
  const repository = (fullName: string) => repositoryOf(world, fullName)
  const people = branchPeople((fullName) => {
    const repo = repository(fullName)
    return {
      git: repo.git,
      defaultBranch: repo.defaultBranch,
      now: world.clock.now,
      person(login) {
        const { login: name, email } = userOf(world, login)
        return { name, email }
      },
      moved: (move, by) => refMoved(world, repo, move, userOf(world, by)),
    }
  })

  async function addRepository(fullName: string): Promise<Repository> {
    const created: Repository = {
      id: stableId(`${world.server} repository ${fullName}`),
      fullName,
      git: await createBareRepository(world.programs, join(world.root, 'git', `${fullName}.git`), 'main'),
      defaultBranch: 'main',
      roles: new Map([[addUser(world, fullName.split('/')[0] ?? ''), 'admin']]),
      hasActions: true,
      pulls: [],
      statuses: [],
      activities: [],
      runs: [],
      hooks: [],
    }
    world.repositories.set(fullName.toLowerCase(), created)
    return created
  }

  return {
    ...people,
    async createRepo(fullName, { files = { 'README.md': '# A repository\n' } } = {}) {
      await addRepository(fullName)
      await people.commit(fullName, 'main', files, { as: fullName.split('/')[0] ?? '', message: 'First commit' })
    },
    async fork(fullName, owner) {
      const parent = repository(fullName)
      const copy = await addRepository(`${owner}/${fullName.split('/')[1]}`)
      await cp(parent.git.path, copy.git.path, { recursive: true })
      return copy.fullName
    },
    deleteRepo(fullName) {
      const gone = repository(fullName)
      world.repositories.delete(fullName.toLowerCase())
      for (const { pulls } of world.repositories.values()) for (const pull of pulls) if (pull.source === gone) pull.source = null
    },
    addCollaborator(repo, login, role) {
      repository(repo).roles.set(addUser(world, login), role)
    },
    openPull: (repo, options) => openPull(world, repository(repo), options),
    merge: (repo, number, { by, method = 'merge' }) =>
      merge(world, repository(repo), pullOf(repository(repo), number), userOf(world, by), method),
    closePull(repo, number, { by }) {
      const pull = pullOf(repository(repo), number)
      pull.state = 'closed'
      touch(world, pull)
      emitPull(world, repository(repo), pull, 'closed', userOf(world, by))
    },
  }
}

async function openPull(
  world: World,
  target: Repository,
  { head, base = target.defaultBranch, title = 'A request', author, draft = false }: Parameters<CodePeople['openPull']>[1],
): Promise<number> {
  const [owner, forked] = head.includes(':') ? head.split(':') : [null, head]
  const source = owner == null ? target : repositoryOf(world, `${owner}/${target.fullName.split('/')[1]}`)
  const branch = forked ?? head
  const sha = await resolveCommit(source.git, `refs/heads/${branch}`)
  if (sha === null) throw new Error(`${source.fullName} has no branch ${branch}`)
  const now = world.clock.now()
  const pull: Pull = {
    id: world.nextId(),
    number: target.pulls.length + 1,
    title,
    author: userOf(world, author),
    source,
    branch,
    base,
    headSha: sha,
    mergeBase: sha,
    state: 'open',
    draft,
    createdAt: now,
    updatedAt: now,
    merge: null,
    reviews: [],
    comments: [],
    pushes: [],
  }
  target.pulls.push(pull)
  await takeHead(world, target, pull, sha)
  emitPull(world, target, pull, 'opened', pull.author)
  return pull.number
}

async function takeHead(world: World, target: Repository, pull: Pull, sha: string): Promise<void> {
  const { source } = pull
  if (source !== null && source !== target) await target.git.run(['fetch', '--quiet', '--no-tags', source.git.path, sha])
  await updateRef(target.git, `refs/pull/${pull.number}/head`, sha)
  const base = await resolveCommit(target.git, `refs/heads/${pull.base}`)
  pull.headSha = sha
  pull.mergeBase = (base === null ? null : await mergeBase(target.git, base, sha)) ?? sha
  touch(world, pull)
}

/** All that follows when a branch or tag has moved: feed, webhooks, and pull requests that lead from it. */
export async function refMoved(world: World, repository: Repository, { ref, before, after }: RefMove, by: User): Promise<void> {
  if (before === after) return
  const isTag = ref.startsWith('refs/tags/')
  const [isNew, isGone] = [before === ZERO_SHA, after === ZERO_SHA]
  const kind = isTag ? (isGone ? 'delete_tag' : 'push_tag') : isGone ? 'delete_branch' : 'commit_repo'
  const note = (content: string) =>
    repository.activities.push({ id: world.nextId(), at: world.clock.now(), user: by, kind, ref, content })
  // The making of a branch is noted before its commits.
  if (isNew && !isTag) note('')
  note(isGone ? '' : JSON.stringify({ Commits: [], HeadCommit: { Sha1: after }, Len: 1 }))
  emit(world, repository, { name: 'push', payload: { ref, before, after, pusher: { login: by.login } }, sender: by })
  if (isNew || isGone) {
    const payload = { ref: ref.replace(/^refs\/(?:heads|tags)\//, ''), ref_type: isTag ? 'tag' : 'branch' }
    emit(world, repository, { name: isNew ? 'create' : 'delete', payload, sender: by })
  }
  if (isTag || isGone) return
  const isForced = !isNew && !(await isAncestor(repository.git, before, after))
  for (const target of world.repositories.values()) {
    for (const pull of target.pulls) {
      if (pull.state !== 'open' || pull.source !== repository || `refs/heads/${pull.branch}` !== ref) continue
      if (isForced) pull.pushes = []
      pull.pushes.push({ id: world.nextId(), user: by, at: world.clock.now() })
      // Whether the difference to the target changed; who approved a commit is not asked.
      for (const review of pull.reviews) review.stale = true
      await takeHead(world, target, pull, after)
      emitPull(world, target, pull, 'synchronized', by)
    }
  }
}

async function merge(world: World, repository: Repository, pull: Pull, by: User, method: MergeMethod): Promise<string> {
  const { git } = repository
  const ref = `refs/heads/${pull.base}`
  const base = await resolveCommit(git, ref)
  if (base === null || pull.state !== 'open') throw new Error(`pull request ${pull.number} cannot be merged`)
  const author = { name: by.login, email: by.email }
  const now = world.clock.now()
  const work = { base, head: pull.headSha, mergeBase: pull.mergeBase, author, message: pull.title, at: now }
  const ways = {
    merge: () => mergeCommit(git, work),
    squash: () => squashCommit(git, work),
    rebase: () => rebasedTip(git, work, author),
    ff: async () => pull.headSha,
  }
  const tip = await ways[method]()
  if (tip === null) throw new Error('conflict')
  await updateRef(git, ref, tip)
  Object.assign(pull, { state: 'closed', merge: { commit: tip, at: now, by } })
  touch(world, pull)
  await refMoved(world, repository, { ref, before: base, after: tip }, by)
  emitPull(world, repository, pull, 'closed', by)
  return tip
}

function emitPull(world: World, repository: Repository, pull: Pull, action: string, sender: User): void {
  const shown = { number: pull.number, state: pull.state, merged: pull.merge !== null }
  emit(world, repository, { name: 'pull_request', payload: { action, number: pull.number, pull_request: shown }, sender })
}

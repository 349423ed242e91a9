import { mergeCommit, WEB_FLOW } from './git/merge.ts'
import { isAncestor, listRefs, mergeBase, readCommits, resolveCommit, updateRef, ZERO_SHA } from './git/repository.ts'
import { emit } from './hooks.ts'
import { simpleCommitBody } from './rest/commits.ts'
import { pullBody } from './rest/pulls.ts'
import type { Account, ActivityType, Pull, Repository, World } from './world.ts'

export interface RefMove {
  ref: string
  /** Zeros when the ref was not there before. */
  before: string
  /** Zeros when it was deleted. */
  after: string
  actor: Account
  type?: ActivityType
}

/** GitHub names no more commits in one push event. */
const COMMITS_IN_PUSH = 20

/** All that follows when a branch or tag has moved: activity, webhooks, and pull requests that lead from or to it. */
export async function refMoved(world: World, repository: Repository, move: RefMove): Promise<void> {
  if (move.before === move.after) return
  repository.pushedAt = world.clock.now()
  const forced = await isForced(repository, move)
  if (move.ref.startsWith('refs/heads/')) {
    const { ref, before, after, actor } = move
    const type = move.type ?? activityType(move, forced)
    repository.activities.push({ id: world.nextId(), before, after, ref, at: world.clock.now(), type, actor })
  }
  await emitPush(world, repository, move, forced)
  await refreshPulls(world, repository, move)
}

/** Compares refs before and after a push over HTTP. */
export async function refsPushed(
  world: World,
  repository: Repository,
  before: Map<string, string>,
  actor: Account,
): Promise<void> {
  const after = await listRefs(repository.git)
  for (const ref of new Set([...before.keys(), ...after.keys()])) {
    if (!/^refs\/(heads|tags)\//.test(ref)) continue
    await refMoved(world, repository, { ref, before: before.get(ref) ?? ZERO_SHA, after: after.get(ref) ?? ZERO_SHA, actor })
  }
}

async function isForced(repository: Repository, move: RefMove): Promise<boolean> {
  if (move.before === ZERO_SHA || move.after === ZERO_SHA) return false
  const [before, after] = [await resolveCommit(repository.git, move.before), await resolveCommit(repository.git, move.after)]
  return before === null || after === null || !(await isAncestor(repository.git, before, after))
}

function activityType(move: RefMove, forced: boolean): ActivityType {
  if (move.before === ZERO_SHA) return 'branch_creation'
  if (move.after === ZERO_SHA) return 'branch_deletion'
  return forced ? 'force_push' : 'push'
}

async function emitPush(world: World, repository: Repository, move: RefMove, forced: boolean): Promise<void> {
  const { ref, before, after, actor: sender } = move
  const [created, deleted] = [before === ZERO_SHA, after === ZERO_SHA]
  const head = deleted ? null : await resolveCommit(repository.git, after)
  const range = head === null ? [] : created || forced ? ['-1', head] : [`-${COMMITS_IN_PUSH}`, `${before}..${head}`]
  const commits = range.length === 0 ? [] : await readCommits(repository.git, range)
  const payload = {
    ref,
    before,
    after,
    created,
    deleted,
    forced,
    pusher: { name: sender.login, email: sender.email },
    head_commit: commits[0] ? simpleCommitBody(commits[0]) : null,
    commits: commits.map(simpleCommitBody).reverse(),
  }
  emit(world, repository, { name: 'push', payload, sender })
  if (!created && !deleted) return
  const [, kind, name] = /^refs\/(heads|tags)\/(.+)$/.exec(ref) ?? []
  const short = { ref: name, ref_type: kind === 'tags' ? 'tag' : 'branch' }
  emit(world, repository, { name: created ? 'create' : 'delete', payload: short, sender })
}

async function refreshPulls(world: World, repository: Repository, move: RefMove): Promise<void> {
  const branch = /^refs\/heads\/(.+)$/.exec(move.ref)?.[1]
  if (branch === undefined || move.after === ZERO_SHA) return
  for (const target of world.repositories.values()) {
    for (const pull of target.pulls) {
      if (pull.state !== 'open') continue
      if (pull.headRepository === repository && pull.headRef === branch) {
        const before = pull.headSha
        pull.headSha = move.after
        await refreshPull(world, target, pull)
        await emitPull(world, target, pull, 'synchronize', move.actor, { before, after: move.after })
      } else if (target === repository && pull.baseRef === branch) await refreshPull(world, target, pull)
    }
  }
}

/** Brings what is derived of an open pull request up to date: refs, merge base, test merge. */
export async function refreshPull(world: World, repository: Repository, pull: Pull): Promise<void> {
  const git = repository.git
  if (pull.headRepository !== repository)
    await git.run(['fetch', '--quiet', '--no-tags', pull.headRepository.git.path, pull.headSha])
  await updateRef(git, `refs/pull/${pull.number}/head`, pull.headSha)
  const base = await resolveCommit(git, `refs/heads/${pull.baseRef}`)
  if (base === null) throw new Error(`${repository.fullName} has no branch ${pull.baseRef}`)
  pull.baseSha = base
  pull.mergeBase = (await mergeBase(git, base, pull.headSha)) ?? base
  const message = `Merge ${pull.headSha} into ${base}`
  const at = world.clock.now()
  const { headSha: head, mergeBase: fork } = pull
  pull.mergeCommitSha = await mergeCommit(git, { base, head, mergeBase: fork, author: WEB_FLOW, message, at })
  pull.mergeable = pull.mergeCommitSha !== null
  pull.updatedAt = at
  await updateRef(git, `refs/pull/${pull.number}/merge`, pull.mergeCommitSha)
}

export async function emitPull(
  world: World,
  repository: Repository,
  pull: Pull,
  action: string,
  sender: Account,
  more: Record<string, unknown> = {},
): Promise<void> {
  const payload = { number: pull.number, pull_request: await pullBody(world, repository, pull), ...more }
  emit(world, repository, { name: 'pull_request', action, payload, sender })
}

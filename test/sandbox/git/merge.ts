import type { Instant } from '../../../controller/clock.ts'
import { commitTree, type GitRepository, type NewCommit, type Person, readCommit, readCommits } from './repository.ts'

/** The account in whose name GitHub writes the commits of its own merge button. */
export const WEB_FLOW: Person = { name: 'GitHub', email: 'noreply@github.com' }

export interface MergeRequest {
  base: string
  head: string
  /** Where the pull request's own commits begin. */
  mergeBase: string
  author: Person
  message: string
  at: Instant
}

/** The tree that merging gives; null on a conflict. */
async function mergedTree(git: GitRepository, ours: string, theirs: string): Promise<string | null> {
  const text = await git.run(['merge-tree', '--write-tree', '--no-messages', ours, theirs], { accept: [1] })
  const [tree = '', ...conflicts] = text.trim().split('\n')
  return conflicts.length === 0 && /^[0-9a-f]{40}$/.test(tree) ? tree : null
}

/** A merge commit with two parents: base first, then head. */
export async function mergeCommit(git: GitRepository, request: MergeRequest): Promise<string | null> {
  const tree = await mergedTree(git, request.base, request.head)
  if (tree === null) return null
  const { author, message, at } = request
  return commitTree(git, tree, { parents: [request.base, request.head], author, committer: WEB_FLOW, message, at })
}

/** One new commit on base that holds all of the pull request's changes. */
export async function squashCommit(git: GitRepository, request: MergeRequest): Promise<string | null> {
  const tree = await mergedTree(git, request.base, request.head)
  if (tree === null) return null
  const { author, message, at } = request
  return commitTree(git, tree, { parents: [request.base], author, committer: WEB_FLOW, message, at })
}

/**
 * The pull request's commits, one by one, on top of base; gives the last of the new commits.
 * They are written anew even where nothing moved, and merge commits are left out, as GitHub does.
 */
export async function rebasedTip(git: GitRepository, request: MergeRequest, committer: Person): Promise<string | null> {
  const commits = await readCommits(git, ['--reverse', '--topo-order', '--no-merges', `${request.mergeBase}..${request.head}`])
  let tip = request.base
  for (const commit of commits) {
    const tree = await pickedTree(git, tip, commit.sha, request.at)
    if (tree === null) return null
    tip = await commitTree(git, tree, {
      parents: [tip],
      author: commit.author,
      committer,
      message: commit.message,
      at: request.at,
    })
  }
  return tip
}

/**
 * The tree of `onto` plus what `commit` changed. `merge-tree --merge-base` needs git 2.40, so three throw-away commits
 * with the wanted merge base are written instead.
 */
async function pickedTree(git: GitRepository, onto: string, commit: string, at: Instant): Promise<string | null> {
  const picked = await readCommit(git, commit)
  const parent = picked.parents[0]
  const scratch = (parents: string[]): NewCommit => ({ parents, author: WEB_FLOW, committer: WEB_FLOW, message: 'scratch', at })
  const emptyTree = async () => (await git.run(['mktree'])).trim()
  const root = await commitTree(git, parent ? (await readCommit(git, parent)).tree : await emptyTree(), scratch([]))
  const ours = await commitTree(git, (await readCommit(git, onto)).tree, scratch([root]))
  const theirs = await commitTree(git, picked.tree, scratch([root]))
  return mergedTree(git, ours, theirs)
}

import { type MergeRequest, mergeCommit, rebasedTip, squashCommit } from './git/merge.ts'
import { commitsBetween, resolveCommit, updateRef } from './git/repository.ts'
import { emit } from './hooks.ts'
import { emitPull, refMoved, refreshPull } from './refs.ts'
import { pullSummaryBody } from './rest/pulls.ts'
import { webhookReviewBody } from './rest/reviews.ts'
import {
  type Account,
  accountOf,
  type Pull,
  pullOf,
  type Repository,
  type Review,
  type ReviewState,
  repositoryOf,
  type World,
} from './world.ts'

export type MergeMethod = 'merge' | 'squash' | 'rebase'

/** What people do with pull requests, without HTTP. Numbers and review ids are GitHub's. */
export interface PullPeople {
  /** `head` is a branch, or `<owner>:<branch>` of a fork. Gives the number. */
  openPull(repo: string, options: NewPull): Promise<number>
  retarget(repo: string, number: number, base: string, options: { by: string }): Promise<void>
  setTitle(repo: string, number: number, title: string, options: { by: string }): Promise<void>
  /** Gives the review's id. The commit is the head unless told. */
  review(repo: string, number: number, options: NewReview): Promise<number>
  dismissReview(repo: string, number: number, reviewId: number, options: { by: string; message?: string }): Promise<void>
  /** Really merges in git and gives the commit that the base branch then holds. */
  merge(repo: string, number: number, options: { by: string; method?: MergeMethod }): Promise<string>
  closePull(repo: string, number: number, options: { by: string }): Promise<void>
  reopenPull(repo: string, number: number, options: { by: string }): Promise<void>
}

export interface NewPull {
  head: string
  base?: string
  title?: string
  author: string
  draft?: boolean
}

export interface NewReview {
  by: string
  state: Exclude<ReviewState, 'DISMISSED'>
  commit?: string
  body?: string
}

export function pullPeople(world: World): PullPeople {
  const repository = (fullName: string) => repositoryOf(world, fullName)
  const pull = (repo: string, number: number) => pullOf(repository(repo), number)

  async function setState(repo: string, number: number, by: string, state: Pull['state']): Promise<void> {
    const changed = pull(repo, number)
    changed.state = state
    changed.closedAt = state === 'closed' ? world.clock.now() : null
    changed.updatedAt = world.clock.now()
    if (state === 'open') await refreshPull(world, repository(repo), changed)
    await emitPull(world, repository(repo), changed, state === 'closed' ? 'closed' : 'reopened', accountOf(world, by))
  }

  return {
    openPull: (repo, options) => openPull(world, repository(repo), options),
    merge: (repo, number, { by, method = 'merge' }) =>
      merge(world, repository(repo), pull(repo, number), accountOf(world, by), method),
    closePull: (repo, number, { by }) => setState(repo, number, by, 'closed'),
    reopenPull: (repo, number, { by }) => setState(repo, number, by, 'open'),
    async retarget(repo, number, base, { by }) {
      const changed = pull(repo, number)
      const before = changed.baseRef
      changed.baseRef = base
      await refreshPull(world, repository(repo), changed)
      await emitPull(world, repository(repo), changed, 'edited', accountOf(world, by), {
        changes: { base: { ref: { from: before } } },
      })
    },
    async setTitle(repo, number, title, { by }) {
      const changed = pull(repo, number)
      const from = changed.title
      changed.title = title
      changed.updatedAt = world.clock.now()
      await emitPull(world, repository(repo), changed, 'edited', accountOf(world, by), { changes: { title: { from } } })
    },
    async review(repo, number, { by, state, commit, body = '' }) {
      const reviewed = pull(repo, number)
      const reviewer = accountOf(world, by)
      if (state !== 'COMMENTED' && reviewer === reviewed.author) throw new Error('Can not approve your own pull request')
      const review = {
        id: world.nextId(),
        reviewer,
        state,
        commit: commit ?? reviewed.headSha,
        body,
        submittedAt: world.clock.now(),
      }
      reviewed.reviews.push(review)
      if (state !== 'PENDING') announceReview(world, repository(repo), reviewed, review, 'submitted', reviewer)
      return review.id
    },
    async dismissReview(repo, number, reviewId, { by, message = '' }) {
      const reviewed = pull(repo, number)
      const review = reviewed.reviews.find((each) => each.id === reviewId)
      if (!review) throw new Error(`pull request ${number} has no review ${reviewId}`)
      // In place: the review keeps its id, author and commit.
      review.state = 'DISMISSED'
      review.body ||= message
      announceReview(world, repository(repo), reviewed, review, 'dismissed', accountOf(world, by))
    },
  }
}

function announceReview(world: World, repository: Repository, pull: Pull, review: Review, action: string, sender: Account): void {
  pull.updatedAt = world.clock.now()
  const payload = {
    review: webhookReviewBody(world, repository, pull, review),
    pull_request: pullSummaryBody(world, repository, pull),
  }
  emit(world, repository, { name: 'pull_request_review', action, payload, sender })
}

async function openPull(world: World, repository: Repository, options: NewPull): Promise<number> {
  const [, owner, headRef = options.head] = /^([^:]+):(.+)$/.exec(options.head) ?? []
  const headRepository = owner === undefined ? repository : repositoryOf(world, `${owner}/${repository.name}`)
  const headSha = await resolveCommit(headRepository.git, `refs/heads/${headRef}`)
  if (!headSha) throw new Error(`${headRepository.fullName} has no branch ${headRef}`)
  const now = world.clock.now()
  const author = accountOf(world, options.author)
  const pull: Pull = {
    id: world.nextId(),
    number: repository.nextNumber++,
    title: options.title ?? headRef,
    author,
    state: 'open',
    draft: options.draft ?? false,
    headRepository,
    headRef,
    headSha,
    baseRef: options.base ?? repository.defaultBranch,
    baseSha: headSha,
    mergeBase: headSha,
    mergeCommitSha: null,
    mergeable: false,
    mergedBy: null,
    createdAt: now,
    updatedAt: now,
    closedAt: null,
    mergedAt: null,
    reviews: [],
  }
  await refreshPull(world, repository, pull)
  repository.pulls.push(pull)
  await emitPull(world, repository, pull, 'opened', author)
  return pull.number
}

async function merge(world: World, repository: Repository, pull: Pull, by: Account, method: MergeMethod): Promise<string> {
  if (pull.state !== 'open') throw new Error(`pull request ${pull.number} is not open`)
  const git = repository.git
  const now = world.clock.now()
  const request: Omit<MergeRequest, 'author' | 'message'> = {
    base: pull.baseSha,
    head: pull.headSha,
    mergeBase: pull.mergeBase,
    at: now,
  }
  const merged = await mergedBy(method, { repository, pull, by, request })
  if (merged === null) throw new Error(`pull request ${pull.number} is not mergeable`)
  const ref = `refs/heads/${pull.baseRef}`
  await updateRef(git, ref, merged)
  await updateRef(git, `refs/pull/${pull.number}/merge`, null)
  // Ended before the branch's move is handled, so that the base and merge base of the merge stay on record.
  Object.assign(pull, { state: 'closed', mergedBy: by, mergedAt: now, closedAt: now, updatedAt: now, mergeCommitSha: merged })
  await refMoved(world, repository, { ref, before: request.base, after: merged, actor: by, type: 'pr_merge' })
  await emitPull(world, repository, pull, 'closed', by)
  return merged
}

interface MergeWork {
  repository: Repository
  pull: Pull
  by: Account
  request: Omit<MergeRequest, 'author' | 'message'>
}

async function mergedBy(method: MergeMethod, work: MergeWork): Promise<string | null> {
  const { repository, pull, by, request } = work
  const title = `${pull.title} (#${pull.number})`
  switch (method) {
    case 'merge': {
      const message = `Merge pull request #${pull.number} from ${pull.headRepository.owner.login}/${pull.headRef}\n\n${pull.title}`
      return mergeCommit(repository.git, { ...request, author: by, message })
    }
    case 'squash': {
      const message = [title, ...(await squashTrailers(work))].join('\n\n')
      return squashCommit(repository.git, { ...request, author: pull.author, message })
    }
    case 'rebase':
      return rebasedTip(repository.git, { ...request, author: by, message: title }, by)
  }
}

/** Authors other than the pull request's own are named as co-authors. */
async function squashTrailers({ repository, pull }: MergeWork): Promise<string[]> {
  const commits = await commitsBetween(repository.git, pull.mergeBase, pull.headSha)
  const authors = new Map(commits.map(({ author }) => [author.email, `Co-authored-by: ${author.name} <${author.email}>`]))
  authors.delete(pull.author.email)
  return authors.size === 0 ? [] : [[...authors.values()].join('\n')]
}

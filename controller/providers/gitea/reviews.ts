import type { PullRequestFacts, PullRequestSummary, Review, ReviewHost, ReviewState } from '../../approvals/evidence.ts'
import type { Clock } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import { type CommitSha, commitSha, isCommitSha } from '../../model/names.ts'
import { hostTimeOf } from '../json-calls.ts'
import { accountOf, type ShownUser } from './accounts.ts'
import { everything, type GiteaClient, pages } from './client.ts'
import { commitsOf, pushersOf } from './contributors.ts'

interface BranchInfo {
  ref: string
  /** The branch, also when it is gone (`ref` is `refs/pull/12/head` then). Empty where there never was one (AGit). */
  label: string
  sha: string
  repo_id: number
  /** Null when the fork is gone. */
  repo: { full_name: string } | null
}

interface Pull {
  number: number
  title: string
  state: 'open' | 'closed'
  draft: boolean
  merged: boolean
  user: ShownUser | null
  base: BranchInfo
  head: BranchInfo
  merge_commit_sha: string | null
  merged_at: string | null
  created_at: string
  updated_at: string
  /** Absent in lists, and when the fork is gone. */
  changed_files?: number
  html_url: string
}

interface ListedReview {
  id: number
  user: ShownUser | null
  state: string
  commit_id: string
  dismissed: boolean
  submitted_at: string
  html_url: string
}

interface ChangedFile {
  filename: string
  previous_filename?: string
  status: string
}

/** Pull requests of the config repository. */
export function giteaReviews(client: GiteaClient, clock: Clock): ReviewHost {
  const list = `${client.repo}/pulls`

  return {
    async pullRequests({ baseRef, since }) {
      // Asking for a base is spelt differently by the two, and not known to older versions.
      const wanted = (pull: Pull) => pull.base.ref === baseRef && pull.head.sha !== ''
      const open = (await everything<Pull>(client, list, { state: 'open' })).filter(wanted)
      const closed: Pull[] = []
      for await (const page of pages<Pull>(client, list, { state: 'closed', sort: 'recentupdate' })) {
        const recent = page.filter((pull) => Date.parse(pull.updated_at) >= since)
        closed.push(...recent.filter(wanted))
        if (recent.length < page.length) break
      }
      // One that was closed between both lists is in both: the later word counts.
      const found = new Map([...open, ...closed].map((pull) => [pull.number, pull]))
      return Promise.all([...found.values()].map((pull) => summary(client, pull)))
    },
    async pullRequest(number) {
      const path = `${list}/${number}`
      const { data: pull, headers } = await client.get<Pull>(path)
      const createdAt = Date.parse(pull.created_at)
      const head = { fullName: pull.head.repo?.full_name ?? null, branch: pull.head.label, openedAt: createdAt }
      const pushers = await pushersOf(client, number, head)
      return {
        ...(await summary(client, pull)),
        url: pull.html_url,
        title: pull.title,
        author: accountOf(client.dialect, pull.user),
        draft: pull.draft,
        createdAt,
        fromFork: pull.head.repo_id !== pull.base.repo_id,
        commits: await commitsOf(client, number),
        // Who cannot be shown not to have pushed is treated as one who cannot be shown not to have written: nobody counts.
        commitsTruncated: pushers === null,
        pushers,
        reviews: await reviewsOf(client, number),
        files: await filesOf(client, pull),
        hostTime: hostTimeOf(headers, clock),
      }
    },
    headRef: (number) => `refs/pull/${number}/head`,
  }
}

async function summary(client: GiteaClient, pull: Pull): Promise<PullRequestSummary> {
  const merge = pull.merged ? pull.merge_commit_sha : null
  return {
    number: pull.number,
    state: pull.merged ? 'merged' : pull.state,
    baseRef: pull.base.ref,
    headSha: await headOf(client, pull),
    mergeCommit: merge !== null && isCommitSha(merge) ? commitSha(merge) : null,
    mergedAt: pull.merged && pull.merged_at !== null ? Date.parse(pull.merged_at) : null,
    updatedAt: Date.parse(pull.updated_at),
  }
}

interface GitRef {
  ref: string
  object: { sha: string }
}

/** Of a merged one the head of the merge, which the ref keeps; `head` follows its branch on, whatever is pushed there later. */
async function headOf(client: GiteaClient, pull: Pull): Promise<CommitSha> {
  if (!pull.merged) return commitSha(pull.head.sha)
  const name = `pull/${pull.number}/head`
  const { data } = await client.get<GitRef | GitRef[]>(`${client.repo}/git/refs/${name}`)
  const found = [data].flat().find(({ ref }) => ref === `refs/${name}`)
  if (found === undefined) throw new RefusedFault(`${client.dialect.name} has no refs/${name} any more.`)
  return commitSha(found.object.sha)
}

const STATES = new Map<string, ReviewState>([
  ['APPROVED', 'approved'],
  ['REQUEST_CHANGES', 'changes_requested'],
  ['COMMENT', 'commented'],
  ['PENDING', 'pending'],
  // The wish for a review, listed in the name of who is wanted.
  ['REQUEST_REVIEW', 'pending'],
])

/**
 * Oldest first. What the server itself thinks of a review is not read: `stale` means that the diff changed, `official` that its
 * own rules count it. `submitted_at` of a review that was written over a while is when it was begun: too early, never too late.
 */
async function reviewsOf(client: GiteaClient, number: number): Promise<Review[]> {
  const listed = await everything<ListedReview>(client, `${client.repo}/pulls/${number}/reviews`)
  return listed
    .toSorted((one, other) => one.id - other.id)
    .map((review) => {
      const state = STATES.get(review.state) ?? 'commented'
      const isStance = state === 'approved' || state === 'changes_requested'
      return {
        id: String(review.id),
        reviewer: accountOf(client.dialect, review.user),
        state: review.dismissed && isStance ? 'dismissed' : state,
        commit: isCommitSha(review.commit_id) ? commitSha(review.commit_id) : null,
        submittedAt: Date.parse(review.submitted_at),
        url: review.html_url,
      }
    })
}

async function filesOf(client: GiteaClient, pull: Pull): Promise<PullRequestFacts['files']> {
  const listed = await everything<ChangedFile>(client, `${client.repo}/pulls/${pull.number}/files`)
  // Of a merged one the count follows the branch on.
  if (!pull.merged && listed.length < (pull.changed_files ?? 0)) {
    throw new RefusedFault(
      `Pull request ${pull.number} changes ${pull.changed_files} files; ${client.dialect.name} lists only ${listed.length} of them.`,
    )
  }
  return listed.flatMap(({ filename: path, previous_filename: before, status }): PullRequestFacts['files'] => {
    if (status === 'added' || status === 'copied') return [{ path, status: 'added' }]
    if (status === 'deleted') return [{ path, status: 'removed' }]
    if (status !== 'renamed' || !before) return [{ path, status: 'modified' }]
    return [
      { path: before, status: 'removed' },
      { path, status: 'renamed' },
    ]
  })
}

import type { PullRequestFacts, PullRequestSummary, ReviewHost } from '../../approvals/evidence.ts'
import { type Clock, SECOND_MS, toIso } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import { commitSha, isCommitSha } from '../../model/names.ts'
import { hostTimeOf } from '../json-calls.ts'
import { accountReader, type ShownUser } from './accounts.ts'
import { reviewsOf } from './approvals.ts'
import { everything, type GitlabClient } from './client.ts'
import { contributorsOf, pushersOf } from './contributors.ts'

interface MergeRequest {
  iid: number
  title: string
  state: 'opened' | 'closed' | 'merged' | 'locked'
  draft: boolean
  author: ShownUser | null
  source_branch: string
  target_branch: string
  /** Null when the fork is gone. */
  source_project_id: number | null
  target_project_id: number
  sha: string | null
  merge_commit_sha: string | null
  squash_commit_sha: string | null
  merged_at: string | null
  created_at: string
  updated_at: string
  /** `3`, or `1000+` when GitLab did not count on. */
  changes_count?: string | null
  web_url: string
}

interface Diff {
  old_path: string
  new_path: string
  new_file: boolean
  renamed_file: boolean
  deleted_file: boolean
}

/** Merge requests of the config repository. */
export function gitlabReviews(client: GitlabClient, clock: Clock): ReviewHost {
  const accountOf = accountReader(client)
  const list = `${client.project}/merge_requests`
  return {
    async pullRequests({ baseRef, since }) {
      const query = { target_branch: baseRef, scope: 'all' }
      const open = await everything<MergeRequest>(client, list, { ...query, state: 'opened' })
      // `updated_after` leaves out its own moment, in some versions all of its second.
      const recent = await everything<MergeRequest>(client, list, {
        ...query,
        state: 'all',
        updated_after: toIso(since - SECOND_MS),
      })
      // One that changed between both lists is in both: the later word counts.
      const found = new Map([...open, ...recent].filter(hasCommit).map((request) => [request.iid, summary(request)]))
      return [...found.values()].filter((request) => request.state === 'open' || request.updatedAt >= since)
    },
    async pullRequest(number) {
      const path = `${list}/${number}`
      const { data, headers } = await client.get<MergeRequest>(path)
      const openedAt = Date.parse(data.created_at)
      const contributors = await contributorsOf(client, number)
      const pushers = await pushersOf(client, { projectId: data.source_project_id, branch: data.source_branch, openedAt })
      const updatedAt = Date.parse(data.updated_at)
      return {
        ...summary(data),
        url: data.web_url,
        title: data.title,
        author: data.author === null ? null : await accountOf(data.author),
        draft: data.draft,
        createdAt: openedAt,
        fromFork: data.source_project_id !== data.target_project_id,
        commits: contributors.commits,
        commitsTruncated: contributors.truncated,
        pushers:
          pushers === null && contributors.committers.length === 0 ? null : [...(pushers ?? []), ...contributors.committers],
        reviews: await reviewsOf({ client, path, webUrl: data.web_url, updatedAt, accountOf }),
        files: await filesOf(client, path, data),
        hostTime: hostTimeOf(headers, clock),
      }
    },
    headRef: (number) => `refs/merge-requests/${number}/head`,
  }
}

/** One that was opened from an empty branch has none yet, and nothing to judge. */
function hasCommit({ sha }: MergeRequest): boolean {
  return sha !== null
}

function summary(request: MergeRequest): PullRequestSummary {
  const isMerged = request.state === 'merged'
  if (request.sha === null) throw new RefusedFault(`Merge request ${request.iid} has no commit.`)
  return {
    number: request.iid,
    // `locked` is the moment in which it is being merged.
    state: isMerged ? 'merged' : request.state === 'closed' ? 'closed' : 'open',
    baseRef: request.target_branch,
    headSha: commitSha(request.sha),
    mergeCommit: isMerged ? mergeCommitOf(request) : null,
    mergedAt: isMerged && request.merged_at !== null ? Date.parse(request.merged_at) : null,
    updatedAt: Date.parse(request.updated_at),
  }
}

/**
 * The commit that the target branch held after the merge. A merge commit stands on top of a squashed one; a fast-forward makes
 * neither, or the squashed one alone, and then the branch was moved to the head itself.
 */
function mergeCommitOf({ merge_commit_sha: merge, squash_commit_sha: squash, sha }: MergeRequest) {
  const commit = merge ?? squash ?? sha
  return commit !== null && isCommitSha(commit) ? commitSha(commit) : null
}

async function filesOf(
  client: GitlabClient,
  path: string,
  { iid, changes_count: counted }: MergeRequest,
): Promise<PullRequestFacts['files']> {
  const diffs = await everything<Diff>(client, `${path}/diffs`)
  const count = counted == null ? diffs.length : Number(counted)
  // `1000+` is no number, and then what is listed cannot be all.
  if (!(diffs.length >= count)) {
    throw new RefusedFault(`Merge request ${iid} changes ${counted} files; GitLab lists only ${diffs.length} of them.`)
  }
  return diffs.flatMap((diff): { path: string; status: 'added' | 'modified' | 'removed' | 'renamed' }[] => {
    if (diff.new_file) return [{ path: diff.new_path, status: 'added' }]
    if (diff.deleted_file) return [{ path: diff.old_path, status: 'removed' }]
    if (!diff.renamed_file) return [{ path: diff.new_path, status: 'modified' }]
    return [
      { path: diff.old_path, status: 'removed' },
      { path: diff.new_path, status: 'renamed' },
    ]
  })
}

import type { RestEndpointMethodTypes } from '@octokit/rest'
import type {
  Account,
  PullRequestCommit,
  PullRequestFacts,
  PullRequestSummary,
  Review,
  ReviewHost,
  ReviewState,
} from '../../approvals/evidence.ts'
import type { Clock } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import { commitSha, isCommitSha } from '../../model/names.ts'
import { coAuthorEmails } from '../text.ts'
import { type GithubClient, nextPage, pages } from './client.ts'
import { hostTimeOf } from './octokit.ts'

type Pull = RestEndpointMethodTypes['pulls']['get']['response']['data']
type ListedPull = RestEndpointMethodTypes['pulls']['list']['response']['data'][number]
type ListedCommit = RestEndpointMethodTypes['pulls']['listCommits']['response']['data'][number]
type ListedReview = RestEndpointMethodTypes['pulls']['listReviews']['response']['data'][number]
type ListedFile = RestEndpointMethodTypes['pulls']['listFiles']['response']['data'][number]

const PROVIDER = 'github'
/** GitHub lists no more commits of one pull request, and does not always say that it stopped. */
const MAX_LISTED_COMMITS = 250

/** Pull requests of the config repository. */
export function githubReviews(client: GithubClient, clock: Clock): ReviewHost {
  const { octokit, owner, repo } = client
  return {
    async pullRequests({ baseRef, since }) {
      const found: PullRequestSummary[] = []
      const listed = { owner, repo, base: baseRef, per_page: 100 }
      for await (const page of pages((page) => octokit.rest.pulls.list({ ...listed, state: 'open', page }))) {
        found.push(...page.map(summary))
      }
      const newestFirst = { ...listed, state: 'closed', sort: 'updated', direction: 'desc' } as const
      for await (const page of pages((page) => octokit.rest.pulls.list({ ...newestFirst, page }))) {
        const recent = page.map(summary).filter((pull) => pull.updatedAt >= since)
        found.push(...recent)
        if (recent.length < page.length) break
      }
      return found
    },
    async pullRequest(number) {
      const pull = { owner, repo, pull_number: number }
      const { data, headers } = await octokit.rest.pulls.get(pull)
      // One after the other: GitHub counts calls that run at the same time towards its secondary limit.
      const commits = await everything((page) => octokit.rest.pulls.listCommits({ ...pull, per_page: 100, page }))
      const files = await everything((page) => octokit.rest.pulls.listFiles({ ...pull, per_page: 100, page }))
      const reviews = await everything((page) => octokit.rest.pulls.listReviews({ ...pull, per_page: 100, page }))
      if (files.length < data.changed_files) {
        throw new RefusedFault(
          `Pull request ${number} changes ${data.changed_files} files; GitHub lists only ${files.length} of them.`,
        )
      }
      return {
        ...summary(data),
        ...pullFacts(data),
        commits: commits.map(commit),
        commitsTruncated: data.commits > commits.length || commits.length >= MAX_LISTED_COMMITS,
        pushers: await pushers(client, data),
        reviews: reviews.map((listed) => review(listed, Date.parse(data.updated_at))),
        files: files.flatMap(changes),
        hostTime: hostTimeOf(headers, clock),
      }
    },
    headRef: (number) => `refs/pull/${number}/head`,
  }
}

async function everything<Item>(
  send: (page: number) => Promise<{ data: Item[]; headers: { link?: string | undefined } }>,
): Promise<Item[]> {
  const items: Item[] = []
  for await (const page of pages(send)) items.push(...page)
  return items
}

function summary(pull: Pull | ListedPull): PullRequestSummary {
  const mergedAt = pull.merged_at === null ? null : Date.parse(pull.merged_at)
  return {
    number: pull.number,
    state: mergedAt !== null ? 'merged' : pull.state === 'open' ? 'open' : 'closed',
    baseRef: pull.base.ref,
    headSha: commitSha(pull.head.sha),
    // Before the merge this field names GitHub's own trial merge.
    mergeCommit: mergedAt !== null && pull.merge_commit_sha !== null ? commitSha(pull.merge_commit_sha) : null,
    mergedAt,
    updatedAt: Date.parse(pull.updated_at),
  }
}

function pullFacts(pull: Pull): Pick<PullRequestFacts, 'url' | 'title' | 'author' | 'draft' | 'createdAt' | 'fromFork'> {
  return {
    url: pull.html_url,
    title: pull.title,
    author: account(pull.user),
    draft: pull.draft ?? false,
    createdAt: Date.parse(pull.created_at),
    // A head without a repository is a deleted fork.
    fromFork: pull.head.repo === null || pull.head.repo.id !== pull.base.repo.id,
  }
}

/** The account GitHub shows for deleted users where it shows one at all. */
const GHOST_LOGIN = 'ghost'

/** Null when GitHub names no account. Only type `User` can ever approve; Bot, Mannequin, Organization cannot. */
export function account(user: { login?: string; id?: number; type?: string } | null | undefined): Account | null {
  if (user?.login === undefined || user.id === undefined) return null
  const bot = user.type === 'Bot' || user.login.endsWith('[bot]')
  const gone = user.login === GHOST_LOGIN || user.type !== 'User'
  return { provider: PROVIDER, login: user.login, id: String(user.id), kind: bot ? 'bot' : gone ? 'gone' : 'user' }
}

function commit(listed: ListedCommit): PullRequestCommit {
  return {
    sha: commitSha(listed.sha),
    author: account(listed.author),
    committer: account(listed.committer),
    authorEmail: (listed.commit.author?.email ?? '').toLowerCase(),
    committerEmail: (listed.commit.committer?.email ?? '').toLowerCase(),
    coAuthorEmails: coAuthorEmails(listed.commit.message),
  }
}

const REVIEW_STATES = new Map<string, ReviewState>([
  ['APPROVED', 'approved'],
  ['CHANGES_REQUESTED', 'changes_requested'],
  ['DISMISSED', 'dismissed'],
  ['COMMENTED', 'commented'],
  ['PENDING', 'pending'],
])

function review(listed: ListedReview, updatedAt: number): Review {
  return {
    id: String(listed.id),
    reviewer: account(listed.user),
    // A state that we do not know neither approves nor takes an approval away.
    state: REVIEW_STATES.get(listed.state) ?? 'commented',
    commit: listed.commit_id !== null && isCommitSha(listed.commit_id) ? listed.commit_id : null,
    // A pending review has no such time yet.
    submittedAt: listed.submitted_at === undefined ? updatedAt : Date.parse(listed.submitted_at),
    url: listed.html_url,
  }
}

function changes(file: ListedFile): PullRequestFacts['files'] {
  switch (file.status) {
    case 'added':
    case 'copied':
      return [{ path: file.filename, status: 'added' }]
    case 'removed':
      return [{ path: file.filename, status: 'removed' }]
    case 'renamed': {
      const renamed = { path: file.filename, status: 'renamed' } as const
      return file.previous_filename === undefined ? [renamed] : [{ path: file.previous_filename, status: 'removed' }, renamed]
    }
    default:
      return [{ path: file.filename, status: 'modified' }]
  }
}

/**
 * Accounts that put commits on the head branch, from the activity log of the repository that holds it.
 * Null when the log cannot be read: the fork is gone, or private, or the credential has no right there.
 */
async function pushers({ octokit }: GithubClient, pull: Pull): Promise<Account[] | null> {
  const head = pull.head.repo
  if (head === null) return null
  const log = { owner: head.owner.login, repo: head.name, ref: `refs/heads/${pull.head.ref}`, per_page: 100 }
  const accounts = new Map<string, Account>()
  try {
    for (let after: string | null | undefined; after !== null; ) {
      const { data, headers } = await octokit.rest.repos.listActivities({ ...log, ...(after === undefined ? {} : { after }) })
      for (const activity of data) {
        const actor = account(activity.actor)
        if (actor !== null && activity.activity_type !== 'branch_deletion') accounts.set(actor.id, actor)
      }
      after = nextPage(headers.link)?.searchParams.get('after') ?? null
    }
  } catch (error) {
    if (error instanceof RefusedFault && (error.status === 403 || error.status === 404)) return null
    throw error
  }
  return [...accounts.values()]
}

import type { Account, PullRequestCommit } from '../../approvals/evidence.ts'
import type { Instant } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import { commitSha } from '../../model/names.ts'
import { coAuthorEmails } from '../text.ts'
import { plainAccount, privateAddress, type ShownUser } from './accounts.ts'
import { everything, type GitlabClient, pages } from './client.ts'

interface ListedCommit {
  id: string
  message?: string
  author_email?: string
  committer_email?: string
}

interface GraphUser {
  /** `gid://gitlab/User/12`. */
  id: string
  username: string
}

interface GraphAnswer {
  project: {
    mergeRequest: {
      committers: { nodes: GraphUser[]; pageInfo: { hasNextPage: boolean } } | null
      commits: {
        nodes: { sha: string; author: GraphUser | null }[]
        pageInfo: { hasNextPage: boolean; endCursor: string | null }
      } | null
    } | null
  } | null
}

/** REST names commits by e-mail only; GraphQL knows whose verified e-mail it is. */
export const CONTRIBUTORS_QUERY = `query contributors($project: ID!, $iid: String!, $after: String) {
  project(fullPath: $project) {
    mergeRequest(iid: $iid) {
      committers(first: 100) { nodes { id username } pageInfo { hasNextPage } }
      commits(first: 100, after: $after) { nodes { sha author { id username } } pageInfo { hasNextPage endCursor } }
    }
  }
}`

export interface Contributors {
  commits: PullRequestCommit[]
  /** True when it is not certain that everybody is named: nobody can then be shown to have had no part. */
  truncated: boolean
  /** Accounts that committed, by any of their verified e-mails. */
  committers: Account[]
}

/** Who wrote the commits of a merge request. */
export async function contributorsOf(client: GitlabClient, iid: number): Promise<Contributors> {
  const listed = await everything<ListedCommit>(client, `${client.project}/merge_requests/${iid}/commits`)
  const known = await accountsByCommit(client, iid)
  const commits = listed.map((commit): PullRequestCommit => {
    const authorEmail = (commit.author_email ?? '').toLowerCase()
    const committerEmail = (commit.committer_email ?? '').toLowerCase()
    return {
      sha: commitSha(commit.id),
      author: known?.authors.get(commit.id) ?? privateAddress(authorEmail),
      committer: privateAddress(committerEmail),
      authorEmail,
      committerEmail,
      coAuthorEmails: coAuthorEmails(commit.message ?? ''),
    }
  })
  const isComplete = known !== null && !known.truncated && commits.every(({ sha }) => known.authors.has(sha))
  return { commits, truncated: !isComplete, committers: known?.committers ?? [] }
}

interface KnownAccounts {
  authors: Map<string, Account | null>
  committers: Account[]
  truncated: boolean
}

/** Null when this GitLab does not tell. */
async function accountsByCommit(client: GitlabClient, iid: number): Promise<KnownAccounts | null> {
  const known: KnownAccounts = { authors: new Map(), committers: [], truncated: false }
  for (let after: string | null = null; ; ) {
    const request = await graphPage(client, iid, after)
    if (request?.commits == null || request.committers == null) return null
    known.committers = request.committers.nodes.map(graphAccount)
    known.truncated ||= request.committers.pageInfo.hasNextPage
    for (const { sha, author } of request.commits.nodes) known.authors.set(sha, author === null ? null : graphAccount(author))
    const next: string | null = request.commits.pageInfo.hasNextPage ? request.commits.pageInfo.endCursor : null
    if (next === null) return known
    after = next
  }
}

async function graphPage(client: GitlabClient, iid: number, after: string | null) {
  try {
    const answer = await client.query<GraphAnswer>(CONTRIBUTORS_QUERY, { project: client.fullName, iid: String(iid), after })
    return answer.project?.mergeRequest ?? null
  } catch (error) {
    if (error instanceof RefusedFault) return null
    throw error
  }
}

function graphAccount({ id, username }: GraphUser): Account {
  return plainAccount({ id: Number(id.slice(id.lastIndexOf('/') + 1)), username })
}

interface PushEvent {
  created_at: string
  author?: ShownUser
  push_data?: { action: string; ref_type: string; ref: string | null }
}

/** Events looked through for pushes to one branch; a busier project than that tells nothing. */
const MAX_EVENTS = 2_000

/**
 * Accounts that pushed to the head branch, from the activity of the project that holds it, back to the push that made the branch.
 * Null when the activity cannot be read, or does not go back that far.
 */
export async function pushersOf(
  client: GitlabClient,
  head: { projectId: number | null; branch: string; openedAt: Instant },
): Promise<Account[] | null> {
  if (head.projectId === null) return null
  const accounts = new Map<string, Account>()
  let seen = 0
  try {
    for await (const events of pages<PushEvent>(client, `/projects/${head.projectId}/events`, { action: 'pushed' })) {
      for (const { author, push_data: push, created_at: at } of events) {
        // GitLab sums up a push of many refs in one event without a name: whoever did that may have pushed this one.
        const concerns = push !== undefined && (push.ref === null || (push.ref === head.branch && push.ref_type === 'branch'))
        if (!concerns || push.action === 'removed') continue
        if (author !== undefined) accounts.set(String(author.id), plainAccount(author))
        if (push.ref !== null && push.action === 'created' && Date.parse(at) <= head.openedAt) return [...accounts.values()]
      }
      seen += events.length
      if (seen >= MAX_EVENTS) return null
    }
  } catch (error) {
    if (error instanceof RefusedFault && (error.status === 403 || error.status === 404)) return null
    throw error
  }
  return [...accounts.values()]
}

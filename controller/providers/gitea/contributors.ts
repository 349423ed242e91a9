import type { Account, PullRequestCommit } from '../../approvals/evidence.ts'
import type { Instant } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import { commitSha } from '../../model/names.ts'
import { coAuthorEmails } from '../text.ts'
import { accountOf, type ShownUser } from './accounts.ts'
import { everything, type GiteaClient, pages } from './client.ts'

interface ListedCommit {
  sha: string
  commit: { message: string; author: { email: string } | null; committer: { email: string } | null }
  /** Whose e-mail that is; null when the server knows nobody. */
  author: ShownUser | null
  committer: ShownUser | null
}

/** Who wrote the commits of a pull request. All of them are listed, however many. */
export async function commitsOf(client: GiteaClient, number: number): Promise<PullRequestCommit[]> {
  const path = `${client.repo}/pulls/${number}/commits`
  const listed = await everything<ListedCommit>(client, path, { verification: false, files: false })
  return listed.map(({ sha, commit, author, committer }) => ({
    sha: commitSha(sha),
    author: accountOf(client.dialect, author),
    committer: accountOf(client.dialect, committer),
    authorEmail: (commit.author?.email ?? '').toLowerCase(),
    committerEmail: (commit.committer?.email ?? '').toLowerCase(),
    coAuthorEmails: coAuthorEmails(commit.message),
  }))
}

interface Activity {
  op_type: string
  ref_name: string
  /** Empty for the entry that says that a branch was made. */
  content: string
  act_user: ShownUser | null
  created: string
}

interface TimelineEntry {
  type: string
  user: ShownUser | null
}

export interface HeadBranch {
  /** Null when the fork is gone. */
  fullName: string | null
  /** Empty: a push to the target itself, for a pull request without a branch (AGit). */
  branch: string
  openedAt: Instant
}

/** Activities looked through for pushes to one branch; a branch from before them tells nothing. */
const MAX_ACTIVITIES = 2_000

/**
 * Accounts that pushed to the head branch. The timeline of the pull request names who pushed while it was open, until a forced
 * push takes such entries away; the activity of the repository that holds the branch names the others, but nobody who hides
 * their activity. Null when either cannot be read, or the activity is too long.
 */
export async function pushersOf(client: GiteaClient, number: number, head: HeadBranch): Promise<Account[] | null> {
  try {
    const { data } = await client.get<TimelineEntry[] | null>(`${client.repo}/issues/${number}/timeline`)
    const whileOpen = (data ?? []).filter(({ type }) => type === 'pull_push').map(({ user }) => user)
    const ever = head.branch === '' ? [] : await activeUsers(client, head)
    if (ever === null) return null
    const accounts = [...whileOpen, ...ever].flatMap((user) => accountOf(client.dialect, user) ?? [])
    return [...new Map(accounts.map((account) => [account.id, account])).values()]
  } catch (error) {
    if (error instanceof RefusedFault && (error.status === 403 || error.status === 404)) return null
    throw error
  }
}

/** Newest first, back to the making of the branch. What is of the same second may stand in any order. */
async function activeUsers(
  client: GiteaClient,
  { fullName, branch, openedAt }: HeadBranch,
): Promise<(ShownUser | null)[] | null> {
  if (fullName === null) return null
  const users: (ShownUser | null)[] = []
  let [seen, madeAt] = [0, Number.NEGATIVE_INFINITY]
  for await (const page of pages<Activity>(client, `/repos/${fullName}/activities/feeds`)) {
    for (const { op_type: kind, ref_name: ref, content, act_user: user, created } of page) {
      const at = Date.parse(created)
      if (at < madeAt) return users
      if (kind !== 'commit_repo' || ref !== `refs/heads/${branch}`) continue
      users.push(user)
      if (content === '' && at <= openedAt) madeAt = at
    }
    seen += page.length
    if (seen >= MAX_ACTIVITIES) return null
  }
  return users
}

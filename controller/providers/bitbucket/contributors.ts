import type { PullRequestCommit } from '../../approvals/evidence.ts'
import { unlessMissing } from '../json-calls.ts'
import { coAuthorEmails } from '../text.ts'
import { account, type ShownUser } from './accounts.ts'
import { type BitbucketClient, everything } from './client.ts'
import { fullSha } from './commit-ids.ts'

interface Identity {
  /** `Name <e-mail>`. */
  raw?: string
  /** Whose verified e-mail that is, where Bitbucket knows. */
  user?: ShownUser
}

interface ListedCommit {
  hash: string
  message?: string
  author?: Identity
  committer?: Identity
}

export interface Contributors {
  commits: PullRequestCommit[]
  /** True when it is not certain that everybody is named: nobody can then be shown to have had no part. */
  truncated: boolean
}

/** Where a pull request's commits are found, also after its branch is gone. */
export interface CommitRange {
  /** `/repositories/…/pullrequests/12`. */
  path: string
  source: string
  destination: string
}

/** Who wrote and committed what a pull request brings. */
export async function contributorsOf(client: BitbucketClient, { path, source, destination }: CommitRange): Promise<Contributors> {
  let listed = await unlessMissing(() => everything<ListedCommit>(client, `${path}/commits`))
  if (listed === null || listed.length === 0) {
    // "This list will be empty if the source branch no longer exists" (REST API, "List commits on a pull request").
    const range = { include: source, exclude: destination }
    listed = await unlessMissing(() => everything<ListedCommit>(client, `${client.repository}/commits`, range))
  }
  const commits: PullRequestCommit[] = []
  for (const commit of listed ?? []) {
    commits.push({
      sha: await fullSha(client, commit.hash),
      author: account(commit.author?.user),
      committer: account(commit.committer?.user),
      authorEmail: emailIn(commit.author),
      committerEmail: emailIn(commit.committer),
      coAuthorEmails: coAuthorEmails(commit.message ?? ''),
    })
  }
  return { commits, truncated: commits.length === 0 || !(await holdsHead(client, commits, source)) }
}

/** A list that lacks the head is of another state of the branch, or is not all of it. */
async function holdsHead(client: BitbucketClient, commits: readonly PullRequestCommit[], source: string): Promise<boolean> {
  const head = await fullSha(client, source)
  return commits.some(({ sha }) => sha === head)
}

function emailIn(identity: Identity | undefined): string {
  return (/<([^<>\s]*)>\s*$/.exec(identity?.raw ?? '')?.[1] ?? '').toLowerCase()
}

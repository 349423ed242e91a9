import type { Account, Review } from '../../approvals/evidence.ts'
import type { Instant } from '../../clock.ts'
import type { CommitSha } from '../../model/names.ts'
import { unlessMissing } from '../json-calls.ts'
import { account, type ShownUser } from './accounts.ts'
import { type BitbucketClient, everything } from './client.ts'
import { fullSha } from './commit-ids.ts'

/** One line of a pull request's activity log, which Bitbucket lists newest first. */
interface Entry {
  /** Opened, pushed to, retitled, merged: the pull request as it was from then on. */
  update?: { date: string; state: string; author?: ShownUser; source: { commit?: { hash: string } | null } }
  approval?: { date: string; user: ShownUser }
  changes_requested?: { date: string; user: ShownUser }
}

/** Where everybody stands now. */
export interface Participant {
  user: ShownUser
  approved: boolean
  state: 'approved' | 'changes_requested' | null
  participated_on?: string | null
}

/** A state of the pull request's branch, and since when it was on show. */
interface Version {
  at: Instant
  hash: string
  by: ShownUser | undefined
}

export interface Activity {
  /** Oldest first. */
  versions: readonly Version[]
  /** When each account last approved, or asked for changes. */
  approvedAt: ReadonlyMap<string, Instant>
  objectedAt: ReadonlyMap<string, Instant>
  mergedAt: Instant | null
}

export async function activityOf(client: BitbucketClient, path: string): Promise<Activity> {
  const versions: Version[] = []
  const approvedAt = new Map<string, Instant>()
  const objectedAt = new Map<string, Instant>()
  let mergedAt: Instant | null = null
  for (const entry of (await everything<Entry>(client, `${path}/activity`)).reverse()) {
    const { update, approval, changes_requested: objection } = entry
    const hash = update?.source.commit?.hash
    if (update !== undefined && hash !== undefined) versions.push({ at: Date.parse(update.date), hash, by: update.author })
    if (update?.state === 'MERGED') mergedAt ??= Date.parse(update.date)
    if (approval !== undefined) later(approvedAt, approval)
    if (objection !== undefined) later(objectedAt, objection)
  }
  return { versions, approvedAt, objectedAt, mergedAt }
}

function later(times: Map<string, Instant>, { date, user }: { date: string; user: ShownUser }): void {
  const login = account(user)?.login
  const at = Date.parse(date)
  if (login !== undefined && !Number.isNaN(at)) times.set(login, Math.max(times.get(login) ?? 0, at))
}

/** Accounts under which the branch moved while the pull request was open; null when the log does not reach back to its opening. */
export function pushersIn({ versions }: Activity): Account[] | null {
  if (versions.length === 0) return null
  const accounts = new Map<string, Account>()
  let before: string | null = null
  for (const { hash, by } of versions) {
    const pusher = hash === before ? null : account(by)
    before = hash
    if (pusher !== null) accounts.set(pusher.login, pusher)
  }
  return [...accounts.values()]
}

/** Where the pull request is read, and what its reviews need of it. */
export interface ReviewedRequest {
  client: BitbucketClient
  participants: readonly Participant[]
  activity: Activity
  webUrl: string
  updatedAt: Instant
  /** Accounts that may still look at the repository; null when that is not told. */
  members: ReadonlySet<string> | null
}

/**
 * Who approves now, and who asks for changes: the participants say so, and an approval that was taken back is gone from them.
 * Bitbucket keeps an approval when new commits come, unless the branch is told otherwise, and names no commit: the log of what
 * happened in which order tells which version was on show.
 */
export async function reviewsOf(request: ReviewedRequest): Promise<Review[]> {
  const { client, participants, activity, webUrl: url, updatedAt, members } = request
  const reviews: Review[] = []
  for (const { user, state, approved, participated_on: participatedOn } of participants) {
    const shown = account(user)
    if (shown === null || (state === null && !approved)) continue
    const gone = shown.kind === 'user' && members !== null && !members.has(shown.login)
    const reviewer: Account = gone ? { ...shown, kind: 'gone' } : shown
    if (state === 'changes_requested') {
      // Without a time it is as new as the newest thing here: they object now.
      const at = activity.objectedAt.get(shown.login) ?? Date.parse(participatedOn ?? '')
      const submittedAt = Number.isNaN(at) ? updatedAt : at
      reviews.push({ id: `changes:${shown.login}`, reviewer, state: 'changes_requested', commit: null, submittedAt, url })
      continue
    }
    const at = activity.approvedAt.get(shown.login) ?? null
    reviews.push({
      id: `approval:${shown.login}:${at ?? 'unknown'}`,
      reviewer,
      state: 'approved',
      commit: at === null ? null : await commitAt(client, activity, at),
      submittedAt: at ?? 0,
      url,
    })
  }
  return reviews
}

/**
 * The head of the newest version that was there before `at`. Not one of the same moment: who approves within the instant in which
 * a version appears has not seen it. Null when Bitbucket no longer has the commit, which then proves nothing.
 */
async function commitAt(client: BitbucketClient, { versions }: Activity, at: Instant): Promise<CommitSha | null> {
  const seen = versions.findLast((version) => version.at < at)
  return seen === undefined ? null : await unlessMissing(() => fullSha(client, seen.hash))
}

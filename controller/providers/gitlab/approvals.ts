import type { Account, Review } from '../../approvals/evidence.ts'
import type { Instant } from '../../clock.ts'
import { type CommitSha, commitSha } from '../../model/names.ts'
import { unlessMissing } from '../json-calls.ts'
import type { ShownUser } from './accounts.ts'
import { everything, type GitlabClient } from './client.ts'

interface Approvals {
  /** `approved_at` is in newer versions only. */
  approved_by: { user: ShownUser; approved_at?: string | null }[]
}

interface Version {
  id: number
  head_commit_sha: string
  created_at: string
}

interface Note {
  author: ShownUser
  body: string
  system: boolean
  created_at: string
}

interface Reviewer {
  user: ShownUser
  state: string
}

const APPROVED_NOTE = 'approved this merge request'

/** Where a merge request is read, and what its reviews need of it. */
export interface ReviewedRequest {
  client: GitlabClient
  /** `/projects/…/merge_requests/12`. */
  path: string
  webUrl: string
  updatedAt: Instant
  accountOf(user: ShownUser): Promise<Account>
}

/**
 * Who approves now, and who asks for changes. GitLab keeps an approval when new commits come, unless a paid plan is told not to,
 * and never says which commit it was given to: so each is bound to the version that was on show at its time.
 */
export async function reviewsOf({ client, path, webUrl: url, updatedAt, accountOf }: ReviewedRequest): Promise<Review[]> {
  const { data } = await client.get<Approvals>(`${path}/approvals`)
  const objections = await objectors(client, path)
  const times = await approvalTimes(client, path, data)
  const versions = data.approved_by.length === 0 ? [] : await everything<Version>(client, `${path}/versions`)
  const reviews: Review[] = []
  for (const { user } of data.approved_by) {
    // Somebody whose newest word is an objection.
    if (objections.has(user.id)) continue
    const at = times.get(user.id) ?? null
    reviews.push({
      id: `approval:${user.id}:${at ?? 'unknown'}`,
      reviewer: await accountOf(user),
      state: 'approved',
      commit: at === null ? null : versionAt(versions, at),
      submittedAt: at ?? 0,
      url,
    })
  }
  for (const user of objections.values()) {
    const reviewer = await accountOf(user)
    // GitLab says since when somebody is a reviewer, not since when they object. They do now.
    reviews.push({
      id: `changes:${user.id}`,
      reviewer,
      state: 'changes_requested',
      commit: null,
      submittedAt: updatedAt,
      url,
    })
  }
  return reviews
}

/**
 * The head of the newest version that was there before `at`. Not one of the same moment: who approves within the millisecond
 * in which a version appears has not seen it.
 */
export function versionAt(versions: readonly Version[], at: Instant): CommitSha | null {
  let newest: Version | null = null
  for (const version of versions) {
    if (Date.parse(version.created_at) < at && version.id > (newest?.id ?? 0)) newest = version
  }
  return newest === null ? null : commitSha(newest.head_commit_sha)
}

/** When each of the present approvals was given. */
async function approvalTimes(
  client: GitlabClient,
  path: string,
  { approved_by: given }: Approvals,
): Promise<Map<number, Instant>> {
  const times = new Map<number, Instant>()
  for (const { user, approved_at: at } of given) {
    const time = Date.parse(at ?? '')
    if (!Number.isNaN(time)) times.set(user.id, time)
  }
  if (times.size === given.length) return times
  // An older GitLab tells by its own notes only, which nobody else can write.
  const lacking = new Set(given.map(({ user }) => user.id).filter((id) => !times.has(id)))
  for (const { author, body, system, created_at: at } of await everything<Note>(client, `${path}/notes`)) {
    if (system && body.startsWith(APPROVED_NOTE) && lacking.has(author.id)) {
      times.set(author.id, Math.max(times.get(author.id) ?? 0, Date.parse(at)))
    }
  }
  return times
}

/** Reviewers who ask for changes (a paid plan's feature; elsewhere nobody is in that state). */
async function objectors(client: GitlabClient, path: string): Promise<Map<number, ShownUser>> {
  const reviewers = await unlessMissing(() => everything<Reviewer>(client, `${path}/reviewers`))
  const objecting = (reviewers ?? []).filter(({ state }) => state === 'requested_changes')
  return new Map(objecting.map(({ user }) => [user.id, user]))
}

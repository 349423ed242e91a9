import type { Account } from '../../approvals/evidence.ts'
import { type Clock, type Instant, MINUTE_MS } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import { type BitbucketClient, everything } from './client.ts'

export const PROVIDER = 'bitbucket'

/** A user as every answer of Bitbucket shows one. Nicknames are chosen freely, by anybody, and may change: they name nobody. */
export interface ShownUser {
  /** `user`; `app_user` for access tokens and apps, `team` for workspaces. */
  type: string
  /** In braces. */
  uuid?: string
  account_id?: string
  nickname?: string
  display_name?: string
}

/**
 * The uuid without its braces is the login: the one name of an account that nobody else can take. The id is Atlassian's own
 * (`account_id`). Null when Bitbucket names no account.
 */
export function account(user: ShownUser | null | undefined): Account | null {
  const uuid = /^\{([0-9a-f-]{36})\}$/i.exec(user?.uuid ?? '')?.[1]
  if (user == null || uuid === undefined) return null
  const kind = user.type === 'user' ? 'user' : 'bot'
  return { provider: PROVIDER, login: uuid.toLowerCase(), id: user.account_id ?? `{${uuid.toLowerCase()}}`, kind }
}

/** People come and go by the day, not by the minute. */
const KEPT_MS = 10 * MINUTE_MS

/** Who is in the workspace, or null when the token may not ask. */
export type MemberReader = () => Promise<ReadonlySet<string> | null>

/** Reads the uuids of everybody who has a permission in the workspace: whoever left it is gone, and approves nothing. */
export function memberReader(client: BitbucketClient, clock: Clock): MemberReader {
  let kept: { at: Instant; members: ReadonlySet<string> | null } | null = null
  return async () => {
    const now = clock.now()
    if (kept !== null && Math.abs(now - kept.at) < KEPT_MS) return kept.members
    kept = { at: now, members: await membersOf(client) }
    return kept.members
  }
}

async function membersOf(client: BitbucketClient): Promise<ReadonlySet<string> | null> {
  try {
    const path = `/workspaces/${encodeURIComponent(client.workspace)}/permissions`
    const memberships = await everything<{ user: ShownUser }>(client, path)
    return new Set(memberships.flatMap(({ user }) => account(user)?.login ?? []))
  } catch (error) {
    // Only a workspace's own token or a member's may ask; for the others the account's own state has to do.
    if (error instanceof RefusedFault && error.status !== null && [401, 403, 404].includes(error.status)) return null
    throw error
  }
}

import type { Account } from '../../approvals/evidence.ts'
import { unlessMissing } from '../json-calls.ts'
import type { GitlabClient } from './client.ts'

export const PROVIDER = 'gitlab'

/** A user as every answer of GitLab shows one. */
export interface ShownUser {
  id: number
  username: string
  /** `active`, `blocked`, `deactivated`, `banned` …; absent in a few answers. */
  state?: string
}

/** Users that GitLab makes for access tokens, and its own. */
const SERVICE_NAMES = /^(?:(?:project|group)_\d+_bot(?:_?[0-9a-z]+)?|alert-bot|support-bot|ghost\d*|service_account_.+)$/

/** Finds out what kind of account somebody is. Whether an account is a bot never changes, so that is asked once. */
export function accountReader(client: GitlabClient): (user: ShownUser) => Promise<Account> {
  const bots = new Map<number, boolean>()

  /** Null: the account is not there any more. */
  async function isBot({ id, username }: ShownUser): Promise<boolean | null> {
    if (SERVICE_NAMES.test(username)) return true
    const known = bots.get(id)
    if (known !== undefined) return known
    const found = await unlessMissing(() => client.get<{ bot?: boolean }>(`/users/${id}`))
    if (found === null) return null
    const bot = found.data.bot === true
    bots.set(id, bot)
    return bot
  }

  return async (user) => {
    const bot = await isBot(user)
    const gone = bot === null || (user.state !== undefined && user.state !== 'active')
    return { ...plainAccount(user), kind: bot ? 'bot' : gone ? 'gone' : 'user' }
  }
}

/** For people who are barred and not believed, where the kind does not matter. */
export function plainAccount({ id, username }: Pick<ShownUser, 'id' | 'username'>): Account {
  return { provider: PROVIDER, login: username, id: String(id), kind: 'user' }
}

/** The account behind one of GitLab's own private addresses: `12-login@users.noreply.gitlab.com`. */
export function privateAddress(email: string): Account | null {
  const [, id, username] = /^(\d{1,15})-([^@]+)@users\.noreply\./i.exec(email) ?? []
  return id === undefined || username === undefined ? null : plainAccount({ id: Number(id), username })
}

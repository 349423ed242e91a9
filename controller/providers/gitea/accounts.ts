import type { Account } from '../../approvals/evidence.ts'
import type { Dialect } from './dialect.ts'

/** The server's own CI speaks under this id (`models/user/user_system.go`). */
export const ACTIONS_ID = -2

/** A user as every answer shows one. Ids of accounts are positive; 0 and below are the server's own: ghost, Actions. */
export interface ShownUser {
  id: number
  login: string
}

/** Null where the server could match nobody. Neither server says which accounts are bots, beside its own. */
export function accountOf({ provider }: Dialect, user: ShownUser | null): Account | null {
  if (user === null || user.login === '') return null
  const kind = user.id > 0 ? 'user' : user.id === ACTIONS_ID ? 'bot' : 'gone'
  return { provider, login: user.login, id: String(user.id), kind }
}

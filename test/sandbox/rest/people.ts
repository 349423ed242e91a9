import { DAY_MS } from '../../../controller/clock.ts'
import { type Activity, nodeId, type Role, roleOf } from '../world.ts'
import { type Answer, type Call, notFound, type Operation, ok, Refusal, textParam } from './call.ts'
import { timestamp } from './urls.ts'
import { userBody, userBodyOrNull } from './users.ts'

/** The older, coarser word for a role: `maintain` shows as `write`, `triage` as `read`. */
const PERMISSION: Readonly<Record<Role, string>> = {
  none: 'none',
  read: 'read',
  triage: 'read',
  write: 'write',
  maintain: 'write',
  admin: 'admin',
}

/** Deleted and suspended accounts are not found. */
function permission(call: Call): Answer {
  const account = call.world.accounts.get(textParam(call, 'username').toLowerCase())
  if (!account || account.deleted || account.suspended) throw notFound()
  const role = roleOf(call.repository, account)
  const atLeast = (...roles: Role[]) => roles.includes(role)
  const permissions = {
    pull: role !== 'none',
    triage: atLeast('triage', 'write', 'maintain', 'admin'),
    push: atLeast('write', 'maintain', 'admin'),
    maintain: atLeast('maintain', 'admin'),
    admin: role === 'admin',
  }
  const user = { ...userBody(call.world, account), role_name: role, permissions }
  return ok({ permission: PERMISSION[role], role_name: role, user })
}

const PERIODS: Readonly<Record<string, number>> = {
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 30 * DAY_MS,
  quarter: 91 * DAY_MS,
  year: 365 * DAY_MS,
}

/** Who moved which ref, newest first unless told; pages by cursor, the id of the last one shown. */
function activities(call: Call): Answer {
  const { repository, world } = call
  const query = call.url.searchParams
  const ref = query.get('ref')
  const since = world.clock.now() - (PERIODS[query.get('time_period') ?? ''] ?? Number.POSITIVE_INFINITY)
  const ordered = query.get('direction') === 'asc' ? [...repository.activities] : [...repository.activities].reverse()
  const found = ordered
    .filter((each) => ref === null || each.ref === ref || each.ref === `refs/heads/${ref}`)
    .filter((each) => !query.has('actor') || each.actor.login === query.get('actor'))
    .filter((each) => !query.has('activity_type') || each.type === query.get('activity_type'))
    .filter((each) => each.at >= since)
  const after = query.get('after')
  const start = after === null ? 0 : found.findIndex((each) => String(each.id) === after) + 1
  if (after !== null && start === 0) throw new Refusal(422, 'Validation Failed: unknown cursor')
  const size = Math.min(Number(query.get('per_page') ?? 30), 100)
  const shown = found.slice(start, start + size)
  const body = shown.map((each) => ({
    id: each.id,
    node_id: nodeId('Activity', each.id),
    before: each.before,
    after: each.after,
    ref: each.ref,
    timestamp: timestamp(each.at),
    activity_type: each.type,
    actor: userBodyOrNull(world, each.actor),
  }))
  return { status: 200, headers: nextLink(call, shown.at(-1), start + size < found.length), body }
}

function nextLink(call: Call, last: Activity | undefined, more: boolean): Record<string, string> {
  if (!last || !more) return {}
  const url = new URL(call.url)
  url.searchParams.set('after', String(last.id))
  return { link: `<${url.href}>; rel="next"` }
}

export const PEOPLE_OPERATIONS: readonly Operation[] = [
  {
    id: 'repos/get-collaborator-permission-level',
    method: 'GET',
    path: '/repos/{owner}/{repo}/collaborators/{username}/permission',
    needs: 'read',
    handle: permission,
  },
  { id: 'repos/list-activities', method: 'GET', path: '/repos/{owner}/{repo}/activity', needs: 'read', handle: activities },
]

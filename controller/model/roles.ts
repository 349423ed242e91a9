import type { DesiredState, Person, Role } from './desired-state.ts'
import type { PersonId } from './names.ts'

export const ALL_PERMISSIONS = ['view', 'request', 'approve', 'force', 'change_rules'] as const
export type Permission = (typeof ALL_PERMISSIONS)[number]

/** What each role may do. Roles do not include each other: who requests and who approves are two questions. */
export const PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: ['view'],
  operator: ['view', 'request'],
  approver: ['view', 'approve'],
  admin: ALL_PERMISSIONS,
}

/** Where a permission is asked for; null: everywhere, so that only bindings without limits count. */
export type PermissionScope = { project: string; environment: string } | null

/**
 * Who an account belongs to; null when to nobody. Logins compare without case, as hosts do. When access.yaml gives an id
 * the host's must be the same: a freed login can be registered by a stranger.
 */
export function personOf(
  desired: Pick<DesiredState, 'people'>,
  account: { provider: string; login: string; id: string | null },
): PersonId | null {
  for (const person of desired.people.values()) if (holdsAccount(person, account)) return person.id
  return null
}

function holdsAccount(person: Person, account: { provider: string; login: string; id: string | null }): boolean {
  const own = person.accounts.get(account.provider)
  if (!own || own.login.toLowerCase() !== account.login.toLowerCase()) return false
  return own.id === null || own.id === account.id
}

/** Roles of a person in one environment of one project. Somebody who is not in access.yaml holds none. */
export function rolesOf(
  desired: Pick<DesiredState, 'people' | 'bindings'>,
  person: PersonId,
  project: string,
  environment: string,
): Set<Role> {
  return heldRoles(desired, person, { project, environment })
}

/** May this person do that there? No person, no binding, no permission. */
export function may(
  desired: Pick<DesiredState, 'people' | 'bindings'>,
  person: PersonId | null,
  permission: Permission,
  scope: PermissionScope,
): boolean {
  if (person === null) return false
  return [...heldRoles(desired, person, scope)].some((role) => PERMISSIONS[role].includes(permission))
}

function heldRoles(desired: Pick<DesiredState, 'people' | 'bindings'>, person: PersonId, scope: PermissionScope): Set<Role> {
  if (!desired.people.has(person)) return new Set()
  const bindings = desired.bindings.filter(
    (binding) =>
      binding.people.includes(person) &&
      covers(binding.projects, scope?.project ?? null) &&
      covers(binding.environments, scope?.environment ?? null),
  )
  return new Set(bindings.map((binding) => binding.role))
}

/** A binding without names covers everything; asked for everything, only such a binding does. */
function covers(names: readonly string[] | null, name: string | null): boolean {
  return names === null || (name !== null && names.includes(name))
}

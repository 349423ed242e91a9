import { type ConfigFile, contentOf, findingAt, hasErrors, ownFindings } from './config-file.ts'
import type { Person, RoleBinding } from './desired-state.ts'
import type { AccessDocument } from './documents.ts'
import type { Finding } from './finding.ts'
import { type PersonId, personId } from './names.ts'
import { quoted } from './printable.ts'
import { unknownName } from './unknown-name.ts'

export interface ResolvedAccess {
  people: ReadonlyMap<PersonId, Person>
  bindings: readonly RoleBinding[]
  findings: readonly Finding[]
}

export interface KnownNames {
  projects: readonly string[]
  environments: readonly string[]
}

/** access.yaml → people and role bindings. With any error nobody holds a role: half an access file is not a smaller one, it is another one. */
export function resolveAccess(file: ConfigFile<'Access'>, known: KnownNames): ResolvedAccess {
  const content = contentOf(file)
  if (!content) return { people: new Map(), bindings: [], findings: ownFindings(file) }
  const people = new Map(Object.entries(content.people).map(([id, person]) => [personId(id), resolvePerson(id, person)]))
  const bindings = content.bindings.map((binding) => resolveBinding(content, binding, known))
  const findings = [
    ...sharedAccounts(file, people),
    ...unknownPeople(file, content),
    ...unknownScopes(file, content, known),
    ...fewAdmins(file, bindings),
  ]
  if (hasErrors(findings)) return { people: new Map(), bindings: [], findings }
  return { people, bindings, findings }
}

function resolvePerson(id: string, person: AccessDocument['people'][string]): Person {
  const accounts = Object.entries(person.accounts).map(([provider, account]): [string, { login: string; id: string | null }] => [
    provider,
    typeof account === 'string' ? { login: account, id: null } : { login: account.login, id: account.id ?? null },
  ])
  return {
    id: personId(id),
    name: person.name,
    accounts: new Map(accounts),
    emails: (person.emails ?? []).map((email) => email.toLowerCase()),
  }
}

type BindingDocument = AccessDocument['bindings'][number]

function resolveBinding(content: AccessDocument, binding: BindingDocument, known: KnownNames): RoleBinding {
  const members = (binding.groups ?? []).flatMap((group) => content.groups?.[group] ?? [])
  const people = new Set([...(binding.people ?? []), ...members])
  return {
    role: binding.role,
    people: [...people].map(personId),
    // A name that is not known grants nothing; it never widens the binding to everything.
    projects: binding.projects?.filter((name) => known.projects.includes(name)) ?? null,
    environments: binding.environments?.filter((name) => known.environments.includes(name)) ?? null,
  }
}

/** An account or address of two people would count for either of them. */
function sharedAccounts(file: ConfigFile, people: ReadonlyMap<PersonId, Person>): Finding[] {
  const owners = new Map<string, PersonId>()
  const findings: Finding[] = []
  const claim = (key: string, what: string, owner: PersonId, pointer: string) => {
    const other = owners.get(key)
    if (other === undefined) owners.set(key, owner)
    else if (other !== owner) {
      findings.push(
        findingAt(file, 'DRV1302', pointer, {
          message: `the ${what} belongs to ${quoted(other)} already`,
          allowed: 'every account and address belongs to one person',
          help: `remove it from ${quoted(other)} or from ${quoted(owner)}`,
        }),
      )
    }
  }
  for (const person of people.values()) {
    for (const [provider, account] of person.accounts) {
      const what = `${provider} account ${quoted(account.login)}`
      claim(`${provider}:login:${account.login.toLowerCase()}`, what, person.id, `/people/${person.id}/accounts/${provider}`)
      if (account.id !== null)
        claim(
          `${provider}:id:${account.id}`,
          `${provider} account id ${quoted(account.id)}`,
          person.id,
          `/people/${person.id}/accounts/${provider}/id`,
        )
    }
    for (const [index, email] of person.emails.entries())
      claim(`email:${email}`, `address ${quoted(email)}`, person.id, `/people/${person.id}/emails/${index}`)
  }
  return findings
}

function unknownPeople(file: ConfigFile, content: AccessDocument): Finding[] {
  const people = Object.keys(content.people)
  const groups = Object.keys(content.groups ?? {})
  const check = (names: readonly string[] | undefined, known: readonly string[], what: string, pointer: string) =>
    (names ?? []).flatMap((name, index) =>
      known.includes(name) ? [] : [unknownName(file, `${pointer}/${index}`, what, name, known)],
    )
  return [
    ...groups.flatMap((group) => check(content.groups?.[group], people, 'person', `/groups/${group}`)),
    ...content.bindings.flatMap((binding, index) => [
      ...check(binding.people, people, 'person', `/bindings/${index}/people`),
      ...check(binding.groups, groups, 'group', `/bindings/${index}/groups`),
    ]),
  ]
}

/** Only warnings: a binding to a project that was deleted grants nothing, and must not lock everybody out. */
function unknownScopes(file: ConfigFile, content: AccessDocument, known: KnownNames): Finding[] {
  return content.bindings.flatMap((binding, index) =>
    (['projects', 'environments'] as const).flatMap((axis) =>
      (binding[axis] ?? []).flatMap((name, at) =>
        known[axis].includes(name)
          ? []
          : [unknownName(file, `/bindings/${index}/${axis}/${at}`, axis.slice(0, -1), name, known[axis], 'warning')],
      ),
    ),
  )
}

function fewAdmins(file: ConfigFile, bindings: readonly RoleBinding[]): Finding[] {
  const unrestricted = bindings.filter((binding) => binding.role === 'admin' && !binding.projects && !binding.environments)
  const admins = new Set(unrestricted.flatMap((binding) => binding.people))
  if (admins.size >= 2) return []
  return [
    findingAt(file, 'DRV1306', '/bindings', {
      severity: 'warning',
      message: `${admins.size === 0 ? 'nobody is' : 'only one person is'} an admin everywhere`,
      allowed: 'at least two admins, so that one can approve what the other changes',
      help: 'add a second person to a binding of `role: admin` without projects and environments',
    }),
  ]
}

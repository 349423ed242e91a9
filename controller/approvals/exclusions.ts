import type { DesiredState } from '../model/desired-state.ts'
import type { PersonId } from '../model/names.ts'
import type { Account, PullRequestFacts } from './evidence.ts'
import type { DismissalCode } from './tally.ts'

/** Ways of having taken part in a change, which bar a person from approving it. */
export type ExclusionCode = Extract<DismissalCode, 'author' | 'committer' | 'co_author' | 'pusher' | 'requester'>

/** Who took part in a change. People are barred, so that a second account of the same person is barred with the first. */
export interface Exclusions {
  ofPerson(person: PersonId): ExclusionCode | null
  ofAccount(account: Account): ExclusionCode | null
}

/**
 * Everybody who opened, wrote, committed, co-authored, pushed or asked for the change. Recognising is generous where granting
 * is strict: one of provider id, login or e-mail is enough, because an e-mail in a commit can be forged but barring too many
 * only asks for one more reviewer.
 */
export function exclusionsOf(
  desired: DesiredState,
  provider: string,
  facts: PullRequestFacts,
  requester: PersonId | null,
): Exclusions {
  const directory = directoryOf(desired)
  const barred = new Map<string, ExclusionCode>()
  function bar(keys: readonly string[], code: ExclusionCode) {
    const people = keys.flatMap((key) => directory.get(key) ?? []).map(personKey)
    for (const key of [...keys, ...people]) if (!barred.has(key)) barred.set(key, code)
  }

  if (facts.author) bar(accountKeys(facts.author), 'author')
  for (const commit of facts.commits) {
    for (const account of [commit.author, commit.committer]) if (account) bar(accountKeys(account), 'committer')
    for (const email of [commit.authorEmail, commit.committerEmail]) bar(emailKeys(provider, email), 'committer')
  }
  for (const commit of facts.commits) {
    for (const email of commit.coAuthorEmails) bar(emailKeys(provider, email), 'co_author')
  }
  for (const account of facts.pushers ?? []) bar(accountKeys(account), 'pusher')
  if (requester !== null) bar([personKey(requester)], 'requester')

  return {
    ofPerson: (person) => barred.get(personKey(person)) ?? null,
    ofAccount: (account) => firstOf(accountKeys(account).map((key) => barred.get(key))),
  }
}

/** Who stands behind an account or e-mail, by the keys below. */
function directoryOf(desired: DesiredState): ReadonlyMap<string, readonly PersonId[]> {
  const directory = new Map<string, PersonId[]>()
  for (const person of desired.people.values()) {
    const accounts = [...person.accounts].flatMap(([provider, account]) => accountKeys({ provider, ...account }))
    for (const key of [...accounts, ...person.emails.map(emailKey)]) {
      const owners = directory.get(key)
      if (owners) owners.push(person.id)
      else directory.set(key, [person.id])
    }
  }
  return directory
}

function personKey(person: PersonId): string {
  return `person ${person}`
}

function emailKey(email: string): string {
  return `email ${email.toLowerCase()}`
}

/** Logins are compared without case, as every forge does. */
function accountKeys(account: { provider: string; login: string; id: string | null }): string[] {
  const login = `login ${account.provider} ${account.login.toLowerCase()}`
  return account.id === null ? [login] : [login, `id ${account.provider} ${account.id}`]
}

/**
 * An e-mail, and the account it names when it is one of the host's own private addresses: `12345+login@users.noreply.…`, or
 * without the number for accounts made before July 2017 (GitHub Docs); `12345-login@users.noreply.…` (GitLab Docs); `login@noreply.…` (Gitea's NO_REPLY_ADDRESS, unless it was changed). A login may
 * itself look like a number and a name, so both readings count.
 */
function emailKeys(provider: string, email: string): string[] {
  const [, name] = /^([^@]+)@(?:users\.)?noreply\./i.exec(email) ?? []
  if (name === undefined) return [emailKey(email)]
  const numbered = /^(\d+)[+-](.+)$/.exec(name)
  const named = [{ id: null, login: name }, ...(numbered ? [{ id: numbered[1]!, login: numbered[2]! }] : [])]
  return [emailKey(email), ...named.flatMap((account) => accountKeys({ provider, ...account }))]
}

function firstOf<T>(values: readonly (T | undefined)[]): T | null {
  return values.find((value) => value !== undefined) ?? null
}

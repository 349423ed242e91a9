import type { Clock } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { AccessPurpose, AccessReport } from '../access.ts'
import { hostTimeOf } from '../json-calls.ts'
import type { GiteaClient } from './client.ts'

interface ShownRepository {
  permissions?: { admin: boolean; push: boolean; pull: boolean }
  has_actions?: boolean
}

export interface GiteaAccessOptions {
  client: GiteaClient
  purpose: AccessPurpose
  clock: Clock
}

/** Asks the server what the token may do. Reads only; faults of the calls are thrown. */
export async function giteaAccess({ client, purpose, clock }: GiteaAccessOptions): Promise<AccessReport> {
  const asked = clock.now()
  const { data: repository, headers } = await client.get<ShownRepository>(client.repo)
  const missing: string[] = []
  const notes: string[] = []
  if (repository.permissions === undefined) notes.push(`${client.dialect.name} does not name the rights of this token.`)
  else if (!repository.permissions.push) missing.push('write access to the repository')
  if (purpose === 'project') {
    if (repository.has_actions === false) missing.push('Actions (switch them on in the settings of the repository)')
    else if (!(await mayRead(client, `${client.repo}/actions/runs`))) missing.push('the list of runs (scope write:repository)')
    if (client.dialect.cancelPath === null) notes.push(`${client.dialect.name} lets nobody stop a run from outside.`)
  } else if (!(await mayRead(client, '/user'))) missing.push('scope read:user')
  notes.push(...(await serverNotes(client)), 'What its scopes let a token write is only seen when it writes.')
  return {
    provider: client.dialect.provider,
    repository: client.fullName,
    auth: 'token',
    missing,
    rateLimit: null,
    clockSkewMs: headers.get('date') === null ? null : hostTimeOf(headers, clock) - asked,
    notes,
  }
}

/** The first version of Gitea whose runs can be looked at by id. */
const OLDEST_GITEA = [1, 25] as const

/** `1.27.0`, or `16.0.1+gitea-1.22.0` of a Forgejo: which of the two it is decides how it is spoken to. */
async function serverNotes(client: GiteaClient): Promise<string[]> {
  const { version } = (await client.get<{ version: string }>('/version')).data
  const isForgejo = version.includes('+gitea-')
  if (isForgejo !== (client.dialect.provider === 'forgejo')) {
    return [`The server says that it is ${isForgejo ? 'Forgejo' : 'Gitea'} (${version}); name that provider.`]
  }
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  const isOld = !isForgejo && (major < OLDEST_GITEA[0] || (major === OLDEST_GITEA[0] && minor < OLDEST_GITEA[1]))
  return isOld ? [`Gitea ${version} is too old to follow runs; ${OLDEST_GITEA.join('.')} is the first that can be.`] : []
}

async function mayRead(client: GiteaClient, path: string): Promise<boolean> {
  try {
    await client.get(path)
    return true
  } catch (error) {
    if (error instanceof RefusedFault) return false
    throw error
  }
}

import type { Clock } from '../../clock.ts'
import { SECOND_MS } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { AccessPurpose, AccessReport } from '../access.ts'
import type { GithubClient } from './client.ts'
import type { GithubCredential } from './credential.ts'
import { hostTimeOf } from './octokit.ts'

type Level = 'read' | 'write'

/** Least rights of an app or a fine-grained token. */
const PERMISSIONS: Readonly<Record<AccessPurpose, Readonly<Record<string, Level>>>> = {
  config: { contents: 'read', pull_requests: 'write', checks: 'write', statuses: 'write', metadata: 'read' },
  project: { contents: 'read', actions: 'write', checks: 'read', statuses: 'read', deployments: 'write', metadata: 'read' },
}

export interface GithubAccessOptions {
  client: GithubClient
  credential: GithubCredential
  defaultBranch: string | null
  purpose: AccessPurpose
  clock: Clock
}

/** Asks GitHub what the credential may do. Reads only; faults of the calls are thrown. */
export async function githubAccess({
  client,
  credential,
  defaultBranch,
  purpose,
  clock,
}: GithubAccessOptions): Promise<AccessReport> {
  const { octokit, owner, repo } = client
  const asked = clock.now()
  const { data, headers } = await octokit.rest.rateLimit.get()
  const { limit, remaining, reset } = data.resources.core
  const rights = credential.kind === 'app' ? await appRights(credential, purpose) : tokenRights(headers['x-oauth-scopes'])
  const unreadable = await unreadableParts(client, purpose, defaultBranch)
  return {
    provider: 'github',
    repository: `${owner}/${repo}`,
    auth: credential.kind,
    missing: [...new Set([...rights.missing, ...unreadable])],
    rateLimit: { limit, remaining, resetAt: reset * SECOND_MS },
    clockSkewMs: headers.date === undefined ? null : hostTimeOf(headers, clock) - asked,
    notes: rights.notes,
  }
}

interface Rights {
  missing: string[]
  notes: string[]
}

async function appRights(credential: GithubCredential, purpose: AccessPurpose): Promise<Rights> {
  const granted = (await credential.permissions()) ?? {}
  const missing = Object.entries(PERMISSIONS[purpose]).filter(([name, level]) => !covers(granted[name], level))
  return { missing: missing.map(([name, level]) => `${name}: ${level}`), notes: [] }
}

function covers(granted: string | undefined, needed: Level): boolean {
  return granted === 'admin' || granted === 'write' || granted === needed
}

/** Classic tokens name their scopes in each answer; fine-grained ones say nothing. */
function tokenRights(scopes: unknown): Rights {
  if (typeof scopes !== 'string') {
    return {
      missing: [],
      notes: ['GitHub does not tell the rights of a fine-grained token; rights to write show only when they are used.'],
    }
  }
  const granted = scopes.split(',').map((scope) => scope.trim())
  if (granted.includes('repo')) return { missing: [], notes: [] }
  if (granted.includes('public_repo'))
    return { missing: [], notes: ['The scope public_repo is enough for public repositories only.'] }
  return { missing: ['scope repo'], notes: [] }
}

async function unreadableParts(client: GithubClient, purpose: AccessPurpose, defaultBranch: string | null): Promise<string[]> {
  const { octokit, owner, repo } = client
  const one = { owner, repo, per_page: 1 }
  const probes: [string, () => Promise<unknown>][] =
    purpose === 'config'
      ? [['pull_requests: read', () => octokit.rest.pulls.list(one)]]
      : [['actions: read', () => octokit.rest.actions.listWorkflowRunsForRepo(one)]]
  if (defaultBranch !== null) {
    probes.push(['contents: read', () => octokit.rest.git.getRef({ owner, repo, ref: `heads/${defaultBranch}` })])
  }
  const unreadable: string[] = []
  for (const [right, probe] of probes) {
    try {
      await probe()
    } catch (error) {
      if (!(error instanceof RefusedFault)) throw error
      unreadable.push(`${right} (answered ${error.status ?? 'nothing'})`)
    }
  }
  return unreadable
}

import type { CommitSha } from '../../model/names.ts'
import type { CiEvidence, CiResult } from '../../policy/facts.ts'
import { webUrl } from '../text.ts'
import { ACTIONS_ID, type ShownUser } from './accounts.ts'
import { type GiteaClient, pages } from './client.ts'

const OWN_PREFIX = 'draven/'
/** How the servers end the name of a job that somebody, perhaps we, dispatched. */
const DISPATCHED = /\(workflow_dispatch\)\s*$/

interface CombinedStatus {
  sha: string
  statuses: ListedStatus[] | null
}

export interface ListedStatus {
  id: number
  context: string
  status: string
  description: string
  target_url: string
  creator: ShownUser | null
}

/**
 * The newest status of each context on exactly this commit. The combined state is not used: it says `pending` where nothing ever
 * reported. Who posted a status is what the server knows itself, so that is what projects believe.
 */
export async function giteaCiEvidence(client: GiteaClient, sha: CommitSha): Promise<CiEvidence> {
  const results: CiResult[] = []
  const ignored: CiEvidence['ignored'][number][] = []
  for (const status of await statusesOf(client, sha)) {
    if (isOwnName(status.context)) ignored.push({ name: status.context, why: 'a status of this controller' })
    else if (DISPATCHED.test(status.context)) ignored.push({ name: status.context, why: 'a job that was dispatched, not CI' })
    else
      results.push({
        name: status.context,
        app: appOf(client, status.creator),
        state: resultState(status.status),
        url: webUrl(status.target_url),
      })
  }
  return { sha, results, ignored }
}

export async function statusesOf(client: GiteaClient, sha: CommitSha): Promise<ListedStatus[]> {
  const found: ListedStatus[] = []
  const path = `${client.repo}/commits/${sha}/status`
  const inAnswer = (data: unknown) => {
    const combined = data as CombinedStatus
    return combined.sha === sha ? combined.statuses : []
  }
  for await (const page of pages<ListedStatus>(client, path, {}, inAnswer)) found.push(...page)
  return found
}

/**
 * The login of whoever posted it. The server's own CI has an id that no account can have; an account that took its name is
 * believed nothing.
 */
function appOf({ dialect }: GiteaClient, creator: ShownUser | null): string | null {
  if (creator === null) return null
  if (creator.id === ACTIONS_ID) return dialect.actionsLogin
  return creator.login.toLowerCase() === dialect.actionsLogin ? null : creator.login
}

function isOwnName(name: string): boolean {
  return name.toLowerCase().startsWith(OWN_PREFIX)
}

/** A job that was skipped never ran, and a warning is not a success. */
export function resultState(status: string): CiResult['state'] {
  if (status === 'success' || status === 'pending') return status
  return 'failed'
}

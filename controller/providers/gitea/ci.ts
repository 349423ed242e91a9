import type { CommitSha } from '../../model/names.ts'
import type { CiEvidence, CiResult } from '../../policy/facts.ts'
import { webUrl } from '../text.ts'
import { ACTIONS_ID, type ShownUser } from './accounts.ts'
import { type GiteaClient, pages } from './client.ts'
import { jobsOf, runPages } from './runs.ts'

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
 *
 * Only that every job of every workflow may post in the name of the server's own CI, on any commit. So a success of that name is
 * believed when a job of a run of this very commit ended so.
 */
export async function giteaCiEvidence(client: GiteaClient, sha: CommitSha): Promise<CiEvidence> {
  const results: CiResult[] = []
  const ignored: CiEvidence['ignored'][number][] = []
  const statuses = await statusesOf(client, sha)
  const needsProof = statuses.some((status) => status.status === 'success' && status.creator?.id === ACTIONS_ID)
  const proofs = needsProof ? await successfulJobs(client, sha) : []
  for (const status of statuses) {
    if (isOwnName(status.context)) ignored.push({ name: status.context, why: 'a status of this controller' })
    else if (DISPATCHED.test(status.context)) ignored.push({ name: status.context, why: 'a job that was dispatched, not CI' })
    else
      results.push({
        name: status.context,
        app: appOf(client, status, proofs),
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

/** How the contexts of jobs end that succeeded on exactly this commit, each with the event that started its run. */
async function successfulJobs(client: GiteaClient, sha: CommitSha): Promise<string[]> {
  const ends: string[] = []
  for await (const runs of runPages(client, { head_sha: sha })) {
    for (const run of runs.filter((each) => each.sha === sha)) {
      const jobs = await jobsOf(client, run.id)
      ends.push(...jobs.filter(({ succeeded }) => succeeded).map(({ name }) => ` / ${name.trim()} (${run.event})`))
    }
  }
  return ends
}

/**
 * The login of whoever posted it; null for what nobody should believe. The server's own CI has an id that no account can have; an
 * account that took its name is no more than that.
 */
function appOf({ dialect }: GiteaClient, { status, context, creator }: ListedStatus, proofs: readonly string[]): string | null {
  if (creator === null) return null
  if (creator.id !== ACTIONS_ID) return creator.login.toLowerCase() === dialect.actionsLogin ? null : creator.login
  return status !== 'success' || proofs.some((end) => context.trim().endsWith(end)) ? dialect.actionsLogin : null
}

function isOwnName(name: string): boolean {
  return name.toLowerCase().startsWith(OWN_PREFIX)
}

/** A job that was skipped never ran, and a warning is not a success. */
export function resultState(status: string): CiResult['state'] {
  if (status === 'success' || status === 'pending') return status
  return 'failed'
}

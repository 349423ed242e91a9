import type { CheckMessage } from '../../notify/publisher.ts'
import { cut } from '../text.ts'
import { type GithubClient, pages } from './client.ts'

const MAX_DESCRIPTION = 140
const STATES = { pending: 'pending', success: 'success', failure: 'failure', canceled: 'error' } as const

/**
 * Makes the commit status of this name say this. A status that already does is left alone: GitHub takes 1,000 per commit and context.
 * `creator`: the account under which we speak, when GitHub told.
 */
export async function publishCommitStatus(
  client: GithubClient,
  message: CheckMessage,
): Promise<{ id: string; creator: string | null }> {
  const { octokit, owner, repo } = client
  const wanted = { state: STATES[message.state], description: cut(message.title, MAX_DESCRIPTION) }
  for await (const page of pages((page) =>
    octokit.rest.repos.getCombinedStatusForRef({ owner, repo, ref: message.sha, per_page: 100, page }),
  )) {
    const present = page.statuses.find((status) => status.context.toLowerCase() === message.name.toLowerCase())
    const same =
      present?.state === wanted.state &&
      present.description === wanted.description &&
      (present.target_url ?? null) === message.detailsUrl
    if (present !== undefined && same) return { id: String(present.id), creator: null }
  }
  const { data } = await octokit.rest.repos.createCommitStatus({
    owner,
    repo,
    sha: message.sha,
    context: message.name,
    ...wanted,
    ...(message.detailsUrl === null ? {} : { target_url: message.detailsUrl }),
  })
  return { id: String(data.id), creator: data.creator?.login ?? null }
}

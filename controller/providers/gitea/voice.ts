import type { CheckMessage, PullRequestVoice } from '../../notify/publisher.ts'
import { cut } from '../text.ts'
import { type ListedStatus, statusesOf } from './ci.ts'
import type { GiteaClient } from './client.ts'
import { commentVoice } from './comment.ts'

const MAX_DESCRIPTION = 255
const STATES = { pending: 'pending', success: 'success', failure: 'failure', canceled: 'error' } as const

/** Statuses and the comment on pull requests of the config repository. */
export function giteaVoice(client: GiteaClient): PullRequestVoice {
  return {
    // What is there on the commit is looked up each time, so an id that was lost costs nothing.
    publishCheck: (message) => publishStatus(client, message),
    upsertComment: commentVoice(client),
  }
}

/** Makes the commit status of this name say this. A status that already does is left alone: each one stays in a list for ever. */
async function publishStatus(client: GiteaClient, message: CheckMessage): Promise<string> {
  const wanted = {
    context: message.name,
    state: STATES[message.state],
    description: cut(message.title, MAX_DESCRIPTION),
    target_url: message.detailsUrl ?? '',
  }
  const present = (await statusesOf(client, message.sha)).find((status) => status.context === message.name)
  const same =
    present?.status === wanted.state &&
    present.description === wanted.description &&
    (present.target_url ?? '') === wanted.target_url
  if (present !== undefined && same) return String(present.id)
  const path = `${client.repo}/statuses/${message.sha}`
  const { data } = await client.send<ListedStatus>({ method: 'POST', path, body: wanted })
  return String(data.id)
}

import { RefusedFault } from '../../errors.ts'
import type { CheckMessage, PullRequestVoice } from '../../notify/publisher.ts'
import { cut } from '../text.ts'
import { everything, type GitlabClient } from './client.ts'
import { noteVoice } from './note.ts'

/** GitLab keeps no longer text here. */
const MAX_TEXT = 255

interface Status {
  id: number
  name: string
  status: string
  description: string | null
  target_url: string | null
}

/** Statuses and the note on merge requests of the config repository. */
export function gitlabVoice(client: GitlabClient): PullRequestVoice {
  return {
    // What is there on the commit is looked up each time, so an id that was lost costs nothing.
    publishCheck: (message) => publishStatus(client, message),
    upsertComment: noteVoice(client),
  }
}

/**
 * Makes the commit status of this name say this. GitLab puts a status into the pipeline of its commit, whose state it changes:
 * a waiting status would keep that pipeline running, and with "pipelines must succeed" nothing could be merged while a window is
 * closed, nor the CI ever be over. So waiting is shown in the note alone. Where a status said something else before, it now
 * says `failed`, since a success that no longer holds must not stay.
 */
async function publishStatus(client: GitlabClient, message: CheckMessage): Promise<string> {
  const present = await newestStatus(client, message)
  if (message.state === 'pending' && present === null) return ''
  const wanted = {
    state: message.state === 'success' || message.state === 'canceled' ? message.state : 'failed',
    description: cut(message.title, MAX_TEXT),
    target_url: message.detailsUrl !== null && message.detailsUrl.length <= MAX_TEXT ? message.detailsUrl : null,
  }
  if (says(present, wanted)) return String(present.id)
  try {
    const { data } = await client.send<Status>('POST', `${client.project}/statuses/${message.sha}`, {
      name: message.name,
      state: wanted.state,
      description: wanted.description,
      ...(wanted.target_url === null ? {} : { target_url: wanted.target_url }),
    })
    return String(data.id)
  } catch (error) {
    // Repeating a state is refused: somebody, perhaps we ourselves in a call without an answer, has just said it.
    if (!(error instanceof RefusedFault && error.status === 400)) throw error
    const now = await newestStatus(client, message)
    if (now?.status === wanted.state) return String(now.id)
    throw error
  }
}

function says(
  present: Status | null,
  wanted: { state: string; description: string; target_url: string | null },
): present is Status {
  return (
    present?.status === wanted.state &&
    present.description === wanted.description &&
    (present.target_url ?? null) === wanted.target_url
  )
}

async function newestStatus(client: GitlabClient, { sha, name }: CheckMessage): Promise<Status | null> {
  const path = `${client.project}/repository/commits/${sha}/statuses`
  const ours = (await everything<Status>(client, path, { name, all: true })).filter((status) => status.name === name)
  return ours.reduce<Status | null>((newest, status) => (status.id > (newest?.id ?? 0) ? status : newest), null)
}

import type { CommentMessage } from '../../notify/publisher.ts'
import { unlessMissing } from '../json-calls.ts'
import { cut } from '../text.ts'
import type { ShownUser } from './accounts.ts'
import type { GiteaClient } from './client.ts'

const MARKER = '<!-- draven -->'
/** MySQL's LONGTEXT takes more, the page shows less. */
const MAX_BODY = 65_536

interface Comment {
  id: number
  body: string
  user: ShownUser | null
}

/** One comment a pull request, edited in place: by its id, else by the hidden marker in a comment that we wrote. */
export function commentVoice(client: GiteaClient): (message: CommentMessage, known: string | null) => Promise<string> {
  let self: Promise<number> | null = null

  /** A stranger may copy the marker; whose comment we edit would speak for us. */
  async function ourId(): Promise<number> {
    self ??= client.get<ShownUser>('/user').then(({ data }) => data.id)
    try {
      return await self
    } catch (error) {
      self = null
      throw error
    }
  }

  /** All comments come at once: this list has no pages. */
  async function markedComment(pullRequest: number): Promise<Comment | null> {
    const author = await ourId()
    const { data } = await client.get<Comment[] | null>(`${client.repo}/issues/${pullRequest}/comments`)
    return (data ?? []).find(({ user, body }) => user?.id === author && body.includes(MARKER)) ?? null
  }

  return async (message, known) => {
    const body = `${MARKER}\n${cut(message.body, MAX_BODY - MARKER.length - 1)}`
    const edited = (id: string | number) =>
      unlessMissing(() => client.send({ method: 'PATCH', path: `${client.repo}/issues/comments/${id}`, body: { body } }))
    if (known !== null && /^\d{1,15}$/.test(known) && (await edited(known)) !== null) return known
    const marked = await markedComment(message.pullRequest)
    if (marked !== null && (marked.body === body || (await edited(marked.id)) !== null)) return String(marked.id)
    const path = `${client.repo}/issues/${message.pullRequest}/comments`
    const { data } = await client.send<Comment>({ method: 'POST', path, body: { body } })
    return String(data.id)
  }
}

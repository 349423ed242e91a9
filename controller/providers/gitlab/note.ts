import type { CommentMessage } from '../../notify/publisher.ts'
import { unlessMissing } from '../json-calls.ts'
import { cut } from '../text.ts'
import { type GitlabClient, pages } from './client.ts'

const MARKER = '<!-- draven -->'
const MAX_BODY = 1_000_000

interface Note {
  id: number
  body: string
  system: boolean
  author: { id: number }
}

/** One note a merge request, edited in place: by its id, else by the hidden marker in a note that we wrote. */
export function noteVoice(client: GitlabClient): (message: CommentMessage, known: string | null) => Promise<string> {
  let self: Promise<number> | null = null

  /** A stranger may copy the marker; whose note we edit would speak for us. */
  async function ourId(): Promise<number> {
    self ??= client.get<{ id: number }>('/user').then(({ data }) => data.id)
    try {
      return await self
    } catch (error) {
      self = null
      throw error
    }
  }

  async function markedNote(path: string): Promise<Note | null> {
    const author = await ourId()
    for await (const page of pages<Note>(client, path, { order_by: 'created_at', sort: 'asc' })) {
      const ours = page.find((note) => !note.system && note.author.id === author && note.body.includes(MARKER))
      if (ours !== undefined) return ours
    }
    return null
  }

  return async (message, known) => {
    const path = `${client.project}/merge_requests/${message.pullRequest}/notes`
    const body = `${MARKER}\n${cut(message.body, MAX_BODY - MARKER.length - 1)}`
    const edited = (id: string | number) => unlessMissing(() => client.send('PUT', `${path}/${id}`, { body }))
    if (known !== null && /^\d{1,15}$/.test(known) && (await edited(known)) !== null) return known
    const marked = await markedNote(path)
    if (marked !== null && (marked.body === body || (await edited(marked.id)) !== null)) return String(marked.id)
    const { data } = await client.send<Note>('POST', path, { body })
    return String(data.id)
  }
}

import type { CommentMessage } from '../../notify/publisher.ts'
import { unlessMissing } from '../json-calls.ts'
import { cut } from '../text.ts'
import { type BitbucketClient, pages } from './client.ts'

/** Bitbucket shows HTML comments as text; a link definition that nothing refers to shows as nothing. */
const MARKER = '[//]: # (draven)'
const MAX_BODY = 32_000

interface Comment {
  id: number
  content: { raw: string }
  deleted?: boolean
}

/** One comment a pull request, edited in place: by its id, else by the hidden marker. Another's comment refuses to be edited. */
export function commentVoice(client: BitbucketClient): (message: CommentMessage, known: string | null) => Promise<string> {
  async function markedIds(path: string): Promise<number[]> {
    const ids: number[] = []
    for await (const page of pages<Comment>(client, path)) {
      for (const { id, content, deleted } of page) if (deleted !== true && content.raw.startsWith(MARKER)) ids.push(id)
    }
    return ids.sort((a, b) => a - b)
  }

  return async (message, known) => {
    const path = `${client.repository}/pullrequests/${message.pullRequest}/comments`
    const content = { raw: `${MARKER}\n\n${cut(withoutHtml(message.body), MAX_BODY - MARKER.length - 2)}` }
    const body = { type: 'pullrequest_comment', content }
    const edited = (id: string | number) => unlessMissing(() => client.send('PUT', `${path}/${id}`, body), [403, 404])
    if (known !== null && /^\d{1,15}$/.test(known) && (await edited(known)) !== null) return known
    // A stranger may copy the marker, but what they wrote stays theirs.
    for (const id of await markedIds(path)) if ((await edited(id)) !== null) return String(id)
    const { data } = await client.send<Comment>('POST', path, body)
    return String(data.id)
  }
}

/** The two tags that our tables hold; Bitbucket shows tags as text. Those in values are spelt otherwise already. */
function withoutHtml(body: string): string {
  return body.replaceAll('<br>', ' · ').replace(/<\/?code>/g, '')
}

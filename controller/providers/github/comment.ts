import type { RestEndpointMethodTypes } from '@octokit/rest'
import { RefusedFault } from '../../errors.ts'
import type { CommentMessage } from '../../notify/publisher.ts'
import { cut } from '../text.ts'
import { type GithubClient, pages } from './client.ts'
import type { GithubCredential } from './credential.ts'

type Comment = RestEndpointMethodTypes['issues']['listComments']['response']['data'][number]

export const COMMENT_MARKER = '<!-- draven -->'
const MAX_BODY = 65_536

export interface CommentVoice {
  upsert(message: CommentMessage, known: string | null): Promise<string>
  /** The login under which a token speaks, learnt from what GitHub answered to something we wrote. */
  learnSelf(login: string): void
}

/** One comment a pull request, edited in place: by its id, else by the hidden marker in a comment that we wrote. */
export function commentVoice(client: GithubClient, credential: GithubCredential): CommentVoice {
  const { octokit, owner, repo } = client
  let self = credential.login

  async function edited(id: number, body: string): Promise<string | null> {
    try {
      const { data } = await octokit.rest.issues.updateComment({ owner, repo, comment_id: id, body })
      return String(data.id)
    } catch (error) {
      if (error instanceof RefusedFault && error.status === 404) return null
      throw error
    }
  }

  /** A stranger may copy the marker; whose comment we edit would speak for us, and its author could edit it again. */
  function isOurs(comment: Comment): boolean {
    if (credential.appId !== null) return comment.performed_via_github_app?.id === credential.appId
    return self !== null && comment.user?.login === self
  }

  async function markedComment(pullRequest: number): Promise<Comment | null> {
    for await (const page of pages((page) =>
      octokit.rest.issues.listComments({ owner, repo, issue_number: pullRequest, per_page: 100, page }),
    )) {
      const ours = page.find((comment) => comment.body?.includes(COMMENT_MARKER) && isOurs(comment))
      if (ours !== undefined) return ours
    }
    return null
  }

  return {
    learnSelf(login) {
      self = login
    },
    async upsert(message, known) {
      const body = `${COMMENT_MARKER}\n${cut(message.body, MAX_BODY - COMMENT_MARKER.length - 1)}`
      if (known !== null && /^\d{1,15}$/.test(known)) {
        const id = await edited(Number(known), body)
        if (id !== null) return id
      }
      const marked = await markedComment(message.pullRequest)
      if (marked !== null) {
        if (marked.body === body) return String(marked.id)
        const id = await edited(marked.id, body)
        if (id !== null) return id
      }
      const { data } = await octokit.rest.issues.createComment({ owner, repo, issue_number: message.pullRequest, body })
      self ??= data.user?.login ?? null
      return String(data.id)
    },
  }
}

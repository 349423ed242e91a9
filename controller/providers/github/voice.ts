import type { CheckMessage, CommentMessage, PullRequestVoice } from '../../notify/publisher.ts'
import { publishCheckRun } from './check-run.ts'
import type { GithubClient } from './client.ts'
import { commentVoice } from './comment.ts'
import { publishCommitStatus } from './commit-status.ts'
import type { GithubCredential } from './credential.ts'

/** Checks and the comment on pull requests of the config repository. GitHub takes check runs from apps only, so a token posts statuses. */
export function githubVoice(client: GithubClient, credential: GithubCredential): PullRequestVoice {
  const comments = commentVoice(client, credential)
  return {
    async publishCheck(message: CheckMessage): Promise<string> {
      // What is there on the commit is looked up each time, so an id that was lost costs nothing.
      if (credential.appId !== null) return publishCheckRun(client, credential.appId, message)
      const status = await publishCommitStatus(client, message)
      if (status.creator !== null) comments.learnSelf(status.creator)
      return status.id
    },
    upsertComment: (message: CommentMessage, known) => comments.upsert(message, known),
  }
}

import { bitbucketSender } from './bitbucket.ts'
import { forgejoSender, giteaSender } from './gitea.ts'
import { githubSender } from './github.ts'
import { gitlabSender } from './gitlab.ts'
import type { Sender } from './sender.ts'

/** Every sender, by the provider's name. A new one is a file and a row. */
const SENDERS: ReadonlyMap<string, Sender> = new Map([
  ['bitbucket', bitbucketSender],
  ['forgejo', forgejoSender],
  ['gitea', giteaSender],
  ['github', githubSender],
  ['gitlab', gitlabSender],
])

/** Null: this provider sends no webhooks that we understand. */
export function senderOf(provider: string): Sender | null {
  return SENDERS.get(provider) ?? null
}

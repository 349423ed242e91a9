import { githubSender } from './github.ts'
import { gitlabSender } from './gitlab.ts'
import type { Sender } from './sender.ts'

/** Every sender, by the provider's name. A new one is a file and a row. */
const SENDERS: Readonly<Record<string, Sender>> = { github: githubSender, gitlab: gitlabSender }

/** Null: this provider sends no webhooks that we understand. */
export function senderOf(provider: string): Sender | null {
  return (Object.hasOwn(SENDERS, provider) ? SENDERS[provider] : undefined) ?? null
}

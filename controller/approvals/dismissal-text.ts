import { HOUR_MS } from '../clock.ts'
import type { DismissalCode } from './tally.ts'

/** What the sentences below may name. */
export interface DismissalWords {
  /** Person id, or the account when nobody stands behind it. */
  who: string
  account: string
  /** `shop/prod`. */
  environment: string
  baseRef: string
  configBranch: string
  validMs: number
}

/** Why a review does not count, in one plain sentence. */
export function dismissalText(code: DismissalCode, words: DismissalWords): string {
  return SENTENCES[code](words)
}

export function countedText({ who }: DismissalWords): string {
  return `${who} approved this.`
}

const SENTENCES: Readonly<Record<DismissalCode, (words: DismissalWords) => string>> = {
  author: ({ who }) => `${who} opened this pull request, so that approval does not count.`,
  committer: ({ who }) => `${who} wrote or committed part of this change, so that approval does not count.`,
  co_author: ({ who }) => `${who} is named as a co-author of this change, so that approval does not count.`,
  pusher: ({ who }) => `${who} pushed to this branch, so that approval does not count.`,
  requester: ({ who }) => `${who} asks for this, so that approval does not count.`,
  bot: ({ account }) => `${account} is a bot, and only people approve.`,
  account_gone: ({ account }) => `The account ${account} is deleted or suspended, so its review does not count.`,
  unknown_person: ({ account }) => `${account} belongs to nobody in access.yaml, so its review does not count.`,
  not_in_role: ({ who, environment }) => `${who} may not approve for ${environment} now.`,
  stale_subject: ({ who }) => `${who} cannot be shown to have approved the request file as it is now.`,
  before_pin: ({ who }) => `${who} approved before this was on show as it is now.`,
  expired: ({ who, validMs }) => `${who} approved more than ${hours(validMs)} ago, so that approval no longer counts.`,
  dismissed: ({ who }) => `The review of ${who} was dismissed.`,
  changes_requested: ({ who }) => `${who} asks for changes.`,
  later_review: ({ who }) => `${who} reviewed again later, and only a person's last review counts.`,
  not_a_stance: ({ who }) => `A comment of ${who} neither approves nor objects.`,
  committers_unknown: ({ who }) =>
    `The host does not list all commits of this pull request, so ${who} cannot be shown to have had no part in it.`,
  wrong_base: ({ baseRef, configBranch }) => `The pull request goes into ${baseRef}, and only ${configBranch} is in force.`,
}

function hours(durationMs: number): string {
  return `${Math.round((durationMs / HOUR_MS) * 10) / 10} h`
}

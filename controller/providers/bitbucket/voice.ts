import type { CommitSha } from '../../model/names.ts'
import type { CheckMessage, PullRequestVoice } from '../../notify/publisher.ts'
import { unlessMissing } from '../json-calls.ts'
import { cut } from '../text.ts'
import type { BitbucketClient } from './client.ts'
import { commentVoice } from './comment.ts'

/** Bitbucket takes no longer texts here (REST API, "Commit statuses", "Reports"). */
const MAX_STATUS_TEXT = 255
const MAX_REPORT_TEXT = 2_000
const MAX_SUMMARY = 450
const ANNOTATIONS_PER_CALL = 100
const MAX_ANNOTATIONS = 1_000

const STATUS_STATES = {
  pending: 'INPROGRESS',
  success: 'SUCCESSFUL',
  failure: 'FAILED',
  canceled: 'STOPPED',
} as const satisfies Record<CheckMessage['state'], string>

const REPORT_RESULTS = {
  pending: 'PENDING',
  success: 'PASSED',
  failure: 'FAILED',
  canceled: 'FAILED',
} as const satisfies Record<CheckMessage['state'], string>

/** Branches of the heads that are spoken about, as far as they are known. */
type Branches = ReadonlyMap<CommitSha, string>

/** Build statuses, findings as a Code Insights report, and the comment, on pull requests of the config repository. */
export function bitbucketVoice(client: BitbucketClient, branches: Branches): PullRequestVoice {
  return {
    async publishCheck(message) {
      await publishStatus(client, message, branches.get(message.sha))
      if (message.name === 'draven/validate') await publishReport(client, message)
      // Bitbucket gives a status no id but the key that we chose.
      return message.name
    },
    upsertComment: commentVoice(client),
  }
}

/** The same key on the same commit is the same status: posting says what it says from now on. */
async function publishStatus(client: BitbucketClient, message: CheckMessage, branch: string | undefined): Promise<void> {
  await client.send('POST', `${client.repository}/commit/${message.sha}/statuses/build`, {
    type: 'build',
    key: message.name,
    name: message.name,
    state: STATUS_STATES[message.state],
    description: cut(message.title, MAX_STATUS_TEXT),
    // This is what makes it one of the pull request, not of the commit alone.
    ...(branch === undefined ? {} : { refname: branch }),
    // Bitbucket fills in what stands in braces; ours hold nothing of that kind.
    url: message.detailsUrl ?? `${client.webUrl}/commits/${message.sha}`,
  })
}

/** A report keeps annotations that are not sent again, so the one from before goes first. */
async function publishReport(client: BitbucketClient, message: CheckMessage): Promise<void> {
  const path = `${client.repository}/commit/${message.sha}/reports/${message.name.replace('/', '-')}`
  await unlessMissing(() => client.send('DELETE', path))
  await client.send('PUT', path, {
    type: 'report',
    title: 'DRAVEN: documents',
    details: cut(message.title, MAX_REPORT_TEXT),
    report_type: 'TEST',
    reporter: 'DRAVEN',
    result: REPORT_RESULTS[message.state],
    ...(message.detailsUrl === null ? {} : { link: message.detailsUrl }),
  })
  const annotations = message.annotations.slice(0, MAX_ANNOTATIONS).map((annotation, index) => ({
    type: 'report_annotation',
    external_id: `draven-${index + 1}`,
    annotation_type: 'BUG',
    path: annotation.path,
    line: Math.max(annotation.line, 1),
    summary: cut(annotation.title, MAX_SUMMARY),
    details: cut(annotation.message, MAX_REPORT_TEXT),
    result: 'FAILED',
    severity: annotation.severity === 'error' ? 'HIGH' : 'LOW',
  }))
  for (let from = 0; from < annotations.length; from += ANNOTATIONS_PER_CALL) {
    await client.send('POST', `${path}/annotations`, annotations.slice(from, from + ANNOTATIONS_PER_CALL))
  }
}

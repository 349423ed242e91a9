import { createHash } from 'node:crypto'
import type { RestEndpointMethodTypes } from '@octokit/rest'
import type { CheckAnnotation, CheckMessage } from '../../notify/publisher.ts'
import { cut } from '../text.ts'
import { type GithubClient, pages } from './client.ts'

type CheckRun = RestEndpointMethodTypes['checks']['listForRef']['response']['data']['check_runs'][number]

const MAX_SUMMARY = 65_535
const MAX_TITLE = 255
const MAX_ANNOTATION_MESSAGE = 60_000
/** Per request; more go in further updates, which append. */
const ANNOTATION_BATCH = 50
/** Marks a check run whose last annotations may be missing, because we stopped between two requests. */
const UNFINISHED = ':unfinished'

/**
 * Makes the check run of this name on this commit say this, and gives its id.
 * The message's digest, kept as `external_id`, tells whether it is already said. Annotations cannot be taken back,
 * so a run that has some is superseded by a new one: GitHub shows the newest of a name.
 */
export async function publishCheckRun(client: GithubClient, appId: number, message: CheckMessage): Promise<string> {
  const { octokit, owner, repo } = client
  const digest = createHash('sha256').update(JSON.stringify(message)).digest('hex')
  const present = await newestRun(client, appId, message)
  if (present !== null && present.external_id === digest) return String(present.id)

  const batches = annotationBatches(message.annotations)
  const first = { ...fields(message, batches[0] ?? []), external_id: batches.length > 1 ? digest + UNFINISHED : digest }
  const reusable = present !== null && present.output.annotations_count === 0
  const { data } = reusable
    ? await octokit.rest.checks.update({ owner, repo, check_run_id: present.id, ...first })
    : await octokit.rest.checks.create({ owner, repo, head_sha: message.sha, ...first })
  for (const [index, batch] of batches.slice(1).entries()) {
    const last = index === batches.length - 2
    await octokit.rest.checks.update({
      owner,
      repo,
      check_run_id: data.id,
      ...fields(message, batch),
      external_id: last ? digest : digest + UNFINISHED,
    })
  }
  return String(data.id)
}

async function newestRun({ octokit, owner, repo }: GithubClient, appId: number, message: CheckMessage): Promise<CheckRun | null> {
  let newest: CheckRun | null = null
  const listed = {
    owner,
    repo,
    ref: message.sha,
    check_name: message.name,
    app_id: appId,
    filter: 'latest',
    per_page: 100,
  } as const
  for await (const page of pages((page) => octokit.rest.checks.listForRef({ ...listed, page }))) {
    for (const run of page.check_runs) {
      const ours = run.name === message.name && run.head_sha === message.sha && run.app?.id === appId
      if (ours && (newest === null || run.id > newest.id)) newest = run
    }
  }
  return newest
}

const CONCLUSIONS = { success: 'success', failure: 'failure', canceled: 'cancelled' } as const

function fields(message: CheckMessage, annotations: readonly CheckAnnotation[]) {
  const state =
    message.state === 'pending'
      ? ({ status: 'in_progress' } as const)
      : ({ status: 'completed', conclusion: CONCLUSIONS[message.state] } as const)
  return {
    name: message.name,
    ...state,
    ...(message.detailsUrl === null ? {} : { details_url: message.detailsUrl }),
    output: {
      title: cut(message.title, MAX_TITLE),
      summary: cut(message.summary, MAX_SUMMARY),
      annotations: annotations.map(annotationFields),
    },
  }
}

function annotationFields(annotation: CheckAnnotation) {
  return {
    path: annotation.path,
    start_line: annotation.line,
    end_line: annotation.line,
    start_column: annotation.column,
    end_column: annotation.endColumn,
    annotation_level: annotation.severity === 'error' ? ('failure' as const) : ('warning' as const),
    title: cut(annotation.title, MAX_TITLE),
    message: cut(annotation.message, MAX_ANNOTATION_MESSAGE),
  }
}

function annotationBatches(annotations: readonly CheckAnnotation[]): CheckAnnotation[][] {
  const batches: CheckAnnotation[][] = []
  for (let at = 0; at < annotations.length; at += ANNOTATION_BATCH) batches.push(annotations.slice(at, at + ANNOTATION_BATCH))
  return batches
}

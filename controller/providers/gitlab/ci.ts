import type { CommitSha } from '../../model/names.ts'
import type { CiEvidence, CiResult } from '../../policy/facts.ts'
import { webUrl } from '../text.ts'
import { everything, type GitlabClient } from './client.ts'
import { jobState } from './states.ts'

/** What projects believe in `ci.apps`: GitLab's own CI. */
export const CI_APP = 'gitlab-ci'
/** Result that stands for all jobs of a pipeline together. */
export const WHOLE_PIPELINE = 'pipeline'
const OWN_PREFIX = 'draven/'

interface ListedPipeline {
  id: number
  sha: string
  ref: string
  source: string
  web_url: string
}

export interface CiJob {
  id: number
  name: string
  status: string
  allow_failure: boolean
  web_url: string
}

interface ListedStatus {
  id: number
  name: string
  sha: string
  status: string
  target_url: string | null
  pipeline_id?: number
}

/** Pipelines that the code itself asked for. Those made by API, trigger, schedule or hand are deploys, or told what to do. */
const CI_SOURCES = new Set(['push', 'merge_request_event'])

/**
 * Jobs of the CI pipelines of exactly this commit. Jobs, not statuses: GitLab lets any developer post a status over a failed
 * job, and then says `success` for the pipeline. A status that we post changes the pipeline's state too, so that is never read.
 */
export async function gitlabCiEvidence(client: GitlabClient, sha: CommitSha): Promise<CiEvidence> {
  const results: CiResult[] = []
  const ignored: CiEvidence['ignored'][number][] = []
  const listed = await everything<ListedPipeline>(client, `${client.project}/pipelines`, { sha, order_by: 'id', sort: 'desc' })
  const pipelines = listed.filter((pipeline) => pipeline.sha === sha)
  for (const pipeline of pipelines) {
    if (!CI_SOURCES.has(pipeline.source)) {
      ignored.push({ name: `pipeline ${pipeline.id}`, why: `it was started by ${pipeline.source}, not by the code` })
    }
  }
  const jobIds = new Set<number>()
  const unread = new Set(pipelines.map(({ id }) => id))
  for (const pipeline of newestOfEachKind(pipelines)) {
    const all = await everything<CiJob>(client, `${client.project}/pipelines/${pipeline.id}/jobs`, { include_retried: true })
    unread.delete(pipeline.id)
    for (const { id } of all) jobIds.add(id)
    const jobs = newestByName(all)
    results.push(...jobs.map((job) => resultOf(job.name, jobState(job.status), job.web_url)))
    if (jobs.length > 0) results.push(resultOf(WHOLE_PIPELINE, wholeState(jobs), pipeline.web_url))
  }
  for (const status of await postedStatuses(client, sha, jobIds, unread)) {
    if (status.name.startsWith(OWN_PREFIX)) ignored.push({ name: status.name, why: 'a status of this controller' })
    else results.push({ name: status.name, app: null, state: jobState(status.status), url: webUrl(status.target_url) })
  }
  return { sha, results, ignored }
}

/** A branch, a tag and a merge request may each have a pipeline for the commit; of each the newest counts. */
function newestOfEachKind(pipelines: readonly ListedPipeline[]): ListedPipeline[] {
  const newest = new Map<string, ListedPipeline>()
  for (const pipeline of pipelines) {
    if (!CI_SOURCES.has(pipeline.source)) continue
    const key = `${pipeline.source} ${pipeline.ref}`
    if (pipeline.id > (newest.get(key)?.id ?? 0)) newest.set(key, pipeline)
  }
  return [...newest.values()]
}

/** The last try of each job. All tries are asked for, as a posted status hides the failed job of the same name as "retried". */
function newestByName(jobs: readonly CiJob[]): CiJob[] {
  const newest = new Map<string, CiJob>()
  for (const job of jobs) if (job.id > (newest.get(job.name)?.id ?? 0)) newest.set(job.name, job)
  return [...newest.values()]
}

function wholeState(jobs: readonly CiJob[]): CiResult['state'] {
  const states = jobs.map((job) => {
    const state = jobState(job.status)
    const mayBeLeft = job.allow_failure && (state === 'failed' || job.status === 'manual')
    return mayBeLeft ? 'success' : state
  })
  if (states.includes('failed')) return 'failed'
  return states.includes('pending') ? 'pending' : 'success'
}

function resultOf(name: string, state: CiResult['state'], url: string): CiResult {
  return { name, app: CI_APP, state, url: webUrl(url) }
}

/**
 * Statuses that somebody posted. GitLab lists the jobs of pipelines among them, also of those that do not count; these carry no
 * address of another system.
 */
async function postedStatuses(
  client: GitlabClient,
  sha: CommitSha,
  jobIds: ReadonlySet<number>,
  unread: ReadonlySet<number>,
): Promise<ListedStatus[]> {
  const all = await everything<ListedStatus>(client, `${client.project}/repository/commits/${sha}/statuses`)
  const isJob = (status: ListedStatus) =>
    jobIds.has(status.id) ||
    (status.target_url === null && unread.has(status.pipeline_id ?? 0) && !status.name.startsWith(OWN_PREFIX))
  return all.filter((status) => status.sha === sha && !isJob(status))
}

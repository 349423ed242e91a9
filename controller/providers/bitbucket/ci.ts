import type { CiExpectation } from '../../model/desired-state.ts'
import type { CommitSha } from '../../model/names.ts'
import type { CiEvidence, CiResult } from '../../policy/facts.ts'
import { webUrl } from '../text.ts'
import { type BitbucketClient, everything } from './client.ts'
import { fullSha } from './commit-ids.ts'
import { ciState, type PipelineState, statusState } from './states.ts'

/** What projects believe in `ci.apps`: Bitbucket Pipelines itself. */
export const CI_APP = 'bitbucket-pipelines'
/** Build statuses, whoever posted them: believed only by a project that says so. */
export const STATUS_APP = 'build-status'
/** Result that stands for a whole pipeline; any other name is that of a step. */
export const WHOLE_PIPELINE = 'pipeline'
export const OWN_PREFIX = 'draven/'

/** What a project asks for and believes, so that nothing is read that could not matter. */
export type CiQuestion = Pick<CiExpectation, 'requiredChecks' | 'apps'>

interface ListedPipeline {
  uuid: string
  build_number: number
  run_number?: number
  state: PipelineState
  trigger?: { type?: string; name?: string }
  target: {
    type: string
    ref_type?: string
    ref_name?: string
    commit?: { hash: string }
    selector?: { type: string; pattern?: string }
  }
}

interface Step {
  name?: string
  state: PipelineState
}

interface BuildStatus {
  key: string
  name?: string | null
  state: string
  url?: string | null
}

/**
 * Pipelines and build statuses of exactly one commit. Pipelines prove themselves: what a push started ran what the commit says.
 * A build status is a word that anybody who can push may say, under any key, so it is told apart and believed only on demand.
 */
export function ciReader(client: BitbucketClient, { requiredChecks, apps }: CiQuestion): (sha: CommitSha) => Promise<CiEvidence> {
  const stepsOf = stepReader(client)
  const asksForSteps = requiredChecks.some((name) => name !== WHOLE_PIPELINE)
  return async (sha) => {
    const results: CiResult[] = []
    const ignored: CiEvidence['ignored'][number][] = []
    const pipelines = await pipelinesOf(client, sha)
    const counting = newestOfEachKind(pipelines.filter((pipeline) => whyNotCi(pipeline) === null))
    for (const pipeline of pipelines) {
      const why = whyNotCi(pipeline)
      if (why !== null) ignored.push({ name: `pipeline ${pipeline.build_number}`, why })
    }
    for (const pipeline of counting) {
      const url = pageOf(client, pipeline.build_number)
      results.push({ name: WHOLE_PIPELINE, app: CI_APP, state: ciState(pipeline.state), url })
      for (const step of asksForSteps ? await stepsOf(pipeline) : []) {
        if (step.name !== undefined) results.push({ name: step.name, app: CI_APP, state: ciState(step.state), url })
      }
    }
    // Where pipelines prove all that is asked for, statuses could add nothing but a call.
    const named = new Set(results.map(({ name }) => name))
    if (!apps.includes(STATUS_APP) && requiredChecks.every((name) => named.has(name))) return { sha, results, ignored }
    const ran = new Set(pipelines.map((pipeline) => pipeline.build_number))
    for (const status of await everything<BuildStatus>(client, `${client.repository}/commit/${sha}/statuses`)) {
      if (status.key.startsWith(OWN_PREFIX)) ignored.push({ name: status.key, why: 'a status of this controller' })
      // Pipelines post a status each, deploys as well; they were read themselves.
      else if (!ran.has(runIn(client, status.url))) results.push(...statusResults(status))
    }
    return { sha, results, ignored }
  }
}

async function pipelinesOf(client: BitbucketClient, sha: CommitSha): Promise<ListedPipeline[]> {
  const listed = await everything<ListedPipeline>(client, `${client.repository}/pipelines`, {
    'target.commit.hash': sha,
    sort: '-created_on',
  })
  const ofThis: ListedPipeline[] = []
  for (const pipeline of listed) {
    const hash = pipeline.target.commit?.hash
    if (hash !== undefined && (await fullSha(client, hash)) === sha) ofThis.push(pipeline)
  }
  return ofThis
}

/** Null when the code itself asked for this pipeline, on this very commit, with nothing told to it from outside. */
function whyNotCi({ trigger, target }: ListedPipeline): string | null {
  if (target.selector?.type === 'custom') return 'it is a custom pipeline, which somebody starts and tells what to do'
  if (target.type === 'pipeline_pullrequest_target') return 'it built a merge with the destination, not this commit'
  const word = trigger?.type?.replace(/^pipeline_trigger_/, '') ?? 'nobody knows what'
  return word === 'push' ? null : `it was started by ${word}, not by the code`
}

/** A branch and a tag may each have a pipeline for the commit; of each the newest counts. */
function newestOfEachKind(pipelines: readonly ListedPipeline[]): ListedPipeline[] {
  const newest = new Map<string, ListedPipeline>()
  for (const pipeline of pipelines) {
    const key = `${pipeline.target.ref_type} ${pipeline.target.ref_name}`
    if (pipeline.build_number > (newest.get(key)?.build_number ?? 0)) newest.set(key, pipeline)
  }
  return [...newest.values()]
}

/** Steps of a pipeline that is over do not change, unless it is run again, so they are read once. */
function stepReader(client: BitbucketClient): (pipeline: ListedPipeline) => Promise<readonly Step[]> {
  const kept = new Map<string, readonly Step[]>()
  return async ({ uuid, run_number: run = 1, state }) => {
    const key = `${uuid} ${run} ${state.result?.name}`
    const known = kept.get(key)
    if (known !== undefined) return known
    const steps = await everything<Step>(client, `${client.repository}/pipelines/${encodeURIComponent(uuid)}/steps`)
    if (kept.size >= MAX_KEPT) kept.clear()
    if (state.name === 'COMPLETED') kept.set(key, steps)
    return steps
  }
}

const MAX_KEPT = 500

/** By its key, and by its name where that is another: people know either. */
function statusResults({ key, name, state, url }: BuildStatus): CiResult[] {
  const names = new Set([key, ...(name ? [name] : [])])
  return [...names].map((each) => ({ name: each, app: STATUS_APP, state: statusState(state), url: webUrl(url) }))
}

export function pageOf(client: BitbucketClient, buildNumber: number): string | null {
  return webUrl(`${client.webUrl}/pipelines/results/${buildNumber}`)
}

/** The build number that an address of this repository's pipelines ends in; NaN for any other address. */
function runIn({ webUrl: root }: BitbucketClient, url: string | null | undefined): number {
  if (!url?.toLowerCase().startsWith(`${root.toLowerCase()}/`)) return Number.NaN
  return Number(/\/pipelines\/(?:results\/|home#!\/results\/)(\d{1,12})(?:[/?#]|$)/.exec(url)?.[1] ?? Number.NaN)
}

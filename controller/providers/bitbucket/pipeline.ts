import { type Clock, type Instant, MINUTE_MS } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { PipelineProvider, RunHandle, RunQuery, StartOutcome, Trigger } from '../../jobs/executor.ts'
import { isCommitSha } from '../../model/names.ts'
import { unlessMissing } from '../json-calls.ts'
import { startWithin } from '../start-outcome.ts'
import { told } from '../told.ts'
import { pageOf } from './ci.ts'
import { jobReader } from './claims.ts'
import { type BitbucketClient, pages } from './client.ts'
import { fullSha } from './commit-ids.ts'
import { assertRepositoryVisible } from './refs.ts'
import { type Pipeline, type RunLists, variableOf } from './runs.ts'
import { customPipeline, runState, wordsOf } from './states.ts'

export interface BitbucketPipelineOptions {
  client: BitbucketClient
  defaultBranch: string
  lists: RunLists
  clock: Clock
  /** From `start` being called to its last byte, credentials included. */
  triggerTimeoutMs: number
}

/** How far Bitbucket's clock may be behind ours. */
const CLOCK_SKEW_MS = 2 * MINUTE_MS

/** Custom pipelines of a repository, correlated by the JOB_ID that they were told. */
export function bitbucketPipeline(options: BitbucketPipelineOptions): PipelineProvider {
  const { client, defaultBranch, lists, clock, triggerTimeoutMs } = options
  const all = `${client.repository}/pipelines`
  const jobOf = jobReader(client)

  async function dispatch(trigger: Trigger, signal: AbortSignal): Promise<StartOutcome> {
    const variables = Object.entries(told(trigger)).map(([key, value]) => {
      return { type: 'pipeline_variable', key, value, secured: key === 'CALLBACK_TOKEN' }
    })
    const body = { type: 'pipeline', target: targetOf(trigger), variables }
    lists.forget()
    const { data } = await client.send<Pipeline>('POST', all, body, signal)
    // Made, whatever the answer lacks: it can be looked up.
    if (!isPipelineId(data?.uuid)) return { kind: 'accepted' }
    const hash = data.target?.commit?.hash
    if (trigger.selector.workflowRef === null && hash !== undefined && isCommitSha(hash) && hash !== trigger.sha) {
      await client.send('POST', `${pathOf(client, data.uuid)}/stopPipeline`).catch(() => {})
      const why = `Bitbucket started pipeline ${data.build_number} on ${hash}, not on the approved ${trigger.sha}; it was asked to stop.`
      return { kind: 'unknown', why }
    }
    return { kind: 'started', run: handle(client, data) }
  }

  /** Pipelines of one selector made in the time asked for, newest first. */
  async function triggered({ selector, intendedAt, until }: RunQuery): Promise<Pipeline[]> {
    const pattern = customPipeline(selector.selector)
    const earliest = intendedAt - CLOCK_SKEW_MS
    const latest = until === undefined ? Number.POSITIVE_INFINITY : until + CLOCK_SKEW_MS
    const found: Pipeline[] = []
    for await (const page of pages<Pipeline>(client, all, { 'target.selector.pattern': pattern, sort: '-created_on' })) {
      for (const pipeline of page) {
        const createdAt = wholeSecond(Date.parse(pipeline.created_on))
        if (createdAt < wholeSecond(earliest)) return found
        if (createdAt <= wholeSecond(latest) && (await whyNotOurs(client, pipeline, selector)) === null) found.push(pipeline)
      }
    }
    return found
  }

  return {
    start: (trigger) => startWithin({ clock, timeoutMs: triggerTimeoutMs }, (signal) => dispatch(trigger, signal)),

    async find(query) {
      const found: Pipeline[] = []
      for (const pipeline of await triggered(query)) {
        if ((await jobOf(pipeline)) === query.jobId) found.push(pipeline)
      }
      return found.sort((a, b) => a.build_number - b.build_number).map((pipeline) => handle(client, pipeline))
    },

    // `find` fails where it cannot be told whose a pipeline is.
    doubt: async () => null,

    async observe({ externalId, selector }) {
      const uuid = pipelineId(externalId)
      const pipeline = await lists.pipeline(uuid)
      if (pipeline === null) {
        await assertRepositoryVisible(client, defaultBranch)
        return { state: 'vanished', externalAttempt: 1, url: null, detail: `Bitbucket has no pipeline ${externalId}` }
      }
      const url = pageOf(client, pipeline.build_number)
      const mismatch = await whyNotOurs(client, pipeline, selector)
      if (mismatch !== null) return { state: 'vanished', externalAttempt: 1, url, detail: mismatch }
      return {
        state: runState(pipeline.state),
        externalAttempt: pipeline.run_number ?? 1,
        url,
        detail: wordsOf(pipeline.state),
      }
    },

    async cancel({ externalId }) {
      lists.forget()
      // 400: it is over. Whether it is, `observe` tells.
      await unlessMissing(() => client.send('POST', `${pathOf(client, pipelineId(externalId))}/stopPipeline`), [400])
    },
  }
}

/**
 * The approved commit itself, in the context of the ref it was asked for by: code and definition are those that were approved, however
 * the ref moved since. With a `workflow_ref` the definition there runs, and has to fetch the commit that it is told.
 */
function targetOf({ selector, ref, refType, sha }: Trigger): object {
  const custom = { type: 'custom', pattern: customPipeline(selector.selector) }
  const commit = { type: 'commit', hash: sha }
  if (selector.workflowRef !== null) {
    return { type: 'pipeline_ref_target', ref_type: 'branch', ref_name: selector.workflowRef, selector: custom }
  }
  if (refType === 'sha') return { type: 'pipeline_commit_target', commit, selector: custom }
  return { type: 'pipeline_ref_target', ref_type: refType, ref_name: ref, commit, selector: custom }
}

/** A pipeline of another definition, or on another commit than it was told to run, is not evidence about this job. */
async function whyNotOurs(
  client: BitbucketClient,
  pipeline: Pipeline,
  { selector, workflowRef }: Trigger['selector'],
): Promise<string | null> {
  const { build_number: number, target } = pipeline
  const found = `${target.selector?.type ?? 'no selector'}:${target.selector?.pattern ?? ''}`
  const wanted = `custom:${customPipeline(selector)}`
  if (found !== wanted) return `pipeline ${number} is of ${found}, not of ${wanted}`
  if (workflowRef !== null) {
    return target.ref_name === workflowRef
      ? null
      : `pipeline ${number} is of ${target.ref_name ?? 'a commit'}, not of ${workflowRef}`
  }
  const [told, hash] = [variableOf(pipeline, 'SHA'), target.commit?.hash]
  if (told === null || hash === undefined || (await fullSha(client, hash)) === told) return null
  return `pipeline ${number} is of commit ${hash}, not of ${told}`
}

function handle(client: BitbucketClient, { uuid, build_number: number, run_number: run }: Pipeline): RunHandle {
  return { externalId: uuid, externalAttempt: run ?? 1, url: pageOf(client, number) }
}

function pathOf({ repository }: BitbucketClient, uuid: string): string {
  return `${repository}/pipelines/${encodeURIComponent(uuid)}`
}

function isPipelineId(text: unknown): text is string {
  return typeof text === 'string' && /^\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}$/i.test(text)
}

function pipelineId(externalId: string): string {
  if (isPipelineId(externalId)) return externalId
  throw new RefusedFault(`${JSON.stringify(externalId)} is not a Bitbucket pipeline id.`)
}

function wholeSecond(instant: Instant): number {
  return Math.floor(instant / 1_000)
}

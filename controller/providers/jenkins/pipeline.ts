import { type Clock, type Instant, MINUTE_MS, toIso } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { PipelineProvider, RunHandle, RunObservation, RunQuery, StartOutcome, Trigger } from '../../jobs/executor.ts'
import { beforeTheCall, unlessMissing } from '../json-calls.ts'
import { startWithin } from '../start-outcome.ts'
import { namesSomeJob } from '../text.ts'
import { told } from '../told.ts'
import {
  type Build,
  buildState,
  listBuilds,
  parameterOf,
  type QueueItem,
  queueItems,
  readBuild,
  readItem,
  readJob,
  undeclared,
  wordsOf,
} from './builds.ts'
import { type JenkinsClient, jobOf, jobPath } from './client.ts'
import { stopping } from './stopping.ts'

export interface JenkinsPipelineOptions {
  client: JenkinsClient
  /** Jobs of all the project's pipelines: a run is asked to stop by its id alone. */
  selectors: readonly string[]
  clock: Clock
  triggerTimeoutMs: number
}

/** How far Jenkins's clock may be behind ours. */
const CLOCK_SKEW_MS = 2 * MINUTE_MS

/**
 * Builds of a Jenkins job. A run goes by the id of its item in the queue, which Jenkins tells at once; the build has a number only
 * later, and says which item it came from for ever, while the item itself is gone five minutes after it left the queue.
 */
export function jenkinsPipeline({ client, selectors, clock, triggerTimeoutMs }: JenkinsPipelineOptions): PipelineProvider {
  const stop = stopping(client, clock)

  async function dispatch(trigger: Trigger, signal: AbortSignal): Promise<StartOutcome> {
    const { selector, workflowRef } = trigger.selector
    if (workflowRef !== null) throw new RefusedFault('A Jenkins job says itself where its definition is; leave workflow_ref out.')
    const path = jobPath(selector)
    const form = told(trigger)
    const job = await readJob(client, selector, signal).catch((error: unknown) => {
      throw beforeTheCall(error)
    })
    if (!job.buildable) throw new RefusedFault(`The Jenkins job ${selector} is disabled.`)
    const missing = undeclared(job, Object.keys(form))
    if (missing.length > 0) {
      throw new RefusedFault(
        `The Jenkins job ${selector} does not declare ${missing.join(', ')}, and Jenkins drops what is not declared. A Jenkinsfile declares its parameters once it has run.`,
      )
    }
    try {
      const { headers } = await client.post(`${path}/buildWithParameters`, form, signal)
      const id = /\/queue\/item\/(\d{1,15})\/?$/.exec(headers.get('location') ?? '')?.[1]
      return id === undefined ? { kind: 'accepted' } : { kind: 'started', run: handle(id, `${client.baseUrl}${path}/`) }
    } catch (error) {
      // An item with these very parameters waits already, and among them is our JOB_ID.
      if (error instanceof RefusedFault && error.status === 303) return { kind: 'accepted' }
      throw withAdvice(error)
    }
  }

  /** Items and builds of the job that were made in the time asked for. The queue first: what leaves it meanwhile is a build by then. */
  async function made({ selector: { selector }, intendedAt, until }: RunQuery) {
    const earliest = intendedAt - CLOCK_SKEW_MS
    const latest = until === undefined ? Number.POSITIVE_INFINITY : until + CLOCK_SKEW_MS
    const inTime = (at: Instant) => at >= earliest && at <= latest
    const waiting = (await queueItems(client)).filter(
      (item) => jobOf(item.task.url ?? '') === selector && inTime(item.inQueueSince) && !item.cancelled,
    )
    const list = await listBuilds(client, selector, (build) => build.timestamp < earliest)
    return { waiting, list, builds: list.builds.filter((build) => inTime(build.timestamp)), earliest }
  }

  async function buildOf(queueId: number, selector: string): Promise<Build | null> {
    const { builds } = await listBuilds(client, selector, (build) => build.queueId === queueId)
    return builds.find((build) => build.queueId === queueId) ?? null
  }

  function seen(selector: string, build: Build): RunObservation {
    const url = `${client.baseUrl}${jobPath(selector)}/${build.number}/console`
    const ended = build.building ? {} : { endedAt: build.timestamp + build.duration }
    const words = { state: buildState(build), detail: wordsOf(build) }
    return { ...words, externalAttempt: 1, url, startedAt: build.timestamp, ...ended }
  }

  async function observeItem(item: QueueItem, selector: string): Promise<RunObservation> {
    const job = jobOf(item.task.url ?? '')
    if (job !== selector) return observation('vanished', `queue item ${item.id} is of ${job}, not of ${selector}`)
    if (item.cancelled) return observation('canceled', 'canceled in the queue')
    if (!item.executable) return observation('queued', item.why ?? null)
    const build = await readBuild(client, selector, item.executable.number)
    return build === null
      ? observation('vanished', `Jenkins has no build ${item.executable.number} of ${selector} any more`)
      : seen(selector, build)
  }

  return {
    start: (trigger) => startWithin({ clock, timeoutMs: triggerTimeoutMs }, (signal) => dispatch(trigger, signal)),

    async find(query) {
      const { waiting, builds } = await made(query)
      const ids = [...waiting.map((item) => ({ id: item.id, made: item })), ...builds.map((made) => ({ id: made.queueId, made }))]
        .filter(({ made }) => parameterOf(made, 'JOB_ID') === query.jobId)
        .map(({ id }) => id)
      const url = `${client.baseUrl}${jobPath(query.selector.selector)}/`
      return [...new Set(ids)].sort((a, b) => a - b).map((id) => handle(String(id), url))
    },

    async doubt(query) {
      const { builds, list, earliest } = await made(query)
      const { selector } = query.selector
      const unnamed = builds.filter((build) => !namesSomeJob(parameterOf(build, 'JOB_ID') ?? ''))
      if (unnamed.length > 0)
        return `of the builds of ${selector} since then, ${unnamed.length} carry no JOB_ID (the newest: ${unnamed[0]!.number})`
      const oldest = list.builds.at(-1)
      if (oldest !== undefined && oldest.timestamp < earliest) return null
      if (!list.whole) return `there are more builds of ${selector} since then than are looked at`
      const first = oldest?.number ?? list.nextNumber
      if (first <= 1) return null
      const kept = oldest === undefined ? 'none of them' : `only those since ${toIso(oldest.timestamp)}`
      return `builds of ${selector} were discarded: Jenkins has ${kept}`
    },

    async observe({ externalId, selector: { selector } }) {
      const id = queueId(externalId)
      const item = await readItem(client, id)
      if (item !== null) return observeItem(item, selector)
      const build = await buildOf(id, selector)
      return build === null ? observation('vanished', `Jenkins has no build of queue item ${id}`) : seen(selector, build)
    },

    async cancel({ externalId }) {
      const id = queueId(externalId)
      const item = await readItem(client, id)
      if (item !== null) {
        const job = jobOf(item.task.url ?? '')
        if (item.executable && job !== null) await stop(id, job, item.executable.number)
        // 404: it has just left the queue; it is asked again.
        else await unlessMissing(() => client.post(`/queue/cancelItem?id=${id}`, {}), [302, 303, 404])
        return
      }
      for (const selector of selectors) {
        const build = await buildOf(id, selector)
        if (build !== null) return stop(id, selector, build.number)
      }
    },
  }
}

function withAdvice(error: unknown): unknown {
  if (!(error instanceof RefusedFault) || error.status !== 302) return error
  return new RefusedFault(
    'Jenkins redirects the trigger: its queue did not take the build, or the credential is no API token.',
    302,
  )
}

function observation(state: RunObservation['state'], detail: string | null): RunObservation {
  return { state, externalAttempt: 1, url: null, detail }
}

function handle(externalId: string, url: string): RunHandle {
  return { externalId, externalAttempt: 1, url }
}

function queueId(externalId: string): number {
  if (!/^\d{1,15}$/.test(externalId))
    throw new RefusedFault(`${JSON.stringify(externalId)} is not the id of a Jenkins queue item.`)
  return Number(externalId)
}

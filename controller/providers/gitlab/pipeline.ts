import { type Clock, MINUTE_MS, toIso } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { PipelineProvider, RunHandle, RunQuery, StartOutcome, Trigger } from '../../jobs/executor.ts'
import { unlessMissing } from '../json-calls.ts'
import { startWithin } from '../start-outcome.ts'
import { namesJob, namesSomeJob, webUrl } from '../text.ts'
import { told } from '../told.ts'
import type { CiJob } from './ci.ts'
import { everything, type GitlabClient, pages } from './client.ts'
import { assertProjectVisible } from './refs.ts'
import { pipelineMode, pipelineState } from './states.ts'

interface Pipeline {
  id: number
  /** `workflow:name` as it came out; lists of older versions leave it out. */
  name?: string | null
  ref: string
  source: string
  status: string
  created_at: string
  web_url: string
  yaml_errors?: string | null
}

export interface GitlabPipelineOptions {
  client: GitlabClient
  defaultBranch: string
  clock: Clock
  /** From `start` being called to its last byte, credentials included. */
  triggerTimeoutMs: number
}

/** How far GitLab's clock may be behind ours. */
const CLOCK_SKEW_MS = 2 * MINUTE_MS
/** GitLab's word for a pipeline that was made by `POST /pipeline`. */
const SOURCE = 'api'

/** Pipelines of a project, correlated by the JOB_ID in their name (`workflow:name`) or among their variables. */
export function gitlabPipeline({ client, defaultBranch, clock, triggerTimeoutMs }: GitlabPipelineOptions): PipelineProvider {
  const { project } = client
  // Never the ref to deploy: a commit cannot be one here, and an old tag would run an old definition.
  const definitionRef = ({ workflowRef }: Trigger['selector']) => workflowRef ?? defaultBranch

  async function dispatch(trigger: Trigger, signal: AbortSignal): Promise<StartOutcome> {
    const byMode =
      pipelineMode(trigger.selector.selector) === 'inputs'
        ? { inputs: told(trigger) }
        : { variables: Object.entries(told(trigger)).map(([key, value]) => ({ key, value, variable_type: 'env_var' })) }
    const body = { ref: definitionRef(trigger.selector), ...byMode }
    const { data } = await client.send<Pipeline>('POST', `${project}/pipeline`, body, signal)
    // Made, whatever the answer lacks: it can be looked up.
    return Number.isSafeInteger(data?.id) ? { kind: 'started', run: handle(data) } : { kind: 'accepted' }
  }

  /** Pipelines made by the API in the time asked for. */
  async function triggered({ selector, intendedAt, until }: RunQuery): Promise<Pipeline[]> {
    const second = (instant: number) => Math.floor(instant / 1_000)
    const earliest = intendedAt - CLOCK_SKEW_MS
    const latest = until === undefined ? Number.POSITIVE_INFINITY : until + CLOCK_SKEW_MS
    // Nothing is created after it was last updated, and older versions know no `created_after`.
    const query = {
      source: SOURCE,
      ref: definitionRef(selector),
      updated_after: toIso(Math.max(earliest, 0)),
      order_by: 'id',
      sort: 'desc',
    }
    const found: Pipeline[] = []
    for await (const page of pages<Pipeline>(client, `${project}/pipelines`, query)) {
      for (const pipeline of page) {
        const createdAt = second(Date.parse(pipeline.created_at))
        if (whyNotOurs(pipeline, query.ref) === null && createdAt >= second(earliest) && createdAt <= second(latest))
          found.push(pipeline)
      }
    }
    return found
  }

  return {
    async start(trigger) {
      const outcome = await startWithin({ clock, timeoutMs: triggerTimeoutMs }, (signal) => dispatch(trigger, signal))
      return outcome.kind === 'refused' ? { ...outcome, why: withAdvice(outcome.why) } : outcome
    },

    async find(query) {
      const mode = pipelineMode(query.selector.selector)
      const found: Pipeline[] = []
      for (const pipeline of await triggered(query))
        if (await carriesJob(client, pipeline, query.jobId, mode)) found.push(pipeline)
      return found.sort((a, b) => a.id - b.id).map(handle)
    },

    async doubt(query) {
      // Without a name, variables tell whose a pipeline is, and `find` fails when it may not read them; inputs cannot be read back.
      if (pipelineMode(query.selector.selector) !== 'inputs') return null
      const unnamed: Pipeline[] = []
      for (const pipeline of await triggered(query)) {
        if (!namesSomeJob((await nameOf(client, pipeline)) ?? '')) unnamed.push(pipeline)
      }
      const [first] = unnamed
      if (first === undefined) return null
      return `of the pipelines of ${client.fullName} since then, ${unnamed.length} carry no JOB_ID in their name (the first: ${webUrl(first.web_url) ?? first.id})`
    },

    async observe({ externalId, selector }) {
      const number = pipelineNumber(externalId)
      const found = await unlessMissing(() => client.get<Pipeline>(`${project}/pipelines/${number}`))
      if (found === null) {
        await assertProjectVisible(client, defaultBranch)
        return { state: 'vanished', externalAttempt: 1, url: null, detail: `GitLab has no pipeline ${externalId}` }
      }
      const pipeline = found.data
      const mismatch = whyNotOurs(pipeline, definitionRef(selector))
      const url = webUrl(pipeline.web_url)
      if (mismatch !== null) return { state: 'vanished', externalAttempt: 1, url, detail: mismatch }
      const jobs = await everything<CiJob>(client, `${project}/pipelines/${number}/jobs`, { include_retried: true })
      return {
        state: pipelineState(pipeline.status),
        externalAttempt: attemptOf(jobs),
        url,
        detail: wordsOf(pipeline, jobs),
      }
    },

    async cancel({ externalId }) {
      // Says yes to a pipeline that is over as well, and only asks one that runs. Whether it is over, `observe` tells.
      await client.send('POST', `${project}/pipelines/${pipelineNumber(externalId)}/cancel`, {})
    },
  }
}

/** By its name where the pipeline names the job; else by its variables. Inputs cannot be read back. */
async function carriesJob(client: GitlabClient, listed: Pipeline, jobId: string, mode: string): Promise<boolean> {
  const path = `${client.project}/pipelines/${listed.id}`
  const name = await nameOf(client, listed)
  if (name !== null && namesJob(name, jobId)) return true
  if (mode === 'inputs') return false
  try {
    const variables = await everything<{ key: string; value: string }>(client, `${path}/variables`)
    return variables.some(({ key, value }) => key === 'JOB_ID' && value === jobId)
  } catch (error) {
    // Not for this token. A pipeline that names another job is that one's; of any other it cannot be told, and a guess would be
    // taken for proof that there was none.
    if (!(error instanceof RefusedFault && error.status === 403)) throw error
    if (name !== null && namesSomeJob(name)) return false
    throw new RefusedFault(
      `Pipeline ${listed.id} of ${client.fullName} names no job and its variables may not be read, so it cannot be told whose it is. Put $JOB_ID into workflow:name.`,
      403,
    )
  }
}

async function nameOf(client: GitlabClient, listed: Pipeline): Promise<string | null> {
  return listed.name ?? (await client.get<Pipeline>(`${client.project}/pipelines/${listed.id}`)).data.name ?? null
}

/** GitLab keeps the pipeline and makes a job anew when something is tried again: as many attempts as its most tried job. */
function attemptOf(jobs: readonly CiJob[]): number {
  const tries = new Map<string, number>()
  for (const { name } of jobs) tries.set(name, (tries.get(name) ?? 0) + 1)
  return Math.max(1, ...tries.values())
}

/** A pipeline of another ref, or that the code or a person started, is not evidence about this job. */
function whyNotOurs({ id, ref, source }: Pipeline, expectedRef: string): string | null {
  if (source !== SOURCE) return `pipeline ${id} was started by ${source}, not by ${SOURCE}`
  return ref === expectedRef ? null : `pipeline ${id} is of ${ref}, not of ${expectedRef}`
}

const TELLING: ReadonlySet<string> = new Set(['success', 'failed', 'canceled'])

function wordsOf({ status, yaml_errors: yamlErrors }: Pipeline, jobs: readonly CiJob[]): string | null {
  if (status === 'failed' && yamlErrors) return `failed: ${yamlErrors}`
  // A success may hold jobs that nobody has started; whoever reads "success" should know.
  const unplayed = status === 'success' ? jobs.filter((job) => job.status === 'manual').map((job) => job.name) : []
  if (unplayed.length > 0) return `success; manual jobs not started: ${unplayed.join(', ')}`
  return TELLING.has(status) ? null : status
}

/** Since 2024 new projects let nobody set variables; GitLab's own words do not say what to do. */
function withAdvice(why: string): string {
  return /insufficient permissions to set pipeline variables/i.test(why)
    ? `${why} Let the token's role set pipeline variables, or use the selector inputs.`
    : why
}

function handle(pipeline: Pipeline): RunHandle {
  return { externalId: String(pipeline.id), externalAttempt: 1, url: webUrl(pipeline.web_url) }
}

function pipelineNumber(externalId: string): number {
  if (!/^\d{1,15}$/.test(externalId)) throw new RefusedFault(`${JSON.stringify(externalId)} is not a GitLab pipeline id.`)
  return Number(externalId)
}

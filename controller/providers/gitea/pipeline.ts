import { type Clock, MINUTE_MS } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { PipelineProvider, RunHandle, RunObservation, RunQuery, StartOutcome, Trigger } from '../../jobs/executor.ts'
import { unlessMissing } from '../json-calls.ts'
import { startWithin } from '../start-outcome.ts'
import { namesJob, namesSomeJob } from '../text.ts'
import { told } from '../told.ts'
import type { GiteaClient } from './client.ts'
import { shortRef, type WorkflowRun, workflowFile } from './dialect.ts'
import { assertRepositoryVisible } from './refs.ts'
import { jobsOf, runPages } from './runs.ts'

export interface GiteaPipelineOptions {
  client: GiteaClient
  defaultBranch: string
  clock: Clock
  /** From `start` being called to its last byte, credentials included. */
  triggerTimeoutMs: number
}

type Place = Pick<GiteaPipelineOptions, 'client' | 'defaultBranch'>

/** How far the server's clock may be behind ours. */
const CLOCK_SKEW_MS = 2 * MINUTE_MS
const EVENT = 'workflow_dispatch'

/** Dispatched workflows, correlated by what they were told (Forgejo shows it) or by the JOB_ID in `run-name`. */
export function giteaPipeline({ client, defaultBranch, clock, triggerTimeoutMs }: GiteaPipelineOptions): PipelineProvider {
  const { dialect, repo } = client
  const place = { client, defaultBranch }

  async function dispatch(trigger: Trigger, signal: AbortSignal): Promise<StartOutcome> {
    const { data } = await client.send({
      method: 'POST',
      path: `${repo}/actions/workflows/${workflowFile(trigger.selector.selector)}/dispatches`,
      query: dialect.dispatch.query,
      body: {
        // Never the ref to deploy: a commit cannot be dispatched, and an old tag would run an old workflow file.
        ref: definitionRef(trigger.selector, defaultBranch),
        inputs: told(trigger),
        ...dialect.dispatch.body,
      },
      signal,
    })
    const made = dialect.dispatched(data, client.web)
    // Made, whatever the answer lacks: it can be looked up.
    if (made === null) return { kind: 'accepted' }
    return { kind: 'started', run: { externalId: String(made.id), externalAttempt: 1, url: made.url } }
  }

  return {
    start: (trigger) => startWithin({ clock, timeoutMs: triggerTimeoutMs }, (signal) => dispatch(trigger, signal)),

    async find(query) {
      const runs = await dispatchedRuns(place, query)
      return runs
        .filter((run) => carriesJob(run, query.jobId))
        .sort((one, other) => one.id - other.id)
        .map(handle)
    },

    async doubt(query) {
      const unnamed = (await dispatchedRuns(place, query)).filter((run) => run.inputs === null && !namesSomeJob(run.title))
      const [first] = unnamed
      if (first === undefined) return null
      return `of the runs of ${query.selector.selector} since then, ${unnamed.length} carry no JOB_ID in their name (the first: ${first.url ?? first.id})`
    },

    async observe({ externalId, selector }) {
      const number = runNumber(client, externalId)
      const found = await unlessMissing(() => client.get<unknown>(`${repo}/actions/runs/${number}`))
      if (found === null) {
        await assertRepositoryVisible(client, defaultBranch)
        // A version that shows no runs at all, or Actions switched off, answers so too: then nothing is known of this one.
        await client.get(`${repo}/actions/runs`, { limit: 1 })
        return { state: 'vanished', externalAttempt: 1, url: null, detail: `${dialect.name} has no run ${externalId}` }
      }
      const run = dialect.run(found.data)
      const mismatch = whyNotOurs(run, selector, defaultBranch)
      if (mismatch !== null) return { state: 'vanished', externalAttempt: 1, url: run.url, detail: mismatch }
      const detail = TELLING.has(run.words) ? null : run.words
      return { state: run.state, externalAttempt: await attemptOf(client, run), url: run.url, detail, ...timesOf(run) }
    },

    async cancel({ externalId }) {
      const number = runNumber(client, externalId)
      if (dialect.cancelPath === null) {
        throw new RefusedFault(
          `${dialect.name} lets nobody stop a run from outside; stop run ${number} on its page (${client.web}/actions).`,
        )
      }
      // Only asks, and says yes to a run that is over as well, or that this is a conflict. Whether it is over, `observe` tells.
      const path = `${repo}${dialect.cancelPath(number)}`
      await unlessMissing(() => client.send({ method: 'POST', path }), [409])
    },
  }
}

/** Dispatched runs of the workflow that were, or may have been, made in the time asked for. */
async function dispatchedRuns(
  { client, defaultBranch }: Place,
  { selector, intendedAt, until }: RunQuery,
): Promise<WorkflowRun[]> {
  const earliest = wholeSecond(intendedAt - CLOCK_SKEW_MS)
  const latest = until === undefined ? Number.POSITIVE_INFINITY : until + CLOCK_SKEW_MS
  const found: WorkflowRun[] = []
  for await (const runs of runPages(client, client.dialect.listQuery(workflowFile(selector.selector)))) {
    // Nothing starts before it is made; one that has not started yet may be of any time.
    const isTooOld = (run: WorkflowRun) => (run.createdAt ?? run.startedAt ?? earliest) < earliest
    const isTooYoung = (run: WorkflowRun) => run.createdAt !== null && run.createdAt > latest
    const isOurs = (run: WorkflowRun) => whyNotOurs(run, selector, defaultBranch) === null
    found.push(...runs.filter((run) => isOurs(run) && !isTooOld(run) && !isTooYoung(run)))
    // The newest come first.
    if (runs.length > 0 && runs.every(isTooOld)) break
  }
  return found
}

/** A run of another workflow or ref, or that the code started, is not evidence about this job, whatever its title says. */
function whyNotOurs(run: WorkflowRun, selector: Trigger['selector'], defaultBranch: string): string | null {
  const [file, ref] = [workflowFile(selector.selector), shortRef(definitionRef(selector, defaultBranch))]
  if (run.workflow !== file) return `run ${run.id} is of ${run.workflow}, not of ${file}`
  if (run.event !== EVENT) return `run ${run.id} was started by ${run.event}, not by ${EVENT}`
  return run.ref === ref ? null : `run ${run.id} is of ${run.ref}, not of ${ref}`
}

async function attemptOf(client: GiteaClient, run: WorkflowRun): Promise<number> {
  if (run.attempt !== null) return run.attempt
  const jobs = await unlessMissing(() => jobsOf(client, run.id))
  return Math.max(1, ...(jobs ?? []).map(({ attempt }) => attempt))
}

/** A bare name means a branch to one version and anything to another, so it is told in full. */
function definitionRef({ workflowRef }: Trigger['selector'], defaultBranch: string): string {
  const ref = workflowRef ?? defaultBranch
  return ref.startsWith('refs/') ? ref : `refs/heads/${ref}`
}

/** By what it was told, where that is shown; a title may quote anything. */
function carriesJob({ inputs, title }: WorkflowRun, jobId: string): boolean {
  return inputs === null ? namesJob(title, jobId) : inputs['JOB_ID'] === jobId
}

const TELLING: ReadonlySet<string> = new Set(['success', 'failure', 'cancelled'])

/** Only of a run that is over: before, the moments may be those of an earlier attempt. */
function timesOf({ state, startedAt, endedAt }: WorkflowRun): Pick<RunObservation, 'startedAt' | 'endedAt'> {
  const isOver = state === 'success' || state === 'failed' || state === 'canceled'
  return { ...(startedAt === null ? {} : { startedAt }), ...(isOver && endedAt !== null ? { endedAt } : {}) }
}

function handle(run: WorkflowRun): RunHandle {
  return { externalId: String(run.id), externalAttempt: run.attempt ?? 1, url: run.url }
}

function runNumber({ dialect }: GiteaClient, externalId: string): number {
  if (!/^\d{1,15}$/.test(externalId)) {
    throw new RefusedFault(`${JSON.stringify(externalId)} is not the id of a run of ${dialect.name}.`)
  }
  return Number(externalId)
}

/** The servers tell whole seconds. */
function wholeSecond(instant: number): number {
  return Math.floor(instant / 1_000) * 1_000
}

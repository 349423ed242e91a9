import type { RestEndpointMethodTypes } from '@octokit/rest'
import { type Clock, MINUTE_MS, toIso } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { PipelineProvider, RunHandle, RunObservation, RunQuery, StartOutcome, Trigger } from '../../jobs/executor.ts'
import { startWithin } from '../start-outcome.ts'
import { namesJob, namesSomeJob, webUrl } from '../text.ts'
import { told } from '../told.ts'
import { type GithubClient, pages } from './client.ts'
import { assertRepositoryVisible } from './refs.ts'
import { runState, runsWorkflow, workflowFile } from './workflow.ts'

type WorkflowRun = RestEndpointMethodTypes['actions']['listWorkflowRuns']['response']['data']['workflow_runs'][number]

export interface GithubPipelineOptions {
  client: GithubClient
  defaultBranch: string
  clock: Clock
  /** From `start` being called to its last byte, credentials included. */
  triggerTimeoutMs: number
}

/** How far GitHub's clock may be behind ours. */
const CLOCK_SKEW_MS = 2 * MINUTE_MS
/** GitHub shows no more runs of one list than this. */
const MAX_LISTED_RUNS = 1_000

/** Workflow runs started by `workflow_dispatch`, correlated by the JOB_ID that the workflow puts into its `run-name`. */
export function githubPipeline({ client, defaultBranch, clock, triggerTimeoutMs }: GithubPipelineOptions): PipelineProvider {
  const { octokit, owner, repo } = client
  let hostReturnsRun = true

  async function dispatch(trigger: Trigger, signal: AbortSignal): Promise<StartOutcome> {
    const call = {
      owner,
      repo,
      workflow_id: workflowFile(trigger.selector.selector).file,
      // Never the ref to deploy: a commit cannot be dispatched, and an old tag would run an old workflow file.
      ref: trigger.selector.workflowRef ?? defaultBranch,
      inputs: told(trigger),
      request: { signal },
    }
    if (hostReturnsRun) {
      try {
        return startedRun(await octokit.rest.actions.createWorkflowDispatch({ ...call, return_run_details: true }))
      } catch (error) {
        if (!refusesRunDetails(error)) throw error
        // The host said no to the whole call, so nothing runs, and the same call without the field is the first.
        hostReturnsRun = false
      }
    }
    return startedRun(await octokit.rest.actions.createWorkflowDispatch(call))
  }

  /** Dispatched runs of the workflow in the time asked for. `whole`: the list was not cut off. */
  async function dispatchedRuns({ selector, intendedAt, until }: RunQuery): Promise<{ runs: WorkflowRun[]; whole: boolean }> {
    const { file, path } = workflowFile(selector.selector)
    const from = listTime(intendedAt - CLOCK_SKEW_MS)
    const created = until === undefined ? `>=${from}` : `${from}..${listTime(until + CLOCK_SKEW_MS)}`
    const listed = { owner, repo, workflow_id: file, event: 'workflow_dispatch', created, per_page: 100 }
    const runs: WorkflowRun[] = []
    let seen = 0
    for await (const page of pages((page) => octokit.rest.actions.listWorkflowRuns({ ...listed, page }))) {
      runs.push(...page.workflow_runs.filter((run) => runsWorkflow(run.path, path)))
      seen += page.workflow_runs.length
      if (seen >= MAX_LISTED_RUNS) return { runs, whole: false }
    }
    return { runs, whole: true }
  }

  return {
    start: (trigger) => startWithin({ clock, timeoutMs: triggerTimeoutMs }, (signal) => dispatch(trigger, signal)),

    async find(query) {
      const { runs } = await dispatchedRuns(query)
      return runs
        .filter((run) => namesJob(run.display_title, query.jobId))
        .sort(oldestFirst)
        .map(handle)
    },

    async doubt(query) {
      const { runs, whole } = await dispatchedRuns(query)
      const unnamed = runs.filter((run) => !namesSomeJob(run.display_title))
      const file = query.selector.selector
      if (unnamed.length > 0)
        return `of the runs of ${file} since then, ${unnamed.length} carry no JOB_ID in their name (the first: ${webUrl(unnamed[0]!.html_url) ?? unnamed[0]!.id})`
      return whole ? null : `there are more runs of ${file} since then than GitHub lists`
    },

    async observe({ externalId, selector }) {
      const run = await runById(client, externalId)
      if (run === null) {
        await assertRepositoryVisible(client, defaultBranch)
        return { state: 'vanished', externalAttempt: 1, url: null, detail: `GitHub has no run ${externalId}` }
      }
      const mismatch = whyNotOurs(run, client, workflowFile(selector.selector).path)
      const state: RunObservation['state'] = mismatch === null ? runState(run.status, run.conclusion) : 'vanished'
      const seen = { state, externalAttempt: run.run_attempt ?? 1, url: webUrl(run.html_url), detail: mismatch ?? wordsOf(run) }
      return { ...seen, ...timesOf(run) }
    },

    async cancel({ externalId }) {
      try {
        await octokit.rest.actions.cancelWorkflowRun({ owner, repo, run_id: runNumber(externalId) })
      } catch (error) {
        // 409: already over. Whether it is, `observe` tells.
        if (!(error instanceof RefusedFault && error.status === 409)) throw error
      }
    },
  }
}

function startedRun(answer: { status: number; data: unknown }): StartOutcome {
  const { workflow_run_id: id, html_url: url } = (answer.data ?? {}) as { workflow_run_id?: number; html_url?: string }
  // Made, whatever the answer lacks: it can be looked up. An id that is none would be followed for ever in vain.
  if (answer.status !== 200 || !Number.isSafeInteger(id)) return { kind: 'accepted' }
  return { kind: 'started', run: { externalId: String(id), externalAttempt: 1, url: webUrl(url) } }
}

/** GitHub Enterprise Server up to 3.20 answers so to the field that it does not know (cli/cli issue 12672). */
function refusesRunDetails(error: unknown): boolean {
  return (
    error instanceof RefusedFault &&
    (error.status === 400 || error.status === 422) &&
    error.message.includes('return_run_details')
  )
}

async function runById({ octokit, owner, repo }: GithubClient, externalId: string): Promise<WorkflowRun | null> {
  try {
    const { data } = await octokit.rest.actions.getWorkflowRun({ owner, repo, run_id: runNumber(externalId) })
    return data
  } catch (error) {
    if (error instanceof RefusedFault && error.status === 404) return null
    throw error
  }
}

/** A run of another workflow or repository is not evidence about this job, whatever its title says. */
function whyNotOurs(run: WorkflowRun, { owner, repo }: GithubClient, path: string): string | null {
  if (!runsWorkflow(run.path, path)) return `run ${run.id} is of ${run.path}, not of ${path}`
  if (run.event !== 'workflow_dispatch') return `run ${run.id} was started by ${run.event}, not by workflow_dispatch`
  const fullName = `${owner}/${repo}`
  return run.repository.full_name.toLowerCase() === fullName.toLowerCase()
    ? null
    : `run ${run.id} is of another repository than ${fullName}`
}

/** GitHub's own words, where they say more than our state does. */
function wordsOf(run: WorkflowRun): string | null {
  if (run.conclusion === null) return `${run.status}`
  return TELLING.has(run.conclusion) ? null : `${run.status}: ${run.conclusion}`
}

const TELLING: ReadonlySet<string> = new Set(['success', 'failure', 'cancelled', 'timed_out'])

/** A finished run is written to by nobody but who deletes its logs, so its last change is about when it ended. */
function timesOf(run: WorkflowRun): Pick<RunObservation, 'startedAt' | 'endedAt'> {
  const startedAt = Date.parse(run.run_started_at ?? run.created_at)
  return run.status === 'completed' ? { startedAt, endedAt: Date.parse(run.updated_at) } : { startedAt }
}

/** As GitHub's `created` filter wants it. */
function listTime(instant: number): string {
  return `${toIso(Math.max(instant, 0)).slice(0, 19)}Z`
}

function oldestFirst(a: WorkflowRun, b: WorkflowRun): number {
  return Date.parse(a.created_at) - Date.parse(b.created_at) || (BigInt(a.id) < BigInt(b.id) ? -1 : 1)
}

function handle(run: WorkflowRun): RunHandle {
  return { externalId: String(run.id), externalAttempt: run.run_attempt ?? 1, url: webUrl(run.html_url) }
}

function runNumber(externalId: string): number {
  if (!/^\d{1,15}$/.test(externalId)) throw new RefusedFault(`${JSON.stringify(externalId)} is not a GitHub run id.`)
  return Number(externalId)
}

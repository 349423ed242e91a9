import { RefusedFault } from '../../errors.ts'
import type { RunObservation } from '../../jobs/executor.ts'
import type { Query } from '../json-calls.ts'
import { webUrl } from '../text.ts'

/** A run of a workflow, however the server spells it. */
export interface WorkflowRun {
  id: number
  title: string
  /** Name of the workflow file: `deploy.yml`. */
  workflow: string
  event: string
  /** The commit that it is about. */
  sha: string
  /** Branch or tag whose definition ran, by its short name. */
  ref: string
  state: RunObservation['state']
  /** The server's own words for the state. */
  words: string
  /** What the run was told; null when the server does not show it. */
  inputs: Readonly<Record<string, unknown>> | null
  /** 1 for the first; null when only its jobs tell. */
  attempt: number | null
  url: string | null
  /** Times in milliseconds; null while there is none, or when the server does not tell. */
  createdAt: number | null
  startedAt: number | null
  endedAt: number | null
}

export interface RunJob {
  name: string
  attempt: number
  succeeded: boolean
}

/** What Gitea and Forgejo do not have in common. Both call what they share by the same path. */
export interface Dialect {
  provider: 'gitea' | 'forgejo'
  name: string
  /** Account (id -2) in whose name the server's own CI posts statuses; also what projects believe in `ci.apps`. */
  actionsLogin: string
  /** How a dispatch is asked to name its run. Versions that do not know it ignore it and answer 204. */
  dispatch: { query: Query; body: object }
  /** The run that a dispatch made, from its answer: its id, and its address where that is told or follows from the number. */
  dispatched(answer: unknown, web: string): { id: number; url: string | null } | null
  /** Narrows the list of runs to those of a workflow that somebody dispatched. */
  listQuery(workflow: string): Query
  run(shown: unknown): WorkflowRun
  /** A job, of the answer to `/actions/runs/{id}/jobs`. */
  job(shown: unknown): RunJob
  /** Null: a run cannot be stopped from outside. */
  cancelPath: ((run: number) => string) | null
}

interface GiteaRun {
  id: number
  display_title?: string
  /** `deploy.yml@refs/heads/main`. */
  path?: string
  event?: string
  head_sha?: string
  status?: string
  conclusion?: string | null
  run_attempt?: number
  html_url?: string
  started_at?: string
  completed_at?: string
}

interface ForgejoRun {
  id: number
  title?: string
  workflow_id?: string
  prettyref?: string
  commit_sha?: string
  event?: string
  trigger_event?: string
  /** The dispatch as JSON text, `inputs` among it. */
  event_payload?: string
  status?: string
  need_approval?: boolean
  html_url?: string
  created?: string
  started?: string
  stopped?: string
}

/** Since 1.24 (dispatch), 1.26 (the dispatch names its run). Facts: `routers/api/v1/repo/action.go`, `services/convert` of 1.27. */
const GITEA: Dialect = {
  provider: 'gitea',
  name: 'Gitea',
  actionsLogin: 'gitea-actions',
  dispatch: { query: { return_run_details: true }, body: {} },
  dispatched(answer) {
    const { workflow_run_id: id, html_url: url } = (answer ?? {}) as { workflow_run_id?: number; html_url?: string }
    return isId(id) ? { id, url: webUrl(url) } : null
  },
  listQuery: () => ({ event: 'workflow_dispatch' }),
  run(shown) {
    const run = shown as GiteaRun
    const [file = '', ref = ''] = (run.path ?? '').split('@')
    const [status, conclusion] = [run.status ?? '', run.conclusion ?? '']
    return {
      id: run.id,
      title: run.display_title ?? '',
      workflow: file.split('/').at(-1) ?? '',
      event: run.event ?? '',
      sha: run.head_sha ?? '',
      ref: shortRef(ref),
      state: giteaState(status, conclusion),
      words: conclusion === '' ? status : conclusion,
      inputs: null,
      attempt: run.run_attempt === undefined || run.run_attempt < 1 ? null : run.run_attempt,
      url: webUrl(run.html_url),
      createdAt: null,
      startedAt: timeOf(run.started_at),
      endedAt: timeOf(run.completed_at),
    }
  },
  job(shown) {
    const job = shown as { name?: string; run_attempt?: number; conclusion?: string | null }
    return { name: job.name ?? '', attempt: job.run_attempt ?? 1, succeeded: job.conclusion === 'success' }
  },
  cancelPath: null,
}

/** Facts: the server's own description of version 16. */
const FORGEJO: Dialect = {
  provider: 'forgejo',
  name: 'Forgejo',
  actionsLogin: 'forgejo-actions',
  dispatch: { query: {}, body: { return_run_info: true } },
  dispatched(answer, web) {
    const { id, run_number: number } = (answer ?? {}) as { id?: number; run_number?: number }
    return isId(id) ? { id, url: isId(number) ? webUrl(`${web}/actions/runs/${number}`) : null } : null
  },
  listQuery: (workflow) => ({ event: 'workflow_dispatch', workflow_id: workflow }),
  run(shown) {
    const run = shown as ForgejoRun
    const state = FORGEJO_STATES.get(run.status ?? '') ?? 'active'
    const isHeld = run.need_approval === true && state === 'queued'
    return {
      id: run.id,
      title: run.title ?? '',
      workflow: run.workflow_id ?? '',
      event: run.trigger_event || run.event || '',
      sha: run.commit_sha ?? '',
      ref: run.prettyref ?? '',
      state: isHeld ? 'blocked' : state,
      words: isHeld ? 'needs approval' : (run.status ?? ''),
      inputs: inputsOf(run.event_payload),
      attempt: null,
      url: webUrl(run.html_url),
      createdAt: timeOf(run.created),
      startedAt: timeOf(run.started),
      endedAt: timeOf(run.stopped),
    }
  },
  job(shown) {
    const job = shown as { name?: string; attempt?: number; status?: string }
    return { name: job.name ?? '', attempt: job.attempt ?? 1, succeeded: job.status === 'success' }
  },
  cancelPath: (run) => `/actions/runs/${run}/cancel`,
}

export const DIALECTS = { gitea: GITEA, forgejo: FORGEJO } as const satisfies Record<Dialect['provider'], Dialect>

const GITEA_OPEN = new Map<string, RunObservation['state']>([
  ['queued', 'queued'],
  // A job waits for others, or for its concurrency group: not for a person.
  ['waiting', 'queued'],
  ['pending', 'queued'],
  ['requested', 'queued'],
  ['in_progress', 'active'],
])

const GITEA_OVER = new Map<string, RunObservation['state']>([
  ['success', 'success'],
  ['failure', 'failed'],
  // Nothing was deployed.
  ['skipped', 'failed'],
  ['cancelled', 'canceled'],
])

/** A word we do not know never means that a run is over, nor that it went well. */
function giteaState(status: string, conclusion: string): RunObservation['state'] {
  if (status !== 'completed') return GITEA_OPEN.get(status) ?? 'active'
  return conclusion === '' ? 'active' : (GITEA_OVER.get(conclusion) ?? 'failed')
}

const FORGEJO_STATES = new Map<string, RunObservation['state']>([
  ['waiting', 'queued'],
  ['blocked', 'queued'],
  ['running', 'active'],
  ['success', 'success'],
  ['failure', 'failed'],
  ['skipped', 'failed'],
  ['cancelled', 'canceled'],
])

/**
 * The workflow that a selector names: `deploy.yml`, or its path. The name alone tells: a server looks into one folder only, the
 * first that is there of `.gitea` (`.forgejo`) and `.github`.
 */
export function workflowFile(selector: string): string {
  const file = selector.replace(/^\.(?:gitea|forgejo|github)\/workflows\//, '')
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.ya?ml$/.test(file)) {
    throw new RefusedFault(`${JSON.stringify(selector)} is not a workflow file; name it like deploy.yml.`)
  }
  return file
}

export function shortRef(ref: string): string {
  return ref.replace(/^refs\/(?:heads|tags)\//, '')
}

function inputsOf(payload: string | undefined): WorkflowRun['inputs'] {
  try {
    const { inputs } = JSON.parse(payload ?? '') as { inputs?: unknown }
    return typeof inputs === 'object' && inputs !== null ? (inputs as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** Go writes moments that never were as the year 1 or as 1970. */
function timeOf(text: string | undefined): number | null {
  const time = Date.parse(text ?? '')
  return time > 0 ? time : null
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

import { cancelRun, createRun, currentJobs, newAttempt } from '../actions/runs.ts'
import { parseWorkflow, type Workflow } from '../actions/workflow-file.ts'
import { readCommit, readFileAt, resolveCommit } from '../git/repository.ts'
import type { WorkflowRun } from '../world.ts'
import {
  type Answer,
  type Call,
  notFound,
  numberParam,
  type Operation,
  ok,
  page,
  Refusal,
  requiredText,
  textParam,
} from './call.ts'
import { jobBody, runBody, workflowIdOf } from './runs.ts'
import { webUrl } from './urls.ts'

/** More runs than this a filtered list never shows. */
const RUNS_SHOWN = 1_000
const MOST_INPUTS = 25
const WORKFLOWS = '.github/workflows'

/** The workflow must be on the default branch to exist, and on the dispatched ref to run: that ref's text is what runs. */
async function dispatch(call: Call): Promise<Answer> {
  const { repository, world, token } = call
  const git = repository.git
  const path = await workflowPath(call)
  const name = requiredText(call, 'ref')
  const ref = await dispatchableRef(call, name)
  const sha = ref && (await resolveCommit(git, ref))
  if (!ref || !sha) throw new Refusal(422, `No ref found for: ${name}`)
  const text = await readFileAt(git, sha, path)
  if (text === null) throw new Refusal(422, `Workflow ${path} does not exist on ref ${name}`)
  const workflow = parseWorkflow(text, path)
  const inputs = checkedInputs(workflow, call.body['inputs'])
  const run = createRun(world, repository, {
    path,
    workflow,
    ref,
    head: await readCommit(git, sha),
    inputs,
    actor: token.account,
  })
  if (call.body['return_run_details'] !== true || !world.returnsRunDetails) return { status: 204 }
  const { url, html_url } = runBody(world, run)
  return ok({ workflow_run_id: run.id, run_url: url, html_url })
}

async function workflowPath(call: Call): Promise<string> {
  const { repository, world } = call
  const asked = textParam(call, 'workflow_id')
  const known = /^\d+$/.test(asked)
    ? [...repository.workflowIds].find(([, id]) => id === Number(asked))?.[0]
    : `${WORKFLOWS}/${asked}`
  if (known === undefined || asked.includes('/')) throw notFound()
  const onDefault = await resolveCommit(repository.git, `refs/heads/${repository.defaultBranch}`)
  if (!onDefault || (await readFileAt(repository.git, onDefault, known)) === null) throw notFound()
  workflowIdOf(world, { repository, path: known })
  return known
}

/** Only branches and tags can be dispatched; a commit id is not a ref. A bare name is a branch before it is a tag. */
async function dispatchableRef(call: Call, name: string): Promise<string | null> {
  const candidates = /^refs\/(heads|tags)\//.test(name) ? [name] : [`refs/heads/${name}`, `refs/tags/${name}`]
  for (const candidate of candidates) if (await resolveCommit(call.repository.git, candidate)) return candidate
  return null
}

function checkedInputs(workflow: Workflow, given: unknown): Record<string, string> {
  const declared = workflow.inputs
  if (declared === null) throw new Refusal(422, "Workflow does not have 'workflow_dispatch' trigger")
  const inputs = Object.entries((given ?? {}) as Record<string, unknown>)
  if (inputs.length > MOST_INPUTS)
    throw new Refusal(422, `you may only define up to ${MOST_INPUTS} inputs for a workflow_dispatch event`)
  const unexpected = inputs.map(([name]) => name).filter((name) => !Object.hasOwn(declared, name))
  if (unexpected.length > 0) throw new Refusal(422, `Unexpected inputs provided: ${JSON.stringify(unexpected)}`)
  const values: Record<string, string> = {}
  for (const [name, { required, default: otherwise }] of Object.entries(declared)) {
    const value = inputs.find(([each]) => each === name)?.[1]
    if (value === undefined && required && otherwise === null) throw new Refusal(422, `Required input '${name}' not provided`)
    values[name] = value === undefined ? (otherwise ?? '') : String(value)
  }
  return values
}

async function listOfWorkflow(call: Call): Promise<Answer> {
  const path = await workflowPath(call)
  return listed(call, (run) => run.path === path)
}

/** Newest first. The `stale_list` fault hides what is younger than its limit, as a lagging replica does. */
function listed(call: Call, belongs: (run: WorkflowRun) => boolean): Answer {
  const { repository, world, fault } = call
  const query = call.url.searchParams
  const hiddenFrom =
    fault?.kind === 'stale_list'
      ? world.clock.now() - (fault.youngerThanMs ?? Number.POSITIVE_INFINITY)
      : Number.POSITIVE_INFINITY
  const equals = (name: string, value: string | number | null) => !query.has(name) || query.get(name) === String(value)
  const created = createdFilter(query.get('created'))
  const found = repository.runs
    .filter((run) => belongs(run) && run.createdAt <= hiddenFrom && created(run.createdAt))
    .filter((run) => equals('event', run.event) && equals('branch', run.branch) && equals('actor', run.actor.login))
    .filter((run) => equals('head_sha', run.head.sha) && equals('check_suite_id', run.suite.id))
    .filter((run) => equals('status', run.status) || equals('status', run.conclusion))
    .reverse()
  const { items, headers } = page(call, found.slice(0, RUNS_SHOWN))
  return { status: 200, headers, body: { total_count: found.length, workflow_runs: items.map((run) => runBody(world, run)) } }
}

/** GitHub's date search: `2026-11-21`, `>=…`, `<…`, `from..to`. Shown times have whole seconds, and so do compared ones. */
function createdFilter(text: string | null): (instant: number) => boolean {
  if (text === null) return () => true
  const second = (instant: number) => Math.floor(instant / 1000)
  const from = (date: string) => second(Date.parse(date))
  // A day alone means all of it.
  const until = (date: string) => second(Date.parse(date)) + (/^\d{4}-\d\d-\d\d$/.test(date) ? 86_399 : 0)
  const [, operator = '', date = ''] = /^(>=|<=|>|<)?(.*)$/.exec(text) ?? []
  const [start = '', end] = date.split('..')
  if (Number.isNaN(from(start === '*' ? '1970-01-01' : start))) throw new Refusal(422, 'Validation Failed: created')
  switch (operator) {
    case '>=':
      return (instant) => second(instant) >= from(date)
    case '>':
      return (instant) => second(instant) > until(date)
    case '<=':
      return (instant) => second(instant) <= until(date)
    case '<':
      return (instant) => second(instant) < from(date)
    default:
      return (instant) =>
        (start === '*' || second(instant) >= from(start)) && (end === '*' || second(instant) <= until(end ?? start))
  }
}

function runParam(call: Call): WorkflowRun {
  const id = numberParam(call, 'run_id')
  const run = call.repository.runs.find((each) => each.id === id)
  if (!run) throw notFound()
  return run
}

function cancel(force: boolean) {
  return (call: Call): Answer => {
    const run = runParam(call)
    if (run.status === 'completed') throw new Refusal(409, 'Cannot cancel a workflow run that is completed.')
    if (call.fault?.kind !== 'cancel_ignored') cancelRun(call.world, run, force)
    return { status: 202, body: {} }
  }
}

function rerun(call: Call): Answer {
  const run = runParam(call)
  if (run.status !== 'completed') throw new Refusal(403, 'This workflow is already running')
  newAttempt(call.world, run)
  return { status: 201, body: {} }
}

function listJobs(call: Call): Answer {
  const run = runParam(call)
  const jobs = call.url.searchParams.get('filter') === 'all' ? run.jobs : currentJobs(run)
  const { items, headers } = page(call, jobs)
  return { status: 200, headers, body: { total_count: jobs.length, jobs: items.map((job) => jobBody(call.world, run, job)) } }
}

/** The log is served from an address of its own, without a token. */
function jobLog(call: Call): Answer {
  const id = numberParam(call, 'job_id')
  if (!call.repository.runs.some((run) => run.jobs.some((job) => job.id === id))) throw notFound()
  return { status: 302, headers: { location: webUrl(call.world, `/_logs/${id}`) } }
}

const ACTIONS = '/repos/{owner}/{repo}/actions'
const RUN = `${ACTIONS}/runs/{run_id}`
const WORKFLOW = `${ACTIONS}/workflows/{workflow_id}`

export const ACTION_OPERATIONS: readonly Operation[] = [
  { id: 'actions/create-workflow-dispatch', method: 'POST', path: `${WORKFLOW}/dispatches`, needs: 'write', handle: dispatch },
  { id: 'actions/list-workflow-runs', method: 'GET', path: `${WORKFLOW}/runs`, needs: 'read', handle: listOfWorkflow },
  {
    id: 'actions/list-workflow-runs-for-repo',
    method: 'GET',
    path: `${ACTIONS}/runs`,
    needs: 'read',
    handle: (call) => listed(call, () => true),
  },
  {
    id: 'actions/get-workflow-run',
    method: 'GET',
    path: RUN,
    needs: 'read',
    handle: (call) => ok(runBody(call.world, runParam(call))),
  },
  { id: 'actions/cancel-workflow-run', method: 'POST', path: `${RUN}/cancel`, needs: 'write', handle: cancel(false) },
  { id: 'actions/force-cancel-workflow-run', method: 'POST', path: `${RUN}/force-cancel`, needs: 'write', handle: cancel(true) },
  { id: 'actions/re-run-workflow', method: 'POST', path: `${RUN}/rerun`, needs: 'write', handle: rerun },
  { id: 'actions/list-jobs-for-workflow-run', method: 'GET', path: `${RUN}/jobs`, needs: 'read', handle: listJobs },
  {
    id: 'actions/download-job-logs-for-workflow-run',
    method: 'GET',
    path: `${ACTIONS}/jobs/{job_id}/logs`,
    needs: 'read',
    handle: jobLog,
  },
]

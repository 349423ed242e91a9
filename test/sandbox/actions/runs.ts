import { addApp } from '../accounts.ts'
import { newSuite, postCheck, updateCheck } from '../checks.ts'
import type { CommitFacts } from '../git/repository.ts'
import { emit } from '../hooks.ts'
import { runBody } from '../rest/runs.ts'
import type { Account, Conclusion, Repository, RunAttempt, RunJob, WorkflowRun, World } from '../world.ts'
import { type ExpressionContext, expand, type Workflow, type WorkflowJob } from './workflow-file.ts'

export interface NewRun {
  path: string
  workflow: Workflow
  ref: string
  head: CommitFacts
  inputs: Readonly<Record<string, string>>
  actor: Account
}

/** Creates a run, announces it and hands it to the runner (or lets it wait for its concurrency group). */
export function createRun(world: World, repository: Repository, wanted: NewRun): WorkflowRun {
  const now = world.clock.now()
  const branch = wanted.ref.replace(/^refs\/(heads|tags)\//, '')
  const run: WorkflowRun = {
    ...wanted,
    id: world.nextId(),
    number: repository.runs.filter((each) => each.path === wanted.path).length + 1,
    attempt: 0,
    repository,
    workflowName: wanted.workflow.name,
    title: wanted.workflow.name,
    event: 'workflow_dispatch',
    branch,
    suite: newSuite(world, repository, addApp(world, 'github-actions'), wanted.head.sha, branch),
    status: 'queued',
    conclusion: null,
    concurrencyGroup: null,
    cancelAsked: false,
    createdAt: now,
    startedAt: now,
    updatedAt: now,
    attempts: [],
    jobs: [],
  }
  const context = contextOf(world, run)
  if (wanted.workflow.runName !== null) run.title = expand(wanted.workflow.runName, context)
  const group = wanted.workflow.concurrency?.group
  // Group names do not mind capitals.
  run.concurrencyGroup = group === undefined ? null : expand(group, context).toLowerCase()
  repository.runs.push(run)
  newAttempt(world, run)
  return run
}

/** Runs everything again: the same run with the next attempt number. */
export function newAttempt(world: World, run: WorkflowRun): void {
  const now = world.clock.now()
  run.attempt += 1
  run.attempts.push({ attempt: run.attempt, createdAt: now, startedAt: null, endedAt: null })
  Object.assign(run, { status: 'queued', conclusion: null, cancelAsked: false, startedAt: now, updatedAt: now })
  const holder = groupHolder(run)
  if (holder) run.status = 'pending'
  announce(world, run, 'requested')
  if (holder) displaceOthers(world, run, holder)
  else world.runner.begin(run)
}

export function startRun(world: World, run: WorkflowRun): void {
  const now = world.clock.now()
  attemptOf(run).startedAt = now
  Object.assign(run, { status: 'in_progress', updatedAt: now })
  announce(world, run, 'in_progress')
}

/** Ends the current attempt, whatever of its jobs is still open ends with it; the next of the group may go. */
export function finishRun(world: World, run: WorkflowRun, conclusion: Conclusion): void {
  if (run.status === 'completed') return
  const now = world.clock.now()
  for (const job of currentJobs(run)) if (job.status !== 'completed') finishJob(world, run, job, conclusion)
  attemptOf(run).endedAt = now
  Object.assign(run, { status: 'completed', conclusion, updatedAt: now })
  announce(world, run, 'completed')
  const next = run.repository.runs.find((each) => each.status === 'pending' && each.concurrencyGroup === run.concurrencyGroup)
  if (!next || run.concurrencyGroup === null || groupHolder(next)) return
  next.status = 'queued'
  world.runner.begin(next)
}

/** A job as a check run of GitHub Actions on the run's commit. */
export function startJob(world: World, run: WorkflowRun, job: WorkflowJob): RunJob {
  const now = world.clock.now()
  const { suite, repository } = run
  const check = postCheck(world, repository, {
    app: suite.app,
    suite,
    sha: run.head.sha,
    name: job.name,
    status: 'in_progress',
    conclusion: null,
  })
  const started: RunJob = {
    id: check.id,
    attempt: run.attempt,
    name: job.name,
    status: 'in_progress',
    conclusion: null,
    check,
    createdAt: now,
    startedAt: now,
    completedAt: null,
    steps: job.steps.map((step, index) => ({
      name: step.name,
      number: index + 1,
      status: 'queued',
      conclusion: null,
      startedAt: null,
      completedAt: null,
    })),
    log: '',
  }
  run.jobs.push(started)
  return started
}

export function finishJob(world: World, run: WorkflowRun, job: RunJob, conclusion: Conclusion): void {
  const now = world.clock.now()
  for (const step of job.steps) {
    if (step.status === 'completed') continue
    Object.assign(step, { status: 'completed', conclusion: conclusion === 'success' ? 'success' : 'skipped', completedAt: now })
    step.startedAt ??= now
  }
  Object.assign(job, { status: 'completed', conclusion, completedAt: now })
  updateCheck(world, run.repository, job.check, { status: 'completed', conclusion })
}

/** Asks for a cancel. A run that no runner has begun ends at once. */
export function cancelRun(world: World, run: WorkflowRun, force: boolean): void {
  run.cancelAsked = true
  if (run.status === 'pending') finishRun(world, run, 'cancelled')
  else world.runner.cancel(run, force)
}

export function currentJobs(run: WorkflowRun): RunJob[] {
  return run.jobs.filter((job) => job.attempt === run.attempt)
}

function attemptOf(run: WorkflowRun): RunAttempt {
  const attempt = run.attempts.at(-1)
  if (!attempt) throw new Error(`run ${run.id} has no attempt`)
  return attempt
}

export function contextOf(world: World, run: WorkflowRun): ExpressionContext {
  return {
    ...Object.fromEntries(Object.entries(run.inputs).map(([name, value]) => [`inputs.${name}`, value])),
    'github.actor': run.actor.login,
    'github.api_url': `${world.origin}/api/v3`,
    'github.event_name': run.event,
    'github.ref': run.ref,
    'github.ref_name': run.branch,
    'github.repository': run.repository.fullName,
    'github.run_attempt': String(run.attempt),
    'github.run_id': String(run.id),
    'github.run_number': String(run.number),
    'github.server_url': world.origin,
    'github.sha': run.head.sha,
    'github.workflow': run.workflowName,
  }
}

function groupHolder(run: WorkflowRun): WorkflowRun | null {
  if (run.concurrencyGroup === null) return null
  const active = (each: WorkflowRun) => each.status === 'queued' || each.status === 'in_progress'
  return (
    run.repository.runs.find((each) => each !== run && active(each) && each.concurrencyGroup === run.concurrencyGroup) ?? null
  )
}

/** A group keeps one running and one pending: a newer run cancels the pending one, and on wish the running one too. */
function displaceOthers(world: World, run: WorkflowRun, holder: WorkflowRun): void {
  for (const other of run.repository.runs) {
    const waiting = other !== run && other.status === 'pending' && other.concurrencyGroup === run.concurrencyGroup
    if (waiting) finishRun(world, other, 'cancelled')
  }
  if (run.workflow.concurrency?.cancelInProgress) cancelRun(world, holder, false)
}

function announce(world: World, run: WorkflowRun, action: 'requested' | 'in_progress' | 'completed'): void {
  const { repository, actor: sender } = run
  emit(world, repository, { name: 'workflow_run', action, payload: { workflow_run: runBody(world, run) }, sender })
}

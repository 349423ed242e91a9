import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type ExpressionContext, expand, parseWorkflow, type WorkflowJob } from '../actions/workflow-file.ts'
import { readFileAt, resolveCommit } from '../git/repository.ts'
import { Refusal } from '../refusal.ts'
import { runBody } from './bodies.ts'
import { emit } from './hooks.ts'
import { postStatus } from './statuses.ts'
import { actionsUser, isOver, type Repository, type Run, type RunState, type User, type World } from './world.ts'

/** Only the first of these folders that is there is looked into. */
const FOLDERS = { gitea: ['.gitea', '.github'], forgejo: ['.forgejo', '.gitea', '.github'] } as const

export interface NewRun {
  file: string
  ref: string
  inputs: Readonly<Record<string, string>>
  user: User
}

/** Dispatches a workflow as both servers do: undeclared inputs are dropped without a word, those left out have their defaults. */
export async function dispatch(world: World, repository: Repository, wanted: NewRun): Promise<Run> {
  const { file, user } = wanted
  // A bare name is a branch to Gitea.
  const ref = wanted.ref.startsWith('refs/') ? wanted.ref : `refs/heads/${wanted.ref}`
  const sha = await resolveCommit(repository.git, ref)
  if (sha === null) throw new Refusal(404, `ref "${wanted.ref}" doesn't exist`)
  const text = await workflowText(world, repository, sha, file)
  if (text === null) throw new Refusal(404, `workflow "${file}" doesn't exist`)
  const workflow = parseWorkflow(text, file)
  if (workflow.inputs === null) throw new Refusal(422, `workflow "${file}" has no workflow_dispatch event trigger`)
  const declared = Object.entries(workflow.inputs)
  const inputs = Object.fromEntries(declared.map(([name, input]) => [name, wanted.inputs[name] ?? input.default ?? '']))
  return addRun(world, repository, { file, workflow, ref, sha, event: 'workflow_dispatch', inputs, user })
}

async function workflowText(world: World, repository: Repository, sha: string, file: string): Promise<string | null> {
  for (const folder of FOLDERS[world.server]) {
    const listed = await repository.git.run(['ls-tree', '--name-only', sha, `${folder}/workflows/`])
    if (listed.trim() !== '') return readFileAt(repository.git, sha, `${folder}/workflows/${file}`)
  }
  return null
}

export function addRun(
  world: World,
  repository: Repository,
  made: Pick<Run, 'file' | 'workflow' | 'ref' | 'sha' | 'event' | 'inputs' | 'user'>,
): Run {
  const run: Run = {
    ...made,
    id: world.nextId(),
    number: repository.runs.length + 1,
    title: made.workflow.name,
    state: 'waiting',
    attempt: 1,
    createdAt: world.clock.now(),
    startedAt: null,
    endedAt: null,
    log: '',
  }
  const { runName } = made.workflow
  // Cut to what the column takes.
  if (runName !== null) run.title = expand(runName, contextOf(world, repository, run)).slice(0, 255)
  repository.runs.push(run)
  announce(world, repository, run)
  goOn(world, repository, run)
  return run
}

export function setState(world: World, repository: Repository, run: Run, state: RunState): void {
  const now = world.clock.now()
  if (state !== 'waiting' && state !== 'blocked') run.startedAt ??= now
  run.state = state
  run.endedAt = isOver(state) ? now : null
  announce(world, repository, run)
}

/** As a person who presses "Re-run all jobs": the same run, with its next attempt. */
export function rerun(world: World, repository: Repository, run: Run): void {
  run.attempt += 1
  Object.assign(run, { state: 'waiting', startedAt: null, endedAt: null })
  announce(world, repository, run)
  goOn(world, repository, run)
}

function goOn(world: World, repository: Repository, run: Run): void {
  if (world.runs === 'manual') return
  const work: Promise<void> = world.clock
    .sleep(0)
    .then(async () => {
      setState(world, repository, run, 'running')
      const succeeded = world.runs === 'instant' || (await execute(world, repository, run))
      if (!isOver(run.state)) setState(world, repository, run, succeeded ? 'success' : 'failure')
    })
    .finally(() => world.pending.delete(work))
  world.pending.add(work)
}

const STATUS_STATES = { success: 'success', failure: 'failure', cancelled: 'failure', skipped: 'skipped' } as const

/** Statuses of the jobs of a run that the code started; then webhooks: Gitea tells of each step, Forgejo of the end only. */
function announce(world: World, repository: Repository, run: Run): void {
  const isCi = run.event === 'push' || run.event === 'pull_request'
  for (const job of isCi ? run.workflow.jobs : []) {
    const context = `${run.workflow.name} / ${job.name} (${run.event})`
    const state = run.state in STATUS_STATES ? STATUS_STATES[run.state as keyof typeof STATUS_STATES] : 'pending'
    postStatus(world, repository, { sha: run.sha, context, state, description: '', targetUrl: '', creator: actionsUser(world) })
  }
  const sender = run.user
  const body = runBody(world, repository, run)
  if (world.server === 'gitea') {
    const action = isOver(run.state) ? 'completed' : run.state === 'running' ? 'in_progress' : 'requested'
    emit(world, repository, { name: 'workflow_run', payload: { action, workflow_run: body }, sender })
  } else if (run.state === 'success' || run.state === 'failure') {
    const payload = { action: run.state, run: body, prior_status: 'running' }
    emit(world, repository, { name: `action_run_${run.state}`, payload, sender, bare: true })
  }
}

/** Really runs the steps, one after the other; `actions/checkout` is a checkout, other actions pass without doing anything. */
async function execute(world: World, repository: Repository, run: Run): Promise<boolean> {
  const folder = join(world.root, 'runs', String(run.id))
  for (const [index, job] of run.workflow.jobs.entries()) {
    if (!(await executeJob(world, repository, run, job, join(folder, String(index))))) return false
  }
  await rm(folder, { recursive: true, force: true })
  return true
}

async function executeJob(world: World, repository: Repository, run: Run, job: WorkflowJob, place: string): Promise<boolean> {
  await mkdir(place, { recursive: true })
  const context = contextOf(world, repository, run)
  for (const step of job.steps) {
    if (/^actions\/checkout@/.test(step.uses ?? '')) {
      const ref = expand(step.with['ref'] ?? run.sha, context)
      const to = join(place, expand(step.with['path'] ?? '.', context))
      await repository.git.run(['worktree', 'add', '--quiet', '--force', '--detach', to, ref])
    }
    if (step.run === null) continue
    const passed = await world.scripts.run(run, {
      text: expand(step.run, context),
      cwd: place,
      env: environmentOf(run, job, step.env, context),
      onOutput(text) {
        run.log += text
      },
    })
    if (!passed) return false
  }
  return true
}

function environmentOf(
  run: Run,
  job: WorkflowJob,
  step: Readonly<Record<string, string>>,
  context: ExpressionContext,
): NodeJS.ProcessEnv {
  const declared = Object.entries({ ...run.workflow.env, ...job.env, ...step })
  const filled = declared.map(([name, value]) => [name, expand(value, context)])
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/nonexistent', CI: 'true', ...Object.fromEntries(filled) }
}

function contextOf(world: World, repository: Repository, run: Run): ExpressionContext {
  return {
    ...Object.fromEntries(Object.entries(run.inputs).map(([name, value]) => [`inputs.${name}`, value])),
    'github.event_name': run.event,
    'github.ref': run.ref,
    'github.repository': repository.fullName,
    'github.run_attempt': String(run.attempt),
    'github.run_id': String(run.id),
    'github.server_url': world.origin,
    'github.sha': run.sha,
  }
}

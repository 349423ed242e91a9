import { readFileAt, resolveCommit } from '../git/repository.ts'
import { Refusal } from '../refusal.ts'
import { emit } from './hooks.ts'
import { type Pipeline, type PipelineState, type Project, type Status, stateOf, type User, type World } from './world.ts'

export const CI_FILE = '.gitlab-ci.yml'

export interface NewPipeline {
  ref: string
  source: string
  user: User
  variables?: Readonly<Record<string, string>>
  inputs?: Readonly<Record<string, string>>
}

/** Makes a pipeline as GitLab does: the definition is read at the ref, which must be a branch or a tag. */
export async function createPipeline(world: World, project: Project, wanted: NewPipeline): Promise<Pipeline> {
  const { ref, variables = {}, inputs = {} } = wanted
  const branch = await resolveCommit(project.git, `refs/heads/${ref}`)
  const tag = branch === null ? await resolveCommit(project.git, `refs/tags/${ref}`) : null
  const sha = branch ?? tag
  if (sha === null) throw refusal('Reference not found')
  if (Object.keys(variables).length > 0 && project.variablesRole === 'no_one_allowed') {
    throw refusal('Insufficient permissions to set pipeline variables')
  }
  const file = await readFileAt(project.git, sha, CI_FILE)
  if (file === null) throw refusal('Missing CI config file')
  const declared = new Set([...file.matchAll(/^ {4}(\w+):/gm)].map((match) => match[1]))
  const unknown = Object.keys(inputs).filter((name) => !/^spec:/m.test(file) || !declared.has(name))
  if (unknown.length > 0) throw refusal(`Given inputs not defined in the spec section: ${unknown.join(', ')}`)
  return addPipeline(world, project, {
    ref,
    tag: branch === null,
    sha,
    source: wanted.source,
    name: nameOf(file, { ...variables, ...inputs }),
    variables,
    inputs,
    user: wanted.user,
    jobs: ['deploy'],
  })
}

function nameOf(file: string, values: Readonly<Record<string, string>>): string | null {
  const template = /^workflow:\n {2}name: '([^']*)'/m.exec(file)?.[1]
  if (template === undefined) return null
  return template.replace(
    /\$\[\[ inputs\.(\w+) \]\]|\$(\w+)/g,
    (_, input?: string, variable?: string) => values[input ?? variable ?? ''] ?? '',
  )
}

export interface AddedPipeline extends Pick<Pipeline, 'ref' | 'sha' | 'source' | 'user'> {
  tag?: boolean
  name?: string | null
  variables?: Readonly<Record<string, string>>
  inputs?: Readonly<Record<string, string>>
  jobs: readonly string[]
}

export function addPipeline(world: World, project: Project, added: AddedPipeline): Pipeline {
  const now = world.clock.now()
  const pipeline: Pipeline = {
    id: world.nextId(),
    iid: project.pipelines.length + 1,
    tag: false,
    name: null,
    variables: {},
    inputs: {},
    ...added,
    forced: null,
    jobs: added.jobs.map((name) => ({
      id: world.nextId(),
      name,
      status: 'pending',
      allowFailure: false,
      retried: false,
      log: '',
    })),
    createdAt: now,
    updatedAt: now,
    endedAt: null,
  }
  project.pipelines.push(pipeline)
  emitPipeline(world, project, pipeline)
  return pipeline
}

/** Brings a pipeline into a state; states that jobs can have are given to its unfinished jobs. */
export function setState(world: World, project: Project, pipeline: Pipeline, state: PipelineState): void {
  const ends = state === 'success' || state === 'failed' || state === 'canceled'
  pipeline.forced = ends || state === 'running' ? null : state
  for (const job of pipeline.jobs) {
    const open = job.status === 'pending' || job.status === 'running'
    if (open && !job.retried && pipeline.forced === null) job.status = state
  }
  pipeline.updatedAt = world.clock.now()
  pipeline.endedAt = ends ? pipeline.updatedAt : null
  emitPipeline(world, project, pipeline)
}

/** As a person who presses "Retry": the same pipeline goes on, with the failed jobs made anew. */
export function retry(world: World, project: Project, pipeline: Pipeline): void {
  pipeline.forced = null
  pipeline.endedAt = null
  for (const job of [...pipeline.jobs]) {
    if (job.retried || (job.status !== 'failed' && job.status !== 'canceled')) continue
    job.retried = true
    pipeline.jobs.push({ ...job, id: world.nextId(), status: 'pending', retried: false, log: '' })
  }
  pipeline.updatedAt = world.clock.now()
  emitPipeline(world, project, pipeline)
}

export interface NewStatus extends Pick<Status, 'name' | 'description' | 'targetUrl' | 'author'> {
  sha: string
  state: PipelineState
}

/** The status joins the newest pipeline of its commit, and hides a job of the same name; without one it makes a pipeline. */
export function postStatus(world: World, project: Project, { sha, state, ...rest }: NewStatus): Status {
  const newest = project.pipelines.filter((each) => each.sha === sha).at(-1)
  const pipeline =
    newest ?? addPipeline(world, project, { ref: project.defaultBranch, sha, source: 'external', user: rest.author, jobs: [] })
  const before = project.statuses.filter((each) => each.pipeline === pipeline && each.name === rest.name && !each.retried)
  if (before.some((each) => each.status === state)) {
    throw new Refusal(400, `Cannot transition status via :event from :${state}`)
  }
  for (const each of before) each.retried = true
  for (const job of pipeline.jobs) if (job.name === rest.name) job.retried = true
  const status: Status = {
    id: world.nextId(),
    pipeline,
    sha,
    status: state,
    createdAt: world.clock.now(),
    retried: false,
    ...rest,
  }
  project.statuses.push(status)
  pipeline.updatedAt = world.clock.now()
  return status
}

function emitPipeline(world: World, project: Project, pipeline: Pipeline): void {
  const { id, ref, tag, sha, source, variables } = pipeline
  emit(world, project, 'Pipeline Hook', {
    object_kind: 'pipeline',
    object_attributes: {
      id,
      ref,
      tag,
      sha,
      source,
      status: stateOf(project, pipeline),
      variables: Object.entries(variables).map(([key, value]) => ({ key, value })),
    },
  })
}

function refusal(text: string): Refusal {
  return new Refusal(400, { base: [text] })
}

import { createHash } from 'node:crypto'
import { parse } from 'yaml'
import { readFileAt, resolveCommit, resolveRef } from '../git/repository.ts'
import { Refusal } from '../refusal.ts'
import { emit } from './hooks.ts'
import {
  ENDED,
  type Pipeline,
  type PipelineWord,
  type Repository,
  type Status,
  type StatusState,
  type Step,
  type Target,
  uuidOf,
  type World,
} from './world.ts'

export const DEFINITION_FILE = 'bitbucket-pipelines.yml'

/** What a call asks for, checked as Bitbucket does: the definition is read at the commit, or at the head of the ref. */
export async function targetOf(repository: Repository, asked: unknown): Promise<Target> {
  const { type, ref_type: refType, ref_name: refName, commit, selector } = (asked ?? {}) as Record<string, unknown>
  if (type !== 'pipeline_ref_target' && type !== 'pipeline_commit_target')
    throw new Refusal(400, 'The target type is not supported.')
  const hash = text((commit as { hash?: unknown } | undefined)?.hash)
  const byRef = type === 'pipeline_ref_target'
  if (byRef && refType !== 'branch' && refType !== 'tag') throw new Refusal(400, 'The ref type is not supported.')
  const ref = byRef ? await resolveRef(repository.git, `refs/${refType === 'tag' ? 'tags' : 'heads'}/${refName}`) : null
  if (byRef && ref === null) throw new Refusal(400, `The reference ${refName} does not exist.`)
  const sha = await resolveCommit(repository.git, hash ?? ref?.sha ?? '')
  if (sha === null) throw new Refusal(400, 'The commit does not exist.')
  const kind = (selector ?? { type: 'default' }) as { type?: unknown; pattern?: unknown }
  return {
    type,
    refType: byRef ? (refType as 'branch' | 'tag') : null,
    refName: byRef ? text(refName) : null,
    commit: sha,
    selector: { type: String(kind.type), pattern: text(kind.pattern) },
  }
}

/** Steps of a custom pipeline, by the definition at the pipeline's own commit. */
export async function customSteps(repository: Repository, { commit, selector }: Target): Promise<NewStep[]> {
  const file = await readFileAt(repository.git, commit, DEFINITION_FILE)
  if (file === null) throw new Refusal(400, `There is no ${DEFINITION_FILE} at ${commit}.`)
  const { pipelines } = parse(file, { merge: true }) as { pipelines?: { custom?: Record<string, unknown> } }
  const custom = pipelines?.custom?.[selector.pattern ?? '']
  if (!Array.isArray(custom)) throw new Refusal(400, `The pipeline ${selector.pattern} is not defined at ${commit}.`)
  return custom.flatMap((item: { step?: { name?: string; script?: unknown }; variables?: unknown }, index) => {
    if (item.variables !== undefined && index === 0) return []
    const script = item.step?.script
    if (!Array.isArray(script) || script.length === 0) throw new Refusal(400, `Item ${index + 1} of the pipeline has no script.`)
    return [{ name: item.step?.name ?? `Step ${index}`, script: script.map(String) }]
  })
}

export interface NewStep {
  name: string
  script: readonly string[]
}

export interface NewPipeline extends Pick<Pipeline, 'target' | 'trigger' | 'variables' | 'secured' | 'creator'> {
  steps: readonly NewStep[]
}

export function addPipeline(world: World, repository: Repository, added: NewPipeline): Pipeline {
  const number = repository.pipelines.length + 1
  const uuid = `{${uuidOf(`pipeline ${repository.fullName} ${number}`)}}`
  const steps = added.steps.map(
    ({ name, script }, index): Step => ({ uuid: `{${uuidOf(`step ${uuid} ${index}`)}}`, name, script, word: 'PENDING', log: '' }),
  )
  const pipeline: Pipeline = {
    ...added,
    uuid,
    number,
    run: 1,
    word: 'PENDING',
    steps,
    createdAt: world.clock.now(),
    completedAt: null,
  }
  repository.pipelines.push(pipeline)
  tellStatus(world, repository, pipeline)
  return pipeline
}

/** What a pipeline's first line does: a report on its commit that names both. */
export function claim(repository: Repository, { uuid, target }: Pipeline, jobId: string): void {
  const id = `draven-job-${jobId}`
  const body = { type: 'report', external_id: id, title: 'DRAVEN job', details: `pipeline ${uuid}`, report_type: 'TEST' }
  repository.reports.set(`${target.commit} ${id}`, { body, annotations: new Map() })
}

/** Brings a pipeline into a state; its unfinished steps follow. */
export function setWord(world: World, repository: Repository, pipeline: Pipeline, word: PipelineWord): void {
  pipeline.word = word
  const over = ENDED.includes(word)
  pipeline.completedAt = over ? world.clock.now() : null
  for (const step of pipeline.steps) if (!ENDED.includes(step.word)) step.word = word
  tellStatus(world, repository, pipeline)
}

/** As a person who presses "Rerun failed steps": the same pipeline goes on. */
export function rerun(world: World, repository: Repository, pipeline: Pipeline): void {
  pipeline.run++
  for (const step of pipeline.steps) if (step.word !== 'SUCCESSFUL') step.word = 'PENDING'
  setWord(world, repository, pipeline, 'PENDING')
}

/** Every pipeline posts a build status for its commit, whatever started it. */
function tellStatus(world: World, repository: Repository, { uuid, number, target, word }: Pipeline): void {
  const state = word === 'SUCCESSFUL' || word === 'STOPPED' ? word : ENDED.includes(word) ? 'FAILED' : 'INPROGRESS'
  postStatus(world, repository, target.commit, {
    key: createHash('md5').update(`${uuid} ${target.refName}`).digest('hex'),
    name: `Pipeline #${number}`,
    refname: target.refName,
    state,
    description: '',
    url: `${world.origin}/${repository.fullName}/pipelines/results/${number}`,
  })
}

export interface NewStatus extends Pick<Status, 'key' | 'name' | 'description' | 'url'> {
  refname?: string | null
  state: StatusState
}

/** The same key is the same status, whoever posts it. */
export function postStatus(world: World, repository: Repository, sha: string, status: NewStatus): Status {
  const now = world.clock.now()
  const list = repository.statuses.get(sha) ?? []
  repository.statuses.set(sha, list)
  const known = list.find((each) => each.key === status.key)
  const posted: Status = known ?? { refname: null, ...status, createdAt: now, updatedAt: now }
  if (known === undefined) list.push(posted)
  else Object.assign(known, status, { updatedAt: now })
  const event = known === undefined ? 'repo:commit_status_created' : 'repo:commit_status_updated'
  emit(world, repository, event, { commit_status: { key: status.key, state: status.state, url: status.url } })
  return posted
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

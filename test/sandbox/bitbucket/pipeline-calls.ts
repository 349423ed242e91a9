import { Refusal } from '../refusal.ts'
import { created, found, listed, ok } from './answers.ts'
import type { Answer, Call } from './api.ts'
import { pipelineBody, stepBody } from './bodies.ts'
import { addPipeline, claim, customSteps, setWord, targetOf } from './pipelines.ts'
import { begin } from './runner.ts'
import { ENDED, type Pipeline } from './world.ts'

function pipelineIn({ repository, params }: Call): Pipeline {
  return found(
    repository.pipelines.find(({ uuid }) => uuid === params['pipeline_uuid']),
    'Pipeline',
  )
}

export async function create({ world, repository, user, body }: Call): Promise<Answer> {
  const target = await targetOf(repository, body['target'])
  const given = (body['variables'] ?? []) as { key: string; value: string; secured?: boolean }[]
  if (target.selector.type !== 'custom' && given.length > 0) throw new Refusal(400, 'Variables are for custom pipelines.')
  const steps = target.selector.type === 'custom' ? await customSteps(repository, target) : [{ name: 'build', script: ['true'] }]
  const variables = Object.fromEntries(given.map(({ key, value }) => [key, value]))
  const secured = new Set(given.flatMap((variable) => (variable.secured === true ? [variable.key] : [])))
  const pipeline = addPipeline(world, repository, { target, trigger: 'manual', variables, secured, creator: user, steps })
  const job = variables['JOB_ID']
  if (world.claims && job !== undefined) claim(repository, pipeline, job)
  begin(world, repository, pipeline)
  return created(pipelineBody(world, repository, pipeline, world.tellsVariables))
}

export function list({ world, repository, query, fault }: Call): Answer {
  const wanted = (name: string, value: string | null) => !query.has(name) || query.get(name) === value
  const youngest = fault?.kind === 'stale_list' ? world.clock.now() - (fault.youngerThanMs ?? 0) : Number.POSITIVE_INFINITY
  const fitting = repository.pipelines.filter(
    ({ target, createdAt }) =>
      wanted('target.commit.hash', target.commit) &&
      wanted('target.selector.pattern', target.selector.pattern) &&
      createdAt <= youngest,
  )
  const bodies = fitting.map((pipeline) => pipelineBody(world, repository, pipeline, world.tellsVariables))
  return listed(query.get('sort') === '-created_on' ? bodies.reverse() : bodies)
}

export function get(call: Call): Answer {
  return ok(pipelineBody(call.world, call.repository, pipelineIn(call), call.world.tellsVariables))
}

export function stop(call: Call): Answer {
  const pipeline = pipelineIn(call)
  if (ENDED.includes(pipeline.word)) throw new Refusal(400, 'The pipeline is over already.')
  if (call.fault?.kind !== 'cancel_ignored') {
    setWord(call.world, call.repository, pipeline, 'STOPPED')
    call.world.scripts.stop(pipeline)
  }
  return { status: 204 }
}

export function steps(call: Call): Answer {
  return listed(pipelineIn(call).steps.map(stepBody))
}

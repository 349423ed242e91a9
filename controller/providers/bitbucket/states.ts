import { RefusedFault } from '../../errors.ts'
import type { RunObservation } from '../../jobs/executor.ts'
import type { CiResult } from '../../policy/facts.ts'

/** A pipeline's or step's state: `result` once it is over, `stage` while it runs. */
export interface PipelineState {
  name: string
  result?: { name: string }
  stage?: { name: string }
}

const RESULTS = new Map<string, RunObservation['state']>([
  ['SUCCESSFUL', 'success'],
  ['FAILED', 'failed'],
  ['ERROR', 'failed'],
  ['STOPPED', 'canceled'],
  // Nobody went on with a manual step in time.
  ['EXPIRED', 'failed'],
])

/** Stages in which a person has to go on by hand. */
const HELD_STAGES: ReadonlySet<string> = new Set(['PAUSED', 'HALTED'])
const QUEUED: ReadonlySet<string> = new Set(['PENDING', 'PARSING'])

/** Our word for a pipeline's state. A word we do not know never means that it is over, and never that it went well. */
export function runState({ name, result, stage }: PipelineState): RunObservation['state'] {
  if (name === 'COMPLETED') return RESULTS.get(result?.name ?? '') ?? 'failed'
  if (HELD_STAGES.has(stage?.name ?? '')) return 'blocked'
  return QUEUED.has(name) ? 'queued' : 'active'
}

/** Bitbucket's own words, where they say more than ours. */
export function wordsOf({ name, result, stage }: PipelineState): string | null {
  const word = (name === 'COMPLETED' ? result?.name : stage?.name) ?? name
  return TELLING.has(word) ? null : word.toLowerCase().replaceAll('_', ' ')
}

const TELLING: ReadonlySet<string> = new Set(['SUCCESSFUL', 'FAILED', 'STOPPED'])

/** A CI result proves something only by its success. */
export function ciState(state: PipelineState): CiResult['state'] {
  if (state.name !== 'COMPLETED') return 'pending'
  return state.result?.name === 'SUCCESSFUL' ? 'success' : 'failed'
}

const STATUS_STATES = new Map<string, CiResult['state']>([
  ['SUCCESSFUL', 'success'],
  ['FAILED', 'failed'],
  ['STOPPED', 'failed'],
])

export function statusState(state: string): CiResult['state'] {
  return STATUS_STATES.get(state) ?? 'pending'
}

/** Variables are taken by custom pipelines alone, so a selector names one of these: `custom:deploy-prod`, or `deploy-prod`. */
export function customPipeline(selector: string): string {
  const [, kind, name] = /^(?:([a-z-]+):)?([^:]+)$/.exec(selector) ?? []
  if (name !== undefined && (kind === undefined || kind === 'custom')) return name
  throw new RefusedFault(`${JSON.stringify(selector)} names no custom pipeline; write custom:NAME.`)
}

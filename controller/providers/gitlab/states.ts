import { RefusedFault } from '../../errors.ts'
import type { RunObservation } from '../../jobs/executor.ts'
import type { CiResult } from '../../policy/facts.ts'

/** How a pipeline is told what to do: by variables, or by the `inputs` that its file declares (GitLab 17.10 and newer). */
export type PipelineMode = 'variables' | 'inputs'

/** A project of GitLab has one pipeline, so its selector says how that is told. */
export function pipelineMode(selector: string): PipelineMode {
  if (selector === 'variables' || selector === 'inputs') return selector
  throw new RefusedFault(`${JSON.stringify(selector)} is not a way to start a pipeline; write variables or inputs.`)
}

const PIPELINE_STATES = new Map<string, RunObservation['state']>([
  ['created', 'queued'],
  ['waiting_for_resource', 'queued'],
  ['preparing', 'queued'],
  ['waiting_for_callback', 'queued'],
  ['pending', 'queued'],
  ['scheduled', 'queued'],
  ['running', 'active'],
  ['canceling', 'active'],
  // A job that the rest waits for must be started by a person.
  ['manual', 'blocked'],
  ['success', 'success'],
  ['failed', 'failed'],
  // No job ran: nothing was deployed.
  ['skipped', 'failed'],
  ['canceled', 'canceled'],
])

/** Our word for a pipeline's `status`. A word we do not know never means that it is over. */
export function pipelineState(status: string): RunObservation['state'] {
  return PIPELINE_STATES.get(status) ?? 'active'
}

const ENDED_BADLY = new Set(['failed', 'canceled', 'skipped'])

/** A CI job proves something only by its success; one that was skipped followed a failure and never ran. */
export function jobState(status: string): CiResult['state'] {
  if (status === 'success') return 'success'
  return ENDED_BADLY.has(status) ? 'failed' : 'pending'
}

import type { Job, Run } from '../jobs/job.ts'
import type { AcceptedConfig, Engine } from './engine.ts'
import { pipelineFor } from './follow.ts'

/** Time in which a call must begin after its intent; with the call's own deadline it is when "not found" can mean something. */
export const SEND_MARGIN_MS = 5_000

/** A new attempt as it is before its call. */
export function newRun(
  engine: Engine,
  accepted: AcceptedConfig,
  job: Job,
  attempt: number,
  fence: number | null,
  now: number,
): Run {
  const { project, selector } = pipelineFor(accepted, job)
  const { apiUrl, defaultBranch, credentialRef, callbacks, code } = project.integration
  const maxRunMs = accepted.desired.environments.get(job.key)!.maxRunMs
  return {
    jobId: job.id,
    attempt,
    fence,
    state: 'intended',
    provider: project.integration.provider,
    repoFullName: project.integration.repoFullName,
    selector: selector.selector,
    externalId: null,
    externalAttempt: null,
    url: null,
    outcome: null,
    detail: null,
    intendedAt: now,
    sendDeadline: now + engine.timing.triggerTimeoutMs + SEND_MARGIN_MS,
    startedAt: null,
    observedAt: null,
    endedAt: null,
    retryAt: null,
    claimedAt: null,
    checkedOutSha: null,
    connection: {
      integration: { apiUrl, defaultBranch, credentialRef, callbacks, code },
      workflowRef: selector.workflowRef,
      maxRunMs,
    },
  }
}

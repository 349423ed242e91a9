import { type Callback, type CallbackOffer, tokenHash } from '../jobs/callback.ts'
import type { Job, Run } from '../jobs/job.ts'
import type { Project } from '../model/desired-state.ts'
import type { Engine } from './engine.ts'

/**
 * How the pipeline of the next attempt reaches us; null when it is not to, or cannot. Made outside of the unit that records it:
 * a unit may be done again, and this is the one place where the token is.
 */
export function offerCallback({ callbacks }: Engine, project: Project, job: Job): CallbackOffer | null {
  if (!project.integration.callbacks || callbacks === null) return null
  return { url: callbacks.urlOf(job.id), token: callbacks.newToken() }
}

export function newCallback({ jobId, attempt, fence, intendedAt }: Run, { token }: CallbackOffer): Callback {
  const unheard = { claimedBy: null, heardAt: null, result: null, detail: null, refusals: 0 }
  return { jobId, attempt, fence, tokenHash: tokenHash(token), createdAt: intendedAt, ...unheard }
}

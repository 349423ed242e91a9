import type { Job } from '../jobs/job.ts'
import type { StateTx } from '../jobs/state-store.ts'
import { type CommitSha, environmentKey } from '../model/names.ts'
import type { AcceptedConfig } from './engine.ts'

/** How many past successes a decision looks at: enough for every rollback and promotion that people ask for. */
export const SUCCESS_LIMIT = 200

/** Commits that succeeded in the environment that must come first. */
export async function promotedCommits(tx: StateTx, accepted: AcceptedConfig, job: Job): Promise<ReadonlySet<CommitSha>> {
  const first = accepted.desired.environments.get(job.key)?.promoteFrom ?? null
  if (first === null) return new Set()
  // What succeeded there did so, also when that environment cannot be used any more.
  const successes = await tx.jobs.successes(environmentKey(job.project, first), SUCCESS_LIMIT)
  return new Set(successes.map(({ sha }) => sha))
}

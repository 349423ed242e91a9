import { shortJobId } from '../../model/names.ts'
import { type Answer, allow, wait } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'

const WANTED = 'a free lock and nobody ahead'

/**
 * `lock_strategy`: one job at a time in an exclusive environment, in the order of acceptance. A job waits for the one right
 * before it; only the first in line waits for the lock. So one job's end changes what is said of one other, not of all behind.
 */
export function lockRule(facts: PolicyFacts): Answer {
  const { environment, lock } = facts
  if (environment.lockStrategy === 'none') return allow({ saw: 'no lock', wanted: 'no lock' })
  const before = lock.aheadInQueue.at(-1)
  if (before !== undefined) {
    return wait(
      facts,
      { saw: `behind job ${before}`, wanted: WANTED },
      {
        code: 'queue_position',
        text: `Behind job ${shortJobId(before)} in the queue of ${environment.key}.`,
        waitingFor: [{ kind: 'job', ref: before, done: false }],
        action: 'Nothing to do: the jobs of an environment start in the order in which they were accepted.',
      },
    )
  }
  if (lock.holder === null) return allow({ saw: 'free', wanted: WANTED })
  const { jobId, since } = lock.holder
  return wait(
    facts,
    { saw: `held by job ${shortJobId(jobId)}`, wanted: WANTED },
    {
      code: 'lock_held',
      text: `Job ${shortJobId(jobId)} has the lock of ${environment.key}.`,
      since,
      waitingFor: [{ kind: 'lock', ref: jobId, done: false }],
      action: 'Nothing to do: the job starts by itself when the lock is free.',
    },
  )
}

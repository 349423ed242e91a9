import { expect, it } from 'vitest'
import { JOB_STATUSES, type JobStatus } from '../../controller/jobs/job.ts'
import { assertMove, mayMove } from '../../controller/jobs/transitions.ts'

const LEGAL: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  queued: ['queued', 'waiting_approval', 'running', 'failed', 'canceled', 'expired'],
  waiting_approval: ['queued', 'waiting_approval', 'failed', 'canceled', 'expired'],
  // What runs ends by its run, or when it is given up; it never waits again, and it cannot run out.
  running: ['running', 'success', 'failed', 'canceled'],
  success: [],
  failed: [],
  canceled: [],
  expired: [],
}

it.each(JOB_STATUSES)('a job that is %s moves where the life of a job leads it, and nowhere else', (from) => {
  expect(JOB_STATUSES.filter((to) => mayMove(from, to)).toSorted()).toEqual(LEGAL[from].toSorted())
})

it('a move that is none stops whoever would write it', () => {
  expect(() => assertMove('success', 'running')).toThrow('illegal job transition success → running')
  expect(() => assertMove('queued', 'running')).not.toThrow()
})

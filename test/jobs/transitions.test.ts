import { describe, expect, it } from 'vitest'
import { isTerminal, JOB_STATUSES } from '../../controller/jobs/job.ts'
import { assertMove, mayMove } from '../../controller/jobs/transitions.ts'

describe('moves between statuses', () => {
  it('lead out of no end, and to success from a running job only', () => {
    for (const from of JOB_STATUSES) {
      for (const to of JOB_STATUSES) {
        if (isTerminal(from)) expect(mayMove(from, to), `${from} → ${to}`).toBe(false)
        if (to === 'success' && from !== 'running') expect(mayMove(from, to), `${from} → ${to}`).toBe(false)
        if (to === 'running' && from !== 'running') expect(mayMove(from, to), `${from} → ${to}`).toBe(from === 'queued')
      }
    }
  })

  it('that are none stop whoever would write them', () => {
    expect(() => assertMove('success', 'running')).toThrow('illegal job transition success → running')
    expect(() => assertMove('queued', 'running')).not.toThrow()
    expect(() => assertMove('queued', 'queued')).not.toThrow()
  })
})

import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { Job } from '../../controller/jobs/job.ts'
import { mismatchEnd, mismatchReason, reasonOf } from '../../controller/jobs/job-reasons.ts'
import { plan } from '../../controller/jobs/plan.ts'
import { MAX_ATTEMPTS } from '../../controller/jobs/plan-run.ts'
import { VISIBILITY_LAG_MS } from '../../controller/jobs/plan-timing.ts'
import { commitSha } from '../../controller/model/names.ts'
import { NOW, SHA } from '../policy/fixtures.ts'
import { observed, openDesired, runFor, TIMING } from './fixtures.ts'
import { first, heldBy, running, steps, unreachableSince, unreadable } from './plan-fixtures.ts'

describe('a running job', () => {
  const job = running()
  const desired = openDesired([first])
  const withRun = (overrides: Parameters<typeof runFor>[1], jobOverrides: Partial<Job> = {}) => {
    const one = running(first, jobOverrides)
    return observed([one], { locks: heldBy(one), runs: new Map([[one.id, [runFor(one, overrides)]]]) })
  }

  it('is looked at once per period, or at once after a nudge', () => {
    expect(steps(desired, withRun({ observedAt: NOW - 15 * SECOND_MS }))).toEqual(['r1 observe'])
    expect(steps(desired, withRun({ observedAt: NOW - 14 * SECOND_MS }))).toEqual([])
    expect(steps(desired, { ...withRun({ observedAt: NOW }), nudged: new Set([job.id]) })).toEqual(['r1 observe'])
  })

  it.each(['intended', 'unknown'] as const)('whose trigger outcome is %s is looked up and never sent again', (state) => {
    expect(steps(desired, withRun({ state, externalId: null, observedAt: null }))).toEqual(['r1 look_up'])
  })

  it('whose outcome is unknown is not looked for more often than other runs', () => {
    expect(steps(desired, withRun({ state: 'unknown', externalId: null, observedAt: NOW - SECOND_MS }))).toEqual([])
  })

  it('is left alone when its run has ended, or was never written down', () => {
    expect(steps(desired, withRun({ state: 'ended', outcome: 'success', endedAt: NOW }))).toEqual([])
    expect(steps(desired, observed([running()]))).toEqual([])
  })

  it('of a dry run is watched and never asked to stop', () => {
    const dry = running(first, { type: 'dry_run', cancelRequestedAt: NOW })
    const seen = observed([dry], { runs: new Map([[dry.id, [runFor(dry)]]]) })
    expect(steps(openDesired([]), seen)).toEqual(['r1 observe'])
  })

  it('that never told when it began is measured from its intent', () => {
    const silent = { startedAt: null, observedAt: null, intendedAt: NOW - HOUR_MS }
    const asked = { unanswered: new Set([job.id]) }
    const inVain = { ...withRun(silent, unreachableSince(NOW - HOUR_MS)), ...asked }
    expect(steps(desired, inVain)).toEqual(['r1 ends failed: provider_unreachable'])
    expect(steps(desired, withRun(silent))).toEqual(['r1 cancel'])
    expect(steps(desired, withRun({ ...silent, intendedAt: NOW }))).toEqual(['r1 observe'])
  })

  it('goes on by the usual limit when its environment has left the config repository', () => {
    const gone = openDesired([first], { environments: new Map() })
    expect(steps(gone, withRun({ observedAt: NOW - MINUTE_MS }))).toEqual(['r1 observe'])
    expect(steps(gone, withRun({ observedAt: NOW + HOUR_MS - 20 * SECOND_MS }), NOW + HOUR_MS)).toEqual(['r1 cancel'])
  })

  it('goes on by the limit that it began with when nobody can read what is in force', () => {
    const integration = { apiUrl: null, defaultBranch: 'main', credentialRef: null, callbacks: false, code: null }
    const connection = { integration, workflowRef: null, maxRunMs: 2 * HOUR_MS }
    const seen = withRun({ connection, observedAt: NOW + HOUR_MS })
    expect(steps(unreadable, seen, NOW + HOUR_MS + MINUTE_MS)).toEqual(['r1 observe'])
    expect(steps(unreadable, seen, NOW + 2 * HOUR_MS)).toEqual(['r1 cancel'])
  })

  it('that was refused ends with whatever ends the wish for it, or with the time a run may take', () => {
    const refused = { state: 'refused', retryAt: NOW } as const
    expect(steps(openDesired([]), withRun(refused))).toEqual(['r1 ends canceled: request_deleted'])
    expect(steps(openDesired([first], { environments: new Map() }), withRun(refused))).toEqual([
      'r1 ends failed: environment_unknown',
    ])
    for (const detail of [null, 'HTTP 503']) {
      const [step] = plan(desired, withRun({ ...refused, detail }), TIMING, NOW + HOUR_MS)
      expect(step).toMatchObject({ kind: 'end', reason: { code: 'provider_unreachable' } })
      expect(step?.kind === 'end' && step.reason.text).toContain(detail ?? 'no reason given')
    }
  })

  it('is left alone while its own call is under way', () => {
    const seen = withRun({ state: 'intended', externalId: null, observedAt: null })
    expect(steps(desired, { ...seen, inFlight: new Set([job.id]) })).toEqual([])
  })

  it('is given up only after the limit and a look that came after the call could act', () => {
    const late = NOW + 10 * MINUTE_MS
    const lost = { state: 'unknown', externalId: null } as const
    expect(steps(desired, withRun({ ...lost, observedAt: late - SECOND_MS }), late)).toEqual([
      'r1 ends failed: trigger_outcome_unknown',
    ])
    expect(steps(desired, withRun({ ...lost, observedAt: null }), late)).toEqual(['r1 look_up'])
    expect(steps(desired, withRun({ ...lost, observedAt: null }), NOW + HOUR_MS)).toEqual(['r1 look_up'])
    const inVain = { ...withRun({ ...lost, observedAt: null }, unreachableSince(NOW)), unanswered: new Set([job.id]) }
    expect(steps(desired, inVain, NOW + HOUR_MS)).toEqual(['r1 ends failed: trigger_outcome_unknown'])
  })

  it('is looked for once more when the list was read before it had to show what was made', () => {
    const lost = { state: 'unknown', externalId: null, sendDeadline: NOW + 15 * SECOND_MS } as const
    const late = NOW + HOUR_MS
    expect(steps(desired, withRun({ ...lost, observedAt: NOW + MINUTE_MS }), late)).toEqual(['r1 look_up'])
  })

  it('that was intended by a clock which was set back since is given up by the deadline that was set anew', () => {
    const ahead = { state: 'unknown', externalId: null, intendedAt: NOW + DAY_MS, sendDeadline: NOW } as const
    const late = NOW + TIMING.triggerLookupMs
    expect(steps(desired, withRun({ ...ahead, observedAt: late - MINUTE_MS }), late - SECOND_MS)).toEqual(['r1 look_up'])
    expect(steps(desired, withRun({ ...ahead, observedAt: late - SECOND_MS }), late)).toEqual([
      'r1 ends failed: trigger_outcome_unknown',
    ])
  })

  it('is looked for as long as a run may take once its pipeline was told to go on', () => {
    const claimed = { state: 'unknown', externalId: null, claimedAt: NOW } as const
    expect(steps(desired, withRun({ ...claimed, observedAt: NOW + 10 * MINUTE_MS }), NOW + 11 * MINUTE_MS)).toEqual([
      'r1 look_up',
    ])
    const late = NOW + HOUR_MS
    expect(steps(desired, withRun({ ...claimed, observedAt: late - SECOND_MS }), late)).toEqual([
      'r1 ends failed: trigger_outcome_unknown',
    ])
  })

  it('is looked for as long as a run may take when its pipeline spoke of another commit, and asked to stop once it is known', () => {
    const other = commitSha('f'.repeat(40))
    const pin = { digest: 'd', sha: SHA, since: NOW } as NonNullable<typeof job.pin>
    const lost = { state: 'unknown', externalId: null, checkedOutSha: other } as const
    expect(steps(desired, withRun({ ...lost, observedAt: NOW + 10 * MINUTE_MS }, { pin }), NOW + 11 * MINUTE_MS)).toEqual([
      'r1 look_up',
    ])
    expect(steps(desired, withRun({ checkedOutSha: other }, { pin }))).toEqual(['r1 cancel'])
    expect(steps(desired, withRun({ checkedOutSha: SHA }, { pin }))).toEqual(['r1 observe'])
  })

  it('of a dry run is only looked at, whatever it checked out: nobody but its pipeline stops it', () => {
    const pin = { digest: 'd', sha: SHA, since: NOW } as NonNullable<typeof job.pin>
    const dry = withRun({ checkedOutSha: commitSha('f'.repeat(40)) }, { pin, type: 'dry_run' })
    expect(steps(desired, dry)).toEqual(['r1 observe'])
  })

  it('is no success when it went on to its end with another commit, and canceled when it did not', () => {
    const mismatch = { approved: SHA, checkedOut: commitSha('f'.repeat(40)) }
    const reasonWith = (...words: string[]) => {
      const [text, help] = words.map((part) => expect.stringContaining(part))
      return { code: 'commit_mismatch', text, action: { text: help } }
    }
    const named = `checked out ${mismatch.checkedOut}, not the approved commit ${SHA}`
    expect(mismatchReason(mismatch, NOW)).toMatchObject(reasonWith(`${named}; it was asked to stop`, 'Mend the pipeline'))
    expect(mismatchEnd(mismatch, 'success', NOW)).toMatchObject({
      status: 'failed',
      reason: reasonWith(`${named}, and went on to its end`, 'See what is there now. Mend the pipeline'),
    })
    for (const status of ['failed', 'canceled'] as const)
      expect(mismatchEnd(mismatch, status, NOW)).toMatchObject({
        status: 'canceled',
        reason: reasonWith(`${named}, and was stopped.`, 'Mend the pipeline'),
      })
  })

  it('is tried again after a definite refusal, at most a fixed number of times', () => {
    expect(steps(desired, withRun({ state: 'refused', retryAt: NOW + 1 }))).toEqual([])
    expect(steps(desired, withRun({ state: 'refused', retryAt: NOW }))).toEqual(['r1 retry'])
    expect(steps(desired, withRun({ state: 'refused', retryAt: null }))).toEqual(['r1 ends failed: trigger_refused'])
    expect(steps(desired, withRun({ state: 'refused', retryAt: NOW, attempt: MAX_ATTEMPTS }, { attempt: MAX_ATTEMPTS }))).toEqual(
      ['r1 ends failed: provider_unreachable'],
    )
  })

  it('is asked to stop when its request was deleted or its time is over, and stays until the provider says so', () => {
    expect(steps(openDesired([]), withRun({}))).toEqual(['r1 cancel'])
    const late = NOW + HOUR_MS
    expect(steps(desired, withRun({ observedAt: late - 20 * SECOND_MS }), late)).toEqual(['r1 cancel'])
  })

  it('is given up only when the provider was asked in vain for as long as a run may take', () => {
    const late = NOW + HOUR_MS
    const silent = (since: number) => withRun({ observedAt: NOW - MINUTE_MS }, unreachableSince(since))
    const asked = { unanswered: new Set([job.id]) }
    expect(steps(desired, { ...silent(NOW), ...asked }, late)).toEqual(['r1 ends failed: provider_unreachable'])
    expect(steps(desired, { ...silent(NOW + MINUTE_MS), ...asked }, late)).toEqual(['r1 cancel'])
    expect(steps(desired, silent(NOW), late)).toEqual(['r1 cancel'])
  })

  it('is not given up for a provider that was out of reach before it began', () => {
    const seen = withRun({ observedAt: NOW - MINUTE_MS }, unreachableSince(NOW - 2 * HOUR_MS))
    expect(steps(desired, { ...seen, unanswered: new Set([job.id]) })).toEqual(['r1 observe'])
  })

  it('is not given up for another reason that is as old', () => {
    const seen = withRun({ observedAt: NOW - MINUTE_MS }, { reason: reasonOf('run_active', 'under way', NOW - HOUR_MS) })
    expect(steps(desired, { ...seen, unanswered: new Set([job.id]) }, NOW + HOUR_MS)).toEqual(['r1 cancel'])
  })

  it('is asked to stop when somebody asked for that, and says so', () => {
    expect(plan(desired, withRun({}, { cancelRequestedAt: NOW }), TIMING, NOW)).toMatchObject([
      {
        kind: 'cancel',
        reason: { code: 'cancel_pending', text: expect.stringContaining('the lock is held until it has'), action: null },
      },
    ])
    const late = NOW + HOUR_MS
    expect(plan(desired, withRun({ observedAt: late - MINUTE_MS }), TIMING, late)).toMatchObject([
      { kind: 'cancel', reason: { code: 'run_timed_out', text: expect.stringContaining('alive after 60 minutes') } },
    ])
  })

  it('that is given up says what was the last heard of it, and what to look at', () => {
    const late = NOW + HOUR_MS
    const silent = { ...withRun({ observedAt: NOW }, unreachableSince(NOW)), unanswered: new Set([job.id]) }
    expect(plan(desired, silent, TIMING, late)).toMatchObject([
      {
        kind: 'end',
        reason: {
          text: expect.stringContaining('out of reach since 2026-11-18T10:00:00.000Z'),
          action: { text: 'Look at the provider before the next deploy.' },
        },
      },
    ])
    const lost = withRun({ state: 'unknown', externalId: null, observedAt: late - SECOND_MS })
    expect(plan(desired, lost, TIMING, late)).toMatchObject([
      { kind: 'end', reason: { action: { text: 'Look at the provider for this JOB_ID, then add a new request.' } } },
    ])
  })

  it('that was refused says what the provider said', () => {
    const words = (detail: string | null) => {
      const [step] = plan(desired, withRun({ state: 'refused', retryAt: null, detail }), TIMING, NOW)
      return step?.kind === 'end' ? step.reason.text : null
    }
    expect(words('HTTP 422')).toBe('The provider did not start a run: HTTP 422.')
    expect(words(null)).toBe('The provider did not start a run: no reason given.')
  })

  it('is measured to the moment', () => {
    const refused = { state: 'refused', retryAt: NOW, intendedAt: NOW - HOUR_MS } as const
    expect(steps(desired, withRun(refused))).toEqual(['r1 ends failed: provider_unreachable'])
    expect(steps(desired, withRun({ ...refused, intendedAt: NOW - HOUR_MS + 1 }))).toEqual(['r1 retry'])
    const lost = { state: 'unknown', externalId: null, sendDeadline: NOW } as const
    expect(steps(desired, withRun({ ...lost, observedAt: NOW - TIMING.runPollMs }))).toEqual(['r1 look_up'])
    const late = NOW + HOUR_MS
    expect(steps(desired, withRun({ ...lost, observedAt: NOW + VISIBILITY_LAG_MS }), late)).toEqual([
      'r1 ends failed: trigger_outcome_unknown',
    ])
    expect(steps(desired, withRun({ ...lost, observedAt: NOW + VISIBILITY_LAG_MS - 1 }), late)).toEqual(['r1 look_up'])
  })

  it('is asked about first by a controller that was away for longer than a run may take', () => {
    expect(steps(desired, withRun({ observedAt: NOW - MINUTE_MS }), NOW + HOUR_MS)).toEqual(['r1 cancel'])
  })
})

import { describe, expect, it } from 'vitest'
import type { SubjectPin } from '../../controller/approvals/tally.ts'
import {
  type Callback,
  callbackOf,
  claimedByAnother,
  isDead,
  MAX_LINES,
  type Standing,
  tokenHash,
  whyNotClaim,
  whyStop,
  withCheckout,
  withinLimit,
} from '../../controller/jobs/callback.ts'
import { reasonOf } from '../../controller/jobs/job-reasons.ts'
import { commitSha } from '../../controller/model/names.ts'
import { deployRequest, NOW } from '../policy/fixtures.ts'
import { jobFor, runFor } from './fixtures.ts'

const TOKEN = 'dcb_0123456789'
const reason = reasonOf('cancel_pending', 'It was withdrawn.', NOW)
const [APPROVED, OTHER] = [commitSha('a'.repeat(40)), commitSha('b'.repeat(40))]
const pin: SubjectPin = { digest: 'd' as SubjectPin['digest'], sha: APPROVED, since: NOW }
const job = jobFor(deployRequest(), { status: 'running', attempt: 1, reason, pin })

function callback(change: Partial<Callback> = {}): Callback {
  const unheard = { claimedBy: null, heardAt: null, result: null, detail: null, refusals: 0 }
  return { jobId: job.id, attempt: 1, fence: 7, tokenHash: tokenHash(TOKEN), createdAt: NOW, ...unheard, ...change }
}

function standing(change: Partial<Standing> = {}): Standing {
  const own = change.callback ?? callback()
  return { job, run: runFor(job, { state: 'unknown' }), callback: own, all: [own], fence: 7, ...change }
}

describe('a run that asks whether it may act', () => {
  it.each(['intended', 'unknown', 'started'] as const)('is told to go on while its attempt is %s', (state) => {
    expect(whyNotClaim(standing({ run: runFor(job, { state }) }), 'run 1')).toBeNull()
  })

  it('is told so again when its first answer got lost', () => {
    expect(whyNotClaim(standing({ callback: callback({ claimedBy: 'run 1' }) }), 'run 1')).toBeNull()
  })

  it('needs no lock where the job takes none', () => {
    expect(whyNotClaim(standing({ callback: callback({ fence: null }), fence: null }), 'run 1')).toBeNull()
  })

  const stops: [string, Partial<Standing>][] = [
    ['not_this_attempt', { job: { ...job, attempt: 2 } }],
    ['given_up', { run: runFor(job, { state: 'refused' }) }],
    ['given_up', { run: runFor(job, { state: 'ended' }) }],
    ['over', { callback: callback({ result: 'failed' }) }],
    ['over', { callback: callback({ result: 'canceled' }) }],
    ['cancel_asked', { job: { ...job, cancelRequestedAt: NOW } }],
    ['fence_moved', { fence: 8 }],
    ['fence_moved', { fence: null }],
    ['claimed_already', { callback: callback({ claimedBy: 'run 0' }) }],
  ]
  it.each(stops)('is told to stop, and why: %s', (code, change) => {
    expect(whyNotClaim(standing(change), 'run 1')).toMatchObject({ code, reason: expect.stringMatching(/^[A-Z].*\.$/) })
  })

  it.each([
    ['failed', 'This run has said that it failed.'],
    ['canceled', 'This run has said that it was canceled.'],
  ] as const)('is told that it is over in the words of its own result: %s', (result, words) => {
    expect(whyStop(standing({ callback: callback({ result }) }))?.reason).toBe(words)
  })

  it('is not stopped by a lock of its job when its attempt took none', () => {
    expect(whyStop(standing({ callback: callback({ fence: null }), fence: 8 }))).toBeNull()
  })

  it('is told to stop when a run of any other attempt was told to go on', () => {
    const first = callback({ claimedBy: 'run 1' })
    const second = callback({ attempt: 2 })
    const now = { job: { ...job, attempt: 2 }, callback: second, all: [first, second], run: runFor(job, { attempt: 2 }) }
    expect(whyNotClaim(standing(now), 'run 1')).toMatchObject({ code: 'claimed_already' })
    expect(claimedByAnother({ callback: first, all: [first, second] }, 'run 1')).toBeNull()
  })

  it.each([
    ['the approved commit', APPROVED, null],
    ['nothing that it names', null, null],
    ['another commit', OTHER, 'commit_mismatch'],
    ['a commit by an id of the other length', commitSha('a'.repeat(64)), 'commit_mismatch'],
  ])('with %s checked out is told: %s %s', (_what, sha, code) => {
    const said = withCheckout(standing(), sha)
    expect(said.run.checkedOutSha).toBe(sha)
    expect(whyNotClaim(said, 'run 1')?.code ?? null).toBe(code)
  })

  it('is told both commits by name when they differ, also where it is to stop for another reason', () => {
    const withdrawn = withCheckout(standing({ job: { ...job, cancelRequestedAt: NOW } }), OTHER)
    expect(whyStop(withdrawn)?.reason).toBe(`This run has checked out ${OTHER}, not the approved commit ${APPROVED}.`)
  })

  it('is not listened to any more once it has named another commit', () => {
    const said = withCheckout(withCheckout(standing(), OTHER), APPROVED)
    expect(whyNotClaim(said, 'run 1')).toMatchObject({ code: 'commit_mismatch' })
  })

  it('is not compared with what is not on record', () => {
    expect(whyNotClaim(withCheckout(standing({ job: { ...job, pin: null } }), OTHER), 'run 1')).toBeNull()
  })

  it('may leave its name out when it only tells something', () => {
    const claimed = callback({ claimedBy: 'run 1' })
    expect(claimedByAnother({ callback: claimed, all: [claimed] }, null)).toBeNull()
    expect(whyStop(standing({ callback: claimed }))).toBeNull()
  })
})

describe('a token', () => {
  it('is for the attempt whose digest it has, and for no other', () => {
    const first = callback({ tokenHash: tokenHash('another') })
    const second = callback({ attempt: 2 })
    expect(callbackOf(TOKEN, [first, second])?.attempt).toBe(2)
    expect(callbackOf(`${TOKEN} `, [first, second])).toBeNull()
    expect(callbackOf(TOKEN, [])).toBeNull()
  })

  it('is dead once the job is over', () => {
    expect(isDead({ status: 'running' })).toBe(false)
    for (const status of ['success', 'failed', 'canceled', 'expired'] as const) expect(isDead({ status })).toBe(true)
  })
})

describe('the log of a job', () => {
  const lines = (count: number) => Array.from({ length: count }, (_, index) => ({ stream: 'stdout' as const, text: `${index}` }))

  it('keeps what fits, and says once in its last line that there was more', () => {
    expect(withinLimit(MAX_LINES - 3, lines(3))).toEqual(lines(3))
    const over = withinLimit(MAX_LINES - 2, lines(3))
    expect(over.slice(0, 2)).toEqual(lines(2))
    expect(over[2]).toMatchObject({ stream: 'event', text: expect.stringContaining(`${MAX_LINES} lines`) })
    expect(withinLimit(MAX_LINES, lines(1))).toHaveLength(1)
    expect(withinLimit(MAX_LINES + 1, lines(9))).toEqual([])
  })
})

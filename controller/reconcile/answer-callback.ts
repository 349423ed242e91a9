import { type Clock, DAY_MS, type Instant } from '../clock.ts'
import {
  type CallbackAnswer,
  type CallbackMessage,
  type CallbackReader,
  callbackOf,
  claimedByAnother,
  isDead,
  type LogStream,
  type Standing,
  type Stop,
  whyNotClaim,
  whyStop,
  withCheckout,
  withinLimit,
} from '../jobs/callback.ts'
import { lockKey } from '../jobs/job.ts'
import type { StateStore, StateTx } from '../jobs/state-store.ts'
import type { JobId } from '../model/names.ts'
import { auditJob } from './change-job.ts'

export interface CallbackDeskOptions {
  /** Not the leader's: a pipeline may reach any controller, and what it says is decided by what is in the store alone. */
  store: StateStore
  reader: CallbackReader
  clock: Clock
  /** Takes secrets out of lines, all of one stream together: a key may go over several. */
  redact: (text: string) => string
  learnSecret: (secret: string) => void
  /** Asks the leader, durably, to look at a job. `what` tells one request from another of the same attempt. */
  nudge: (jobId: JobId, what: string) => Promise<void>
}

export type CallbackDesk = (jobId: string, token: string, message: CallbackMessage) => Promise<CallbackAnswer>

/** Pruned when a job begins to speak. */
const KEEP_LINES_MS = 30 * DAY_MS
const KEEP_LINES = 200_000
/** A run that asks again and again must not fill the audit. */
const AUDITED_REFUSALS = 5

/**
 * Answers pipelines. Whatever was accepted is in the store before the answer, and nothing here ends a run: a result says "look
 * at it", and the provider's word is what counts.
 */
export function callbackDesk(options: CallbackDeskOptions): CallbackDesk {
  const { store, reader, clock } = options
  return async (jobId, token, message) => {
    // Read outside of a unit, which is one at a time: who knows no token must not hold those up who do.
    const known = callbackOf(token, await reader.of(jobId))
    if (known === null) return { kind: 'unknown' }
    options.learnSecret(token)
    const answer = await store.unit('callback', async (tx): Promise<CallbackAnswer> => {
      const standing = await standingOf(tx, known.jobId, known.attempt)
      if (standing === null || isDead(standing.job)) return { kind: 'unknown' }
      const stop = await hear(tx, standing, message, clock.now(), options.redact)
      return stop === null ? { kind: 'accepted' } : { kind: 'stop', ...stop }
    })
    const what = worthALook(message, answer)
    if (what !== null) await options.nudge(known.jobId, `${known.attempt}:${what}`)
    return answer
  }
}

/** What the leader has to look at, by a word of its own; null: nothing. */
function worthALook({ type }: CallbackMessage, answer: CallbackAnswer): string | null {
  if (answer.kind === 'stop') return answer.code === 'commit_mismatch' ? answer.code : null
  return answer.kind === 'accepted' && (type === 'claim' || type === 'result') ? type : null
}

async function standingOf(tx: StateTx, jobId: JobId, attempt: number): Promise<Standing | null> {
  const job = await tx.jobs.get(jobId)
  const run = (await tx.runs.of([jobId])).find((each) => each.attempt === attempt)
  const all = await tx.callbacks.of(jobId)
  const callback = all.find((each) => each.attempt === attempt)
  if (job === null || run === undefined || callback === undefined) return null
  const held = (await tx.locks.all()).find((lock) => lock.key === lockKey(job.key) && lock.jobId === jobId)
  return { job, run, callback, all, fence: held?.fence ?? null }
}

/** Null: go on. What a run says before it is told to stop is kept all the same. */
async function hear(
  tx: StateTx,
  standing: Standing,
  message: CallbackMessage,
  now: Instant,
  redact: (text: string) => string,
): Promise<Stop | null> {
  if (message.type === 'claim') return claim(tx, standing, message, now)
  const { callback } = standing
  const foreign = claimedByAnother(standing, message.run)
  if (foreign !== null) return foreign
  if (message.type === 'result') {
    const { result, text } = message
    if (callback.result !== null) return callback.result === result ? null : whyStop(standing)
    const detail = text === null ? null : redact(text)
    if (detail !== null) await keepLines(tx, standing, [{ stream: 'event', text: detail }], now)
    await tx.callbacks.update(callback, { result, detail, heardAt: now })
    return null
  }
  const said = message.type === 'log' ? message.lines : [{ stream: 'event' as const, text: message.text }]
  await keepLines(tx, standing, withoutSecrets(said, redact), now)
  await tx.callbacks.update(callback, { heardAt: now })
  return whyStop(standing)
}

type Claim = Extract<CallbackMessage, { type: 'claim' }>

async function claim(tx: StateTx, standing: Standing, { run: by, sha }: Claim, now: Instant): Promise<Stop | null> {
  const { job, run, callback } = standing
  const said = withCheckout(standing, sha)
  const { checkedOutSha } = said.run
  const stop = whyNotClaim(said, by)
  if (stop !== null) {
    await tx.callbacks.update(callback, { heardAt: now, refusals: callback.refusals + 1 })
    // What the loop stops the run by.
    const isNews = stop.code === 'commit_mismatch' && checkedOutSha !== run.checkedOutSha
    if (isNews) await tx.runs.update(run, { checkedOutSha })
    if (isNews || callback.refusals < AUDITED_REFUSALS)
      await auditJob(tx, job, 'claim_refused', now, { attempt: run.attempt, run: by, sha, ...stop })
    return stop
  }
  if (callback.claimedBy === by) return null
  await tx.callbacks.update(callback, { claimedBy: by, heardAt: now })
  await tx.runs.update(run, { claimedAt: now, checkedOutSha })
  await auditJob(tx, job, 'run_claimed', now, { attempt: run.attempt, run: by, sha, fence: callback.fence })
  return null
}

type Line = { stream: LogStream; text: string }

async function keepLines(tx: StateTx, { job, run }: Standing, lines: readonly Line[], at: Instant): Promise<void> {
  const last = await tx.lines.last(job.id)
  if (last === 0) await tx.lines.prune(at - KEEP_LINES_MS, KEEP_LINES)
  const kept = withinLimit(last, lines)
  await tx.lines.append(kept.map((line, index) => ({ ...line, jobId: job.id, attempt: run.attempt, seq: last + index + 1, at })))
}

/** Neighbours of one stream are cleaned as one text, so that what goes over several lines is seen. */
function withoutSecrets(lines: readonly Line[], redact: (text: string) => string): readonly Line[] {
  const groups: { stream: LogStream; texts: string[] }[] = []
  for (const { stream, text } of lines) {
    const last = groups.at(-1)
    if (last?.stream === stream) last.texts.push(text)
    else groups.push({ stream, texts: [text] })
  }
  return groups.flatMap(({ stream, texts }) =>
    redact(texts.join('\n'))
      .split('\n')
      .map((text) => ({ stream, text })),
  )
}

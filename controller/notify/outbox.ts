import { type Clock, type Instant, MINUTE_MS, SECOND_MS } from '../clock.ts'
import { messageOf, RefusedFault, TransientFault } from '../errors.ts'
import { LONGEST_PUT_OFF_MS, OUTBOX_CHANNELS, type OutboxRow, type StateStore } from '../jobs/state-store.ts'
import type { Logger } from '../log.ts'
import type { DeploymentBody } from './messages.ts'
import type { CheckMessage, CommentMessage } from './publisher.ts'

/**
 * Where messages go, each with the host's id of what an earlier revision of the same row created, or null.
 * `known` of a check may belong to an earlier commit of the pull request. Every call answers with the host's id.
 * A channel that is left out refuses its rows.
 */
export interface Channels {
  check?: (message: CheckMessage, known: string | null) => Promise<string>
  comment?: (message: CommentMessage, known: string | null) => Promise<string>
  deployment?: (body: DeploymentBody, known: string | null) => Promise<string>
  notice?: (body: Readonly<Record<string, unknown>>) => Promise<string>
}

interface OutboxOptions {
  store: StateStore
  channels: Channels
  clock: Clock
  log: Logger
  /** Rows per call. */
  limit: number
}

const FIRST_RETRY_MS = SECOND_MS
const LONGEST_RETRY_MS = 10 * MINUTE_MS
/** A refusal may be somebody's mistake that is mended meanwhile (a missing permission), so it is asked again, but slowly. */
const REFUSED_RETRY_MS = 10 * MINUTE_MS
export const MAX_REFUSALS = 24

/** What one call did. `nextDueAt`: when nothing was due now, the earliest time at which something will be; null: nothing waits. */
interface Outcome {
  delivered: number
  failed: number
  nextDueAt: Instant | null
}

/**
 * Sends what is due and records what came of it. Sending happens outside of any unit of work: a slow host never holds the store.
 * Channels work side by side, the rows of one in order; no row's failure keeps another from being sent. Never throws.
 * A crash between sending and recording sends again: channels converge on the same message.
 */
export async function deliverOutbox(options: OutboxOptions): Promise<Outcome> {
  const { store, clock, log, limit } = options
  let rows: readonly OutboxRow[]
  let nextDueAt: Instant | null = null
  try {
    rows = await store.unit('outbox due', async (tx) => {
      const due = await tx.outbox.due(clock.now(), limit)
      nextDueAt = due.length === 0 ? await tx.outbox.nextDueAt() : null
      return due
    })
  } catch (error) {
    log.error('outbox not readable', { error: messageOf(error) })
    return { delivered: 0, failed: 0, nextDueAt: null }
  }
  const outcomes = await Promise.all(
    OUTBOX_CHANNELS.map((channel) =>
      deliverInOrder(
        rows.filter((row) => row.channel === channel),
        options,
      ),
    ),
  )
  const delivered = outcomes.flat().filter((ok) => ok).length
  return { delivered, failed: rows.length - delivered, nextDueAt }
}

async function deliverInOrder(rows: readonly OutboxRow[], options: OutboxOptions): Promise<boolean[]> {
  const outcomes: boolean[] = []
  for (const row of rows) outcomes.push(await deliverRow(row, options))
  return outcomes
}

/** True when the row was sent and that is on record. */
async function deliverRow(row: OutboxRow, options: OutboxOptions): Promise<boolean> {
  const { store, channels, clock, log } = options
  try {
    const externalId = await send(row, channels)
    await store.unit('outbox delivered', (tx) => tx.outbox.delivered(row, externalId, clock.now()))
    return true
  } catch (error) {
    log.warn('message not delivered', { key: row.key, attempts: row.attempts + 1, error: messageOf(error) })
    await recordFailure(row, error, options).catch((failure: unknown) => {
      log.error('outbox not writable', { key: row.key, error: messageOf(failure) })
    })
    return false
  }
}

/** Bodies are what messages.ts made of the same types when the row was put. */
async function send({ channel, body, externalId }: OutboxRow, channels: Channels): Promise<string> {
  const sent = (() => {
    switch (channel) {
      case 'check':
        return channels.check?.(body as unknown as CheckMessage, externalId)
      case 'comment':
        return channels.comment?.(body as unknown as CommentMessage, externalId)
      case 'deployment':
        return channels.deployment?.(body as unknown as DeploymentBody, externalId)
      case 'notice':
        return channels.notice?.(body)
    }
  })()
  if (sent === undefined) throw new RefusedFault(`no ${channel} channel is set up`)
  return sent
}

async function recordFailure(row: OutboxRow, error: unknown, { store, clock, log }: OutboxOptions): Promise<void> {
  const now = clock.now()
  if (!(error instanceof RefusedFault)) {
    const retryAt = now + retryDelayMs(row.attempts, error)
    return store.unit('outbox failed', (tx) => tx.outbox.failed(row, messageOf(error), retryAt))
  }
  const refusals = refusalsInARow(row.lastError) + 1
  if (refusals >= MAX_REFUSALS) {
    log.error('message given up', { key: row.key, refusals, error: messageOf(error) })
    return giveUp(store, row, messageOf(error), refusals, now)
  }
  const text = `refused ${refusals} of ${MAX_REFUSALS}: ${messageOf(error)}`
  return store.unit('outbox refused', (tx) => tx.outbox.failed(row, text, now + REFUSED_RETRY_MS))
}

/** Doubles from FIRST_RETRY_MS to LONGEST_RETRY_MS; a host that names a longer time is obeyed, up to an hour. */
function retryDelayMs(attemptsBefore: number, error: unknown): number {
  const backOff = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attemptsBefore, 20))
  return error instanceof TransientFault ? Math.max(backOff, Math.min(error.retryAfterMs, LONGEST_PUT_OFF_MS)) : backOff
}

/**
 * Read back from the text that the last refusal left: `attempts` also counts the tries of an outage, and a long outage
 * followed by one refusal must not give a message up.
 */
function refusalsInARow(lastError: string | null): number {
  return Number(/^refused (\d+) of \d+: /.exec(lastError ?? '')?.[1] ?? 0)
}

/** Settles the row, so that only a newer body is sent again, and keeps that on record. */
function giveUp(store: StateStore, row: OutboxRow, error: string, refusals: number, at: Instant): Promise<void> {
  return store.unit('outbox given up', async (tx) => {
    await tx.outbox.delivered(row, row.externalId, at)
    const data = { key: row.key, channel: row.channel, refusals, error }
    const jobId = row.channel === 'deployment' ? (row.body as unknown as DeploymentBody).message.jobId : null
    await tx.audit({ at, action: 'outbox_given_up', actor: 'controller', jobId, environment: null, commit: null, data })
  })
}

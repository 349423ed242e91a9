import { createHash, timingSafeEqual } from 'node:crypto'
import type { Instant } from '../clock.ts'
import type { CommitSha, JobId } from '../model/names.ts'
import { commitMismatch, isTerminal, type Job, type Run } from './job.ts'

/** What a pipeline may say while it runs. `run`: its own name for its run, the same for all that one run says. */
export type CallbackMessage =
  /**
   * "May I act?" Asked before anything is done; a pipeline that is not told to go on stops. `sha`: the commit that it has checked
   * out; null: it does not say.
   */
  | { type: 'claim'; run: string; sha: CommitSha | null }
  | { type: 'progress'; run: string | null; text: string }
  | { type: 'log'; run: string | null; lines: readonly { stream: LogStream; text: string }[] }
  | { type: 'result'; run: string | null; result: CallbackResult; text: string | null }

/** `canceled`: it stopped because it was told to. */
export const CALLBACK_RESULTS = ['succeeded', 'failed', 'canceled'] as const
export type CallbackResult = (typeof CALLBACK_RESULTS)[number]

/** `event`: said by the pipeline about itself, or by us about the log. */
export const LOG_STREAMS = ['stdout', 'stderr', 'event'] as const
export type LogStream = (typeof LOG_STREAMS)[number]

export interface LogLine {
  jobId: JobId
  /** By job, from 1. */
  seq: number
  attempt: number
  at: Instant
  stream: LogStream
  text: string
}

/** The one token of an attempt, and what its pipeline said with it. It dies with the job. */
export interface Callback {
  jobId: JobId
  attempt: number
  /** Fence of the lock under which the attempt was intended; null for a job that takes no lock. */
  fence: number | null
  /** sha256 (hex). The token itself is kept nowhere. */
  tokenHash: string
  createdAt: Instant
  claimedBy: string | null
  heardAt: Instant | null
  result: CallbackResult | null
  /** What it said about its result. */
  detail: string | null
  /** Claims that were refused. */
  refusals: number
}

/** What pipelines said, for whoever has no other way to ask about a run. */
export interface CallbackReader {
  /** By attempt. */
  of(jobId: string): Promise<readonly Callback[]>
}

/** How a pipeline reaches us: where to send what it says, and what proves that it may. */
export interface CallbackOffer {
  url: string
  token: string
}

export const STOP_CODES = [
  'not_this_attempt',
  'given_up',
  'over',
  'commit_mismatch',
  'cancel_asked',
  'fence_moved',
  'claimed_already',
] as const

/** Why a pipeline may not go on, in words for whoever reads its log. */
export interface Stop {
  code: (typeof STOP_CODES)[number]
  reason: string
}

/** `unknown` is the same for a wrong token, a job that never was and one that is over. */
export type CallbackAnswer = { kind: 'accepted' } | { kind: 'unknown' } | ({ kind: 'stop' } & Stop)

/** What is on record when a pipeline speaks. */
export interface Standing {
  job: Job
  /** The attempt that the token is for. */
  run: Run
  callback: Callback
  /** Of every attempt of the job. */
  all: readonly Callback[]
  /** Fence of the lock that the job holds now; null when it holds none. */
  fence: number | null
}

export function isDead({ status }: Pick<Job, 'status'>): boolean {
  return isTerminal(status)
}

/** As it stands once its run has said what it has checked out. After a commit that is not the approved one no other word counts. */
export function withCheckout<Known extends Pick<Standing, 'job' | 'run'>>(standing: Known, sha: CommitSha | null): Known {
  const { job, run } = standing
  return sha === null || commitMismatch(job, run) !== null ? standing : { ...standing, run: { ...run, checkedOutSha: sha } }
}

/** Null: it may act. The same run may ask twice, because its first answer can get lost; no other run ever may. */
export function whyNotClaim(standing: Standing, run: string): Stop | null {
  return claimedByAnother(standing, run) ?? whyStop(standing)
}

/** Why whoever speaks is not the run that was told to go on. One run may act for a job, whatever attempt it belongs to. */
export function claimedByAnother({ all, callback }: Pick<Standing, 'all' | 'callback'>, run: string | null): Stop | null {
  const holder = all.find(({ claimedBy }) => claimedBy !== null)
  if (holder === undefined || run === null || (holder.attempt === callback.attempt && holder.claimedBy === run)) return null
  return { code: 'claimed_already', reason: `Another run has claimed this job: ${holder.claimedBy}.` }
}

/** Why a run should stop now; null: it may go on. */
export function whyStop({ job, run, callback, fence }: Standing): Stop | null {
  if (job.attempt !== callback.attempt) {
    return { code: 'not_this_attempt', reason: `This is attempt ${callback.attempt}; the job is at attempt ${job.attempt}.` }
  }
  if (run.state === 'refused' || run.state === 'ended') {
    return { code: 'given_up', reason: 'This attempt is on record as never started, so another may be made in its place.' }
  }
  if (callback.result !== null)
    return {
      code: 'over',
      reason: `This run has said that it ${callback.result === 'canceled' ? 'was canceled' : callback.result}.`,
    }
  const mismatch = commitMismatch(job, run)
  if (mismatch !== null) {
    const reason = `This run has checked out ${mismatch.checkedOut}, not the approved commit ${mismatch.approved}.`
    return { code: 'commit_mismatch', reason }
  }
  if (job.cancelRequestedAt !== null) {
    return { code: 'cancel_asked', reason: `The run was asked to stop: ${job.reason.text}` }
  }
  if (callback.fence !== null && callback.fence !== fence) {
    return { code: 'fence_moved', reason: `The lock on ${job.key} is no longer this run's.` }
  }
  return null
}

export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** The callback that the token is for. Digests of one length are compared, all of them, so that time says nothing. */
export function callbackOf(token: string, callbacks: readonly Callback[]): Callback | null {
  const claimed = Buffer.from(tokenHash(token), 'hex')
  let found: Callback | null = null
  for (const callback of callbacks) {
    if (timingSafeEqual(Buffer.from(callback.tokenHash, 'hex'), claimed)) found = callback
  }
  return found
}

/** Lines kept of one job. */
export const MAX_LINES = 2_000

/** What of `lines` is still kept behind `last` lines, with a last word where the rest is dropped. */
export function withinLimit<Line extends { stream: LogStream; text: string }>(
  last: number,
  lines: readonly Line[],
): readonly (Line | { stream: 'event'; text: string })[] {
  if (last > MAX_LINES) return []
  const kept = lines.slice(0, MAX_LINES - last)
  if (kept.length === lines.length) return kept
  return [...kept, { stream: 'event', text: `The log of a job ends at ${MAX_LINES} lines; what came after was not kept.` }]
}

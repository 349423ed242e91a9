import { type Instant, toIso } from '../clock.ts'
import type { Reason, ReasonCode } from '../model/reason.ts'
import type { CommitMismatch, TerminalStatus } from './job.ts'

export function reasonOf(code: ReasonCode, text: string, since: Instant, help: string | null = null): Reason {
  return {
    code,
    text,
    since,
    until: null,
    waitingFor: [],
    action: help === null ? null : { text: help, command: null, url: null },
  }
}

/** The same reason goes on: it is as old as it was, whatever else about it changed. */
export function keepSince(next: Reason, before: Reason): Reason {
  return next.code === before.code ? { ...next, since: before.since } : next
}

export function readyReason(now: Instant): Reason {
  return reasonOf('ready', 'Every gate is open; it starts next.', now)
}

export function waitedInVain(reason: Reason, now: Instant, code: ReasonCode = 'queue_expired'): Reason {
  const text = `It waited since ${toIso(reason.since)} and nothing changed: ${reason.text}`
  return reasonOf(code, text, now, 'Add a new request if it is still wanted.')
}

/** Of a run that has checked out something else than what was approved, while it is alive. */
export function mismatchReason({ approved, checkedOut }: CommitMismatch, now: Instant): Reason {
  const text = `Its run has checked out ${checkedOut}, not the approved commit ${approved}; it was asked to stop and the lock is held until it has.`
  return reasonOf('commit_mismatch', text, now, MEND_CHECKOUT)
}

/** Its end: no success, although a pipeline that does not do as it is told may say so. */
export function mismatchEnd(
  { approved, checkedOut }: CommitMismatch,
  seen: TerminalStatus,
  now: Instant,
): { status: 'failed' | 'canceled'; reason: Reason } {
  const said = `Its run had checked out ${checkedOut}, not the approved commit ${approved}`
  if (seen !== 'success')
    return { status: 'canceled', reason: reasonOf('commit_mismatch', `${said}, and was stopped.`, now, MEND_CHECKOUT) }
  const text = `${said}, and went on to its end although it was told to stop; what it brought was not approved.`
  return { status: 'failed', reason: reasonOf('commit_mismatch', text, now, `See what is there now. ${MEND_CHECKOUT}`) }
}

const MEND_CHECKOUT = 'Mend the pipeline so that it checks out the commit in SHA, then add a new request.'

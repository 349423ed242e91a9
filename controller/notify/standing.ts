import type { Instant } from '../clock.ts'
import type { Job } from '../jobs/job.ts'
import type { RequestType } from '../model/desired-state.ts'
import type { Reason, ReasonCode } from '../model/reason.ts'
import type { GateResult } from '../policy/decision.ts'
import { plainText } from './escape.ts'
import type { CheckMessage } from './publisher.ts'
import type { JobOnShow, RequestReport } from './report.ts'
import { when } from './when.ts'

/** Where one request stands: the state and title of its check, and the reason behind both. Title is plain text. */
export interface Standing {
  state: CheckMessage['state']
  title: string
  reason: Reason | null
}

/**
 * These waits end by the merge itself or come only after it: a pull request held up by them would wait for its own merge
 * whenever the check is a required one.
 */
const AFTER_MERGE: ReadonlySet<ReasonCode> = new Set(['not_merged', 'ready'])

/** Nothing was decided because nothing could be read: that is no refusal. */
const COULD_NOT_LOOK: ReadonlySet<ReasonCode> = new Set([
  'check_unavailable',
  'provider_unreachable',
  'evidence_stale',
  'config_unreadable',
  'config_frozen',
])

export function standingOf(request: RequestReport, asOf: Instant): Standing {
  if (request.job) return standingOfJob(request, request.job, asOf)
  const { decision, reason, type } = request
  if (type === null || decision === null) {
    const state = reason && COULD_NOT_LOOK.has(reason.code) ? 'pending' : 'failure'
    return { state, title: reason ? plainText(reason.text) : 'this request cannot be used', reason }
  }
  const gate = firstNonAllow(decision.gates)
  if (gate) {
    return {
      state: gate.verdict === 'deny' ? 'failure' : 'pending',
      title: waitTitle(request, gate.reason, asOf),
      reason: gate.reason,
    }
  }
  if (reason && !AFTER_MERGE.has(reason.code)) return { state: 'pending', title: waitTitle(request, reason, asOf), reason }
  return { state: 'success', title: `ready: the merge ${FORECASTS[type]} ${subjectOf(request)}`, reason: null }
}

const FORECASTS: Record<RequestType, string> = { deploy: 'deploys', rollback: 'rolls back to', dry_run: 'tries out' }
const RESULTS: Record<RequestType, string> = { deploy: 'deployed', rollback: 'rolled back to', dry_run: 'dry run passed for' }

/** The gate that holds a request: deny before wait, else the first in order. Null when only the merge is missing. */
function firstNonAllow(gates: readonly GateResult[]): GateResult | null {
  const holding = gates.filter((gate) => gate.verdict !== 'allow' && !(gate.reason && AFTER_MERGE.has(gate.reason.code)))
  return holding.find((gate) => gate.verdict === 'deny') ?? holding[0] ?? null
}

function standingOfJob(request: RequestReport, job: JobOnShow, asOf: Instant): Standing {
  const { reason } = job
  switch (job.status) {
    case 'queued':
    case 'waiting_approval':
      return { state: 'pending', title: waitTitle(request, reason, asOf), reason }
    case 'running':
      return { state: 'pending', title: runningTitle(request, reason), reason }
    case 'success':
      return { state: 'success', title: `${RESULTS[request.type ?? 'deploy']} ${subjectOf(request)}`, reason }
    case 'failed':
      return { state: 'failure', title: endTitle(job.status, reason), reason }
    case 'canceled':
    case 'expired':
      return { state: 'canceled', title: endTitle(job.status, reason), reason }
  }
}

/** `v1.4.2 to shop/prod`. */
function subjectOf(request: RequestReport): string {
  const sha = request.ref?.type === 'sha' ? request.ref.name : request.sha
  const named = request.ref?.type === 'sha' ? undefined : request.ref?.name
  const what = named ?? sha?.slice(0, 12) ?? 'the last good version'
  const joint = request.type === 'rollback' ? 'in' : 'to'
  return plainText(`${what} ${joint} ${request.project}/${request.environment}`)
}

function waitTitle(request: RequestReport, reason: Reason | null, asOf: Instant): string {
  if (reason === null) return 'waiting'
  const { tally, queue, timeZone } = request
  switch (reason.code) {
    case 'approval_missing':
      if (tally === null) break
      return `${tally.approvers.length} of ${tally.needed} approvals${tally.objectors.length > 0 ? ', changes requested' : ''}`
    case 'window_closed':
      if (reason.until === null) break
      return `opens ${when(reason.until, timeZone, asOf)}`
    case 'frozen':
      if (reason.until === null) break
      return `frozen until ${when(reason.until, timeZone, asOf)}`
    case 'lock_held':
    case 'queue_position':
      return queueTitle(queue) ?? plainText(reason.text)
  }
  return plainText(reason.text)
}

function queueTitle(queue: RequestReport['queue']): string | null {
  if (queue === null) return null
  return `${ordinal(queue.position)} in queue${queue.behind === null ? '' : ` behind job ${plainText(queue.behind)}`}`
}

const UNDER_WAY: ReadonlySet<ReasonCode> = new Set(['trigger_pending', 'run_queued', 'run_active'])

/** One word while all is well; anything unusual (no answer, blocked, being canceled) says so itself. */
function runningTitle({ run }: RequestReport, reason: Reason): string {
  const attempt = run && run.attempt > 1 ? ` (attempt ${run.attempt})` : ''
  return UNDER_WAY.has(reason.code) ? `running${attempt}` : plainText(reason.text)
}

function endTitle(status: Job['status'], reason: Reason): string {
  return `${status}: ${plainText(reason.text)}`
}

/** `1st`, `2nd`, `11th`, `23rd`. */
export function ordinal(position: number): string {
  const last = position % 10
  const teen = Math.floor((position % 100) / 10) === 1
  const suffix = teen ? 'th' : ((['th', 'st', 'nd', 'rd'] as const)[last] ?? 'th')
  return `${position}${suffix}`
}

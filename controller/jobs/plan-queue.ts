import { ageMs, type Instant } from '../clock.ts'
import type { DeployRequest, DesiredState } from '../model/desired-state.ts'
import { environmentKey, type JobId } from '../model/names.ts'
import type { Reason, ReasonCode } from '../model/reason.ts'
import { type Decided, decide } from './decide.ts'
import type { Evidence } from './evidence.ts'
import { type Job, type Lock, lockKey } from './job.ts'
import { keepSince, readyReason, waitedInVain } from './job-reasons.ts'
import type { Observed } from './observed-state.ts'
import { environmentGone, type Gone, requestGone, takesLock } from './plan-desired.ts'
import { mayRunUnseen, planPast, waitForPast } from './plan-past.ts'
import type { PlanTiming } from './plan-timing.ts'
import type { PlannedStep } from './planned-step.ts'

/** First in, first out among the jobs that could run: one that waits for people or time never blocks a ready one behind it. */
export function planQueue(
  desired: DesiredState,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
  jobs: readonly Job[],
): PlannedStep[] {
  const steps: PlannedStep[] = []
  const ahead: JobId[] = []
  const unsettled = jobs.find((job) => mayRunUnseen(observed, job))
  const holder = holderOf(observed, jobs[0]!)
  for (const job of jobs) {
    const request = desired.requests.get(job.requestPath)
    const gone = request === undefined ? requestGone(desired, job, now) : environmentGone(desired, request, now)
    const { frozen } = observed.config
    if (request !== undefined && gone !== null && frozen !== null) {
      // What it needs may be in the rules that are not in force yet.
      steps.push({ kind: 'stay', job, reason: keepSince({ ...frozen, since: now }, job.reason) })
      continue
    }
    if (request === undefined || gone !== null) {
      const step = planGone(desired, observed, timing, now, job, gone!)
      steps.push(step)
      if (step.kind !== 'end' && takesLock(desired, requestThen(job))) ahead.push(job.id)
      continue
    }
    const exclusive = takesLock(desired, request)
    const lock = exclusive ? holder : null
    const evidence = observed.evidence.get(job.id)
    const look = attention(job, request, evidence, observed, timing, now)
    if (evidence === undefined || look !== 'none') {
      steps.push({ kind: 'gather', job, request, fresh: look === 'fresh' })
      // Until its facts are known it keeps its place: nobody may overtake it by being read faster.
      if (exclusive) ahead.push(job.id)
      continue
    }
    const decided = decideJob(desired, observed, now, job, request, evidence, lock, ahead)
    const unseen = planPast(desired, observed, now, job, request, evidence, decided, lock)
    if (unseen !== null) {
      steps.push(unseen)
      if (exclusive && unseen.kind !== 'end') ahead.push(job.id)
      continue
    }
    const settles = decided.decision.verdict !== 'wait'
    const starts = decided.decision.verdict === 'allow' && job.status === 'queued'
    const old = starts || ageMs(evidence.at, now) > timing.evidenceMaxAgeMs || WAITS_IN_LINE.has(job.reason.code)
    if (settles && old && (evidence.at < observed.tickStartedAt || !Number.isFinite(ageMs(evidence.at, now)))) {
      // Nothing starts on facts from before this look (an approval may have been dismissed a moment ago without a word), nor is
      // refused on facts that have grown old while it waited; nobody in line was read again there.
      steps.push({ kind: 'gather', job, request, fresh: true })
      if (exclusive) ahead.push(job.id)
      continue
    }
    const step = queueStep(desired, job, request, decided, now)
    const behind = step.kind === 'start' && exclusive && unsettled !== undefined
    steps.push(behind ? waitForPast(desired, job, request, decided, unsettled, now) : step)
    if (exclusive && isReadyButForTheQueue(decided)) ahead.push(job.id)
  }
  return steps
}

/**
 * Whose turn it is on an exclusive environment. A run that began while its environment was not exclusive has no lock, and is
 * waited for all the same. Only here: by one set of rules all take locks or none does, and a start rests on the rules of its plan.
 */
function holderOf({ locks, jobs }: Observed, { key }: Job): Lock | null {
  const lock = locks.get(lockKey(key))
  if (lock !== undefined) return lock
  const runs = jobs.find((job) => job.key === key && job.status === 'running' && job.type !== 'dry_run')
  return runs === undefined ? null : { key: lockKey(key), jobId: runs.id, fence: 0, acquiredAt: runs.startedAt! }
}

/**
 * A job whose request is gone ends, unless a run of it may be alive that nobody saw begin: nobody would follow that run, and
 * another would start beside it. So the provider is asked first, and what it knows is taken over, and then asked to stop.
 */
function planGone(
  desired: DesiredState,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
  job: Job,
  gone: Gone,
): PlannedStep {
  const end: PlannedStep = { kind: 'end', job, run: null, decided: null, ...gone }
  const evidence = observed.evidence.get(job.id)
  const settled = evidence === undefined ? !mayRunUnseen(observed, job) : evidence.past === null
  if (settled || !desired.environments.has(job.key)) return end
  const request = requestThen(job)
  const look = attention(job, request, evidence, observed, timing, now)
  if (evidence === undefined || look !== 'none') return { kind: 'gather', job, request, fresh: look === 'fresh' }
  const lock = takesLock(desired, request) ? holderOf(observed, job) : null
  const decided = decideJob(desired, observed, now, job, request, evidence, lock, [])
  const unseen = planPast(desired, observed, now, job, request, evidence, decided, lock)
  return unseen?.kind === 'wait' ? { kind: 'stay', job, reason: unseen.reason } : (unseen ?? end)
}

/** What a job knows of a request that is gone: enough to ask about a run of it, and to take that over. */
function requestThen({ requestPath: path, requestBlob: blob, requestReason: reason, ...job }: Job): DeployRequest {
  const { project, environment, key, type, ref } = job
  const place = { file: path, line: 1, column: 1, endColumn: 1 }
  return { path, blob, reason, project, environment, key, type, ref, place, force: null, canonical: '', places: new Map() }
}

function queueStep(desired: DesiredState, job: Job, request: DeployRequest, decided: Decided, now: Instant): PlannedStep {
  const { decision } = decided
  if (decision.verdict === 'deny') {
    return { kind: 'end', job, run: null, status: 'failed', reason: decision.reason!, decided }
  }
  if (decision.verdict === 'allow') {
    if (job.status === 'queued') return { kind: 'start', job, request, decided }
    // The state machine has no way from waiting_approval to running but through the queue.
    return { kind: 'wait', job, request, status: 'queued', decided, reason: readyReason(now) }
  }
  // What it waits for may be older than itself: a freeze that began last month, a lock that was taken yesterday.
  const reason = keepSince({ ...decision.reason!, since: now }, job.reason)
  const waitsForApproval = decision.gates.find((gate) => gate.verdict !== 'allow')!.gate === 'approval'
  const expired = expiry(desired, decided, reason, now)
  if (expired !== null) return { kind: 'end', job, run: null, status: 'expired', reason: expired, decided }
  return { kind: 'wait', job, request, status: waitsForApproval ? 'waiting_approval' : 'queued', decided, reason }
}

/** A job that has waited too long for one and the same thing ends with that reason instead of surprising people later. */
function expiry(desired: DesiredState, decided: Decided, reason: Reason, now: Instant): Reason | null {
  const { gate } = decided.decision.gates.find((result) => result.verdict !== 'allow')!
  const patient = gate === 'approval' || gate === 'window' || gate === 'freeze'
  const limitMs = patient ? desired.repository.approvalExpiryMs : desired.repository.queueExpiryMs
  if (now < reason.since + limitMs) return null
  return waitedInVain(reason, now, gate === 'approval' ? 'approval_expired' : 'queue_expired')
}

function isReadyButForTheQueue(decided: Decided): boolean {
  return decided.decision.gates.every((gate) => gate.verdict === 'allow' || gate.gate === 'lock')
}

/**
 * Facts are read anew after a nudge or an edit, and looked at once a poll period while an answer from outside is awaited.
 * A job that waits for its turn or for a moment costs nothing until that has come.
 */
function attention(
  job: Job,
  request: DeployRequest,
  evidence: Evidence | undefined,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
): 'none' | 'look' | 'fresh' {
  if (evidence === undefined) return 'fresh'
  if (evidence.lookedAt >= observed.tickStartedAt && Number.isFinite(ageMs(evidence.lookedAt, now))) return 'none'
  if (observed.nudged.has(job.id) || request.blob !== job.requestBlob) return 'fresh'
  if (observed.stirred?.has(job.id)) return 'look'
  // Half a period: a pass looks a little after it began, so the next poll would always come a moment too early for a whole one.
  return AWAITS_FACTS.has(job.reason.code) && ageMs(evidence.lookedAt, now) >= timing.pollMs / 2 ? 'look' : 'none'
}

const WAITS_IN_LINE: ReadonlySet<ReasonCode> = new Set<ReasonCode>(['queue_position', 'lock_held'])

const AWAITS_FACTS: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'approval_missing',
  'ci_pending',
  'ci_missing',
  'check_unavailable',
  'evidence_stale',
  'ready',
  'requester_unknown',
  'ref_missing',
])

function decideJob(
  desired: DesiredState,
  observed: Observed,
  now: Instant,
  job: Job,
  request: DeployRequest,
  evidence: Evidence,
  lock: Lock | null,
  ahead: readonly string[],
): Decided {
  const environment = desired.environments.get(request.key)!
  const { promoteFrom } = environment
  const earlier = promoteFrom === null ? [] : observed.successes.get(environmentKey(request.project, promoteFrom))
  return decide({
    now,
    desired,
    request,
    evidence,
    lock,
    pin: job.pin,
    successes: observed.successes.get(request.key) ?? [],
    promoted: new Set(earlier?.map((success) => success.sha)),
    aheadInQueue: [...ahead],
    config: { provider: observed.configProvider, branch: observed.configBranch, frozen: observed.config.frozen },
  })
}

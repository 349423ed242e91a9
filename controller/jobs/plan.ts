import type { Instant } from '../clock.ts'
import { ageMs, toIso } from '../clock.ts'
import type { DeployRequest, DesiredState } from '../model/desired-state.ts'
import { type EnvironmentKey, environmentKey, type JobId } from '../model/names.ts'
import type { Reason, ReasonCode } from '../model/reason.ts'
import type { Success } from '../policy/facts.ts'
import { type Decided, decide } from './decide.ts'
import type { Evidence, PastRun } from './evidence.ts'
import {
  type CommitMismatch,
  commitMismatch,
  isTerminal,
  type Job,
  type Lock,
  lockKey,
  type Run,
  type TerminalStatus,
} from './job.ts'
import type { ConfigState } from './state-store.ts'

/** Rows and evidence at one moment: everything `plan` may look at. */
export interface Observed {
  config: ConfigState
  configProvider: string | null
  configBranch: string
  /** Jobs that have not ended, by seq. */
  jobs: readonly Job[]
  runs: ReadonlyMap<JobId, readonly Run[]>
  locks: ReadonlyMap<string, Lock>
  evidence: ReadonlyMap<JobId, Evidence>
  /** Facts read since then are as fresh as they get. */
  tickStartedAt: Instant
  /** Jobs about whose facts or run somebody said "look now". */
  nudged: ReadonlySet<JobId>
  /** Jobs in whose project's repository something happened; what is known of their pull request is not touched by that. */
  stirred?: ReadonlySet<JobId>
  successes: ReadonlyMap<EnvironmentKey, readonly Success[]>
  /** Jobs whose trigger call is under way in this process. */
  inFlight: ReadonlySet<JobId>
  /** Jobs that cannot have run unseen; of any other, the provider is asked before anything starts on its environment. */
  witnessed?: ReadonlySet<JobId>
  /** Jobs about whose run this process lately asked the provider, without an answer. */
  unanswered: ReadonlySet<JobId>
}

export interface PlanTiming {
  pollMs: number
  runPollMs: number
  evidenceMaxAgeMs: number
  triggerLookupMs: number
}

/** One next step. Steps of different jobs are independent; a job has at most one. */
export type PlannedStep =
  /** Look at the facts of a job, then plan again. `fresh`: each must be read anew, because something will rest on it. */
  | { kind: 'gather'; job: Job; request: DeployRequest; fresh: boolean }
  /** Keep waiting, with this reason and view. */
  | { kind: 'wait'; job: Job; request: DeployRequest; status: 'queued' | 'waiting_approval'; decided: Decided; reason: Reason }
  /** Leave it as it is, with this reason: nothing is known by which anything could be decided about it. */
  | { kind: 'stay'; job: Job; reason: Reason }
  /** It ran before, unseen: take that run over instead of starting one. */
  | { kind: 'adopt'; job: Job; request: DeployRequest; decided: Decided; past: Extract<PastRun, { found: true }> }
  /** All gates are open: lock, intend, trigger. */
  | { kind: 'start'; job: Job; request: DeployRequest; decided: Decided }
  /** End a job that never ran, or whose runs are all over. */
  | { kind: 'end'; job: Job; run: Run | null; status: TerminalStatus; reason: Reason; decided: Decided | null }
  /** Find out whether an intended run exists at the provider. */
  | { kind: 'look_up'; job: Job; run: Run }
  | { kind: 'observe'; job: Job; run: Run }
  | { kind: 'cancel'; job: Job; run: Run; reason: Reason }
  /** The last attempt was definitively refused and may be repeated now. */
  | { kind: 'retry'; job: Job; run: Run }

/** An attempt that was refused before any run existed is repeated at most this often. */
export const MAX_ATTEMPTS = 5
/** How long a run may be invisible right after it was created before "not found" is believed. */
export const VISIBILITY_LAG_MS = 120_000

/** What to do next, from what is asked for and what is so. Pure; the only place where that is decided. */
export function plan(desired: DesiredState, observed: Observed, timing: PlanTiming, now: Instant): readonly PlannedStep[] {
  const steps: PlannedStep[] = []
  const queues = new Map<EnvironmentKey, Job[]>()
  for (const job of observed.jobs) {
    if (isTerminal(job.status)) continue
    if (job.status === 'running') {
      const step = planRunning(desired, observed, timing, now, job)
      if (step !== null) steps.push(step)
    } else {
      queues.set(job.key, [...(queues.get(job.key) ?? []), job])
    }
  }
  for (const jobs of queues.values())
    steps.push(
      ...(isReadable(desired) ? planQueue(desired, observed, timing, now, jobs) : jobs.map((job) => stay(observed, job, now))),
    )
  return steps
}

/** Is it known what is asked for? Where it is not, what is missing was not withdrawn: runs are followed, and all else stays. */
export function isReadable(desired: DesiredState): boolean {
  return desired.repository.id !== ''
}

// ── waiting jobs ────────────────────────────────────────────────────────────

function stay({ config }: Observed, job: Job, now: Instant): PlannedStep {
  const text = `Commit ${config.head.slice(0, 12)} of the config repository is in force and cannot be read, so nothing is decided.`
  const help = 'Push that commit to the config repository again, to any branch; it is read again by itself.'
  return { kind: 'stay', job, reason: keepSince(reasonOf('config_unreadable', text, now, help), job.reason) }
}

/** First in, first out among the jobs that could run: one that waits for people or time never blocks a ready one behind it. */
function planQueue(
  desired: DesiredState,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
  jobs: readonly Job[],
): PlannedStep[] {
  const steps: PlannedStep[] = []
  const ahead: JobId[] = []
  const unsettled = jobs.find((job) => mayRunUnseen(observed, job))
  for (const job of jobs) {
    const request = desired.requests.get(job.requestPath)
    const gone = request === undefined ? requestGone(desired, job, now) : environmentGone(desired, request, now)
    if (request === undefined || gone !== null) {
      const step = planGone(desired, observed, timing, now, job, gone!)
      steps.push(step)
      if (step.kind !== 'end' && takesLock(desired, requestThen(job))) ahead.push(job.id)
      continue
    }
    const exclusive = takesLock(desired, request)
    const lock = exclusive ? (observed.locks.get(lockKey(job.key)) ?? null) : null
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
 * A job whose request is gone ends, unless a run of it may be alive that nobody saw begin: nobody would follow that run, and
 * another would start beside it. So the provider is asked first, and what it knows is taken over, and then asked to stop.
 */
function planGone(
  desired: DesiredState,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
  job: Job,
  gone: { status: TerminalStatus; reason: Reason },
): PlannedStep {
  const end: PlannedStep = { kind: 'end', job, run: null, decided: null, ...gone }
  const evidence = observed.evidence.get(job.id)
  const settled = evidence === undefined ? !mayRunUnseen(observed, job) : evidence.past === null
  if (settled || !desired.environments.has(job.key)) return end
  const request = requestThen(job)
  const look = attention(job, request, evidence, observed, timing, now)
  if (evidence === undefined || look !== 'none') return { kind: 'gather', job, request, fresh: look === 'fresh' }
  const lock = takesLock(desired, request) ? (observed.locks.get(lockKey(job.key)) ?? null) : null
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

/** Until it is known what became of it, a run of this job may be alive on its environment. */
function mayRunUnseen({ evidence, witnessed }: Observed, job: Job): boolean {
  const past = evidence.get(job.id)?.past
  if (past === undefined) return witnessed !== undefined && !witnessed.has(job.id)
  return past !== null && (!past.known || past.value.found)
}

/**
 * What comes before every gate: a job that may have run unseen is never started before the provider was asked. What is found
 * is taken over. A request that is older than all records starts only when not finding a run proves that there was none.
 * Null: nothing speaks for an earlier run.
 */
function planPast(
  desired: DesiredState,
  observed: Observed,
  now: Instant,
  job: Job,
  request: DeployRequest,
  evidence: Evidence,
  decided: Decided,
  lock: Lock | null,
): PlannedStep | null {
  const { past } = evidence
  if (past === null) return null
  if (!past.known) {
    const text = `Whether it already ran could not be asked, and nothing is started twice: ${past.why}.`
    return waitOrExpire(desired, job, request, decided, reasonOf('check_unavailable', text, now, ASKED_AGAIN), now)
  }
  if (past.value.found) {
    if (lock === null || lock.jobId === job.id || isOver(past.value.seen)) {
      return { kind: 'adopt', job, request, decided, past: past.value }
    }
    const text = 'A run of it was found at the provider while another job holds the lock; it is followed as soon as that ends.'
    return waitOrExpire(desired, job, request, decided, reasonOf('lock_held', text, now), now)
  }
  if (job.acceptedCommit !== observed.config.bootstrapCommit) return null
  if (isProof(desired, job, past.value, past.at)) return null
  const { broughtAt, doubt } = past.value
  const long = past.at >= broughtAt + desired.repository.approvalExpiryMs
  if (long || doubt !== null) {
    const why = long ? 'long before that, and no run with its JOB_ID was found' : `before that, and ${doubt}`
    const text = `These records began ${toIso(job.createdAt)}; the config repository had it since ${toIso(broughtAt)}, ${why}. Whether it ran is not known, so it is not started.`
    const help = 'Look at the provider for this JOB_ID; add a new request if it is still wanted.'
    return { kind: 'end', job, run: null, status: 'expired', reason: reasonOf('past_unknown', text, now, help), decided }
  }
  const until = job.createdAt + VISIBILITY_LAG_MS
  const text = `It is older than these records, which began ${toIso(job.createdAt)}. A run that was just started may not show yet, so the provider is asked once more.`
  return waitOrExpire(desired, job, request, decided, { ...reasonOf('check_unavailable', text, now, ASKED_AGAIN), until }, now)
}

/**
 * May a job that is older than the store start because no run of it was found? Not when it is so old that its run may have
 * left the provider's list, nor when the list proves nothing, nor before a run of the last moment must show.
 */
export function isProof(desired: DesiredState, job: Job, past: Extract<PastRun, { found: false }>, at: Instant): boolean {
  const recent = at < past.broughtAt + desired.repository.approvalExpiryMs
  // A clock that was set back must not make this wait a long one.
  return recent && past.doubt === null && Math.abs(at - job.createdAt) >= VISIBILITY_LAG_MS
}

const ASKED_AGAIN = 'Nothing to do at first: it is asked again by itself.'

/** A run of which the provider says that nothing more will come. One that is not there any more may only not show yet. */
export function isOver({ state }: Extract<PastRun, { found: true }>['seen']): boolean {
  return state === 'success' || state === 'failed' || state === 'canceled' || state === 'timed_out'
}

function waitForPast(
  desired: DesiredState,
  job: Job,
  request: DeployRequest,
  decided: Decided,
  other: Job,
  now: Instant,
): PlannedStep {
  const text = `Whether ${other.requestPath} already runs on ${job.key} is not known yet, and nothing starts there before it is.`
  return waitOrExpire(desired, job, request, decided, reasonOf('check_unavailable', text, now, ASKED_AGAIN), now)
}

function waitOrExpire(
  desired: DesiredState,
  job: Job,
  request: DeployRequest,
  decided: Decided,
  next: Reason,
  now: Instant,
): PlannedStep {
  const reason = keepSince(next, job.reason)
  const expired = now < reason.since + desired.repository.queueExpiryMs ? null : waitedInVain(reason, now)
  if (expired !== null) return { kind: 'end', job, run: null, status: 'expired', reason: expired, decided }
  return { kind: 'wait', job, request, status: 'queued', decided, reason }
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
  const reason = keepSince(decision.reason!, job.reason)
  const waitsForApproval = decision.gates.find((gate) => gate.verdict !== 'allow')!.gate === 'approval'
  const expired = expiry(desired, decided, reason, now)
  if (expired !== null) return { kind: 'end', job, run: null, status: 'expired', reason: expired, decided }
  return { kind: 'wait', job, request, status: waitsForApproval ? 'waiting_approval' : 'queued', decided, reason }
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

function isReadyButForTheQueue(decided: Decided): boolean {
  return decided.decision.gates.every((gate) => gate.verdict === 'allow' || gate.gate === 'lock')
}

/** A dry run changes nothing and locks nothing. */
export function takesLock(desired: DesiredState, request: DeployRequest): boolean {
  return request.type !== 'dry_run' && desired.environments.get(request.key)?.lockStrategy === 'exclusive'
}

function requestGone(desired: DesiredState, job: Job, now: Instant): { status: TerminalStatus; reason: Reason } {
  const unusable = desired.unusableRequests.get(job.requestPath)
  if (unusable === undefined) {
    return { status: 'canceled', reason: reasonOf('request_deleted', `The request file ${job.requestPath} was deleted.`, now) }
  }
  const first = unusable.findings[0]
  const where = first ? `: ${first.message} (${first.place.file}:${first.place.line})` : ''
  return {
    status: 'failed',
    reason: reasonOf('invalid_request', `The request file cannot be used${where}.`, now, first?.help ?? null),
  }
}

/** Requests for something that is not there are refused: absence never allows. */
function environmentGone(
  desired: DesiredState,
  request: DeployRequest,
  now: Instant,
): { status: TerminalStatus; reason: Reason } | null {
  if (desired.environments.has(request.key) && desired.projects.has(request.project)) return null
  const unusable = desired.unusableEnvironments.get(request.key)
  if (unusable !== undefined) {
    const first = unusable[0]
    const why = first ? `: ${first.message} (${first.place.file}:${first.place.line})` : ''
    return {
      status: 'failed',
      reason: reasonOf('environment_unusable', `${request.key} cannot be used${why}.`, now, first?.help ?? null),
    }
  }
  return desired.projects.has(request.project)
    ? {
        status: 'failed',
        reason: reasonOf('environment_unknown', `Project ${request.project} has no environment ${request.environment}.`, now),
      }
    : { status: 'failed', reason: reasonOf('project_unknown', `There is no project ${request.project}.`, now) }
}

/** A job that has waited too long for one and the same thing ends with that reason instead of surprising people later. */
function expiry(desired: DesiredState, decided: Decided, reason: Reason, now: Instant): Reason | null {
  const { gate } = decided.decision.gates.find((result) => result.verdict !== 'allow')!
  const patient = gate === 'approval' || gate === 'window' || gate === 'freeze'
  const limitMs = patient ? desired.repository.approvalExpiryMs : desired.repository.queueExpiryMs
  if (now < reason.since + limitMs) return null
  return waitedInVain(reason, now, gate === 'approval' ? 'approval_expired' : 'queue_expired')
}

function waitedInVain(reason: Reason, now: Instant, code: ReasonCode = 'queue_expired'): Reason {
  const text = `It waited since ${toIso(reason.since)} and nothing changed: ${reason.text}`
  return reasonOf(code, text, now, 'Add a new request if it is still wanted.')
}

// ── running jobs ────────────────────────────────────────────────────────────

function planRunning(desired: DesiredState, observed: Observed, timing: PlanTiming, now: Instant, job: Job): PlannedStep | null {
  const run = observed.runs.get(job.id)?.at(-1)
  if (run === undefined || observed.inFlight.has(job.id)) return null
  switch (run.state) {
    case 'intended':
    case 'unknown':
      return planUnknown(desired, observed, timing, now, job, run)
    case 'refused':
      return planRefused(desired, now, job, run)
    case 'started':
      return planStarted(desired, observed, timing, now, job, run)
    case 'ended':
      return null
  }
}

/** An intent without a recorded run: it may exist. It is looked for until the limit and never sent again. */
function planUnknown(
  desired: DesiredState,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
  job: Job,
  run: Run,
): PlannedStep | null {
  const due = run.observedAt === null || ageMs(run.observedAt, now) >= timing.runPollMs || observed.nudged.has(job.id)
  // An intent of the future is from before the clock was set back; its deadline was then set anew.
  const since = Number.isFinite(ageMs(run.intendedAt, now)) ? run.intendedAt : run.sendDeadline
  // What spoke to us is there, whoever does not see it: its lock is held as long as that of any run.
  const lookupMs = hasSpoken(run) ? maxRunMs(desired, job, run) : timing.triggerLookupMs
  const limit = Math.max(run.sendDeadline, since + lookupMs)
  // "Not there" must have been said when whatever the call can have made shows in lists; only a provider that stays away for the whole run time is given up unasked.
  const lookedAfterwards =
    run.observedAt !== null && run.observedAt >= run.sendDeadline + Math.min(VISIBILITY_LAG_MS, timing.triggerLookupMs)
  if (now >= limit && (lookedAfterwards || isOutOfReach(desired, observed, now, job, run))) {
    const text = 'The trigger got no usable answer and no run with this JOB_ID was found; whether the pipeline ran is not known.'
    return {
      kind: 'end',
      job,
      run,
      status: 'failed',
      decided: null,
      reason: reasonOf('trigger_outcome_unknown', text, now, 'Look at the provider for this JOB_ID, then add a new request.'),
    }
  }
  return due ? { kind: 'look_up', job, run } : null
}

/** No run exists, so whatever ends the wish for one ends the job, and its lock with it. */
function planRefused(desired: DesiredState, now: Instant, job: Job, run: Run): PlannedStep | null {
  const request = desired.requests.get(job.requestPath)
  const gone = request === undefined ? requestGone(desired, job, now) : environmentGone(desired, request, now)
  if (gone !== null) return isReadable(desired) ? { kind: 'end', job, run, decided: null, ...gone } : null
  if (run.retryAt === null || run.attempt >= MAX_ATTEMPTS) {
    const code = run.retryAt === null ? 'trigger_refused' : 'provider_unreachable'
    return {
      kind: 'end',
      job,
      run,
      status: 'failed',
      decided: null,
      reason: reasonOf(code, `The provider did not start a run: ${run.detail ?? 'no reason given'}.`, now),
    }
  }
  const limitMs = maxRunMs(desired, job, run)
  if (now >= run.intendedAt + limitMs) {
    const text = `No run could be started for ${Math.round(limitMs / 60_000)} minutes, the most that a run on ${job.key} may take: ${run.detail ?? 'no reason given'}.`
    return { kind: 'end', job, run, status: 'failed', decided: null, reason: reasonOf('provider_unreachable', text, now) }
  }
  const setBack = !Number.isFinite(ageMs(run.intendedAt, now))
  return now >= run.retryAt || setBack ? { kind: 'retry', job, run } : null
}

function planStarted(
  desired: DesiredState,
  observed: Observed,
  timing: PlanTiming,
  now: Instant,
  job: Job,
  run: Run,
): PlannedStep | null {
  const startedAt = run.startedAt ?? run.intendedAt
  const limitMs = maxRunMs(desired, job, run)
  const lastSeen = run.observedAt ?? startedAt
  if (now >= startedAt + limitMs && isOutOfReach(desired, observed, now, job, run)) {
    const text = `The provider was out of reach since ${toIso(lastSeen)}, longer than a run on ${job.key} may take. The lock is released; the run may still be alive.`
    return {
      kind: 'end',
      job,
      run,
      status: 'failed',
      decided: null,
      reason: reasonOf('provider_unreachable', text, now, 'Look at the provider before the next deploy.'),
    }
  }
  const due = run.observedAt === null || ageMs(run.observedAt, now) >= timing.runPollMs || observed.nudged.has(job.id)
  if (!due) return null
  if (job.type === 'dry_run') return { kind: 'observe', job, run }
  const mismatch = commitMismatch(job, run)
  if (mismatch !== null) return { kind: 'cancel', job, run, reason: mismatchReason(mismatch, now) }
  const known = desired.requests.has(job.requestPath) || desired.unusableRequests.has(job.requestPath)
  const canceled = isReadable(desired) && !known
  if (canceled || job.cancelRequestedAt !== null) {
    return {
      kind: 'cancel',
      job,
      run,
      reason: reasonOf(
        'cancel_pending',
        'The request was withdrawn; the run was asked to stop and the lock is held until it has.',
        now,
      ),
    }
  }
  if (now >= startedAt + limitMs) {
    const text = `The run is alive after ${Math.round(limitMs / 60_000)} minutes, the most that ${job.key} allows; it was asked to stop and the lock is held until it has.`
    return { kind: 'cancel', job, run, reason: reasonOf('run_timed_out', text, now) }
  }
  return { kind: 'observe', job, run }
}

/** Its pipeline has asked whether it may act, so it is there whatever the provider says. */
export function hasSpoken({ claimedAt, checkedOutSha }: Pick<Run, 'claimedAt' | 'checkedOutSha'>): boolean {
  return claimedAt !== null || checkedOutSha !== null
}

/**
 * The provider was asked in vain for a whole run time, and is still asked in vain. That nothing was heard for so long is not
 * enough: a controller that was away for an hour has asked nobody, and the run may well be alive.
 */
function isOutOfReach(desired: DesiredState, observed: Observed, now: Instant, job: Job, run: Run): boolean {
  const { code, since } = job.reason
  return code === 'provider_unreachable' && now >= since + maxRunMs(desired, job, run) && observed.unanswered.has(job.id)
}

function maxRunMs(desired: DesiredState, job: Job, { connection }: Run): number {
  return desired.environments.get(job.key)?.maxRunMs ?? connection?.maxRunMs ?? DEFAULT_MAX_RUN_MS
}

/** For runs that began before their time was kept with them, and whose environment has meanwhile left the config repository. */
const DEFAULT_MAX_RUN_MS = 3_600_000

// ── reasons ─────────────────────────────────────────────────────────────────

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

export function readyReason(now: Instant): Reason {
  return reasonOf('ready', 'Every gate is open; it starts next.', now)
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

/** The same reason goes on: it is as old as it was, whatever else about it changed. */
export function keepSince(next: Reason, before: Reason): Reason {
  return next.code === before.code ? { ...next, since: before.since } : next
}

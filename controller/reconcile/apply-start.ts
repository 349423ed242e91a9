import { ageMs, type Instant, MINUTE_MS, wasSet } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { CallbackOffer } from '../jobs/callback.ts'
import { decide } from '../jobs/decide.ts'
import type { Evidence } from '../jobs/evidence.ts'
import type { PipelineProvider, StartOutcome, Trigger } from '../jobs/executor.ts'
import { type Job, lockKey, type Run } from '../jobs/job.ts'
import { keepSince, reasonOf } from '../jobs/job-reasons.ts'
import { takesLock } from '../jobs/plan-desired.ts'
import type { PlannedStep } from '../jobs/planned-step.ts'
import type { JobChange, StateTx } from '../jobs/state-store.ts'
import type { CommitSha } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import { auditView, releaseLock, viewOf } from './apply-waiting.ts'
import { auditJob, changeJob } from './change-job.ts'
import { type Engine, forgetJob } from './engine.ts'
import { follow, handleFields, LostRace, pipelineFor } from './follow.ts'
import { gatherForJob } from './gather.ts'
import { newCallback, offerCallback } from './offer-callback.ts'
import { type AcceptedConfig, isOld } from './sync-config.ts'
import { tellAboutJob } from './tell.ts'
import type { TickFacts } from './tick-facts.ts'

type Step<Kind extends PlannedStep['kind']> = Extract<PlannedStep, { kind: Kind }>

/** How many past successes a decision looks at: enough for every rollback and promotion that people ask for. */
export const SUCCESS_LIMIT = 200
/** Time in which a call must begin after its intent; with the call's own deadline it is when "not found" can mean something. */
export const SEND_MARGIN_MS = 5_000

const HELD_UP: StartOutcome = {
  kind: 'refused',
  why: 'the controller was held up before it could call; nothing was sent',
  retryAfterMs: 0,
  unreachable: false,
}

/** Its pipeline would ask in vain whether it may act. */
const UNREACHABLE: StartOutcome = {
  kind: 'refused',
  why: 'the project asks for callbacks, and this controller has no address for them (DRAVEN_PUBLIC_URL)',
  retryAfterMs: null,
  unreachable: false,
}

/**
 * Decide, lock and intend in one unit: every gate is asked again on what is in the store at that moment, and the intent is
 * durable before any call is made. Whatever dies afterwards, the next look finds the intent and searches for its run.
 */
export async function applyStart(engine: Engine, accepted: AcceptedConfig, step: Step<'start'>): Promise<void> {
  const { job, request } = step
  const evidence = engine.memory.evidence.get(job.id)
  if (evidence === undefined) return
  const callback = offerCallback(engine, pipelineFor(accepted, job).project, job)
  const run = await engine.store
    .unit('job.start', async (tx) => {
      const now = engine.clock.now()
      const config = await tx.config.read()
      if (config?.head !== accepted.state.head || config.rulesCommit !== accepted.state.rulesCommit) return null
      if (isStale(engine, evidence, now)) return null
      const exclusive = takesLock(accepted.desired, request)
      const holder = (await tx.locks.all()).find((lock) => lock.key === lockKey(job.key)) ?? null
      const decided = decide({
        now,
        request,
        evidence,
        desired: accepted.desired,
        pin: job.pin,
        successes: await tx.jobs.successes(job.key, SUCCESS_LIMIT),
        promoted: await promotedCommits(tx, accepted, job),
        lock: exclusive ? holder : null,
        aheadInQueue: [],
        config: { provider: engine.host?.provider ?? null, branch: engine.config.branch, frozen: config.frozen },
      })
      if (decided.decision.verdict !== 'allow' || decided.pin === null) return null
      const lock = exclusive ? await tx.locks.acquire(lockKey(job.key), job.id, now) : null
      if (exclusive && lock === null) return null
      const attempt = job.attempt + 1
      const next = newRun(engine, accepted, job, attempt, lock?.fence ?? null, now)
      const change: JobChange = {
        ...viewOf(job, decided, request),
        status: 'running',
        attempt,
        startedAt: now,
        reason: reasonOf('trigger_pending', 'Its pipeline is being triggered.', now),
      }
      if (!(await changeJob(tx, job, change, now))) throw new LostRace()
      if (callback !== null) await tx.callbacks.insert(newCallback(next, callback))
      await tx.runs.insert(next)
      await auditView(tx, job, decided, request, now)
      await auditJob(tx, job, 'approvals_decided', now, {
        digest: decided.pin.digest,
        sha: decided.pin.sha,
        policy: accepted.desired.environments.get(job.key)?.policy.name,
        approvers: decided.tally?.approvers ?? [],
        needed: decided.tally?.needed ?? 0,
        requester: decided.requester.person,
        gates: decided.decision.gates.map(({ gate, verdict, saw, wanted, forced }) => ({ gate, verdict, saw, wanted, forced })),
      })
      if (request.force !== null)
        await auditJob(tx, job, 'forced', now, { skip: request.force.skip, reason: request.force.reason })
      if (lock !== null) await auditJob(tx, job, 'lock_acquired', now, { key: lock.key, fence: lock.fence })
      await auditJob(tx, job, 'trigger_intended', now, {
        attempt,
        provider: next.provider,
        repo: next.repoFullName,
        selector: next.selector,
      })
      await tellAboutJob(tx, engine, job.id)
      return next
    })
    .catch((error: unknown) => {
      if (error instanceof LostRace) return null
      throw error
    })
  if (run !== null) await trigger(engine, accepted, run, callback)
}

/** A refused attempt is repeated under the same lock, after every gate was asked again on fresh facts. */
export async function applyRetry(engine: Engine, facts: TickFacts, accepted: AcceptedConfig, step: Step<'retry'>): Promise<void> {
  const { job } = step
  const request = accepted.desired.requests.get(job.requestPath)
  if (request === undefined || !accepted.desired.environments.has(job.key)) return
  const successes = await engine.store.unit('job.successes', (tx) => tx.jobs.successes(job.key, SUCCESS_LIMIT))
  const evidence = await gatherForJob(engine, facts, accepted.desired, accepted.state.head, job, request, successes, {
    fresh: true,
  })
  const callback = offerCallback(engine, pipelineFor(accepted, job).project, job)
  const run = await engine.store.unit('job.retry', async (tx) => {
    const now = engine.clock.now()
    const config = await tx.config.read()
    const decided = decide({
      now,
      request,
      evidence,
      successes,
      desired: accepted.desired,
      pin: job.pin,
      promoted: await promotedCommits(tx, accepted, job),
      lock: null,
      aheadInQueue: [],
      config: {
        provider: engine.host?.provider ?? null,
        branch: engine.config.branch,
        frozen: config?.frozen ?? accepted.state.frozen,
      },
    })
    const inForce = config?.head === accepted.state.head && config.rulesCommit === accepted.state.rulesCommit
    const unreadable = decided.decision.reason?.code === 'config_unreadable' || isOld(engine)
    if (!inForce || unreadable || isUnknown(evidence) || isStale(engine, evidence, now)) {
      await putOff(tx, engine, step, decided.decision.reason ?? job.reason, now)
      return null
    }
    if (decided.decision.verdict !== 'allow' || decided.pinChanged) {
      const moved = reasonOf('ref_moved', 'What the ref points at changed before the pipeline could be triggered.', now)
      // Of a ref that moved the approvals are gone too, but that is not why.
      const reason = decided.pin?.sha === job.pin?.sha ? (decided.decision.reason ?? moved) : moved
      if (!(await changeJob(tx, job, { status: 'failed', reason, endedAt: now, gates: decided.decision.gates }, now))) return null
      await tx.runs.update(step.run, { state: 'ended', outcome: 'refused', endedAt: now })
      await auditJob(tx, job, 'run_ended', now, { attempt: step.run.attempt, outcome: 'refused', externalId: null })
      await releaseLock(tx, job, step.run.fence, now)
      await tellAboutJob(tx, engine, job.id)
      forgetJob(engine.memory, job.id)
      return null
    }
    const attempt = job.attempt + 1
    if (!(await tx.runs.update(step.run, { state: 'ended', outcome: 'refused', endedAt: now }))) return null
    if (
      !(await changeJob(
        tx,
        job,
        { attempt, reason: reasonOf('trigger_pending', `Its pipeline is being triggered, attempt ${attempt}.`, now) },
        now,
      ))
    )
      throw new LostRace()
    const next = newRun(engine, accepted, job, attempt, step.run.fence, now)
    if (callback !== null) await tx.callbacks.insert(newCallback(next, callback))
    await tx.runs.insert(next)
    await auditJob(tx, job, 'trigger_intended', now, {
      attempt,
      provider: next.provider,
      repo: next.repoFullName,
      selector: next.selector,
    })
    return next
  })
  if (run !== null) await trigger(engine, accepted, run, callback)
}

/** A process may stand still between reading facts and acting on them, and its clock may be set meanwhile. */
function isStale({ clock, timing }: Engine, { at, drift }: Evidence, now: Instant): boolean {
  return wasSet(clock, drift) || ageMs(at, now) > timing.evidenceMaxAgeMs
}

/** A fact that could not be read says nothing: neither that the job may go on nor that it has to end. */
function isUnknown({ origin, ref, ci }: Evidence): boolean {
  return !origin.known || !ref.known || (ci !== null && !ci.known)
}

/** Asks again a poll period later: what cannot be read now is not read sooner by asking more often. */
async function putOff(tx: StateTx, engine: Engine, { job, run }: Step<'retry'>, reason: Reason, now: number): Promise<void> {
  if (!(await tx.runs.update(run, { retryAt: now + engine.timing.pollMs }))) return
  if (reason.code === job.reason.code && reason.text === job.reason.text) return
  if (await changeJob(tx, job, { reason: keepSince(reason, job.reason) }, now)) await tellAboutJob(tx, engine, job.id)
}

export function newRun(
  engine: Engine,
  accepted: AcceptedConfig,
  job: Job,
  attempt: number,
  fence: number | null,
  now: number,
): Run {
  const { project, selector } = pipelineFor(accepted, job)
  const { apiUrl, defaultBranch, credentialRef, callbacks, code } = project.integration
  const maxRunMs = accepted.desired.environments.get(job.key)!.maxRunMs
  return {
    jobId: job.id,
    attempt,
    fence,
    state: 'intended',
    provider: project.integration.provider,
    repoFullName: project.integration.repoFullName,
    selector: selector.selector,
    externalId: null,
    externalAttempt: null,
    url: null,
    outcome: null,
    detail: null,
    intendedAt: now,
    sendDeadline: now + engine.timing.triggerTimeoutMs + SEND_MARGIN_MS,
    startedAt: null,
    observedAt: null,
    endedAt: null,
    retryAt: null,
    claimedAt: null,
    checkedOutSha: null,
    connection: {
      integration: { apiUrl, defaultBranch, credentialRef, callbacks, code },
      workflowRef: selector.workflowRef,
      maxRunMs,
    },
  }
}

/** Makes the one call of an attempt and records what came of it. */
async function trigger(engine: Engine, accepted: AcceptedConfig, run: Run, callback: CallbackOffer | null): Promise<void> {
  const { jobId } = run
  engine.memory.inFlight.add(jobId)
  try {
    const job = await engine.store.unit('job.read', (tx) => tx.jobs.get(jobId))
    if (job === null || job.pin === null) return
    const { project, selector } = pipelineFor(accepted, job)
    const sha: CommitSha = job.pin.sha
    const call: Trigger = {
      jobId,
      sha,
      selector,
      attempt: run.attempt,
      environment: job.environment,
      ref: job.ref?.name ?? sha,
      refType: job.ref?.type ?? 'sha',
      type: job.type,
      intendedAt: run.intendedAt,
      callback,
    }
    // The call's deadline counts from the intent: whoever stood still in between may find others looking for this run already.
    const outcome: StartOutcome =
      engine.clock.now() > run.sendDeadline - engine.timing.triggerTimeoutMs
        ? HELD_UP
        : project.integration.callbacks && callback === null
          ? UNREACHABLE
          : await startSafely(() => engine.connections.pipeline(project), call)
    await recordStart(engine, job, run, outcome)
  } finally {
    engine.memory.inFlight.delete(jobId)
  }
}

async function startSafely(connect: () => Pick<PipelineProvider, 'start'>, call: Trigger): Promise<StartOutcome> {
  let provider: Pick<PipelineProvider, 'start'>
  try {
    provider = connect()
  } catch (error) {
    // Making a connection calls nobody.
    return { kind: 'refused', why: messageOf(error), retryAfterMs: null, unreachable: false }
  }
  try {
    return await provider.start(call)
  } catch (error) {
    // An adapter that throws did not say whether it had sent anything.
    return { kind: 'unknown', why: messageOf(error) }
  }
}

async function recordStart(engine: Engine, job: Job, run: Run, outcome: StartOutcome): Promise<void> {
  const now = engine.clock.now()
  switch (outcome.kind) {
    case 'started':
      return follow(
        engine,
        job.id,
        run,
        'run.record',
        { state: 'started', startedAt: now, ...handleFields(outcome.run) },
        reasonOf('run_queued', 'Its run was started and waits for a runner.', now),
        'run_recorded',
        { externalId: outcome.run.externalId, url: outcome.run.url },
      )
    case 'accepted':
      return follow(
        engine,
        job.id,
        run,
        'run.record',
        { state: 'unknown' },
        reasonOf('trigger_pending', 'The provider accepted the trigger; its run is being looked up by JOB_ID.', now),
        'trigger_sent',
        { accepted: true },
      )
    case 'unknown':
      return follow(
        engine,
        job.id,
        run,
        'run.record',
        { state: 'unknown', detail: outcome.why },
        reasonOf(
          'trigger_outcome_unknown',
          `The trigger got no usable answer (${outcome.why}); its run is being looked up by JOB_ID and never sent again.`,
          now,
        ),
        'trigger_unknown',
        { why: outcome.why },
      )
    case 'refused': {
      const retryAt =
        outcome.retryAfterMs === null && !outcome.unreachable
          ? null
          : now + Math.max(outcome.retryAfterMs ?? 0, backoffMs(run.attempt))
      const text =
        retryAt === null
          ? `The provider refused the trigger: ${outcome.why}.`
          : `No run was started yet (${outcome.why}); it is tried again.`
      const reason: Reason = {
        ...reasonOf(outcome.unreachable ? 'provider_unreachable' : 'trigger_pending', text, now),
        until: retryAt,
      }
      return follow(
        engine,
        job.id,
        run,
        'run.record',
        { state: 'refused', detail: outcome.why, retryAt },
        reason,
        'trigger_refused',
        { why: outcome.why, retryAt },
      )
    }
  }
}

function backoffMs(attempt: number): number {
  return Math.min(1_000 * 2 ** (attempt - 1), MINUTE_MS)
}

async function promotedCommits(tx: StateTx, accepted: AcceptedConfig, job: Job): Promise<ReadonlySet<CommitSha>> {
  const first = accepted.desired.environments.get(job.key)?.promoteFrom ?? null
  if (first === null) return new Set()
  const key = accepted.desired.environments.get(`${job.project}/${first}` as Job['key'])?.key
  return key === undefined ? new Set() : new Set((await tx.jobs.successes(key, SUCCESS_LIMIT)).map((success) => success.sha))
}

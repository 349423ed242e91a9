import { decide } from '../jobs/decide.ts'
import type { Evidence } from '../jobs/evidence.ts'
import { keepSince, reasonOf } from '../jobs/job-reasons.ts'
import type { PlannedStep } from '../jobs/planned-step.ts'
import type { StateTx } from '../jobs/state-store.ts'
import type { Reason } from '../model/reason.ts'
import type { Decision } from '../policy/decision.ts'
import { releaseLock } from './apply-waiting.ts'
import { auditJob, changeJob } from './change-job.ts'
import { type AcceptedConfig, type Engine, forgetJob } from './engine.ts'
import { LostRace, pipelineFor } from './follow.ts'
import { gatherForJob, isStale } from './gather.ts'
import { newRun } from './new-run.ts'
import { newCallback, offerCallback } from './offer-callback.ts'
import { promotedCommits, SUCCESS_LIMIT } from './successes.ts'
import { isOld } from './sync-config.ts'
import { tellAboutJob } from './tell.ts'
import type { TickFacts } from './tick-facts.ts'
import { trigger } from './trigger.ts'

type RetryStep = Extract<PlannedStep, { kind: 'retry' }>

/** A refused attempt is repeated under the same lock, after every gate was asked again on fresh facts. */
export async function applyRetry(engine: Engine, facts: TickFacts, accepted: AcceptedConfig, step: RetryStep): Promise<void> {
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
      const reason = decided.pin?.sha === job.pin?.sha ? (whyNotNow(decided.decision, step, now) ?? moved) : moved
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

/** What would let another job wait ends this one, so it must not say that it goes on by itself. */
function whyNotNow({ verdict, reason }: Decision, { run }: RetryStep, now: number): Reason | null {
  if (verdict !== 'wait' || reason === null) return reason
  const text = `No run had been started (${run.detail ?? 'no reason given'}), and none may be now: ${reason.text}`
  return reasonOf(reason.code, text, now, 'Add a new request if it is still wanted.')
}

/** A fact that could not be read says nothing: neither that the job may go on nor that it has to end. */
function isUnknown({ origin, ref, ci }: Evidence): boolean {
  if (!origin.known) return true
  // What nobody asked for is refused for that alone, so nothing else is read for it.
  if (origin.value.kind === 'direct_push') return false
  return !ref.known || (ci !== null && !ci.known)
}

/** Asks again a poll period later: what cannot be read now is not read sooner by asking more often. */
async function putOff(tx: StateTx, engine: Engine, { job, run }: RetryStep, reason: Reason, now: number): Promise<void> {
  if (!(await tx.runs.update(run, { retryAt: now + engine.timing.pollMs }))) return
  if (reason.code === job.reason.code && reason.text === job.reason.text) return
  if (await changeJob(tx, job, { reason: keepSince(reason, job.reason) }, now)) await tellAboutJob(tx, engine, job.id)
}

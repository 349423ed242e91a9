import { decide } from '../jobs/decide.ts'
import { lockKey } from '../jobs/job.ts'
import { reasonOf } from '../jobs/job-reasons.ts'
import { takesLock } from '../jobs/plan-desired.ts'
import type { PlannedStep } from '../jobs/planned-step.ts'
import type { JobChange } from '../jobs/state-store.ts'
import { auditView, viewOf } from './apply-waiting.ts'
import { auditJob, changeJob } from './change-job.ts'
import type { AcceptedConfig, Engine } from './engine.ts'
import { LostRace, pipelineFor } from './follow.ts'
import { isStale } from './gather.ts'
import { newRun } from './new-run.ts'
import { newCallback, offerCallback } from './offer-callback.ts'
import { promotedCommits, SUCCESS_LIMIT } from './successes.ts'
import { tellAboutJob } from './tell.ts'
import { trigger } from './trigger.ts'

type StartStep = Extract<PlannedStep, { kind: 'start' }>

/**
 * Decide, lock and intend in one unit: every gate is asked again on what is in the store at that moment, and the intent is
 * durable before any call is made. Whatever dies afterwards, the next look finds the intent and searches for its run.
 */
export async function applyStart(engine: Engine, accepted: AcceptedConfig, step: StartStep): Promise<void> {
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

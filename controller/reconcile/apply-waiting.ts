import type { Decided } from '../jobs/decide.ts'
import { isTerminal, type Job, lockKey } from '../jobs/job.ts'
import { hasSpoken } from '../jobs/plan-run.ts'
import type { PlannedStep } from '../jobs/planned-step.ts'
import type { JobChange, StateTx } from '../jobs/state-store.ts'
import type { DeployRequest } from '../model/desired-state.ts'
import { auditJob, changeJob } from './change-job.ts'
import { type Engine, forgetJob } from './engine.ts'
import { isThere } from './follow.ts'
import { tellAboutJob, tellAboutJobs } from './tell.ts'

type Step<Kind extends PlannedStep['kind']> = Extract<PlannedStep, { kind: Kind }>

/** Jobs that are written in one unit: enough to make a crowd cheap, few enough to let others have a turn. */
const TOGETHER = 50

/** Keeps jobs waiting: writes only where a person would see a difference. */
export async function applyWaits(engine: Engine, steps: readonly Step<'wait'>[]): Promise<void> {
  const changed = steps.filter((step) => step.status !== step.job.status || differs(step.job, changeOf(step)))
  for (let from = 0; from < changed.length; from += TOGETHER) await writeWaits(engine, changed.slice(from, from + TOGETHER))
}

async function writeWaits(engine: Engine, steps: readonly Step<'wait'>[]): Promise<void> {
  const now = engine.clock.now()
  await engine.store.unit('job.wait', async (tx) => {
    const told: Job['id'][] = []
    for (const step of steps) {
      if (!(await changeJob(tx, step.job, changeOf(step), now))) continue
      await auditView(tx, step.job, step.decided, step.request, now)
      told.push(step.job.id)
    }
    await tellAboutJobs(tx, engine, told)
  })
}

function changeOf({ job, decided, request, status, reason }: Step<'wait'>): JobChange {
  return { ...viewOf(job, decided, request), status, reason }
}

/** Says on a waiting job why nothing is decided about it. */
export async function applyStay(engine: Engine, { job, reason }: Step<'stay'>): Promise<void> {
  if (reason.code === job.reason.code && reason.text === job.reason.text) return
  await engine.store.unit('job.stay', async (tx) => {
    if (await changeJob(tx, job, { reason }, engine.clock.now())) await tellAboutJob(tx, engine, job.id)
  })
}

/** Ends a job that has no live run: refused, withdrawn, expired, or given up. Frees its lock in the same unit. */
export async function applyEnd(engine: Engine, step: Step<'end'>): Promise<void> {
  const { job, run, decided, reason } = step
  const now = engine.clock.now()
  await engine.store.unit('job.end', async (tx) => {
    const current = await tx.jobs.get(job.id)
    if (current === null || isTerminal(current.status) || current.version !== job.version) return
    // Its pipeline may have been told to go on since it was looked for in vain: then it is there, and keeps its lock.
    if (run !== null && !hasSpoken(run) && (await isThere(tx, run))) return
    const change: JobChange = {
      status: step.status,
      reason,
      endedAt: now,
      ...(decided === null ? {} : viewOf(job, decided, null)),
    }
    if (!(await changeJob(tx, job, change, now))) return
    if (run !== null && run.state !== 'ended') {
      const outcome = reason.code === 'trigger_outcome_unknown' || reason.code === 'provider_unreachable' ? 'unknown' : 'refused'
      await tx.runs.update(run, { state: 'ended', outcome, endedAt: now, detail: run.detail ?? reason.text })
      await auditJob(tx, job, 'run_ended', now, { attempt: run.attempt, outcome, externalId: run.externalId })
      await releaseLock(tx, job, run.fence, now)
    }
    if (job.status !== 'running' && step.status === 'failed')
      await auditJob(tx, job, 'request_refused', now, { reason: reason.code, text: reason.text })
    await tellAboutJob(tx, engine, job.id)
  })
  forgetJob(engine.memory, job.id)
}

/** Compare-and-delete on the fence; a job that took no lock has none to give back. */
export async function releaseLock(tx: StateTx, job: Job, fence: number | null, now: number): Promise<void> {
  if (fence === null) return
  const key = lockKey(job.key)
  if (await tx.locks.release({ key, jobId: job.id, fence })) await auditJob(tx, job, 'lock_released', now, { key, fence })
}

/** What the last decision shows of a job. */
export function viewOf(job: Job, decided: Decided, request: DeployRequest | null): JobChange {
  const origin = decided.origin
  return {
    gates: decided.decision.gates,
    approvals: decided.tally?.reviews ?? [],
    pin: decided.pin,
    requester: decided.requester.person ?? decided.requester.label,
    pullRequest: origin?.kind === 'pull_request' ? { number: origin.facts.number, url: origin.facts.url } : job.pullRequest,
    forced: decided.decision.gates.some((gate) => gate.forced),
    ...(request === null
      ? {}
      : { requestBlob: request.blob, type: request.type, ref: request.ref, requestReason: request.reason }),
  }
}

export async function auditView(tx: StateTx, job: Job, decided: Decided, request: DeployRequest, now: number): Promise<void> {
  if (request.blob !== job.requestBlob)
    await auditJob(tx, job, 'request_changed', now, { from: job.requestBlob, to: request.blob })
  if (decided.pinChanged && decided.pin !== null) {
    await auditJob(tx, job, 'subject_pinned', now, {
      digest: decided.pin.digest,
      sha: decided.pin.sha,
      previous: job.pin?.digest ?? null,
      previousSha: job.pin?.sha ?? null,
    })
  }
}

/** Compares what people see; when a reason began is not a difference. */
function differs(job: Job, change: JobChange): boolean {
  const { gates, approvals, pin, requester, pullRequest, forced, reason, requestBlob } = change
  const shown = { gates, approvals, pin, requester, pullRequest, forced, reason, requestBlob }
  const was = {
    gates: job.gates,
    approvals: job.approvals,
    pin: job.pin,
    requester: job.requester,
    pullRequest: job.pullRequest,
    forced: job.forced,
    reason: job.reason,
    requestBlob: job.requestBlob,
  }
  return !alike(shown, was)
}

/** Of values that JSON can hold. A key without a value is no key. */
function alike(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const [left, right] = [one as Record<string, unknown>, other as Record<string, unknown>]
  for (const key in left) if (key !== 'since' && !alike(left[key], right[key])) return false
  for (const key in right) if (key !== 'since' && right[key] !== undefined && left[key] === undefined) return false
  return true
}

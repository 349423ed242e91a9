import { stringify } from 'yaml'
import type { TalliedReview } from '../approvals/tally.ts'
import { toIso } from '../clock.ts'
import type { LogStream } from '../jobs/callback.ts'
import type { Job, Run, RunOutcome, RunState } from '../jobs/job.ts'
import type { Ref } from '../model/desired-state.ts'
import type { GateName, Verdict } from '../policy/decision.ts'
import { type JobFacts, jobFacts, nameOf, type ReasonFacts, reasonFacts } from './facts.ts'
import { type FrameFacts, frameFacts, type Sources } from './frame-facts.ts'
import { type AuditFact, auditFact } from './list-facts.ts'
import { type Iso, isoOrNull } from './moments.ts'

export interface GateFacts {
  gate: GateName
  verdict: Verdict
  saw: string
  wanted: string
  forced: boolean
  reason: ReasonFacts | null
}

export interface RunFacts {
  attempt: number
  state: RunState
  outcome: RunOutcome | null
  provider: string
  repoFullName: string
  selector: string
  externalId: string | null
  url: string | null
  detail: string | null
  fence: number | null
  intendedAt: Iso
  startedAt: Iso | null
  endedAt: Iso | null
  /** When its pipeline was told to go on. */
  claimedAt: Iso | null
  /** What its pipeline says it has checked out. */
  checkedOutSha: string | null
}

export interface LineFacts {
  seq: number
  attempt: number
  at: Iso
  stream: LogStream
  text: string
}

export interface JobPageFacts {
  frame: FrameFacts
  job: JobFacts
  gates: readonly GateFacts[]
  approvals: readonly (Omit<TalliedReview, 'submittedAt'> & { name: string; submittedAt: Iso })[]
  runs: readonly RunFacts[]
  /** The newest of what the pipeline told us, oldest first. */
  lines: readonly LineFacts[]
  timeline: readonly AuditFact[]
  /** Place in the environment's queue, 1 = next; null when the job does not wait there. */
  queuePosition: number | null
  lockFence: number | null
  /** Request file that takes this job back, or that returns to it; null when there is nothing to go back to. */
  rollback: { purpose: 'undo' | 'return'; path: string; yaml: string } | null
}

export async function jobPageFacts(sources: Sources, id: string): Promise<JobPageFacts | null> {
  const found = await sources.views.job(id)
  if (found === null) return null
  const { job, runs, audit, lines } = found
  const desired = sources.live.desired()
  const [frame, environments] = await Promise.all([frameFacts(sources), sources.views.environments()])
  const here = environments.find((view) => view.key === job.key)
  const waiting = here?.open.filter((one) => one.status !== 'running') ?? []
  return {
    frame,
    job: jobFacts(job, desired),
    gates: job.gates.map((gate) => ({ ...gate, reason: gate.reason && reasonFacts(gate.reason, desired) })),
    approvals: job.approvals.map((review) => ({
      ...review,
      name: review.person === null ? review.account : nameOf(review.person, desired),
      submittedAt: toIso(review.submittedAt),
    })),
    runs: runs.map(runFacts),
    lines: lines.map(({ seq, attempt, at, stream, text }) => ({ seq, attempt, at: toIso(at), stream, text })),
    timeline: audit.toSorted((a, b) => a.seq - b.seq).map((row) => auditFact(row, desired)),
    queuePosition: waiting.findIndex((one) => one.id === job.id) + 1 || null,
    lockFence: here?.lock?.jobId === job.id ? here.lock.fence : null,
    rollback: await rollbackOf(job, here?.current?.id === job.id, sources),
  }
}

function runFacts(run: Run): RunFacts {
  return {
    attempt: run.attempt,
    state: run.state,
    outcome: run.outcome,
    provider: run.provider,
    repoFullName: run.repoFullName,
    selector: run.selector,
    externalId: run.externalId,
    url: run.url,
    detail: run.detail,
    fence: run.fence,
    intendedAt: toIso(run.intendedAt),
    startedAt: isoOrNull(run.startedAt),
    endedAt: isoOrNull(run.endedAt),
    claimedAt: isoOrNull(run.claimedAt),
    checkedOutSha: run.checkedOutSha,
  }
}

/** How many successes to look through for one that a rollback could go back to; dry runs among them do not count. */
const SUCCESSES_TO_SEARCH = 20

async function rollbackOf(job: Job, live: boolean, { views, clock }: Sources): Promise<JobPageFacts['rollback']> {
  if (job.status !== 'success' || job.type === 'dry_run') return null
  if (!live) return rollbackRequest(job, false, clock.now())
  const { project, environment, seq } = job
  const before = await views.jobs({ project, environment, status: 'success', beforeSeq: seq, limit: SUCCESSES_TO_SEARCH })
  return before.some((one) => one.type !== 'dry_run') ? rollbackRequest(job, true, clock.now()) : null
}

/**
 * What to add to the config repository: for the job that is live, a rollback to the one before it;
 * for an older success, a rollback to exactly what it ran. A branch has moved since, so its commit is named instead.
 */
function rollbackRequest(job: Job, live: boolean, now: number): JobPageFacts['rollback'] {
  const target = live ? null : exactRef(job)
  if (!live && target === null) return null
  const name = job.ref?.name ?? job.pin?.sha.slice(0, 12) ?? 'before'
  const request = {
    apiVersion: 'draven/v1',
    kind: 'DeployRequest',
    type: 'rollback',
    ...(target && { ref: { [target.type]: target.name } }),
    reason: live ? `Take back ${name}` : `Return to ${name}`,
  }
  const slug =
    name
      .toLowerCase()
      .replace(/[^a-z0-9.]+/g, '-')
      .replace(/^[-.]+|[-.]+$/g, '')
      .slice(0, 40) || 'change'
  const path = `requests/${job.project}/${job.environment}/${toIso(now).slice(0, 10)}-${live ? 'undo' : 'return-to'}-${slug}.yaml`
  return { purpose: live ? 'undo' : 'return', path, yaml: stringify(request, { lineWidth: 0 }) }
}

function exactRef(job: Job): Ref | null {
  if (job.ref?.type === 'tag') return job.ref
  return job.pin === null ? null : { type: 'sha', name: job.pin.sha }
}

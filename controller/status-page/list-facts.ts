import type { AuditRow } from '../audit/event.ts'
import { toIso } from '../clock.ts'
import { isTerminal, type JobStatus } from '../jobs/job.ts'
import type { DesiredState } from '../model/desired-state.ts'
import { byPromotion } from './environment-order.ts'
import { type ExampleRequest, exampleRequest } from './example-request.ts'
import { type JobFacts, jobFacts, nameOf } from './facts.ts'
import { type FrameFacts, frameFacts, type Sources } from './frame-facts.ts'
import type { Iso } from './moments.ts'

export interface JobsQuery {
  project: string | null
  environment: string | null
  status: JobStatus | null
  before: number | null
}

export interface JobsFacts {
  frame: FrameFacts
  filter: JobsQuery
  /** What can be chosen. */
  projects: readonly string[]
  environments: readonly string[]
  jobs: readonly JobFacts[]
  /** `before` of the next page; null on the last. */
  nextBefore: number | null
  /** When nothing is listed though nothing was filtered: what to add. */
  example: ExampleRequest | null
  /** True when a job shown here can still change. */
  open: boolean
}

export interface AuditFact {
  seq: number
  at: Iso
  action: AuditRow['action']
  actor: { id: string; name: string }
  jobId: string | null
  environment: string | null
  commit: string | null
  data: AuditRow['data']
  hash: string
}

export interface AuditFacts {
  frame: FrameFacts
  rows: readonly AuditFact[]
  before: number | null
  nextBefore: number | null
}

const JOBS_PER_PAGE = 50
const AUDIT_ROWS_PER_PAGE = 100

export async function jobsFacts(sources: Sources, query: JobsQuery): Promise<JobsFacts> {
  const desired = sources.live.desired()
  const frame = await frameFacts(sources)
  const jobs = await sources.views.jobs({
    ...(query.project !== null && { project: query.project }),
    ...(query.environment !== null && { environment: query.environment }),
    ...(query.status !== null && { status: query.status }),
    ...(query.before !== null && { beforeSeq: query.before }),
    limit: JOBS_PER_PAGE + 1,
  })
  const environments = [...(desired?.environments.values() ?? [])].map((environment) => environment.name)
  const shown = jobs.slice(0, JOBS_PER_PAGE)
  return {
    frame,
    filter: query,
    projects: [...(desired?.projects.keys() ?? [])].sort(),
    environments: byPromotion([...new Set(environments)], desired),
    jobs: shown.map((job) => jobFacts(job, desired)),
    nextBefore: jobs.length > JOBS_PER_PAGE ? shown.at(-1)!.seq : null,
    example: jobs.length === 0 && !isFiltered(query) ? exampleRequest(desired, frame.at) : null,
    open: shown.some((job) => !isTerminal(job.status)),
  }
}

export function isFiltered({ project, environment, status, before }: JobsQuery): boolean {
  return project !== null || environment !== null || status !== null || before !== null
}

export async function auditFacts(sources: Sources, before: number | null): Promise<AuditFacts> {
  const desired = sources.live.desired()
  const frame = await frameFacts(sources)
  const rows = await sources.views.audit({ ...(before !== null && { beforeSeq: before }), limit: AUDIT_ROWS_PER_PAGE + 1 })
  const shown = rows.slice(0, AUDIT_ROWS_PER_PAGE)
  return {
    frame,
    rows: shown.map((row) => auditFact(row, desired)),
    before,
    nextBefore: rows.length > AUDIT_ROWS_PER_PAGE ? shown.at(-1)!.seq : null,
  }
}

export function auditFact(row: AuditRow, desired: DesiredState | null): AuditFact {
  return {
    seq: row.seq,
    at: toIso(row.at),
    action: row.action,
    actor: { id: row.actor, name: nameOf(row.actor, desired) },
    jobId: row.jobId,
    environment: row.environment,
    commit: row.commit,
    data: row.data,
    hash: row.hash,
  }
}

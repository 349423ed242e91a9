import type { PullRequestFacts } from '../approvals/evidence.ts'
import type { Decided } from '../jobs/decide.ts'
import { isTerminal, type Job, type Run } from '../jobs/job.ts'
import { jobIdFor } from '../jobs/job-id.ts'
import type { StateTx } from '../jobs/state-store.ts'
import type { DeployRequest, DesiredState, UnusableRequest } from '../model/desired-state.ts'
import type { Finding } from '../model/finding.ts'
import type { JobId } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import { checkRow, commentRow, deploymentMessage, deploymentRow } from '../notify/messages.ts'
import { checkMessages, pullComment } from '../notify/pull-report.ts'
import type { PullReport, RequestReport } from '../notify/report.ts'
import type { Success } from '../policy/facts.ts'
import type { Engine } from './engine.ts'

/** How one request of an open pull request would fare. */
export interface Forecast {
  request: DeployRequest
  /** Null when its project or environment is not there. */
  decided: Decided | null
  /** Why it cannot even be judged; null when it was, or when a finding says it. */
  reason: Reason | null
  current: Success | null
  ahead: readonly Job[]
}

export interface OpenPull {
  pull: PullRequestFacts
  findings: readonly Finding[]
  rulesChanged: boolean
  rulesReason: Reason | null
  forecasts: readonly Forecast[]
  unusable: ReadonlyMap<string, UnusableRequest>
  desired: DesiredState
}

/** More than this helps nobody; the count of the rest is shown. */
const FINDINGS_SHOWN = 50

/** Puts what an open pull request shows into the outbox, in the unit that saved what it is about. */
export async function tellAboutOpenPull(tx: StateTx, engine: Engine, open: OpenPull): Promise<void> {
  const { pull, findings } = open
  const forecasts = open.forecasts.map((forecast) => forecastReport(open.desired, forecast))
  const broken = pull.files.flatMap((file) => {
    const unusable = file.status === 'removed' ? undefined : open.unusable.get(file.path)
    return unusable === undefined ? [] : [unusableReport(unusable)]
  })
  if (forecasts.length + broken.length + findings.length === 0 && !open.rulesChanged) return
  await put(tx, engine, {
    number: pull.number,
    headSha: pull.headSha,
    findings: findings.slice(0, FINDINGS_SHOWN),
    truncated: Math.max(0, findings.length - FINDINGS_SHOWN),
    rulesChanged: open.rulesChanged,
    rulesReason: open.rulesReason,
    requests: [...forecasts, ...broken],
    statusUrl: engine.statusUrl,
    asOf: engine.clock.now(),
  })
}

/** Puts what a job's change means for its pull request and for the forge's list of deployments into the outbox, in the unit of the change. */
export function tellAboutJob(tx: StateTx, engine: Engine, id: JobId): Promise<void> {
  return tellAboutJobs(tx, engine, [id])
}

/** The same for jobs that changed together: a pull request that brought many is written once. */
export async function tellAboutJobs(tx: StateTx, engine: Engine, ids: readonly JobId[]): Promise<void> {
  const desired = engine.memory.desired
  if (desired === null) return
  const byPull = new Map<number, Job[]>()
  for (const id of ids) {
    const job = await tx.jobs.get(id)
    if (job === null) continue
    await tellOfDeployment(tx, engine, desired, job)
    const number = job.pullRequest?.number
    if (number !== undefined) byPull.set(number, [...(byPull.get(number) ?? []), job])
  }
  if (engine.host !== null) for (const [number, jobs] of byPull) await tellAboutPull(tx, engine, desired, number, jobs)
}

async function tellOfDeployment(tx: StateTx, engine: Engine, desired: DesiredState, job: Job): Promise<void> {
  const environment = desired.environments.get(job.key)
  if (environment === undefined || desired.projects.get(job.project)?.integration.provider === 'local') return
  const run = (await tx.runs.of([job.id])).at(-1) ?? null
  const message = deploymentMessage(job, run, environment)
  if (message !== null) await tx.outbox.put(deploymentRow(job.project, message), engine.clock.now())
}

async function tellAboutPull(
  tx: StateTx,
  engine: Engine,
  desired: DesiredState,
  number: number,
  changed: readonly Job[],
): Promise<void> {
  const row = await tx.pulls.get(number)
  if (row === null) return
  const known = new Map(changed.map((job) => [job.requestPath, job]))
  const open = await tx.jobs.open()
  const requests: RequestReport[] = []
  for (const path of [...new Set([...row.pins.keys(), ...known.keys()])].sort()) {
    const job = known.get(path) ?? (await tx.jobs.get(jobIdFor(desired.repository.id, path)))
    if (job !== null) requests.push(await jobReport(tx, desired, job, open))
  }
  await put(tx, engine, {
    number: row.number,
    headSha: row.headSha,
    findings: changed.flatMap((job) => desired.unusableRequests.get(job.requestPath)?.findings ?? []),
    truncated: 0,
    rulesChanged: false,
    rulesReason: null,
    requests,
    statusUrl: engine.statusUrl,
    asOf: engine.clock.now(),
  })
}

async function put(tx: StateTx, engine: Engine, report: PullReport): Promise<void> {
  const at = engine.clock.now()
  for (const message of checkMessages(report)) await tx.outbox.put(checkRow(report.number, message), at)
  await tx.outbox.put(commentRow({ pullRequest: report.number, body: pullComment(report) }), at)
}

function forecastReport(desired: DesiredState, forecast: Forecast): RequestReport {
  const { request, decided, ahead } = forecast
  const policy = desired.environments.get(request.key)?.policy ?? null
  return {
    path: request.path,
    project: request.project,
    environment: request.environment,
    type: request.type,
    ref: decided?.target ?? request.ref,
    sha: decided?.pin?.sha ?? null,
    from: from(forecast.current),
    policy: policy?.name ?? null,
    timeZone: policy?.window?.tz ?? null,
    decision: decided?.decision ?? null,
    tally: decided?.tally ?? null,
    reason: forecast.reason,
    job: null,
    run: null,
    queue: ahead.length === 0 ? null : { position: ahead.length + 1, behind: ahead.at(-1)!.id },
  }
}

function unusableReport(unusable: UnusableRequest): RequestReport {
  return {
    path: unusable.path,
    project: unusable.project,
    environment: unusable.environment,
    type: null,
    ref: null,
    sha: null,
    from: null,
    policy: null,
    timeZone: null,
    decision: null,
    tally: null,
    reason: null,
    job: null,
    run: null,
    queue: null,
  }
}

async function jobReport(tx: StateTx, desired: DesiredState, job: Job, open: readonly Job[]): Promise<RequestReport> {
  const policy = desired.environments.get(job.key)?.policy ?? null
  const run: Run | null = (await tx.runs.of([job.id])).at(-1) ?? null
  const successes = await tx.jobs.successes(job.key, 2)
  const before = successes.find((success) => success.jobId !== job.id) ?? null
  return {
    path: job.requestPath,
    project: job.project,
    environment: job.environment,
    type: job.type,
    ref: job.ref,
    sha: job.pin?.sha ?? null,
    from: from(before),
    policy: policy?.name ?? null,
    timeZone: policy?.window?.tz ?? null,
    decision: null,
    tally: null,
    reason: job.reason,
    job,
    run,
    queue: queueOf(open, job),
  }
}

function queueOf(open: readonly Job[], job: Job): RequestReport['queue'] {
  if (
    isTerminal(job.status) ||
    job.status === 'running' ||
    (job.reason.code !== 'lock_held' && job.reason.code !== 'queue_position')
  )
    return null
  const ahead = open.filter((other) => other.key === job.key && other.seq < job.seq && other.type !== 'dry_run')
  return ahead.length === 0 ? null : { position: ahead.length + 1, behind: ahead.at(-1)!.id }
}

function from(success: Success | null): RequestReport['from'] {
  return success === null ? null : { ref: success.ref, sha: success.sha }
}

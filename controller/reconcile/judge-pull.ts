import type { PullRequestFacts } from '../approvals/evidence.ts'
import { approversOfRules } from '../approvals/rules-change.ts'
import type { Decided } from '../jobs/decide.ts'
import { decide } from '../jobs/decide.ts'
import { isTerminal, type Job, lockKey } from '../jobs/job.ts'
import { jobIdFor } from '../jobs/job-id.ts'
import { reasonOf } from '../jobs/job-reasons.ts'
import { takesLock } from '../jobs/plan-desired.ts'
import type { PullRow, StateTx } from '../jobs/state-store.ts'
import type { DeployRequest, DesiredState } from '../model/desired-state.ts'
import type { Finding } from '../model/finding.ts'
import { type CommitSha, environmentKey, type JobId } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import type { Success } from '../policy/facts.ts'
import { isGuardedPath } from './config-change.ts'
import { desiredAt } from './desired-at.ts'
import type { AcceptedConfig, Engine, Read } from './engine.ts'
import { gatherForPull, hasHead, reviewedContent } from './gather.ts'
import { SUCCESS_LIMIT } from './successes.ts'
import { unapproved } from './sync-config.ts'
import { type Forecast, tellAboutOpenPull } from './tell.ts'
import type { TickFacts } from './tick-facts.ts'

/** What the store says around one request: enough to forecast its queue and its promotion. */
interface Surroundings {
  successes: readonly Success[]
  promoted: ReadonlySet<CommitSha>
  /** The job that this path already has. */
  job: Job | null
  lock: Awaited<ReturnType<StateTx['locks']['all']>>[number] | null
  ahead: readonly Job[]
}

/**
 * Judges an open pull request as it would be judged after the merge: the request from its head, rules and people from the
 * branch it wants to go into. What is on show from now on is pinned, because that is what reviewers approve.
 */
export async function judgePull(
  engine: Engine,
  facts: TickFacts,
  accepted: AcceptedConfig,
  read: Read<PullRequestFacts>,
  row: PullRow | null,
): Promise<void> {
  const pull = read.value
  // The forge's answer and its git may disagree for a moment; then this head is looked at next time.
  if (!(await hasHead(engine, pull))) return
  const proposed = await desiredAt(engine, accepted.state.rulesCommit, pull.headSha)
  const rulesChanged = pull.files.some((file) => isGuardedPath(file.path))
  const after = rulesChanged ? await desiredAt(engine, pull.headSha, pull.headSha) : null

  const forecasts: Forecast[] = []
  const pins = new Map<string, PullRow['pins'] extends ReadonlyMap<string, infer Pin> ? Pin : never>()
  for (const file of pull.files) {
    if (file.status === 'removed') continue
    const request = proposed.requests.get(file.path)
    if (request === undefined) continue
    const forecast = await forecastRequest(engine, facts, accepted, proposed, read, request, row)
    forecasts.push(forecast)
    if (forecast.decided?.pin) pins.set(file.path, { pin: forecast.decided.pin, blob: request.blob })
  }
  const rulesReason = rulesChanged ? await missingRulesApproval(engine, accepted, pull) : null
  const findings = findingsOf(pull, proposed, after, accepted.desired)
  await engine.store.unit('pull.judge', async (tx) => {
    await tx.pulls.save({ ...rowOf(pull), pins })
    for (const [path, { pin }] of pins) {
      if (row?.pins.get(path)?.pin.digest === pin.digest) continue
      await tx.audit({
        at: engine.clock.now(),
        action: 'subject_pinned',
        actor: 'controller',
        jobId: jobIdFor(accepted.desired.repository.id, path),
        environment: proposed.requests.get(path)?.key ?? null,
        commit: pin.sha,
        data: { pullRequest: pull.number, path, digest: pin.digest, previous: row?.pins.get(path)?.pin.digest ?? null },
      })
    }
    await tellAboutOpenPull(tx, engine, {
      pull,
      findings,
      rulesChanged,
      rulesReason,
      forecasts,
      unusable: proposed.unusableRequests,
      desired: proposed,
    })
  })
}

/** A change of rules is in force only once an admin approved every file of it as it is; before the merge that is said, not enforced. */
async function missingRulesApproval(engine: Engine, accepted: AcceptedConfig, pull: PullRequestFacts): Promise<Reason | null> {
  const missing: string[] = []
  for (const file of pull.files) {
    if (!isGuardedPath(file.path)) continue
    const approvers = approversOfRules({
      desired: accepted.desired,
      provider: engine.host!.provider,
      configBranch: engine.config.branch,
      after: await engine.source.history.blobAt(pull.headSha, file.path),
      reviews: [{ pull, content: await reviewedContent(engine, pull, file.path) }],
    })
    if (approvers.length === 0) missing.push(file.path)
  }
  return missing.length === 0 ? null : unapproved(missing, engine.clock.now())
}

async function forecastRequest(
  engine: Engine,
  facts: TickFacts,
  accepted: AcceptedConfig,
  proposed: DesiredState,
  pull: Read<PullRequestFacts>,
  request: DeployRequest,
  row: PullRow | null,
): Promise<Forecast> {
  const around = await engine.store.unit('pull.surroundings', (tx) =>
    surroundings(tx, proposed, request, jobIdFor(accepted.desired.repository.id, request.path)),
  )
  const known = proposed.environments.has(request.key) && proposed.projects.has(request.project)
  const reused = around.job !== null && isTerminal(around.job.status) ? reusedReason(around.job, engine.clock.now()) : null
  if (!known || reused !== null)
    return { request, decided: null, reason: reused, current: around.successes[0] ?? null, ahead: [] }
  const evidence = await gatherForPull(engine, facts, proposed, pull, request, around.successes)
  const shown = row?.pins.get(request.path)
  const decided: Decided = decide({
    now: engine.clock.now(),
    request,
    evidence,
    desired: proposed,
    pin: shown?.blob === request.blob ? shown.pin : null,
    successes: around.successes,
    promoted: around.promoted,
    lock: around.lock,
    aheadInQueue: around.ahead.map((job) => job.id),
    config: { provider: engine.host?.provider ?? null, branch: engine.config.branch, frozen: accepted.state.frozen },
  })
  return { request, decided, reason: null, current: around.successes[0] ?? null, ahead: around.ahead }
}

function reusedReason(job: Job, now: number): Reason {
  return reasonOf(
    'request_path_reused',
    `A request of this name was made before and ended as ${job.status}; a name is used once.`,
    now,
    'Give the file another name.',
  )
}

async function surroundings(tx: StateTx, desired: DesiredState, request: DeployRequest, id: JobId): Promise<Surroundings> {
  const exclusive = takesLock(desired, request)
  const first = desired.environments.get(request.key)?.promoteFrom ?? null
  const before = first === null ? [] : await tx.jobs.successes(environmentKey(request.project, first), SUCCESS_LIMIT)
  return {
    job: await tx.jobs.get(id),
    successes: await tx.jobs.successes(request.key, SUCCESS_LIMIT),
    promoted: new Set(before.map((success) => success.sha)),
    lock: exclusive ? ((await tx.locks.all()).find((lock) => lock.key === lockKey(request.key)) ?? null) : null,
    ahead: exclusive ? (await tx.jobs.open()).filter((job) => job.key === request.key && job.type !== 'dry_run') : [],
  }
}

/** Findings that this pull request brings: on its own files, and elsewhere only those that were not there before. */
function findingsOf(
  pull: PullRequestFacts,
  proposed: DesiredState,
  after: DesiredState | null,
  before: DesiredState,
): readonly Finding[] {
  const touched = new Set(pull.files.map((file) => file.path))
  const old = new Set(before.findings.map(identity))
  const all = after === null ? proposed.findings : after.findings
  return all.filter((finding) => touched.has(finding.place.file) || (after !== null && !old.has(identity(finding))))
}

function identity(finding: Finding): string {
  return `${finding.code} ${finding.place.file} ${finding.message}`
}

export function rowOf(pull: PullRequestFacts): Omit<PullRow, 'pins'> {
  return { number: pull.number, headSha: pull.headSha, baseRef: pull.baseRef, state: pull.state, updatedAt: pull.updatedAt }
}

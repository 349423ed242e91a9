import type { Instant } from '../clock.ts'
import type { Evidence } from '../jobs/evidence.ts'
import type { Job, Lock } from '../jobs/job.ts'
import { jobIdFor } from '../jobs/job-id.ts'
import { reasonOf } from '../jobs/job-reasons.ts'
import { plan } from '../jobs/plan.ts'
import type { PlannedStep } from '../jobs/planned-step.ts'
import type { DeployRequest, DesiredState, Ref, UnusableRequest } from '../model/desired-state.ts'
import { type EnvironmentKey, environmentKey } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import { type Fact, GATES, type GateName, type GateResult, type Verdict } from '../policy/decision.ts'
import type { Success } from '../policy/facts.ts'

/** What a controller's store adds to the files; without one nothing is known of locks and successes. */
export interface KnownState {
  locks: ReadonlyMap<string, Lock>
  successes: ReadonlyMap<EnvironmentKey, readonly Success[]>
}

/** What the files alone say about one request, by the very code that the controller decides with. */
export interface Forecast {
  request: string
  key: EnvironmentKey
  type: Job['type']
  ref: Ref | null
  /** `allow`: nothing in the files holds it; see `asked`. */
  verdict: Verdict
  /** The gate that holds it first, and why; null when none does. */
  gate: GateName | null
  reason: Reason | null
  gates: readonly GateResult[]
  /** Gates whose facts only the forge can tell. */
  asked: readonly GateName[]
}

export const ASKED_AT_FORGE = 'asked at the forge'

/** Nothing is due by itself here, so only the age of the evidence (none) matters. */
const TIMING = { pollMs: 1, runPollMs: 1, evidenceMaxAgeMs: 1, triggerLookupMs: 1 }

/** Plans the given requests (paths of files in `desired`) as if they were accepted now and the forge said nothing. */
export function forecast(
  desired: DesiredState,
  paths: readonly string[],
  known: KnownState | null,
  now: Instant,
): readonly Forecast[] {
  const jobs = paths.flatMap((path, at) => jobFor(desired, path, at + 1, now) ?? [])
  const steps = plan(
    desired,
    {
      config: {
        head: desired.commit,
        rulesCommit: desired.commit,
        acceptedAt: now,
        bootstrapCommit: desired.commit,
        repositoryId: desired.repository.id,
        frozen: null,
      },
      configProvider: null,
      configBranch: '',
      jobs,
      runs: new Map(),
      locks: known?.locks ?? new Map(),
      evidence: new Map(jobs.map((job) => [job.id, unknownEvidence(now)])),
      tickStartedAt: now,
      nudged: new Set(),
      successes: known?.successes ?? new Map(),
      inFlight: new Set(),
      unanswered: new Set(),
    },
    TIMING,
    now,
  )
  return steps.map((step) => forecastOf(step, known))
}

function unknownEvidence(at: Instant): Evidence {
  const unknown: Fact<never> = { known: false, why: ASKED_AT_FORGE, at }
  return { origin: unknown, ref: unknown, ci: unknown, shown: null, past: null, at, drift: 0, lookedAt: at }
}

function jobFor(desired: DesiredState, path: string, seq: number, now: Instant): Job | null {
  const request: DeployRequest | UnusableRequest | undefined = desired.requests.get(path) ?? desired.unusableRequests.get(path)
  // A stray file under requests/ names no environment: it is a finding, never a job.
  if (request === undefined || request.project === null || request.environment === null) return null
  const usable = 'type' in request ? request : null
  return {
    id: jobIdFor(desired.repository.id, path),
    seq,
    requestPath: path,
    requestBlob: request.blob,
    acceptedCommit: desired.commit,
    project: request.project,
    environment: request.environment,
    key: environmentKey(request.project, request.environment),
    type: usable?.type ?? 'deploy',
    ref: usable?.ref ?? null,
    pin: null,
    requestReason: usable?.reason ?? '',
    requester: null,
    pullRequest: null,
    status: 'queued',
    reason: reasonOf('ready', '', now),
    gates: [],
    approvals: [],
    attempt: 0,
    version: 0,
    forced: false,
    createdAt: now,
    startedAt: null,
    endedAt: null,
    cancelRequestedAt: null,
  }
}

function forecastOf(step: PlannedStep, known: KnownState | null): Forecast {
  const { job } = step
  const about = { request: job.requestPath, key: job.key, type: job.type, ref: job.ref }
  const decided = 'decided' in step ? step.decided : null
  if (decided === null) {
    // Refused before any gate: the file, its project or its environment is not usable.
    const reason = 'reason' in step ? step.reason : null
    return { ...about, verdict: 'deny', gate: 'request', reason, gates: [], asked: [] }
  }
  const { gates } = decided.decision
  const asked = gates.filter((gate) => isAsked(gate, job, known))
  const judged = gates.filter((gate) => !asked.includes(gate))
  const decisive = judged.find((gate) => gate.verdict === 'deny') ?? judged.find((gate) => gate.verdict === 'wait')
  return {
    ...about,
    verdict: decisive?.verdict ?? 'allow',
    gate: decisive?.gate ?? null,
    reason: decisive?.reason ?? null,
    gates,
    asked: GATES.filter((name) => asked.some((gate) => gate.gate === name)),
  }
}

/** A gate that lacks a fact, or, without a store, one that a rollback's past would have to tell. */
function isAsked(gate: GateResult, job: Job, known: KnownState | null): boolean {
  if (gate.reason?.code === 'check_unavailable') return true
  return known === null && job.ref === null && gate.reason?.code === 'rollback_no_target'
}

import type { PullRequestFacts } from '../../controller/approvals/evidence.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { Evidence } from '../../controller/jobs/evidence.ts'
import type { Job, Run } from '../../controller/jobs/job.ts'
import { jobIdFor } from '../../controller/jobs/job-id.ts'
import { reasonOf } from '../../controller/jobs/job-reasons.ts'
import type { Observed } from '../../controller/jobs/observed-state.ts'
import type { PlanTiming } from '../../controller/jobs/plan-timing.ts'
import type { DeployRequest, DesiredState } from '../../controller/model/desired-state.ts'
import { blobId, commitSha } from '../../controller/model/names.ts'
import { ciEvidence, deployRequest, desiredState, environment, known, NOW, policy, resolved } from '../policy/fixtures.ts'

export const TIMING: PlanTiming = { pollMs: 20_000, runPollMs: 15_000, evidenceMaxAgeMs: 30_000, triggerLookupMs: 10 * MINUTE_MS }
export const HEAD = commitSha('c'.repeat(40))

/** A config repository with one open environment (no approval, no CI) and these requests. */
export function openDesired(requests: readonly DeployRequest[], overrides: Partial<DesiredState> = {}): DesiredState {
  const open = environment({ policy: policy() })
  return desiredState({
    environments: new Map([[open.key, open]]),
    requests: new Map(requests.map((one) => [one.path, one])),
    ...overrides,
  })
}

export function requestNumber(number: number, overrides: Partial<DeployRequest> = {}): DeployRequest {
  return deployRequest({ path: `requests/shop/prod/r${number}.yaml`, blob: blobId(String(number % 10).repeat(40)), ...overrides })
}

export function jobFor(request: DeployRequest, overrides: Partial<Job> = {}): Job {
  return {
    id: jobIdFor('acme', request.path),
    seq: Number(/\d+/.exec(request.path)?.[0] ?? 1),
    requestPath: request.path,
    requestBlob: request.blob,
    acceptedCommit: HEAD,
    project: request.project,
    environment: request.environment,
    key: request.key,
    type: request.type,
    ref: request.ref,
    pin: null,
    requestReason: request.reason,
    requester: null,
    pullRequest: null,
    status: 'queued',
    reason: reasonOf('check_unavailable', 'accepted', NOW - MINUTE_MS),
    gates: [],
    approvals: [],
    attempt: 0,
    version: 1,
    forced: false,
    createdAt: NOW - MINUTE_MS,
    startedAt: null,
    endedAt: null,
    cancelRequestedAt: null,
    ...overrides,
  }
}

export function runFor(job: Job, overrides: Partial<Run> = {}): Run {
  return {
    jobId: job.id,
    attempt: job.attempt,
    fence: 1,
    state: 'started',
    provider: 'github',
    repoFullName: 'acme/shop',
    selector: 'deploy.yaml',
    externalId: '900',
    externalAttempt: 1,
    url: null,
    outcome: null,
    detail: null,
    intendedAt: NOW - MINUTE_MS,
    sendDeadline: NOW - MINUTE_MS + 15 * SECOND_MS,
    startedAt: NOW - MINUTE_MS,
    observedAt: NOW - MINUTE_MS,
    endedAt: null,
    retryAt: null,
    claimedAt: null,
    checkedOutSha: null,
    connection: null,
    ...overrides,
  }
}

/** Alice's merged pull request, without reviews. */
export function pull(overrides: Partial<PullRequestFacts> = {}): PullRequestFacts {
  return {
    number: 7,
    url: 'https://forge.test/acme/config/pull/7',
    title: 'Deploy',
    author: { provider: 'github', login: 'alice', id: accountIdOf('alice'), kind: 'user' },
    state: 'merged',
    draft: false,
    baseRef: 'main',
    headSha: commitSha('d'.repeat(40)),
    mergeCommit: HEAD,
    mergedAt: NOW - MINUTE_MS,
    createdAt: NOW - HOUR_MS,
    updatedAt: NOW - MINUTE_MS,
    fromFork: false,
    commits: [],
    commitsTruncated: false,
    pushers: [],
    reviews: [],
    files: [],
    hostTime: NOW,
    ...overrides,
  }
}

function accountIdOf(login: string): string {
  return [...login].map((letter) => letter.charCodeAt(0)).join('')
}

export function evidence(overrides: Partial<Evidence> = {}): Evidence {
  return {
    origin: known({ kind: 'pull_request', facts: pull(), content: { blobAt: new Map() }, changesRules: false }),
    ref: resolved(),
    ci: ciEvidence(),
    shown: null,
    past: null,
    at: NOW,
    drift: 0,
    lookedAt: NOW,
    ...overrides,
  }
}

export function observed(jobs: readonly Job[], overrides: Partial<Observed> = {}): Observed {
  return {
    config: { head: HEAD, rulesCommit: HEAD, bootstrapCommit: HEAD, repositoryId: 'acme', acceptedAt: NOW, frozen: null },
    configProvider: 'github',
    configBranch: 'main',
    jobs,
    runs: new Map(),
    locks: new Map(),
    evidence: new Map(jobs.map((job) => [job.id, evidence()])),
    tickStartedAt: NOW,
    nudged: new Set(),
    successes: new Map(),
    inFlight: new Set(),
    unanswered: new Set(),
    ...overrides,
  }
}

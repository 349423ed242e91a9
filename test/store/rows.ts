import type { AuditEvent } from '../../controller/audit/event.ts'
import type { Callback, LogLine } from '../../controller/jobs/callback.ts'
import type { Job, Run } from '../../controller/jobs/job.ts'
import type { ConfigState, OutboxMessage, PullRow } from '../../controller/jobs/state-store.ts'
import { type BlobId, type CommitSha, environmentKey, type JobId, type SubjectDigest } from '../../controller/model/names.ts'
import type { Delivery } from '../../controller/webhooks/inbox.ts'

/* Whole rows for tests that care about one field of them. */

/** A moment that does not fit 32 bits, as all real ones. */
export const T0 = 1_763_722_800_123
export const SHA = 'a'.repeat(40) as CommitSha
export const BLOB = 'b'.repeat(40) as BlobId
export const jobId = (name: string) => name as JobId

export function aJob(name: string, change: Partial<Job> = {}): Omit<Job, 'seq' | 'version'> {
  const project = change.project ?? 'shop'
  const environment = change.environment ?? 'prod'
  return {
    id: jobId(name),
    requestPath: `requests/${project}/${environment}/${name}.yaml`,
    requestBlob: BLOB,
    acceptedCommit: SHA,
    project,
    environment,
    key: environmentKey(project, environment),
    type: 'deploy',
    ref: { type: 'tag', name: 'v1.4.2' },
    pin: { digest: 'd'.repeat(64) as SubjectDigest, sha: SHA, since: T0 },
    requestReason: 'November release — “quoted”\nand a second line',
    requester: 'alice',
    pullRequest: { number: 12, url: 'https://forge.test/pull/12' },
    status: 'queued',
    reason: {
      code: 'lock_held',
      text: 'waits',
      since: T0,
      until: null,
      waitingFor: [{ kind: 'lock', ref: 'x', done: false }],
      action: null,
    },
    gates: [{ gate: 'ref', verdict: 'allow', reason: null, saw: 'tag v1.4.2', wanted: 'a tag', forced: false }],
    approvals: [],
    attempt: 0,
    forced: false,
    createdAt: T0,
    startedAt: null,
    endedAt: null,
    cancelRequestedAt: null,
    ...change,
  }
}

export function aRun(job: string, attempt = 1): Run {
  return {
    jobId: jobId(job),
    attempt,
    fence: 1,
    state: 'intended',
    provider: 'github',
    repoFullName: 'acme/shop',
    selector: 'deploy.yaml',
    externalId: null,
    externalAttempt: null,
    url: null,
    outcome: null,
    detail: null,
    intendedAt: T0,
    sendDeadline: T0 + 10_000,
    startedAt: null,
    observedAt: null,
    endedAt: null,
    retryAt: null,
    claimedAt: null,
    checkedOutSha: null,
    connection: {
      integration: {
        apiUrl: 'https://forge.test/api',
        defaultBranch: 'main',
        credentialRef: 'env:TOKEN',
        callbacks: true,
        code: { provider: 'gitea', apiUrl: null, credentialRef: null },
      },
      workflowRef: null,
      maxRunMs: 3_600_000,
    },
  }
}

export function aCallback(job: string, change: Partial<Callback> = {}): Callback {
  const said = { claimedBy: null, heardAt: null, result: null, detail: null, refusals: 0 }
  return { jobId: jobId(job), attempt: 1, fence: 1, tokenHash: 'e'.repeat(64), createdAt: T0, ...said, ...change }
}

export function aLine(job: string, seq: number, change: Partial<LogLine> = {}): LogLine {
  return { jobId: jobId(job), seq, attempt: 1, at: T0 + seq, stream: 'stdout', text: `line ${seq}`, ...change }
}

export function anEvent(change: Partial<AuditEvent> = {}): AuditEvent {
  const data = { from: 'queued', to: 'running', why: { code: 'ready' } }
  return {
    at: T0,
    action: 'status_changed',
    actor: 'controller',
    jobId: null,
    environment: 'shop/prod',
    commit: SHA,
    data,
    ...change,
  }
}

export function aPull(number: number, change: Partial<PullRow> = {}): PullRow {
  const pin = { digest: 'd'.repeat(64) as SubjectDigest, sha: SHA, since: T0 }
  const pins = new Map([['requests/shop/prod/a.yaml', { pin, blob: BLOB }]])
  return { number, headSha: SHA, baseRef: 'main', state: 'open', updatedAt: T0, pins, ...change }
}

export function aConfig(change: Partial<ConfigState> = {}): ConfigState {
  return { head: SHA, rulesCommit: SHA, acceptedAt: T0, bootstrapCommit: SHA, repositoryId: 'acme', frozen: null, ...change }
}

export function aMessage(text: string, key = 'comment:12'): OutboxMessage {
  return { key, channel: 'comment', body: { pullRequest: 12, body: text } }
}

export function aDelivery(deliveryId: string, change: Partial<Delivery> = {}): Delivery {
  return {
    integration: 'shop',
    deliveryId,
    event: 'push',
    receivedAt: T0,
    nudge: { kind: 'pull_request', number: 12 },
    ...change,
  }
}

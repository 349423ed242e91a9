import { createHash } from 'node:crypto'
import type { DismissalCode, TalliedReview } from '../../controller/approvals/tally.ts'
import type { AuditAction, AuditRow } from '../../controller/audit/event.ts'
import { type Clock, DAY_MS, HOUR_MS, type Instant, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { LogLine } from '../../controller/jobs/callback.ts'
import { isTerminal, JOB_STATUSES, type Job, type JobStatus, type Lock, lockKey, type Run } from '../../controller/jobs/job.ts'
import type { ConfigState } from '../../controller/jobs/state-store.ts'
import type {
  DeployWindow,
  DesiredState,
  Environment,
  Pattern,
  Policy,
  Project,
  Ref,
} from '../../controller/model/desired-state.ts'
import type { Finding, Place } from '../../controller/model/finding.ts'
import { blobId, commitSha, environmentKey, type JobId, personId, type SubjectDigest } from '../../controller/model/names.ts'
import type { Reason, ReasonCode } from '../../controller/model/reason.ts'
import { GATES, type GateResult } from '../../controller/policy/decision.ts'
import type { EnvironmentView, Leader, LiveView, LoopHealth, StoreViews } from '../../controller/status-page/views.ts'

/** Saturday: the production window is closed until Monday morning. */
export const NOW: Instant = Date.parse('2026-11-21T11:30:12Z')
const MONDAY: Instant = Date.parse('2026-11-23T08:00:00Z')

/** A whole installation in memory; a test changes what it is about and leaves the rest. */
export interface World {
  desired: DesiredState | null
  health: LoopHealth
  leader?: Leader
  jobs: Job[]
  runs: Run[]
  locks: Lock[]
  audit: AuditRow[]
  lines: LogLine[]
  config: ConfigState | null
  probe: () => Promise<void>
}

export function emptyWorld(): World {
  return {
    desired: null,
    health: health(),
    jobs: [],
    runs: [],
    locks: [],
    audit: [],
    lines: [],
    config: null,
    probe: async () => {},
  }
}

export function fixedClock(now: Instant = NOW): Clock {
  // Sleeping ends only by abort: a test that waits for a time-out brings its own clock.
  return {
    now: () => now,
    elapsed: () => 0,
    sleep: (_ms, signal) => new Promise((resolve) => signal?.addEventListener('abort', () => resolve())),
  }
}

export function liveOf(world: World): LiveView {
  return { desired: () => world.desired, health: () => world.health, leader: () => world.leader ?? null }
}

/** The read ports over plain arrays, with the orders and limits that the contract asks for. */
export function viewsOf(world: World): StoreViews {
  const newestFirst = () => world.jobs.toSorted((a, b) => b.seq - a.seq)
  return {
    async environments() {
      const keys = [...new Set(world.jobs.map((job) => job.key))]
      return keys.map((key): EnvironmentView => {
        const here = newestFirst().filter((job) => job.key === key)
        return {
          key,
          current: here.find((job) => job.status === 'success' && job.type !== 'dry_run') ?? null,
          last: here.find((job) => isTerminal(job.status)) ?? null,
          open: here.filter((job) => !isTerminal(job.status)).reverse(),
          lock: world.locks.find((lock) => lock.key === lockKey(key)) ?? null,
        }
      })
    },
    async jobs(filter) {
      const wanted = newestFirst().filter(
        (job) =>
          (filter.project === undefined || job.project === filter.project) &&
          (filter.environment === undefined || job.environment === filter.environment) &&
          (filter.status === undefined || job.status === filter.status) &&
          (filter.beforeSeq === undefined || job.seq < filter.beforeSeq),
      )
      return wanted.slice(0, filter.limit)
    },
    async job(id) {
      const job = world.jobs.find((one) => one.id === id)
      if (!job) return null
      return {
        job,
        runs: world.runs.filter((run) => run.jobId === id),
        audit: world.audit.filter((row) => row.jobId === id),
        lines: world.lines.filter((line) => line.jobId === id),
      }
    },
    async audit({ beforeSeq, limit }) {
      const rows = world.audit.toSorted((a, b) => b.seq - a.seq)
      return rows.filter((row) => beforeSeq === undefined || row.seq < beforeSeq).slice(0, limit)
    },
    config: async () => world.config,
    async counts() {
      const count = (status: JobStatus) => world.jobs.filter((job) => job.status === status).length
      return {
        jobsByStatus: Object.fromEntries(JOB_STATUSES.map((status) => [status, count(status)])) as Record<JobStatus, number>,
        locks: world.locks.length,
        inboxPending: 1,
        outboxPending: 2,
        deliveries: 1284,
      }
    },
    probe: () => world.probe(),
  }
}

export function health(change: Partial<LoopHealth> = {}): LoopHealth {
  return {
    startedAt: NOW - 3 * DAY_MS,
    lastTickAt: NOW - 4 * SECOND_MS,
    lastTickMs: 143,
    sourceSeenAt: NOW - 12 * SECOND_MS,
    sourceError: null,
    lastWebhookAt: NOW - 95 * SECOND_MS,
    pollMs: 15 * SECOND_MS,
    error: null,
    version: '0.1.0',
    ...change,
  }
}

export function sha(seed: string): ReturnType<typeof commitSha> {
  return commitSha(createHash('sha1').update(seed).digest('hex'))
}

function place(file: string, line = 1, column = 1, endColumn = column + 4): Place {
  return { file, line, column, endColumn }
}

function pattern(source: string): Pattern {
  return { source, place: place('policies/x.yaml'), matches: (text) => text === source }
}

function policy(name: string, change: Partial<Policy>): Policy {
  return {
    name,
    allowedRefTypes: ['branch'],
    allowedBranches: [pattern('main'), pattern('release/.*')],
    allowedTags: [],
    requireApproval: false,
    approvalsRequired: 0,
    requireCiSuccess: true,
    allowRollback: true,
    allowForceDeploy: false,
    window: null,
    approvalValidMs: 14 * DAY_MS,
    rollbackToAnyCommit: false,
    rollbackIgnoresWindow: true,
    canonical: '{}',
    places: new Map(),
    place: place(`policies/${name}.yaml`),
    ...change,
  }
}

const officeHours: DeployWindow = {
  tz: 'Europe/Rome',
  days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri'],
  fromMinute: 9 * 60,
  toMinute: 19 * 60,
  place: place('policies/prod.yaml'),
}

const POLICIES = {
  stage: policy('stage', { allowedBranches: [pattern('develop'), pattern('feature/.*'), pattern('bugfix/.*')] }),
  demo: policy('demo', { requireApproval: true, approvalsRequired: 1 }),
  prod: policy('prod', {
    allowedRefTypes: ['tag'],
    allowedTags: [pattern('v\\d+\\.\\d+\\.\\d+')],
    requireApproval: true,
    approvalsRequired: 2,
    window: officeHours,
  }),
} as const

export function project(name: string, description: string, change: Partial<Project> = {}): Project {
  return {
    name,
    description,
    active: true,
    owner: 'web-team',
    integration: {
      provider: 'github',
      apiUrl: null,
      repoFullName: `acme/${name}`,
      defaultBranch: 'main',
      pipelines: new Map(),
      credentialRef: 'env:TOKEN_OF_THE_SHOP',
      webhookSecretRef: null,
      callbacks: false,
      code: null,
      ci: { requiredChecks: [], apps: [] },
    },
    place: place(`projects/${name}/project.yaml`),
    ...change,
  }
}

export function environment(projectName: string, name: string, change: Partial<Environment> = {}): Environment {
  return {
    key: environmentKey(projectName, name),
    project: projectName,
    name,
    policy: name === 'prod' ? POLICIES.prod : name === 'demo' ? POLICIES.demo : POLICIES.stage,
    enabled: true,
    lockStrategy: 'exclusive',
    maxRunMs: HOUR_MS,
    promoteFrom: name === 'prod' ? 'demo' : name === 'demo' ? 'stage' : null,
    url: name === 'prod' ? `https://${projectName}.acme.example` : null,
    canonical: '{}',
    place: place(`projects/${projectName}/environments/${name}.yaml`),
    ...change,
  }
}

const PEOPLE = { alice: 'Alice Rossi', bob: 'Bob Mensah', carol: 'Carol Ito', dan: 'Dan Weber', erin: 'Erin Okafor' } as const

export function desiredState(change: Partial<DesiredState> = {}): DesiredState {
  const projects = [
    project('billing', 'Invoices and payment runs'),
    project('docs-site', 'Handbook and public documentation'),
    project('mobile-api', 'The API behind both apps'),
    project('search', 'Product search and its index'),
    project('shop', 'The web shop'),
  ]
  const environments = [
    ...['billing', 'mobile-api', 'shop'].flatMap((name) => ['prod', 'stage', 'demo'].map((env) => environment(name, env))),
    environment('docs-site', 'prod', { promoteFrom: null }),
    environment('search', 'stage'),
    environment('search', 'prod', { promoteFrom: 'stage', enabled: false }),
  ]
  return {
    commit: sha('config'),
    repository: { id: 'acme-config', title: 'Acme deploys', approvalExpiryMs: 7 * DAY_MS, queueExpiryMs: 7 * DAY_MS },
    people: new Map(
      Object.entries(PEOPLE).map(([id, name]) => [
        personId(id),
        { id: personId(id), name, accounts: new Map(), emails: [`${id}@acme.example`] },
      ]),
    ),
    bindings: [
      { role: 'operator', people: Object.keys(PEOPLE).map(personId), projects: null, environments: null },
      { role: 'approver', people: ['bob', 'carol', 'dan'].map(personId), projects: null, environments: ['prod', 'demo'] },
    ],
    projects: new Map(projects.map((one) => [one.name, one])),
    unusableProjects: new Set(),
    environments: new Map(environments.map((one) => [one.key, one])),
    unusableEnvironments: new Map([[environmentKey('search', 'demo'), [FINDINGS[1]!]]]),
    freezes: [],
    holds: [
      {
        name: 'billing-prod',
        reason: 'Month-end run in progress, ask Erin',
        untilAt: null,
        scope: { projects: ['billing'], environments: ['prod'] },
        place: place('holds/billing-prod.yaml'),
      },
    ],
    requests: new Map(),
    unusableRequests: new Map(),
    findings: FINDINGS,
    closed: [],
    ...change,
  }
}

const FINDINGS: readonly Finding[] = [
  {
    code: 'DRV1203',
    severity: 'error',
    message: '“v1.2” does not match the tags this policy allows',
    place: { file: 'requests/mobile-api/prod/2026-11-21-release.yaml', line: 5, column: 8, endColumn: 12 },
    excerpt: '  tag: v1.2',
    allowed: 'v\\d+\\.\\d+\\.\\d+',
    related: { label: 'allowed by', place: place('policies/prod.yaml', 4, 3) },
    help: 'Name a full version, such as v1.2.0.',
  },
  {
    code: 'DRV1104',
    severity: 'error',
    message: 'policy “demoo” does not exist',
    place: { file: 'projects/search/environments/demo.yaml', line: 4, column: 9, endColumn: 14 },
    excerpt: 'policy: demoo',
    allowed: 'demo, prod, stage',
    related: null,
    help: 'Did you mean demo?',
  },
  {
    code: 'DRV1310',
    severity: 'warning',
    message: 'erin has no account at github, so her reviews cannot be recognised',
    place: { file: 'access.yaml', line: 18, column: 5, endColumn: 9 },
    excerpt: '    erin:   # erin@acme.example',
    allowed: null,
    related: null,
    help: null,
  },
]

export function reason(code: ReasonCode, text: string, change: Partial<Reason> = {}): Reason {
  return { code, text, since: NOW - 20 * MINUTE_MS, until: null, waitingFor: [], action: null, ...change }
}

/** Gates in order: all allow up to `stopAt`, which says `verdict`; those behind it were asked too and allow. */
function gates(stopAt: GateResult['gate'] | null, verdict: 'wait' | 'deny', why: Reason): GateResult[] {
  const seen: Record<GateResult['gate'], [saw: string, wanted: string]> = {
    request: ['a valid deploy request', 'a valid request'],
    role: ['Alice Rossi, operator here', 'operator or admin'],
    ref: ['tag v1.4.2 at 5f1c9a3e', 'tags matching v\\d+\\.\\d+\\.\\d+'],
    order: ['succeeded in demo 2 h ago', 'the same commit succeeded in demo'],
    ci: ['build, test and lint are green', 'every required check is green'],
    approval: ['2 of 2: Bob Mensah, Carol Ito', '2 approvers'],
    window: ['Sat 12:30 Europe/Rome', 'Mon–Fri 09:00–19:00 Europe/Rome'],
    freeze: ['none in force', 'no freeze and no hold'],
    lock: ['free', 'the lock, first in line'],
  }
  if (stopAt === 'approval') seen.approval = ['1 of 2: Bob Mensah', '2 approvers']
  if (stopAt === 'lock') seen.lock = ['held by another job for 3 min', 'the lock, first in line']
  if (stopAt === 'ci') seen.ci = ['“integration” failed', 'every required check is green']
  return GATES.map((gate) => {
    const [saw, wanted] = seen[gate]
    const stops = gate === stopAt
    return { gate, verdict: stops ? verdict : 'allow', reason: stops ? why : null, saw, wanted, forced: false }
  })
}

function review(person: keyof typeof PEOPLE, why: DismissalCode | null, text: string, agoMs: Instant): TalliedReview {
  return {
    reviewId: `r-${person}`,
    account: `github:${person}`,
    person: personId(person),
    state: why === 'changes_requested' ? 'changes_requested' : 'approved',
    counted: why === null,
    why,
    text,
    submittedAt: NOW - agoMs,
    url: `https://github.example/acme/config/pull/41#review-${person}`,
  }
}

export function job(seq: number, where: string, name: string, status: JobStatus, change: Partial<Job> = {}): Job {
  const [projectName = '', environmentName = ''] = where.split('/')
  const ended = isTerminal(status)
  const type: Ref['type'] = /^v\d/.test(name) ? 'tag' : 'branch'
  const createdAt = NOW - (60 - seq) * 97 * MINUTE_MS
  const why = change.reason ?? reason(ended ? 'run_succeeded' : 'ready', ended ? 'The run succeeded.' : 'Ready to start.')
  return {
    id: jobIdOf(seq),
    seq,
    requestPath: `requests/${where}/2026-11-${String(10 + (seq % 12)).padStart(2, '0')}-${name.replaceAll('/', '-')}.yaml`,
    requestBlob: blobId(sha(`blob ${seq}`)),
    acceptedCommit: sha(`commit ${seq}`),
    project: projectName,
    environment: environmentName,
    key: environmentKey(projectName, environmentName),
    type: 'deploy',
    ref: { type, name },
    pin: { digest: `digest-${seq}` as SubjectDigest, sha: sha(name), since: createdAt },
    requestReason: 'November release',
    requester: 'alice',
    pullRequest: { number: 30 + seq, url: `https://github.example/acme/config/pull/${30 + seq}` },
    status,
    reason: why,
    gates: gates(null, 'wait', why),
    approvals: [],
    attempt: status === 'running' || ended ? 1 : 0,
    version: 3,
    forced: false,
    createdAt,
    startedAt: status === 'running' ? NOW - 3 * MINUTE_MS : ended ? createdAt + 4 * MINUTE_MS : null,
    endedAt: ended ? createdAt + 10 * MINUTE_MS : null,
    cancelRequestedAt: null,
    ...change,
  }
}

export function jobIdOf(seq: number): JobId {
  const hex = createHash('sha1').update(`job ${seq}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}` as JobId
}

/** Five projects in every state a reader can meet. */
export function richWorld(): World {
  const windowClosed = reason(
    'window_closed',
    'The deploy window of shop/prod is closed; it opens Mon 2026-11-23 09:00 Europe/Rome.',
    {
      until: MONDAY,
      since: NOW - 5 * HOUR_MS,
      waitingFor: [{ kind: 'time', ref: '2026-11-23T08:00:00.000Z', done: false }],
      action: { text: 'Nothing: it starts by itself when the window opens.', command: null, url: null },
    },
  )
  const oneMissing = reason('approval_missing', '1 of 2 approvals: Bob Mensah approved, one more approver is needed.', {
    since: NOW - 50 * MINUTE_MS,
    until: NOW + 6 * DAY_MS,
    waitingFor: [
      { kind: 'person', ref: 'bob', done: true },
      { kind: 'person', ref: 'carol', done: false },
      { kind: 'person', ref: 'dan', done: false },
    ],
    action: {
      text: 'Ask Carol Ito or Dan Weber to review the pull request.',
      command: null,
      url: 'https://github.example/acme/config/pull/86',
    },
  })
  const lockHeld = reason('lock_held', 'Second in line behind mobile-api v2.9.1, which started 3 min ago.', {
    since: NOW - 2 * MINUTE_MS,
    waitingFor: [{ kind: 'lock', ref: 'environment:mobile-api/demo', done: false }],
  })
  const running = reason('run_active', 'The pipeline is running for 3 min; runs here took 6 min on average.', {
    since: NOW - 3 * MINUTE_MS,
  })
  const failed = reason('run_failed', 'The pipeline failed at step “migrate database”.', {
    since: NOW - 2 * HOUR_MS,
    action: {
      text: 'Read the log of the run, then add a new request.',
      command: 'draven request mobile-api prod --tag v2.9.2',
      url: 'https://github.example/acme/mobile-api/actions/runs/8812',
    },
  })
  const ciFailed = reason('ci_failed', 'CI failed on 9ad31c02: “integration” is red.', {
    since: NOW - 35 * MINUTE_MS,
    waitingFor: [{ kind: 'ci', ref: 'integration', done: false }],
    action: {
      text: 'Mend the check or request another commit.',
      command: null,
      url: 'https://github.example/acme/shop/actions/runs/9001',
    },
  })
  const jobs = [
    job(1, 'shop/stage', 'develop', 'success', { requester: 'dan' }),
    job(2, 'shop/demo', 'main', 'success'),
    job(3, 'shop/prod', 'v1.4.0', 'success', { requestReason: 'October release' }),
    job(4, 'billing/stage', 'develop', 'success', { requester: 'erin' }),
    job(5, 'billing/demo', 'release/2026.11', 'success'),
    job(6, 'billing/prod', 'v7.2.0', 'success', { requester: 'erin', requestReason: 'VAT rules for 2027' }),
    job(7, 'mobile-api/stage', 'develop', 'success', { requester: 'bob' }),
    job(8, 'mobile-api/demo', 'main', 'success'),
    job(9, 'mobile-api/prod', 'v2.9.0', 'success', { requester: 'carol' }),
    job(10, 'docs-site/prod', 'v3.1.4', 'success', {
      requester: 'github:docs-robot',
      type: 'rollback',
      requestReason: 'The new navigation lost its anchors',
    }),
    job(11, 'search/stage', 'feature/synonyms', 'success', { requester: 'dan' }),
    job(12, 'shop/prod', 'v1.4.1', 'success', { approvals: APPROVED }),
    job(13, 'shop/demo', 'release/1.4', 'canceled', { reason: reason('request_deleted', 'Its request file was deleted.') }),
    job(14, 'billing/demo', 'release/2026.12', 'expired', {
      reason: reason('approval_expired', 'Nobody approved it within 7 days.'),
    }),
    job(15, 'search/stage', 'develop', 'success', { type: 'dry_run', requester: 'dan' }),
    job(50, 'mobile-api/prod', 'v2.9.1', 'failed', { reason: failed, endedAt: NOW - 2 * HOUR_MS, attempt: 2 }),
    job(51, 'shop/stage', 'feature/one-page-checkout', 'queued', {
      reason: ciFailed,
      gates: gates('ci', 'wait', ciFailed),
      requester: 'dan',
    }),
    job(52, 'shop/prod', 'v1.4.2', 'queued', {
      reason: windowClosed,
      gates: gates('window', 'wait', windowClosed),
      approvals: APPROVED,
    }),
    job(53, 'mobile-api/demo', 'release/2.9', 'running', { reason: running, requester: 'carol', pin: pinOf('v2.9.1') }),
    job(54, 'mobile-api/demo', 'main', 'queued', { reason: lockHeld, gates: gates('lock', 'wait', lockHeld), requester: 'bob' }),
    job(55, 'shop/prod', 'v1.4.3', 'queued', {
      reason: reason('queue_position', 'Behind v1.4.2 in the queue.', { since: NOW - HOUR_MS }),
      requester: 'bob',
    }),
    job(56, 'billing/prod', 'v7.3.0', 'waiting_approval', {
      reason: oneMissing,
      gates: gates('approval', 'wait', oneMissing),
      approvals: MIXED,
      requestReason: 'Pay-by-link for invoices',
    }),
    job(57, 'docs-site/prod', 'v3.2.0', 'running', {
      reason: reason('trigger_outcome_unknown', 'The trigger got no answer; looking for a run with this job id.', {
        since: NOW - MINUTE_MS,
      }),
      forced: true,
      requester: 'erin',
    }),
  ]
  return {
    desired: desiredState(),
    health: health(),
    jobs,
    runs: runsOf(jobs),
    locks: [lockOf(53, 'mobile-api/demo', 3), lockOf(57, 'docs-site/prod', 2)],
    audit: auditOf(jobs),
    lines: linesOf(jobs),
    config: {
      bootstrapCommit: sha('first'),
      repositoryId: 'acme',
      head: sha('config'),
      rulesCommit: sha('config'),
      acceptedAt: NOW - 50 * MINUTE_MS,
      frozen: null,
    },
    probe: async () => {},
  }
}

/** What the run that is under way has said so far. */
function linesOf(jobs: readonly Job[]): LogLine[] {
  const job = jobs.find((one) => one.status === 'running' && one.reason.code === 'run_active')
  if (job === undefined) return []
  const said: [LogLine['stream'], string][] = [
    ['event', 'deploying the release'],
    ['stdout', '[shop-1] info deploying v1.4.2'],
    ['stderr', '[shop-1] warning: 2 old releases kept'],
  ]
  return said.map(([stream, text], index) => ({
    jobId: job.id,
    seq: index + 1,
    attempt: 1,
    at: NOW - (30 - index) * SECOND_MS,
    stream,
    text,
  }))
}

const APPROVED: readonly TalliedReview[] = [
  review('bob', null, 'Bob Mensah approved exactly this content.', 26 * HOUR_MS),
  review('carol', null, 'Carol Ito approved exactly this content.', 7 * HOUR_MS),
]

const MIXED: readonly TalliedReview[] = [
  review('bob', null, 'Bob Mensah approved exactly this content.', 40 * MINUTE_MS),
  review('alice', 'author', 'Alice Rossi wrote this change, so her approval does not count.', 45 * MINUTE_MS),
  review('erin', 'not_in_role', 'Erin Okafor is not an approver for billing/prod.', 30 * MINUTE_MS),
  review('carol', 'stale_subject', 'Carol Ito approved before the ref was changed to v7.3.0.', 3 * HOUR_MS),
]

function pinOf(name: string): Job['pin'] {
  return { digest: `digest-${name}` as SubjectDigest, sha: sha(name), since: NOW - HOUR_MS }
}

function lockOf(seq: number, where: string, minutes: number): Lock {
  const [projectName = '', name = ''] = where.split('/')
  return {
    key: lockKey(environmentKey(projectName, name)),
    jobId: jobIdOf(seq),
    fence: 40 + seq,
    acquiredAt: NOW - minutes * MINUTE_MS,
  }
}

function runsOf(jobs: readonly Job[]): Run[] {
  return jobs.flatMap((one) =>
    Array.from({ length: one.attempt }, (_, index): Run => {
      const attempt = index + 1
      const last = attempt === one.attempt
      const unknown = one.reason.code === 'trigger_outcome_unknown'
      const intendedAt = (one.startedAt ?? one.createdAt) + index * MINUTE_MS
      return {
        jobId: one.id,
        attempt,
        fence: 40 + one.seq,
        state: !last ? 'refused' : one.endedAt === null ? (unknown ? 'unknown' : 'started') : 'ended',
        provider: 'github',
        repoFullName: `acme/${one.project}`,
        selector: 'deploy.yaml',
        externalId: unknown ? null : `${8000 + one.seq}`,
        externalAttempt: 1,
        url: unknown ? null : `https://github.example/acme/${one.project}/actions/runs/${8000 + one.seq}`,
        outcome: !last ? 'refused' : one.endedAt === null ? null : one.status === 'success' ? 'success' : 'failed',
        detail: last ? null : 'The provider answered 503: try again later.',
        intendedAt,
        sendDeadline: intendedAt + MINUTE_MS,
        startedAt: last && !unknown ? intendedAt + 2 * SECOND_MS : null,
        observedAt: NOW - 5 * SECOND_MS,
        endedAt: one.endedAt,
        retryAt: null,
        claimedAt: null,
        checkedOutSha: null,
        connection: null,
      }
    }),
  )
}

/** The story of each job as the engine writes it down. Hashes only look like a chain: verifying it is not this room's work. */
function auditOf(jobs: readonly Job[]): AuditRow[] {
  const told = jobs.flatMap((one) => {
    const row = (at: Instant, action: AuditAction, data: AuditRow['data'] = {}, actor = 'controller') => ({
      at,
      action,
      data,
      actor,
      one,
    })
    const { createdAt, startedAt, endedAt } = one
    return [
      row(
        createdAt,
        'request_accepted',
        { path: one.requestPath, type: one.type, reason: one.requestReason },
        one.requester ?? 'controller',
      ),
      row(createdAt + SECOND_MS, 'subject_pinned', { sha: one.pin?.sha ?? '' }),
      ...(one.approvals.length > 0
        ? [row(createdAt + 2 * MINUTE_MS, 'approvals_decided', { approvers: ['bob', 'carol'], needed: 2 })]
        : []),
      ...(startedAt === null
        ? []
        : [
            row(startedAt, 'lock_acquired', { fence: 40 + one.seq }),
            row(startedAt, 'trigger_intended', { attempt: 1 }),
            row(startedAt + SECOND_MS, 'status_changed', {
              from: 'queued',
              to: 'running',
              reason: 'trigger_pending',
              text: 'Every gate allows; the pipeline is being triggered.',
            }),
            row(startedAt + 2 * SECOND_MS, 'run_recorded', {
              externalId: `${8000 + one.seq}`,
              url: `https://github.example/acme/${one.project}/actions/runs/${8000 + one.seq}`,
            }),
          ]),
      ...(endedAt === null
        ? []
        : [
            row(endedAt, 'run_ended', { outcome: one.status }),
            row(endedAt, 'lock_released', { fence: 40 + one.seq }),
            row(endedAt, 'status_changed', { from: 'running', to: one.status, reason: one.reason.code, text: one.reason.text }),
          ]),
    ]
  })
  return told
    .sort((a, b) => a.at - b.at)
    .map(({ at, action, data, actor, one }, index) => ({
      seq: index + 1,
      at,
      action,
      data,
      actor,
      jobId: one.id,
      environment: one.key,
      commit: one.acceptedCommit,
      previousHash: createHash('sha256').update(`row ${index}`).digest('hex'),
      hash: createHash('sha256')
        .update(`row ${index + 1}`)
        .digest('hex'),
    }))
}

import type { TalliedReview, Tally } from '../../controller/approvals/tally.ts'
import type { Finding } from '../../controller/model/finding.ts'
import { commitSha, type JobId, personId } from '../../controller/model/names.ts'
import type { Reason, ReasonCode } from '../../controller/model/reason.ts'
import type { JobOnShow, PullReport, RequestReport } from '../../controller/notify/pull-report.ts'
import type { Decision, GateName, GateResult } from '../../controller/policy/decision.ts'

export const NOW = Date.parse('2026-11-21T12:00:00Z')
export const MONDAY = Date.parse('2026-11-23T08:00:00Z')
export const SHA = commitSha('8f3a2b1c9d0e4f5a6b7c8d9e0f1a2b3c4d5e6f70')
export const OLD_SHA = commitSha('11112222333344445555666677778888aaaabbbb')
export const JOB = '6f1d2c3b-1111-5222-8333-444455556666' as JobId
export const OTHER_JOB = '0a0b0c0d-2222-5333-8444-555566667777' as JobId

export function report(change: Partial<PullReport> = {}): PullReport {
  return {
    number: 12,
    headSha: commitSha('c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'),
    findings: [],
    truncated: 0,
    rulesChanged: false,
    requests: [request()],
    statusUrl: 'https://draven.example',
    asOf: NOW,
    ...change,
  }
}

/** A deploy of v1.4.2 to shop/prod that every gate allows, before the merge. */
export function request(change: Partial<RequestReport> = {}): RequestReport {
  return {
    path: 'requests/shop/prod/2026-11-21-v1.4.2.yaml',
    project: 'shop',
    environment: 'prod',
    type: 'deploy',
    ref: { type: 'tag', name: 'v1.4.2' },
    sha: SHA,
    from: { ref: { type: 'tag', name: 'v1.4.1' }, sha: OLD_SHA },
    policy: 'prod',
    timeZone: 'Europe/Rome',
    decision: decided(),
    tally: null,
    reason: null,
    job: null,
    run: null,
    queue: null,
    ...change,
  }
}

const SIGHTS: Record<GateName, [saw: string, wanted: string]> = {
  request: ['shop/prod exists and is enabled', 'a usable project and environment'],
  role: ['alice is operator', 'operator or higher'],
  ref: ['tag v1.4.2', 'tag v\\d+\\.\\d+\\.\\d+'],
  order: ['no order', 'no earlier environment'],
  ci: ['build success, test success', 'build and test green by github-actions'],
  approval: ['2 approvals (bob and carol)', '2 approvals'],
  window: ['open', 'Mon–Fri 09:00–19:00 Europe/Rome'],
  freeze: ['none', 'no freeze and no hold'],
  lock: ['free', 'a free lock and nobody ahead'],
}

/** All gates allow but those named. */
export function decided(...others: readonly (Partial<GateResult> & { gate: GateName })[]): Decision {
  const gates = (Object.keys(SIGHTS) as GateName[]).map((gate): GateResult => {
    const [saw, wanted] = SIGHTS[gate]
    return { gate, verdict: 'allow', reason: null, saw, wanted, forced: false, ...others.find((other) => other.gate === gate) }
  })
  const holding = gates.find(({ verdict }) => verdict === 'deny') ?? gates.find(({ verdict }) => verdict === 'wait')
  return { verdict: holding?.verdict ?? 'allow', reason: holding?.reason ?? null, gates, at: NOW }
}

export function reason(code: ReasonCode, text: string, change: Partial<Reason> = {}): Reason {
  return { code, text, since: NOW, until: null, waitingFor: [], action: null, ...change }
}

export function job(status: JobOnShow['status'], why: Reason, change: Partial<JobOnShow> = {}): JobOnShow {
  const startedAt = status === 'queued' || status === 'waiting_approval' || status === 'expired' ? null : NOW
  const endedAt = startedAt === null || status === 'running' ? null : NOW + 272_000
  return {
    id: JOB,
    status,
    reason: why,
    gates: decided().gates,
    approvals: reviews(),
    startedAt,
    endedAt,
    forced: false,
    ...change,
  }
}

export function review(person: string, change: Partial<TalliedReview> = {}): TalliedReview {
  return {
    reviewId: `review-${person}`,
    account: `github:${person}`,
    person: personId(person),
    state: 'approved',
    counted: true,
    why: null,
    text: `${person} approved`,
    submittedAt: NOW,
    url: `https://forge.example/acme/config/pull/12#pullrequestreview-${person}`,
    ...change,
  }
}

export function reviews(): readonly TalliedReview[] {
  return [review('bob'), review('carol')]
}

export function halfTally(): Tally {
  return {
    needed: 2,
    approvers: [personId('bob')],
    objectors: [],
    eligible: [personId('bob'), personId('carol'), personId('dave')],
    reviews: [
      review('bob'),
      review('alice', { counted: false, why: 'author', text: 'alice wrote this change, so her approval does not count' }),
      review('erin', { counted: false, why: 'not_in_role', text: 'erin is no approver of shop/prod' }),
      review('carol', {
        counted: false,
        why: 'stale_subject',
        text: 'carol approved another commit than the one that would run',
      }),
      review('mallory', {
        person: null,
        state: 'commented',
        counted: false,
        why: 'not_a_stance',
        text: 'a comment is no approval',
      }),
    ],
  }
}

export function finding(change: Partial<Finding> = {}): Finding {
  return {
    code: 'DRV1203',
    severity: 'error',
    message: '`v1.2` does not match the tags this policy allows',
    place: { file: 'requests/shop/prod/2026-11-21-v1.2.yaml', line: 5, column: 8, endColumn: 12 },
    excerpt: 'ref: { tag: v1.2 }',
    allowed: 'v\\d+\\.\\d+\\.\\d+|nightly',
    related: {
      label: 'allowed_tags of the policy prod',
      place: { file: 'policies/prod.yaml', line: 4, column: 3, endColumn: 15 },
    },
    help: 'did you mean v1.2.0?',
    ...change,
  }
}

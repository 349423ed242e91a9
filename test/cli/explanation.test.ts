import { expect, it } from 'vitest'
import { explanation } from '../../controller/cli/explanation.ts'
import type { EnvironmentFacts } from '../../controller/status-page/environment-facts.ts'
import type { JobFacts } from '../../controller/status-page/facts.ts'
import type { JobPageFacts } from '../../controller/status-page/job-facts.ts'

const AT = '2026-11-18T10:00:00.000Z'
const SHA = '0123456789abcdef0123456789abcdef01234567'

function job(id: string, change: Partial<JobFacts>): JobFacts {
  return {
    id,
    seq: 1,
    project: 'shop',
    environment: 'prod',
    type: 'deploy',
    status: 'queued',
    ref: { type: 'tag', name: 'v1.4.2' },
    sha: SHA,
    reason: { code: 'lock_held', text: 'Job one has the lock.', since: AT, until: null, waitingFor: [], action: null },
    requestReason: 'Release',
    requester: { id: 'alice', name: 'Alice Rossi' },
    requestPath: 'requests/shop/prod/a.yaml',
    acceptedCommit: SHA,
    pullRequest: null,
    forced: false,
    attempt: 0,
    createdAt: AT,
    startedAt: null,
    endedAt: null,
    cancelRequestedAt: null,
    ...change,
  }
}

function page(facts: JobFacts, queuePosition: number | null, change: Partial<JobPageFacts> = {}): JobPageFacts {
  const frame = FACTS.frame
  return {
    frame,
    job: facts,
    gates: [],
    approvals: [],
    runs: [],
    lines: [],
    timeline: [],
    queuePosition,
    lockFence: null,
    rollback: null,
    ...change,
  }
}

const FROZEN = {
  code: 'rules_change_unapproved',
  text: 'The rules were changed.',
  since: AT,
  until: null,
  waitingFor: [],
  action: null,
} as const
const RUNNING = job('one', {
  status: 'running',
  reason: {
    code: 'run_active',
    text: 'The pipeline runs.',
    since: AT,
    until: '2026-11-18T11:00:00.000Z',
    waitingFor: [],
    action: null,
  },
})
const ROLLBACK = job('two', { type: 'rollback', ref: null, sha: null, requester: null })

const FACTS: EnvironmentFacts = {
  frame: {
    title: 'ACME',
    at: '2026-11-18T10:03:00.000Z',
    version: '1',
    config: {
      read: true,
      head: SHA,
      seenAt: AT,
      stale: true,
      error: null,
      frozen: { ...FROZEN },
      errors: 0,
      warnings: 0,
      closedBy: [],
    },
  },
  project: 'shop',
  environment: 'prod',
  description: 'Web shop\u001b[2J',
  url: null,
  policy: 'prod',
  current: job('zero', { status: 'success', ref: { type: 'sha', name: SHA }, endedAt: '2026-11-17T10:03:00.000Z' }),
  open: [RUNNING, ROLLBACK],
  history: [],
  example: null,
  lock: { jobId: 'one', since: AT, fence: 7 },
  stop: { kind: 'hold', name: 'shop-prod', reason: 'Incident 12', until: null, zone: 'UTC' },
  closed: null,
  rules: [],
  approvers: [],
}

it('shows lock, hold, freeze, queue, run and forced gates, and lets no text of others move the cursor', async () => {
  const run = {
    attempt: 1,
    state: 'started',
    outcome: null,
    provider: 'github',
    repoFullName: 'acme/shop',
    selector: 'deploy.yml',
    externalId: '1',
    url: 'https://forge.example/runs/1',
    detail: null,
    fence: 7,
    intendedAt: AT,
    startedAt: AT,
    endedAt: null,
    claimedAt: null,
    checkedOutSha: null,
  } as const
  const gates = [{ gate: 'window', verdict: 'allow', saw: 'closed', wanted: 'Mon–Fri', forced: true, reason: null }] as const
  const text = explanation(FACTS, [page(RUNNING, null, { runs: [run], gates }), page(ROLLBACK, 1)], (_style, plain) => plain)
  expect(text).not.toContain('\u001b')
  await expect(text).toMatchFileSnapshot('../golden/cli/explanation.txt')
})

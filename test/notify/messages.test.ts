import { describe, expect, it } from 'vitest'
import type { Job, Run } from '../../controller/jobs/job.ts'
import type { Environment } from '../../controller/model/desired-state.ts'
import type { SubjectDigest } from '../../controller/model/names.ts'
import { checkRow, commentRow, deploymentMessage, deploymentRow } from '../../controller/notify/messages.ts'
import { checkMessages } from '../../controller/notify/pull-report.ts'
import { duration, when } from '../../controller/notify/when.ts'
import { JOB, NOW, reason, report, SHA } from './reports.ts'

const PROD = { name: 'prod', url: 'https://shop.example' } as Environment
const ACTIVE = reason('run_active', 'The pipeline\u202E is\nrunning.')

function deployJob(change: Partial<Job> = {}): Job {
  const pin = { digest: 'd'.repeat(64) as SubjectDigest, sha: SHA, since: NOW }
  return {
    id: JOB,
    type: 'deploy',
    status: 'running',
    reason: ACTIVE,
    ref: { type: 'tag', name: 'v1.4.2' },
    pin,
    startedAt: NOW,
    ...change,
  } as Job
}

const STARTED = { state: 'started', url: 'https://forge.example/run/42' } as Run

describe('an outbox row', () => {
  it('is one per pull request and check, per comment and per job', () => {
    const rows = checkMessages(report()).map((message) => checkRow(12, message))
    expect(rows.map(({ key, channel }) => [key, channel])).toEqual([
      ['check:12:draven/validate', 'check'],
      ['check:12:draven/gate', 'check'],
    ])
    expect(commentRow({ pullRequest: 12, body: 'x' })).toEqual({
      key: 'comment:12',
      channel: 'comment',
      body: { pullRequest: 12, body: 'x' },
    })
    const message = deploymentMessage(deployJob(), STARTED, PROD)!
    expect(deploymentRow('shop', message)).toEqual({
      key: `deployment:${JOB}`,
      channel: 'deployment',
      body: { project: 'shop', message },
    })
  })

  it('holds only what JSON can carry back unchanged', () => {
    for (const message of checkMessages(report())) {
      const { body } = checkRow(12, message)
      expect(JSON.parse(JSON.stringify(body))).toEqual(body)
    }
  })
})

describe('the mirror of a job in the Deployments list', () => {
  it('names commit, ref, environment and where to look, in plain text', () => {
    expect(deploymentMessage(deployJob(), STARTED, PROD)).toEqual({
      jobId: JOB,
      sha: SHA,
      ref: 'v1.4.2',
      environment: 'prod',
      production: true,
      state: 'in_progress',
      description: 'The pipeline is running.',
      logUrl: 'https://forge.example/run/42',
      environmentUrl: 'https://shop.example',
    })
  })

  it.each([
    ['a dry run', { type: 'dry_run' as const }],
    ['a job that never started', { startedAt: null }],
    ['a job without a pinned commit', { pin: null }],
  ])('does not exist for %s', (_name, change) => {
    expect(deploymentMessage(deployJob(change), STARTED, PROD)).toBeNull()
  })

  it.each([
    ['running, run not yet known', 'running', null, 'queued'],
    ['running', 'running', STARTED, 'in_progress'],
    ['a success', 'success', STARTED, 'success'],
    ['a failure', 'failed', STARTED, 'failure'],
    ['canceled', 'canceled', STARTED, 'inactive'],
  ] as const)('is for %s (%s) in the right state', (_name, status, run, state) => {
    expect(deploymentMessage(deployJob({ status }), run, PROD)?.state).toBe(state)
  })

  it('shows the commit where a rollback names no ref, and marks only production as such', () => {
    const message = deploymentMessage(deployJob({ type: 'rollback', ref: null }), STARTED, { ...PROD, name: 'stage' })
    expect(message).toMatchObject({ ref: SHA, production: false })
  })
})

describe('an instant', () => {
  it.each([
    ['2026-11-23T08:00:00Z', 'Europe/Rome', 'Mon 23 Nov 09:00 Europe/Rome (08:00 UTC)'],
    ['2026-07-01T08:00:00Z', 'Europe/Rome', 'Wed 1 Jul 10:00 Europe/Rome (08:00 UTC)'],
    ['2026-11-22T23:30:00Z', 'Europe/Rome', 'Mon 23 Nov 00:30 Europe/Rome (Sun 22 Nov 23:30 UTC)'],
    ['2027-01-07T08:00:00Z', 'Europe/Rome', 'Thu 7 Jan 2027 09:00 Europe/Rome (08:00 UTC)'],
    ['2026-12-31T23:30:00Z', 'Europe/Rome', 'Fri 1 Jan 2027 00:30 Europe/Rome (Thu 31 Dec 23:30 UTC)'],
    ['2026-11-23T08:00:00Z', null, 'Mon 23 Nov 08:00 UTC'],
    ['2026-11-23T08:00:00Z', 'Mars/Olympus', 'Mon 23 Nov 08:00 UTC'],
  ])('%s in %s is written %s', (iso, zone, written) => {
    expect(when(Date.parse(iso), zone, NOW)).toBe(written)
  })

  it.each([
    [400, '0 s'],
    [59_000, '59 s'],
    [272_000, '4 min'],
    [3_600_000, '1 h'],
    [4_320_000, '1 h 12 min'],
  ])('a duration of %i ms is written %s', (ms, written) => {
    expect(duration(ms)).toBe(written)
  })
})

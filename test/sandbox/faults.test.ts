import type { Octokit } from '@octokit/rest'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FaultRule, faultTable } from './faults.ts'
import type { Forge } from './forge.ts'
import { DEPLOY_INPUTS, octokitFor, sandboxClock, shop, temporaryForge } from './forge-fixture.ts'

const at = { owner: 'acme', repo: 'shop' }
const DISPATCH = 'actions/create-workflow-dispatch'

describe('faults of calls', () => {
  const clock = sandboxClock('2026-11-21T09:00:00Z')
  let forge: Forge
  let alice: Octokit
  beforeEach(async () => {
    forge = await temporaryForge({ clock, actions: 'manual' })
    await shop(forge)
    alice = octokitFor(forge, forge.token('alice'))
  })
  afterEach(() => forge.close())

  const dispatch = () =>
    alice.actions.createWorkflowDispatch({ ...at, workflow_id: 'deploy.yml', ref: 'main', inputs: DEPLOY_INPUTS })

  it.each<{ kind: FaultRule['kind']; status: number; runs: number; retryAfter?: string }>([
    { kind: 'accept_then_drop', status: 500, runs: 1 },
    { kind: 'drop_before', status: 500, runs: 0 },
    { kind: 'error_after', status: 502, runs: 1 },
    { kind: 'error_before', status: 502, runs: 0 },
    { kind: 'rate_limited', status: 429, runs: 0, retryAfter: '60' },
    { kind: 'rate_limited_bare', status: 429, runs: 0 },
    { kind: 'secondary_limited', status: 403, runs: 0 },
  ])('$kind: the caller sees $status, and $runs runs exist', async ({ kind, status, runs, retryAfter }) => {
    forge.faults.add({ on: DISPATCH, kind })
    const error = await dispatch().catch((each: unknown) => each)
    expect(error).toMatchObject({ status })
    expect((error as { response?: { headers: Record<string, string> } }).response?.headers['retry-after']).toBe(retryAfter)
    expect(forge.triggerCount('job-1')).toBe(runs)
    expect(forge.faults.count(kind)).toBe(1)
    await dispatch()
    expect(forge.triggerCount('job-1')).toBe(runs + 1)
    forge.assertClean()
  })

  it('slow: the clock moves before or after the call acts', async () => {
    const start = clock.now()
    forge.faults.add({ on: DISPATCH, kind: 'slow_before', delayMs: 5_000 })
    forge.faults.add({ on: DISPATCH, kind: 'slow_after', delayMs: 7_000 })
    await dispatch()
    await dispatch()
    expect(forge.runs('acme/shop').map((run) => run.createdAt - start)).toEqual([5_000, 5_000])
    expect(clock.now() - start).toBe(12_000)
  })

  it('stale_list: a list does not know what is young', async () => {
    await dispatch()
    clock.advance(30_000)
    await dispatch()
    forge.faults.add({ on: 'actions/list-workflow-runs', kind: 'stale_list', youngerThanMs: 10_000 })
    const count = async () => (await alice.actions.listWorkflowRuns({ ...at, workflow_id: 'deploy.yml' })).data.total_count
    expect([await count(), await count()]).toEqual([1, 2])
  })

  it('cancel_ignored: the answer is 202 and the run goes on', async () => {
    await dispatch()
    const run_id = forge.runs('acme/shop')[0]!.id
    forge.faults.add({ on: 'actions/cancel-workflow-run', kind: 'cancel_ignored' })
    expect((await alice.actions.cancelWorkflowRun({ ...at, run_id })).status).toBe(202)
    expect(forge.runs('acme/shop')[0]).toMatchObject({ status: 'queued' })
    await alice.actions.cancelWorkflowRun({ ...at, run_id })
    expect(forge.runs('acme/shop')[0]).toMatchObject({ status: 'completed', conclusion: 'cancelled' })
  })

  it('strike git as well', async () => {
    forge.faults.add({ on: 'git/fetch', kind: 'error_before' })
    const authorization = `Basic ${Buffer.from(`x-access-token:${forge.token('alice')}`).toString('base64')}`
    const refs = () => fetch(`${forge.gitUrl('acme/shop')}/info/refs?service=git-upload-pack`, { headers: { authorization } })
    expect((await refs()).status).toBe(502)
    expect((await refs()).status).toBe(200)
  })
})

describe('the fault table', () => {
  it('uses rules up in order, skipping first and counting every strike', () => {
    const faults = faultTable(['pulls/get'])
    faults.add({ on: 'pulls/get', kind: 'error_before', skip: 1, times: 2 })
    const takeBack = faults.add({ on: '*', kind: 'drop_before', times: Number.POSITIVE_INFINITY })
    const drawn = () => faults.draw('pulls/get')?.kind ?? null
    expect([drawn(), drawn(), drawn(), drawn()]).toEqual([null, 'error_before', 'error_before', 'drop_before'])
    expect(faults.draw('hook/push')).toBeNull()
    takeBack()
    expect(drawn()).toBeNull()
    expect(Object.fromEntries(faults.hits)).toEqual({ 'pulls/get error_before': 2, 'pulls/get drop_before': 1 })
  })

  it('refuses a fault that could never strike', () => {
    const faults = faultTable(['pulls/get'])
    const wrong: FaultRule[] = [
      { on: 'pulls/get', kind: 'lost' },
      { on: 'pulls/fetch', kind: 'error_before' },
      { on: 'hook/push', kind: 'error_after' },
      { on: 'git/push', kind: 'accept_then_drop' },
      { on: '*', kind: 'stale_list' },
    ]
    for (const rule of wrong) expect(() => faults.add(rule)).toThrow('cannot strike')
  })
})

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { RefusedFault, TransientFault } from '../../controller/errors.ts'
import type { ProjectIntegration } from '../../controller/model/desired-state.ts'
import { requestFile, SHOP_PROJECT } from '../scenarios/config-files.ts'
import { type Bench, openBench } from './bench.ts'

const REQUEST = 'requests/shop/stage/2026-11-18-develop.yaml'

describe('a run at a provider that is in trouble', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await openBench()
    bench.commit({ [REQUEST]: requestFile('branch: develop') })
    await bench.tick()
    await bench.tick()
    expect(await bench.run(REQUEST)).toMatchObject({ state: 'started' })
  })
  afterEach(() => bench.close())

  /** Lets the loop run as it asks to, for so long. */
  async function runFor(durationMs: number): Promise<number> {
    const end = bench.clock.at + durationMs
    let ticks = 0
    for (; bench.clock.at < end; ticks++) bench.clock.at += Math.max(await bench.tick(), 50)
    return ticks
  }

  it('is asked about no more often than while all is well', async () => {
    bench.pipeline.calls = []
    bench.pipeline.fault = new TransientFault('502')
    const ticks = await runFor(5 * MINUTE_MS)
    expect(bench.pipeline.calls.length).toBeLessThanOrEqual(21)
    expect(bench.pipeline.calls.length).toBeGreaterThanOrEqual(10)
    expect(ticks).toBeLessThan(60)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running', reason: { code: 'provider_unreachable' } })
    expect(await bench.lockHeld()).toBe(true)
  })

  it('keeps its lock when the controller was away for longer than a run may take', async () => {
    bench.restart()
    bench.clock.at += 40 * MINUTE_MS
    await runFor(MINUTE_MS)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running', reason: { code: 'run_timed_out' } })
    expect(await bench.lockHeld()).toBe(true)
  })

  it('gives its lock up when nobody answers for as long as a run may take', async () => {
    bench.pipeline.fault = new TransientFault('502')
    await runFor(29 * MINUTE_MS)
    expect(await bench.lockHeld()).toBe(true)
    await runFor(3 * MINUTE_MS)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'failed', reason: { code: 'provider_unreachable' } })
    expect(await bench.lockHeld()).toBe(false)
  })

  it('gives its lock up in the end when it can neither be heard of nor be stopped', async () => {
    bench.pipeline.observe = async () => {
      throw new TransientFault('nothing was heard of it')
    }
    bench.pipeline.cancelFault = new RefusedFault('it cannot be stopped')
    await runFor(29 * MINUTE_MS)
    expect(await bench.lockHeld()).toBe(true)
    await runFor(35 * MINUTE_MS)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'failed', reason: { code: 'provider_unreachable' } })
    expect(await bench.lockHeld()).toBe(false)
  })

  it('keeps its lock when the provider says once that it is not there', async () => {
    await runFor(3 * MINUTE_MS)
    const { seen } = bench.pipeline
    for (let slip = 0; slip < 3; slip++) {
      bench.pipeline.seen = { ...seen, state: 'vanished' }
      await runFor(10 * SECOND_MS)
      bench.pipeline.seen = seen
      await runFor(30 * SECOND_MS)
      expect(await bench.job(REQUEST)).toMatchObject({ status: 'running' })
      expect(await bench.lockHeld()).toBe(true)
    }
  })

  it('is gone when the provider says so again a poll later', async () => {
    await runFor(3 * MINUTE_MS)
    bench.pipeline.seen = { ...bench.pipeline.seen, state: 'vanished' }
    await runFor(40 * SECOND_MS)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'failed', reason: { code: 'run_vanished' } })
    expect(await bench.lockHeld()).toBe(false)
  })

  it('is left alone for as long as the provider asks', async () => {
    bench.pipeline.calls = []
    bench.pipeline.fault = new TransientFault('rate limit', 20 * MINUTE_MS)
    await runFor(19 * MINUTE_MS)
    expect(bench.pipeline.calls).toHaveLength(1)
    bench.pipeline.fault = null
    bench.pipeline.seen = { state: 'success', externalAttempt: 1, url: null, detail: null }
    await runFor(2 * MINUTE_MS)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'success' })
    expect(await bench.lockHeld()).toBe(false)
  })

  it('is seen to have ended although the provider refuses to cancel it', async () => {
    bench.pipeline.cancelFault = new RefusedFault('403 Resource not accessible', 403)
    bench.commit({ [REQUEST]: null })
    await runFor(MINUTE_MS)
    bench.pipeline.seen = { state: 'success', externalAttempt: 1, url: null, detail: null }
    await runFor(MINUTE_MS)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'success' })
    expect(await bench.lockHeld()).toBe(false)
  })

  it('says again that it is to stop when the provider is back', async () => {
    bench.commit({ [REQUEST]: null })
    await runFor(MINUTE_MS)
    bench.pipeline.fault = new TransientFault('502')
    await runFor(MINUTE_MS)
    bench.pipeline.fault = null
    await runFor(MINUTE_MS)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running', reason: { code: 'cancel_pending' } })
  })
})

describe('a run whose project is changed while it is under way', () => {
  const PROJECT = 'projects/shop/project.yaml'
  let bench: Bench
  let asked: ProjectIntegration[]
  let workflowRefs: (string | null)[]
  beforeEach(async () => {
    bench = await openBench()
    bench.commit({ [REQUEST]: requestFile('branch: develop') })
    await bench.tick()
    await bench.tick()
    expect(await bench.run(REQUEST)).toMatchObject({ state: 'started' })
    asked = []
    workflowRefs = []
    bench.engine.connections.pipeline = ({ integration }) => {
      asked.push(integration)
      return {
        ...bench.pipeline,
        observe({ externalId, selector }) {
          workflowRefs.push(selector.workflowRef)
          return bench.pipeline.observe({ externalId, selector })
        },
      }
    }
  })
  afterEach(() => bench.close())

  async function changed(project: string): Promise<void> {
    bench.commit({ [PROJECT]: project })
    bench.clock.at += MINUTE_MS
    await bench.tick()
    expect(bench.engine.memory.desired!.projects.get('shop')).toBeDefined()
    expect(asked).not.toEqual([])
  }

  const there = { provider: 'github', apiUrl: null, repoFullName: 'acme/shop', defaultBranch: 'main', credentialRef: null }

  it.each([
    ['another default branch', SHOP_PROJECT.replace('default_branch: main', 'default_branch: trunk')],
    [
      'another branch for its definition',
      SHOP_PROJECT.replace('stage: deploy.yml', 'stage: { selector: deploy.yml, workflow_ref: trunk }'),
    ],
    ['another address', SHOP_PROJECT.replace('  repo_full', '  api_url: https://git.acme.example/api/v3\n  repo_full')],
    [
      'another repository, with a credential for that',
      SHOP_PROJECT.replace('acme/shop', 'newco/shop\n  credential_ref: env:DRAVEN_SECRET_NEWCO'),
    ],
    [
      'another provider, with a credential for that',
      SHOP_PROJECT.replace(
        'provider: github',
        'provider: jenkins\n  api_url: https://ci.acme.example\n  credential_ref: env:DRAVEN_SECRET_CI',
      )
        .replaceAll(': deploy.yml', ': shop-deploy')
        .replace('  prod: shop-deploy\n', '  prod: shop-deploy\n  code: { provider: github }\n'),
    ],
  ])('to %s is looked for where it began', async (_, project) => {
    await changed(project)
    for (const integration of asked) expect(integration).toMatchObject(there)
    expect(new Set(workflowRefs)).toEqual(new Set([null]))
  })

  it('to a newer credential for the same place is asked about with that', async () => {
    await changed(SHOP_PROJECT.replace('  repo_full', '  credential_ref: env:DRAVEN_SECRET_NEWER\n  repo_full'))
    expect(asked.at(-1)).toMatchObject({ ...there, credentialRef: 'env:DRAVEN_SECRET_NEWER' })
  })
})

describe('an answer that names the run of another job', () => {
  it('is no answer: the job looks for a run of its own, and ends with that', async () => {
    const bench = await openBench()
    try {
      bench.commit({ [REQUEST]: requestFile('branch: develop') })
      await bench.tick()
      await bench.tick()
      const first = await bench.run(REQUEST)
      bench.pipeline.seen = { state: 'success', externalAttempt: 1, url: null, detail: null }
      bench.clock.at += MINUTE_MS
      await bench.tick()
      expect((await bench.job(REQUEST)).status).toBe('success')

      const second = REQUEST.replace('develop', 'again')
      bench.pipeline.outcome = { kind: 'started', run: { externalId: first!.externalId!, externalAttempt: 1, url: null } }
      bench.commit({ [second]: requestFile('branch: develop') })
      for (let look = 0; look < 4; look++) {
        bench.clock.at += MINUTE_MS / 2
        await bench.tick()
      }
      expect(bench.pipeline.started).toHaveLength(2)
      expect(await bench.run(second)).toMatchObject({ externalId: null })
      expect((await bench.job(second)).status).toBe('running')
      expect(await bench.lockHeld()).toBe(true)

      bench.pipeline.find = async () => [{ externalId: '901', externalAttempt: 1, url: null }]
      bench.clock.at += MINUTE_MS
      await bench.tick()
      expect(await bench.run(second)).toMatchObject({ externalId: '901' })
      expect(bench.pipeline.started).toHaveLength(2)
    } finally {
      await bench.close()
    }
  })
})

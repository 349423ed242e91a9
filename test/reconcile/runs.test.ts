import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../controller/clock.ts'
import { RefusedFault, TransientFault } from '../../controller/errors.ts'
import { requestFile } from '../scenarios/config-files.ts'
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

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { TransientFault } from '../../controller/errors.ts'
import { pull } from '../jobs/fixtures.ts'
import { document, requestFile } from '../scenarios/config-files.ts'
import { type Bench, NOON, openBench } from './bench.ts'

const REQUEST = 'requests/shop/stage/2026-11-18-develop.yaml'
const REFUSED = { kind: 'refused', why: 'connection refused', retryAfterMs: 10 * SECOND_MS, unreachable: true } as const

describe('a trigger that was refused and may be repeated', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await openBench()
    bench.pipeline.outcome = REFUSED
    bench.commit({ [REQUEST]: requestFile('branch: develop') })
    await bench.tick()
    await bench.tick()
    expect(await bench.run(REQUEST)).toMatchObject({ state: 'refused' })
    expect(await bench.lockHeld()).toBe(true)
  })
  afterEach(() => bench.close())

  it('is canceled and gives its lock back when the request is deleted meanwhile', async () => {
    bench.commit({ [REQUEST]: null })
    bench.clock.at += 30 * SECOND_MS
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'canceled', reason: { code: 'request_deleted' } })
    expect(await bench.lockHeld()).toBe(false)
    expect(bench.pipeline.started).toHaveLength(1)
  })

  it('fails and gives its lock back when its environment is removed meanwhile', async () => {
    bench.commit({ 'projects/shop/environments/stage.yaml': null })
    bench.clock.at += 30 * SECOND_MS
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'failed', reason: { code: 'environment_unknown' } })
    expect(await bench.lockHeld()).toBe(false)
  })

  it('fails when it is held meanwhile, and does not say that it will go on by itself', async () => {
    bench.commit({ 'holds/stop.yaml': document('Hold', 'reason: Incident 42\n') })
    bench.clock.at += 30 * SECOND_MS
    await bench.tick()
    const { status, reason } = await bench.job(REQUEST)
    expect({ status, ...reason }).toMatchObject({
      status: 'failed',
      code: 'held',
      text: 'No run had been started (connection refused), and none may be now: shop/stage is held: Incident 42',
      until: null,
      action: { text: 'Add a new request if it is still wanted.' },
    })
    expect(await bench.lockHeld()).toBe(false)
    expect(bench.pipeline.started).toHaveLength(1)
  })

  it('waits without asking over and over while the ref cannot be read, then is repeated', async () => {
    bench.pipeline.refFault = new TransientFault('the forge is out of reach')
    bench.clock.at += 30 * SECOND_MS
    const again = await bench.tick()
    expect(again).toBeGreaterThanOrEqual(5 * SECOND_MS)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running', reason: { code: 'check_unavailable' } })
    bench.pipeline.refFault = null
    bench.pipeline.outcome = { kind: 'started', run: { externalId: '900', externalAttempt: 1, url: null } }
    bench.clock.at += MINUTE_MS
    await bench.tick()
    expect(bench.pipeline.started).toHaveLength(2)
    expect(await bench.run(REQUEST)).toMatchObject({ state: 'started', attempt: 2 })
  })

  it('is given up with its lock when the ref stays unreadable for longer than a run may take', async () => {
    bench.pipeline.refFault = new TransientFault('the forge is out of reach')
    for (let minute = 0; minute < 32; minute++) {
      bench.clock.at += MINUTE_MS
      await bench.tick()
    }
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'failed', reason: { code: 'provider_unreachable' } })
    expect(await bench.lockHeld()).toBe(false)
    expect(bench.pipeline.started).toHaveLength(1)
  })
})

describe('a trigger that was refused, of a request that is edited by a push meanwhile', () => {
  it('fails with who is missing and gives its lock back, although nothing else is read for it', async () => {
    const bench = await openBench({ forge: true })
    try {
      bench.pipeline.outcome = REFUSED
      const mergeCommit = bench.commit({ [REQUEST]: requestFile('branch: develop') })
      bench.forge.pulls.set(
        7,
        pull({ number: 7, mergeCommit, mergedAt: NOON - MINUTE_MS, files: [{ path: REQUEST, status: 'added' }] }),
      )
      await bench.tick()
      await bench.tick()
      expect(await bench.run(REQUEST)).toMatchObject({ state: 'refused' })
      bench.commit({ [REQUEST]: requestFile('branch: main') })
      for (let poll = 0; poll < 3; poll++) {
        bench.clock.at += MINUTE_MS
        await bench.tick()
      }
      expect(await bench.job(REQUEST)).toMatchObject({ status: 'failed', reason: { code: 'requester_unknown' } })
      expect(await bench.lockHeld()).toBe(false)
      expect(bench.pipeline.started).toHaveLength(1)
    } finally {
      await bench.close()
    }
  })
})

describe('a trigger whose controller is held up between intent and call', () => {
  it('is not sent late, but decided anew and sent once', async () => {
    const bench = await openBench()
    try {
      const { store } = bench.engine
      let heldUp = 0
      bench.engine.store = {
        unit(name, work) {
          if (name === 'job.read' && heldUp++ === 0) bench.clock.at += 12 * MINUTE_MS
          return store.unit(name, work)
        },
      }
      bench.commit({ [REQUEST]: requestFile('branch: develop') })
      await bench.tick()
      await bench.tick()
      expect(bench.pipeline.started).toHaveLength(0)
      expect(await bench.run(REQUEST)).toMatchObject({ state: 'refused', attempt: 1 })
      bench.clock.at += 2 * SECOND_MS
      await bench.tick()
      expect(bench.pipeline.started).toMatchObject([{ attempt: 2 }])
      expect(await bench.run(REQUEST)).toMatchObject({ state: 'started', attempt: 2 })
    } finally {
      await bench.close()
    }
  })
})

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuditRow } from '../../controller/audit/event.ts'
import { MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { TransientFault } from '../../controller/errors.ts'
import { document, environmentFile, requestFile } from '../scenarios/config-files.ts'
import { type Bench, openBench } from './bench.ts'

const FIRST = 'requests/shop/stage/2026-11-18-a.yaml'
const SECOND = 'requests/shop/stage/2026-11-18-b.yaml'

describe('a config repository that cannot be read', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await openBench()
    bench.commit({ [FIRST]: requestFile('branch: develop'), [SECOND]: requestFile('branch: develop') })
    await bench.tick()
    await bench.tick()
    expect(await bench.job(FIRST)).toMatchObject({ status: 'running' })
    expect(await bench.job(SECOND)).toMatchObject({ status: 'queued', reason: { code: 'lock_held' } })
  })
  afterEach(() => bench.close())

  async function runFor(durationMs: number): Promise<void> {
    const end = bench.clock.at + durationMs
    while (bench.clock.at < end) bench.clock.at += Math.max(await bench.tick(), 50)
  }

  function endRun() {
    bench.pipeline.seen = { state: 'success', externalAttempt: 1, url: null, detail: null }
  }

  it.each([
    ['is out of reach', new TransientFault('no route to host')],
    ['brings a bug to light', new Error('cannot read properties of undefined')],
  ])('that %s lets runs be followed to their end, also by a new process', async (_, fault) => {
    bench.source.fault = fault
    bench.restart()
    endRun()
    await runFor(MINUTE_MS)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'success' })
  })

  it('starts nothing by rules older than any other fact may be, and says so', async () => {
    bench.source.fault = new TransientFault('no route to host')
    bench.clock.at += MINUTE_MS
    endRun()
    await runFor(MINUTE_MS)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'success' })
    expect(await bench.job(SECOND)).toMatchObject({ status: 'queued', reason: { code: 'config_unreadable' } })
    bench.source.fault = null
    await runFor(MINUTE_MS)
    expect(await bench.job(SECOND)).toMatchObject({ status: 'success' })
  })

  it('is looked at again before a start when the last look is long ago', async () => {
    bench.engine.timing.pollMs = 30 * MINUTE_MS
    await runFor(MINUTE_MS)
    bench.commit({ 'holds/stop.yaml': document('Hold', 'reason: Incident 42\n') })
    endRun()
    await runFor(MINUTE_MS)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'success' })
    expect(await bench.job(SECOND)).toMatchObject({ status: 'queued', reason: { code: 'held' } })
    expect(bench.pipeline.started).toHaveLength(1)
  })

  it('that can be read waits for nobody', async () => {
    bench.engine.timing.pollMs = 30 * MINUTE_MS
    await runFor(MINUTE_MS)
    endRun()
    await runFor(30 * SECOND_MS)
    expect(await bench.job(SECOND)).toMatchObject({ status: 'success' })
  })
})

describe('an accepted commit that nobody has any more, because history was rewritten', () => {
  let bench: Bench
  beforeEach(async () => {
    const stage = environmentFile('stage').replace('max_run_minutes: 30', 'max_run_minutes: 120')
    bench = await openBench({ files: { 'projects/shop/environments/stage.yaml': stage } })
    const lost = bench.commit({ [FIRST]: requestFile('branch: develop'), [SECOND]: requestFile('branch: develop') })
    await bench.tick()
    await bench.tick()
    expect(await bench.job(FIRST)).toMatchObject({ status: 'running' })
    bench.commit({ [FIRST]: null, [SECOND]: null })
    bench.source.gone.add(lost)
    bench.restart()
  })
  afterEach(() => bench.close())

  async function runFor(durationMs: number): Promise<void> {
    const end = bench.clock.at + durationMs
    while (bench.clock.at < end) bench.clock.at += Math.max(await bench.tick(), 50)
  }

  it('lets a new process follow what runs to its end, and free its lock, while nothing starts or is withdrawn', async () => {
    await runFor(5 * MINUTE_MS)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'running', reason: { code: 'run_active' }, cancelRequestedAt: null })
    bench.pipeline.seen = { state: 'success', externalAttempt: 1, url: null, detail: null }
    await runFor(5 * MINUTE_MS)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'success' })
    expect(await bench.lockHeld()).toBe(false)
    expect(await bench.job(SECOND)).toMatchObject({ status: 'queued', reason: { code: 'config_unreadable' } })
    expect(bench.pipeline.started).toHaveLength(1)
    expect((await bench.store.views.config())!.frozen).toMatchObject({ code: 'config_frozen' })
  })

  it('leaves a run the time that its environment gave it when it began', async () => {
    bench.engine.timing.runPollMs = 5 * MINUTE_MS
    bench.engine.timing.pollMs = 5 * MINUTE_MS
    await runFor(90 * MINUTE_MS)
    expect(bench.pipeline.calls).not.toContain('cancel')
    await runFor(40 * MINUTE_MS)
    expect(bench.pipeline.calls).toContain('cancel')
    expect(await bench.job(FIRST)).toMatchObject({ status: 'running', reason: { code: 'run_timed_out' } })
  })

  it('keeps a refused attempt with its lock until it is known again what is asked for', async () => {
    const run = await bench.run(FIRST)
    await bench.store.state.unit('test.refuse', (tx) => tx.runs.update(run, { state: 'refused', retryAt: bench.clock.at }))
    await runFor(5 * MINUTE_MS)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'running' })
    expect(bench.pipeline.started).toHaveLength(1)
  })

  it('goes on by the new head once an operator names it, with its rules taken on trust, and starts nothing twice', async () => {
    const head = bench.commit({ [FIRST]: requestFile('branch: develop'), [SECOND]: requestFile('branch: develop') })
    bench.engine.config.acceptHistory = head
    bench.pipeline.seen = { state: 'success', externalAttempt: 1, url: null, detail: null }
    await runFor(5 * MINUTE_MS)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'success' })
    expect(await bench.job(SECOND)).toMatchObject({ status: 'success' })
    expect(bench.pipeline.started).toHaveLength(2)
    expect((await bench.store.views.config())!).toMatchObject({ head, rulesCommit: head, frozen: null })
    const audit: AuditRow[] = []
    for await (const row of bench.store.auditRows()) audit.push(row)
    expect(audit.findLast(({ action }) => action === 'config_accepted')).toMatchObject({
      commit: head,
      data: { onTrust: true, approvedBy: [] },
    })
  })

  it('is not given up while it is only out of reach', async () => {
    bench.source.lost = new TransientFault('no route to host')
    bench.engine.config.acceptHistory = await bench.source.fetch()
    await runFor(5 * MINUTE_MS)
    expect(await bench.job(SECOND)).toMatchObject({ status: 'queued', reason: { code: 'config_unreadable' } })
    expect(bench.pipeline.started).toHaveLength(1)
  })

  it('goes on as before when it is put back', async () => {
    bench.pipeline.seen = { state: 'success', externalAttempt: 1, url: null, detail: null }
    await runFor(5 * MINUTE_MS)
    bench.source.gone.clear()
    bench.commit({ [SECOND]: requestFile('branch: develop') })
    await runFor(5 * MINUTE_MS)
    expect(await bench.job(SECOND)).toMatchObject({ status: 'success' })
    expect(bench.pipeline.started).toHaveLength(2)
  })
})

describe('requests that were there before the records of a plain directory', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await openBench({ unseen: true })
    bench.commit({ [FIRST]: requestFile('branch: develop') })
  })
  afterEach(() => bench.close())

  it('are not started when the local runs are no older than the records', async () => {
    bench.pipeline.doubts = 'the local runs are on record only since just now'
    await bench.tick()
    const job = await bench.job(FIRST)
    expect(job).toMatchObject({ status: 'expired', reason: { code: 'past_unknown' } })
    expect(job.reason.text).toContain('on record only since just now')
    bench.restart()
    bench.clock.at += 10 * MINUTE_MS
    await bench.tick()
    expect(bench.pipeline.started).toEqual([])
  })

  it('are started once where the list of local runs proves that they never were', async () => {
    await bench.tick()
    expect(await bench.job(FIRST)).toMatchObject({ status: 'queued', reason: { code: 'check_unavailable' } })
    bench.clock.at += 3 * MINUTE_MS
    await bench.tick()
    await bench.tick()
    expect(bench.pipeline.started).toHaveLength(1)
  })
})

describe('a request that came while nobody was there', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await openBench()
    bench.pipeline.find = async () => [{ externalId: '900', externalAttempt: 1, url: null }]
    bench.commit({ [FIRST]: requestFile('branch: develop') })
  })
  afterEach(() => bench.close())

  it('is asked about before it starts, also when the repository was out of reach at first', async () => {
    bench.source.fault = new TransientFault('no route to host')
    await bench.tick()
    bench.source.fault = null
    bench.clock.at += MINUTE_MS
    await bench.tick()
    await bench.tick()
    expect(await bench.job(FIRST)).toMatchObject({ status: 'running', reason: { code: 'run_active' } })
    expect(bench.pipeline.started).toEqual([])
  })
})

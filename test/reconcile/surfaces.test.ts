import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { TransientFault } from '../../controller/errors.ts'
import { pull } from '../jobs/fixtures.ts'
import { document, requestFile } from '../scenarios/config-files.ts'
import { type Bench, NOON, openBench } from './bench.ts'

const REQUEST = 'requests/shop/stage/2026-11-18-develop.yaml'
const ALICE = { provider: 'github', login: 'alice', id: '1', kind: 'user' } as const

describe('what people see of a job', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await openBench({ forge: true })
  })
  afterEach(() => bench.close())

  function merge(number: number, at: number) {
    const mergeCommit = bench.commit({ [REQUEST]: requestFile('branch: develop') })
    const files = [{ path: REQUEST, status: 'added' as const }]
    const times = { mergedAt: at, updatedAt: at, hostTime: at + HOUR_MS }
    bench.forge.pulls.set(number, pull({ number, mergeCommit, headSha: mergeCommit, author: ALICE, files, ...times }))
  }

  function messages() {
    return bench.store.state.unit('test.outbox', (tx) => tx.outbox.due(Number.MAX_SAFE_INTEGER, 100))
  }

  it('is on the pull request that was merged while no controller was there', async () => {
    await bench.tick()
    bench.clock.at += 5 * DAY_MS
    merge(7, NOON + 2 * DAY_MS)
    bench.restart()
    await bench.tick()
    bench.clock.at += 40 * SECOND_MS
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ pullRequest: { number: 7 } })
    expect((await messages()).map(({ key }) => key)).toContain('comment:7')
  })

  it('names the provider that cannot be asked for an older run', async () => {
    await bench.close()
    bench = await openBench({ forge: true, unseen: true })
    merge(7, NOON - MINUTE_MS)
    bench.pipeline.fault = new TransientFault('502 from the forge')
    await bench.tick()
    await bench.tick()
    expect(bench.pipeline.started).toHaveLength(0)
    const job = await bench.job(REQUEST)
    expect(job).toMatchObject({ status: 'queued', reason: { code: 'check_unavailable' } })
    expect(job.reason.text).toContain('502 from the forge')
    bench.pipeline.fault = null
    bench.clock.at += 3 * MINUTE_MS
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running' })
  })
})

describe('a storm of deliveries about a project', () => {
  it('does not have the pull requests of its waiting jobs read again each time', async () => {
    const bench = await openBench({ forge: true })
    const mergeCommit = bench.commit({ [REQUEST]: requestFile('branch: develop') })
    const files = [{ path: REQUEST, status: 'added' as const }]
    bench.forge.pulls.set(
      7,
      pull({
        mergeCommit,
        headSha: mergeCommit,
        author: ALICE,
        files,
        mergedAt: NOON - HOUR_MS,
        updatedAt: NOON - HOUR_MS,
        hostTime: NOON,
      }),
    )
    bench.commit({ 'holds/stop.yaml': document('Hold', 'reason: Incident 42\n') })
    await bench.tick()
    bench.forge.reads.length = 0
    for (let event = 0; event < 50; event++) {
      bench.clock.at += 100
      const nudge = { kind: 'repository', repoFullName: 'acme/shop' } as const
      await bench.store.inbox.store({
        integration: 'github',
        deliveryId: `${event}`,
        event: 'push',
        receivedAt: bench.clock.at,
        nudge,
      })
      await bench.tick()
    }
    expect(await bench.job(REQUEST)).toMatchObject({ reason: { code: 'held' } })
    expect(bench.forge.reads.length).toBeLessThanOrEqual(1)
    await bench.close()
  })
})

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HOUR_MS, MINUTE_MS } from '../../controller/clock.ts'
import type { RunObservation } from '../../controller/jobs/executor.ts'
import { commitSha } from '../../controller/model/names.ts'
import { document, environmentFile, requestFile, SHOP_PROJECT } from '../scenarios/config-files.ts'
import { type Bench, openBench, SHA } from './bench.ts'

const FIRST = 'requests/shop/stage/2026-11-18-develop.yaml'
const SUCCESS: RunObservation = { state: 'success', externalAttempt: 1, url: null, detail: null }

let bench: Bench
afterEach(() => bench.close())

async function passes(times: number): Promise<void> {
  for (let pass = 0; pass < times; pass++) {
    bench.clock.at += MINUTE_MS / 2
    await bench.tick()
  }
}

describe('a job whose commit succeeded where it must come first', () => {
  const NEXT = 'requests/shop/demo/2026-11-18-develop.yaml'

  beforeEach(async () => {
    bench = await openBench({
      files: { 'projects/shop/environments/demo.yaml': environmentFile('stage', 'promote_from: stage\n') },
    })
    bench.pipeline.seen = SUCCESS
    bench.commit({ [FIRST]: requestFile('branch: develop') })
    await passes(3)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'success' })
  })

  it.each([
    ['is broken', 'kind: [\n'],
    ['has a policy that is not there', environmentFile('nowhere')],
  ])('starts also when that environment %s meanwhile', async (_, stage) => {
    bench.commit({ 'projects/shop/environments/stage.yaml': stage, [NEXT]: requestFile('branch: develop') })
    await passes(4)
    expect(await bench.job(NEXT)).toMatchObject({ status: 'success' })
    expect(bench.pipeline.started).toHaveLength(2)
  })
})

describe('an environment that becomes exclusive while a run without a lock is under way', () => {
  const STAGE = 'projects/shop/environments/stage.yaml'
  const SECOND = FIRST.replace('develop', 'again')

  it('takes the next job when that run is over, and says what it waits for', async () => {
    bench = await openBench({ files: { [STAGE]: environmentFile('stage').replace('exclusive', 'none') } })
    bench.commit({ [FIRST]: requestFile('branch: develop') })
    await passes(2)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'running' })
    expect(await bench.lockHeld()).toBe(false)

    bench.commit({ [STAGE]: environmentFile('stage'), [SECOND]: requestFile('branch: develop') })
    await passes(4)
    const { id } = await bench.job(FIRST)
    expect(await bench.job(SECOND)).toMatchObject({
      status: 'queued',
      reason: { code: 'lock_held', waitingFor: [{ kind: 'lock', ref: id, done: false }] },
    })
    expect(bench.pipeline.started).toHaveLength(1)

    bench.pipeline.seen = SUCCESS
    await passes(4)
    expect(await bench.job(SECOND)).toMatchObject({ status: 'success' })
    expect(bench.pipeline.started).toHaveLength(2)
  })
})

describe('a project that moves to another repository just before a start', () => {
  const SECOND = FIRST.replace('develop', 'later')
  const MOVED = commitSha('b'.repeat(40))

  it('has its ref read there, whenever the change of rules is seen', async () => {
    bench = await openBench()
    const { refs } = bench.engine.connections
    bench.engine.connections.refs = (project) => {
      const old = refs(project)
      if (project.integration.repoFullName === 'acme/shop') return old
      return { ...old, resolveRef: async () => ({ found: true, sha: MOVED, reachable: true }) }
    }
    bench.engine.timing.pollMs = 30 * MINUTE_MS
    bench.commit({ [FIRST]: requestFile('branch: develop'), [SECOND]: requestFile('branch: develop') })
    await passes(4)
    expect(await bench.job(SECOND)).toMatchObject({ status: 'queued', reason: { code: 'lock_held' } })

    bench.commit({ 'projects/shop/project.yaml': SHOP_PROJECT.replace('acme/shop', 'newco/shop') })
    bench.pipeline.seen = SUCCESS
    await passes(4)
    expect(bench.pipeline.started.map(({ sha }) => sha)).toEqual([SHA, MOVED])
  })
})

describe('a request that comes long after a freeze began', () => {
  it('waits for its end, and does not expire for the time before it came', async () => {
    const freeze = 'reason: Black month\nfrom: 2026-11-01 00:00\nto: 2026-11-18 12:00\ntz: Europe/Rome\n'
    bench = await openBench({ files: { 'freezes/black.yaml': document('Freeze', freeze) } })
    bench.commit({ [FIRST]: requestFile('branch: develop') })
    await passes(4)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'queued', reason: { code: 'frozen' } })
    bench.pipeline.seen = SUCCESS
    bench.clock.at += 2 * HOUR_MS
    await passes(4)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'success' })
  })
})

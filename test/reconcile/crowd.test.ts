import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { TransientFault } from '../../controller/errors.ts'
import { pull } from '../jobs/fixtures.ts'
import { environmentFile, requestFile, SHOP_PROJECT } from '../scenarios/config-files.ts'
import { type Bench, NOON, openBench } from './bench.ts'

const ALICE = { provider: 'github', login: 'alice', id: '1', kind: 'user' } as const
const FIRST = 'requests/shop/canary/first.yaml'
const CROWD = Array.from({ length: 20 }, (_, each) => `requests/shop/stage/${each + 10}.yaml`)

describe('a crowd of waiting jobs, after a restart', () => {
  let bench: Bench
  /** What was asked for outside, in its order. */
  let asked: string[]
  beforeEach(async () => {
    asked = []
    bench = await openBench({
      forge: true,
      files: {
        'projects/shop/project.yaml': SHOP_PROJECT.replace('  pipelines:\n', '  pipelines:\n    canary: deploy.yml\n'),
        'projects/shop/environments/canary.yaml': environmentFile('stage'),
      },
    })
    const { pipeline, engine, clock } = bench
    const { observe, find, doubt } = pipeline
    pipeline.find = (query) => {
      asked.push('runs of a job')
      return find(query)
    }
    pipeline.doubt = (query) => {
      asked.push('the same list again')
      return doubt(query)
    }
    pipeline.observe = async (run) => {
      asked.push('run')
      return observe(run)
    }
    const { reviews } = engine.host!
    const { pullRequest } = reviews
    reviews.pullRequest = async (number) => {
      asked.push('pull request')
      clock.at += 2 * SECOND_MS
      return pullRequest(number)
    }
  })
  afterEach(() => bench.close())

  /** As merged pull requests of their own. */
  function merge(...paths: string[]): void {
    for (const path of paths) {
      const number = bench.forge.pulls.size + 7
      const mergeCommit = bench.commit({ [path]: requestFile('branch: develop') })
      const times = { mergedAt: NOON - MINUTE_MS, updatedAt: NOON - MINUTE_MS, hostTime: NOON }
      const files = [{ path, status: 'added' as const }]
      bench.forge.pulls.set(number, pull({ number, mergeCommit, headSha: mergeCommit, author: ALICE, files, ...times }))
    }
  }

  /** Jobs whose facts were read since the ref could be read. */
  async function read(): Promise<number> {
    const jobs = await bench.store.state.unit('test.jobs', (tx) => tx.jobs.open())
    return jobs.filter(({ reason }) => !reason.text.includes('503')).length
  }

  it('does not hold up a run that is under way', async () => {
    merge(FIRST)
    await bench.tick()
    expect(await bench.job(FIRST)).toMatchObject({ status: 'running' })
    merge(...CROWD)
    await bench.tick()
    bench.restart()
    asked = []
    bench.clock.at += MINUTE_MS
    bench.pipeline.seen = { state: 'success', externalAttempt: 1, url: null, detail: null }
    await bench.tick()
    expect(asked[0]).toBe('run')
    expect(asked).toContain('pull request')
    expect(await bench.job(FIRST)).toMatchObject({ status: 'success' })
  })

  it('is read in parts, and what is known to be ready starts in between', async () => {
    bench.pipeline.refFault = new TransientFault('503')
    merge(FIRST, ...CROWD)
    await bench.tick()
    bench.restart()
    bench.pipeline.refFault = null
    bench.clock.at += MINUTE_MS
    expect(await bench.tick()).toBe(0)
    expect(await bench.job(FIRST)).toMatchObject({ status: 'running' })
    expect(await read()).toBeLessThan(CROWD.length)
    const readBefore = await read()
    await bench.tick()
    expect(await read()).toBeGreaterThan(readBefore)
    for (let pass = 0; pass < 20 && (await read()) <= CROWD.length; pass++) await bench.tick()
    expect(await read()).toBe(CROWD.length + 1)
    expect(await bench.job(CROWD[0]!)).toMatchObject({ status: 'running' })
    expect(bench.pipeline.started).toHaveLength(2)
  })

  it('has the runs of each job asked for once', async () => {
    bench.pipeline.refFault = new TransientFault('503')
    merge(FIRST, ...CROWD)
    await bench.tick()
    bench.restart()
    asked = []
    for (let pass = 0; pass < 20; pass++) await bench.tick()
    expect(asked.filter((what) => what === 'runs of a job')).toHaveLength(CROWD.length + 1)
    expect(asked).not.toContain('the same list again')
  })
})

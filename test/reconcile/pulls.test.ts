import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PullRequestFacts } from '../../controller/approvals/evidence.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { RefusedFault, TransientFault } from '../../controller/errors.ts'
import { commitSha } from '../../controller/model/names.ts'
import { pull } from '../jobs/fixtures.ts'
import { requestFile } from '../scenarios/config-files.ts'
import { type Bench, NOON, openBench } from './bench.ts'

const REQUEST = 'requests/shop/stage/2026-11-18-develop.yaml'

describe('the pull requests of the config repository', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await openBench({ forge: true })
  })
  afterEach(() => bench.close())

  function show(number: number, overrides: Partial<PullRequestFacts> = {}) {
    const facts = pull({
      number,
      state: 'open',
      mergeCommit: null,
      mergedAt: null,
      updatedAt: NOON - HOUR_MS,
      hostTime: NOON,
      ...overrides,
    })
    bench.forge.pulls.set(number, facts)
    return facts
  }

  async function known(number: number) {
    return bench.store.state.unit('test.pull', (tx) => tx.pulls.get(number))
  }

  it('are judged although one of them cannot be read', async () => {
    const headSha = bench.commit({})
    show(1, { headSha })
    show(2, { headSha })
    show(3, { headSha })
    bench.forge.unreadable.set(2, new RefusedFault('Pull request 2 changes 100000 files; GitHub lists only 3000 of them.'))
    await bench.tick()
    expect(await known(1)).not.toBeNull()
    expect(await known(3)).not.toBeNull()
  })

  it('do not stop the jobs when judging one of them fails like a bug', async () => {
    const headSha = bench.commit({ [REQUEST]: requestFile('branch: develop') })
    bench.forge.pulls.set(7, merged(7, headSha, NOON - MINUTE_MS))
    show(2, { headSha: commitSha('e'.repeat(40)) })
    await bench.tick()
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running' })
  })

  it('are not read at every poll when one of them cannot be read', async () => {
    const headSha = bench.commit({})
    show(2, { headSha })
    bench.forge.unreadable.set(2, new RefusedFault('Pull request 2 changes 100000 files.'))
    for (let poll = 0; poll < 10; poll++) {
      await bench.tick()
      bench.clock.at += 20 * SECOND_MS
    }
    expect(bench.forge.reads.length).toBeLessThanOrEqual(2)
  })

  it('are not looked up at the remote again while their heads stay', async () => {
    const headSha = bench.commit({})
    show(1, { headSha })
    for (let minute = 0; minute < 5; minute++) {
      await bench.tick()
      bench.clock.at += 61 * SECOND_MS
    }
    expect(bench.source.headLooks).toBe(1)
  })

  it('are not listed from the beginning of time after a quiet day', async () => {
    show(1, { state: 'merged', updatedAt: NOON - 300 * DAY_MS })
    for (let poll = 0; poll < 3; poll++) {
      await bench.tick()
      bench.clock.at += 20 * SECOND_MS
    }
    expect(Math.min(...bench.forge.lists)).toBeGreaterThan(NOON - 2 * DAY_MS)
  })

  it('are not listed from far back because an old one is still open', async () => {
    const headSha = bench.commit({})
    show(1, { headSha, updatedAt: NOON - 300 * DAY_MS })
    for (let poll = 0; poll < 3; poll++) {
      await bench.tick()
      bench.clock.at += 20 * SECOND_MS
    }
    expect(Math.min(...bench.forge.lists)).toBeGreaterThan(NOON - 2 * DAY_MS)
  })

  it('are found for a request that was merged while no controller was there for days', async () => {
    await bench.tick()
    bench.clock.at += 5 * DAY_MS
    const mergeCommit = bench.commit({ [REQUEST]: requestFile('branch: develop') })
    bench.forge.pulls.set(7, merged(7, mergeCommit, NOON + 2 * DAY_MS))
    for (let number = 8; number < 48; number++) {
      bench.forge.pulls.set(number, {
        ...merged(number, bench.commit({ 'README.md': `${number}\n` }), NOON + 3 * DAY_MS),
        files: [],
      })
    }
    bench.restart()
    await bench.tick()
    bench.clock.at += 40 * SECOND_MS
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running', pullRequest: { number: 7 } })
    expect(bench.forge.reads.length).toBeLessThan(10)
  })

  it('are read again for a request when their own list cannot be read after the merge', async () => {
    show(7, { headSha: bench.commit({}) })
    await bench.tick()
    const { reviews } = bench.engine.host!
    const list = reviews.pullRequests
    reviews.pullRequests = async (options) => {
      // For the first minute no list at all, then only the one that looks for where a request came from.
      if (bench.clock.at <= NOON + MINUTE_MS || options.since > NOON - 2 * DAY_MS) throw new TransientFault('502')
      return list(options)
    }
    const mergeCommit = bench.commit({ [REQUEST]: requestFile('branch: develop') })
    bench.forge.pulls.set(7, merged(7, mergeCommit, NOON + MINUTE_MS))
    for (let poll = 0; poll < 4; poll++) {
      bench.clock.at += MINUTE_MS
      await bench.tick()
    }
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running', pullRequest: { number: 7 } })
  })

  function merged(number: number, mergeCommit: PullRequestFacts['headSha'], at: number): PullRequestFacts {
    return pull({
      number,
      mergeCommit,
      headSha: mergeCommit,
      mergedAt: at,
      updatedAt: at,
      hostTime: at + HOUR_MS,
      author: { provider: 'github', login: 'alice', id: '1', kind: 'user' },
      files: [{ path: REQUEST, status: 'added' }],
    })
  }
})

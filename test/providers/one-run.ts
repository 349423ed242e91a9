import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { isTerminal, type Job } from '../../controller/jobs/job.ts'
import type { Bench } from '../reconcile/bench.ts'
import { requestFile } from '../scenarios/config-files.ts'
import type { PipelineHost } from './conformance.ts'
import { openHostBench } from './host-bench.ts'
import type { Reach } from './wire.ts'

/** Longer than any adapter waits for an answer here. */
const TOO_LONG_MS = 6 * SECOND_MS
const RETRY_AFTER_S = 90
const LOOK_MS = 15 * SECOND_MS
/** Looks at the pace of the engine; after them, only the time until it gives up is left to go by. */
const CLOSE_LOOKS = 8
const LOOKS = 40

interface Row {
  what: string
  /** What happens to the call, or how the controller itself is struck. */
  strike: (reach: Reach, on: Struck) => Promise<Response>
  runs: 0 | 1
  /** Calls that start a run, in all. */
  sent: 1 | 2
}

interface Struck {
  /** Lets time go by until nobody waits any longer. */
  expire(): Promise<void>
  /** Is done after two looks in vain. */
  later(work: Reach): void
  /** How many looks the list stays behind. */
  lag(looks: number): void
}

const never = () => new Promise<Response>(() => {})
function reset(code: string): Promise<never> {
  return Promise.reject(Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error(code), { code }) }))
}
const lost = async (reach: Reach) => [await (await reach()).arrayBuffer(), await reset('ECONNRESET')][1] as never

const failing = [500, 502, 503, 504].flatMap((status): Row[] => [
  { what: `${status} before acting`, strike: async () => new Response('{}', { status }), runs: 0, sent: 1 },
  {
    what: `${status} after acting`,
    async strike(reach) {
      await (await reach()).arrayBuffer()
      return new Response('{}', { status })
    },
    runs: 1,
    sent: 1,
  },
])

const malformed = ['', '{"id":', '<html>', '[]', 'null', '{}', '{"id":{},"uuid":7,"workflow_run_id":"x"}'].map(
  (body): Row => ({
    what: `the answer ${JSON.stringify(body)}, after acting`,
    async strike(reach) {
      const { status } = await reach()
      return new Response(body, { status: status === 204 ? 200 : status, headers: { 'content-type': 'application/json' } })
    },
    runs: 1,
    sent: 1,
  }),
)

const TABLE: readonly Row[] = [
  { what: 'nothing', strike: (reach) => reach(), runs: 1, sent: 1 },
  {
    what: 'no answer after the run was made',
    strike: async (reach, on) => [await reach(), await on.expire(), await never()][0] as never,
    runs: 1,
    sent: 1,
  },
  { what: 'no answer, and no run', strike: async (_, on) => [await on.expire(), await never()][0] as never, runs: 0, sent: 1 },
  {
    what: 'an answer after the deadline',
    async strike(reach, on) {
      const answer = await reach()
      await on.expire()
      return answer
    },
    runs: 1,
    sent: 1,
  },
  {
    what: 'a run that is made after the deadline, and after looks in vain',
    async strike(reach, on) {
      on.later(reach)
      await on.expire()
      return never()
    },
    runs: 1,
    sent: 1,
  },
  ...failing,
  { what: 'a reset before acting', strike: () => reset('ECONNRESET'), runs: 0, sent: 1 },
  { what: 'a reset after acting', strike: lost, runs: 1, sent: 1 },
  { what: 'a refused connection', strike: () => reset('ECONNREFUSED'), runs: 1, sent: 2 },
  {
    what: '429 with Retry-After',
    strike: async () => new Response('{}', { status: 429, headers: { 'retry-after': String(RETRY_AFTER_S) } }),
    runs: 1,
    sent: 2,
  },
  { what: '429 without', strike: async () => new Response('{}', { status: 429 }), runs: 1, sent: 2 },
  {
    what: '503 with Retry-After after acting',
    async strike(reach) {
      await (await reach()).arrayBuffer()
      return new Response('{}', { status: 503, headers: { 'retry-after': '5' } })
    },
    runs: 1,
    sent: 1,
  },
  ...malformed,
  {
    what: 'a page of somebody in between instead of an answer, without acting',
    strike: async () => new Response('<html>', { status: 200 }),
    runs: 0,
    sent: 1,
  },
  {
    what: 'a reset after acting, and a list that lags',
    strike(reach, on) {
      on.lag(3)
      return lost(reach)
    },
    runs: 1,
    sent: 1,
  },
]

/**
 * The real engine on a real store with the real adapter: whatever strikes the one call of a job, there is one run of it in the
 * end, or none and a word about that. Never a second.
 */
export function describeOneRun(hostOf: () => PipelineHost, good: string): void {
  describe('under the engine', () => {
    let host: PipelineHost
    let bench: Bench
    let path: string
    let rows = 0
    const late: Reach[] = []

    beforeAll(async () => {
      host = hostOf()
      bench = await openHostBench(host)
    }, 60_000)
    beforeEach(() => {
      path = `requests/shop/stage/2026-11-21-${++rows}.yaml`
      late.length = 0
    })
    afterAll(() => bench.close())

    async function pass(ms = LOOK_MS): Promise<Job> {
      await host.pass(ms)
      await bench.tick()
      return bench.job(path)
    }

    /** Asks for a deploy and goes on until its one call was made, or its controller is gone. */
    async function ask(): Promise<void> {
      bench.commit({ [path]: requestFile('branch: develop') })
      for (let looks = 0; looks < 5; looks++) if ((await pass(21 * SECOND_MS)).status === 'running') return
      throw new Error(`not asked: ${JSON.stringify((await bench.job(path)).reason)}`)
    }

    /** Looks until the job is over; a run that is known is brought to a good end. */
    async function settle(): Promise<Job> {
      let brought = false
      for (let looks = 0; looks < LOOKS; looks++) {
        const job = await pass(looks < CLOSE_LOOKS ? LOOK_MS : 2 * MINUTE_MS)
        if (isTerminal(job.status)) return job
        const run = await bench.run(path)
        if (looks === 2) for (const arrive of late.splice(0)) await arrive()
        if (run.state === 'started' && !brought) await host.bring(run.externalId!, good)
        brought ||= run.state === 'started'
      }
      throw new Error(`not over: ${JSON.stringify(await bench.job(path))}\n${bench.log.slice(-5).join('\n')}`)
    }

    async function holds(runs: number, job: Job): Promise<void> {
      await expect.poll(() => host.made(job.id)).toBe(runs)
      if (runs === 1) expect([job.status, job.reason.code]).toEqual(['success', 'run_succeeded'])
      // `run_vanished`: where any good answer means that it was taken, and nobody knows of it afterwards.
      else expect(job.reason.code).toMatch(/^(?:trigger_outcome_unknown|run_vanished)$/)
      expect(await bench.lockHeld()).toBe(false)
    }

    it.for(TABLE)('after $what there are $runs runs by $sent calls', async ({ strike, runs, sent }, context) => {
      const { wire } = host
      if (wire === null) return context.skip()
      const before = wire.sent
      const on: Struck = {
        async expire() {
          await host.pass(TOO_LONG_MS)
          await turn()
        },
        later: (work) => void late.push(work),
        lag(looks) {
          for (let look = 0; look < looks; look++) host.faults?.lagOnce(5 * MINUTE_MS)
        },
      }
      wire.strike = (reach) => strike(reach, on)
      await ask()
      await holds(runs, await settle())
      expect(wire.sent - before).toBe(sent)
    })

    it('is not called again before the time that it asked for', async (context) => {
      const { wire } = host
      if (wire === null) return context.skip()
      const before = wire.sent
      wire.strike = async () => new Response('{}', { status: 429, headers: { 'retry-after': String(RETRY_AFTER_S) } })
      await ask()
      const asked = host.now()
      while (wire.sent === before + 1 && host.now() - asked < 5 * MINUTE_MS) await pass(5 * SECOND_MS)
      expect(host.now() - asked).toBeGreaterThanOrEqual(RETRY_AFTER_S * SECOND_MS)
      await holds(1, await settle())
    })

    /** The process is gone at the next unit of that name; the next one knows what is in the store. */
    async function killedAt(unit: string, work: () => Promise<unknown>): Promise<void> {
      const { store } = bench.engine
      bench.engine.store = {
        ...store,
        unit: (name, ...rest) => (name === unit ? Promise.reject(new Error('killed')) : store.unit(name, ...rest)),
      }
      await work().catch((error: Error) => {
        if (error.message !== 'killed') throw error
      })
      bench.engine.store = store
      bench.restart()
    }

    it('is one run when the controller is killed between the call and its record', async () => {
      await killedAt('run.record', ask)
      expect(await bench.run(path)).toMatchObject({ state: 'intended', externalId: null })
      const { id } = await bench.job(path)
      await expect.poll(() => host.made(id)).toBe(1)
      await holds(1, await settle())
    })

    it('is none, and never becomes one, when the controller is killed between its intent and the call', async () => {
      await killedAt('job.read', ask)
      expect(await bench.run(path)).toMatchObject({ state: 'intended', externalId: null })
      await holds(0, await settle())
    })

    it('is one run when the controller is killed again before it has recorded what it found', async () => {
      await killedAt('run.record', ask)
      await killedAt('run.adopt', () => pass())
      await holds(1, await settle())
    })
  })
}

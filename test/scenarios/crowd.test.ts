import { afterEach, describe, expect, it } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { isTerminal, type Job } from '../../controller/jobs/job.ts'
import type { CallFaultKind, FaultRule, HookFaultKind } from '../sandbox/faults.ts'
import type { LiveRun } from '../sandbox/forge.ts'
import { requestFile } from './config-files.ts'
import { openScene, type Scene } from './scene.ts'
import { seeded } from './seeded.ts'

const REQUESTS = Number(process.env['CROWD_REQUESTS'] ?? 200)
/** The forge does its work in the same process: on a busy machine a job takes a second or more. */
const ENOUGH_MS = 400_000
const PULLS = 4
const SEED = Number(process.env['CROWD_SEED'] ?? Date.now() % 1_000_000)
const DISPATCH = 'actions/create-workflow-dispatch'

/** Faults after which a job still ends within the test's time; those with an unknown outcome of nothing are in faults.test.ts. */
const TRIGGER_FAULTS: readonly CallFaultKind[] = ['accept_then_drop', 'error_after', 'slow_before', 'slow_after', 'rate_limited']
const WEBHOOK_FAULTS: readonly HookFaultKind[] = ['lost', 'duplicate', 'reordered', 'late', 'forged']

let scene: Scene
afterEach(() => scene?.close())

describe('a crowd', () => {
  it(
    `of ${REQUESTS} requests for one environment runs one at a time, in the order of acceptance, whatever goes wrong`,
    async () => {
      console.log(`CROWD_SEED=${SEED}`)
      const random = seeded(SEED)
      const failing = new Set<number>()
      scene = await openScene({
        conclusionOf(run) {
          if (random() > 0.15) return 'success'
          failing.add(run.id)
          return 'failure'
        },
      })
      for (const rule of chosenFaults(random)) scene.forge.faults.add(rule)
      const paths = Array.from({ length: REQUESTS }, (_, each) => `requests/shop/stage/${String(each).padStart(3, '0')}.yaml`)
      const startedAt = performance.now()
      for (let pull = 0; pull < PULLS; pull++) {
        const own = paths.filter((_, each) => each % PULLS === pull)
        const number = await scene.propose(Object.fromEntries(own.map((path) => [path, requestFile('branch: develop')])))
        await scene.merge(number)
      }
      await scene.eventually('all jobs to end', () => allEnded(), ENOUGH_MS)
      console.log(`${REQUESTS} jobs ended after ${Math.round((performance.now() - startedAt) / 1_000)} s`)

      const jobs = (await Promise.all(paths.map((path) => scene.job(path)))) as Job[]
      for (const job of jobs) expect(isTerminal(job.status), `${job.status} ${job.reason.code}`).toBe(true)
      for (const job of jobs) expect(scene.forge.triggerCount(job.id)).toBeLessThanOrEqual(1)
      const runs = scene.forge.liveRuns('stage').sort((a, b) => a.createdAt - b.createdAt || a.runId - b.runId)
      expect(overlapping(runs)).toEqual([])
      expect(runs.map((run) => run.jobId)).toEqual(
        bySeq(jobs)
          .filter((job) => scene.forge.triggerCount(job.id) === 1)
          .map((job) => job.id),
      )
      for (const run of runs)
        expect(jobs.find((job) => job.id === run.jobId)?.status).toBe(failing.has(run.runId) ? 'failed' : 'success')
      expect(await scene.controller.store.state.unit('test.locks', (tx) => tx.locks.all())).toEqual([])
      expect(await verifyChain(scene.controller.store.auditRows())).toMatchObject({ ok: true })
      scene.forge.assertClean()
    },
    ENOUGH_MS + 60_000,
  )
})

async function allEnded(): Promise<boolean> {
  const left = await scene.controller.store.state.unit('test.jobs', async (tx) => ({
    known: (await tx.jobs.known()).size,
    open: (await tx.jobs.open()).length,
  }))
  return left.known === REQUESTS && left.open === 0
}

/** About every eighth trigger and every fifth webhook meets a fault. */
function chosenFaults(random: () => number): FaultRule[] {
  const of = <T>(kinds: readonly T[]): T => kinds[Math.floor(random() * kinds.length)]!
  const rules: FaultRule[] = []
  for (let each = 0; each < REQUESTS / 8; each++) {
    rules.push({ on: DISPATCH, kind: of(TRIGGER_FAULTS), skip: Math.floor(random() * 12), delayMs: 200, retryAfterSeconds: 1 })
  }
  for (let each = 0; each < REQUESTS; each++) {
    rules.push({ on: 'hook/*', kind: of(WEBHOOK_FAULTS), skip: Math.floor(random() * 8), delayMs: 300 })
  }
  return rules
}

/** Pairs of neighbours of which the second was created before the first had ended. */
function overlapping(runs: readonly LiveRun[]): string[] {
  return runs.flatMap((run, each) => {
    const next = runs[each + 1]
    return next === undefined || (run.endedAt !== null && run.endedAt <= next.createdAt) ? [] : [`${run.jobId} and ${next.jobId}`]
  })
}

function bySeq(jobs: readonly Job[]): Job[] {
  return [...jobs].sort((a, b) => a.seq - b.seq)
}

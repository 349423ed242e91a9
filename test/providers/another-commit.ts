import type { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { SECOND_MS } from '../../controller/clock.ts'
import { isTerminal, type Job } from '../../controller/jobs/job.ts'
import { silentLogger } from '../../controller/log.ts'
import { commitSha } from '../../controller/model/names.ts'
import { callbackDesk } from '../../controller/reconcile/answer-callback.ts'
import { redactor } from '../../controller/secrets/redaction.ts'
import { callbackApp } from '../../controller/webhooks/callbacks.ts'
import type { Bench } from '../reconcile/bench.ts'
import { configFiles, requestFile } from '../scenarios/config-files.ts'
import type { PipelineClaims, PipelineHost } from './conformance.ts'
import { openHostBench } from './host-bench.ts'

const PROJECT = 'projects/shop/project.yaml'
const LOOK_MS = 15 * SECOND_MS
const LOOKS = 40
const OTHER = commitSha('f'.repeat(40))

/**
 * The real engine, the real route for callbacks and the real adapter; the test plays the pipeline, with what its run was told at
 * the system it runs on.
 */
export function describeAnotherCommit(hostOf: () => PipelineHost, { bad, good, cancels = true }: PipelineClaims): void {
  describe('that says what it has checked out', () => {
    let host: PipelineHost
    let bench: Bench
    let door: Hono
    let path: string
    let tests = 0

    beforeAll(async () => {
      host = hostOf()
      bench = await openHostBench(host, {
        [PROJECT]: configFiles()[PROJECT]!.replace('  pipelines:', '  callbacks: true\n  pipelines:'),
      })
      let tokens = 0
      bench.engine.callbacks = {
        urlOf: (jobId) => `https://draven.example/callbacks/jobs/${jobId}`,
        newToken: () => `dcb_${String(++tokens).padStart(43, '0')}`,
      }
      const { redact, learn: learnSecret } = redactor()
      const { callbacks: reader, inbox, state: store } = bench.store
      const answer = callbackDesk({
        ...{ store, reader, redact, learnSecret, clock: bench.engine.clock },
        async nudge(jobId, deliveryId) {
          const nudge = { kind: 'job', jobId } as const
          await inbox.store({ integration: 'callback', deliveryId, event: deliveryId, receivedAt: host.now(), nudge })
        },
      })
      door = callbackApp({ answer, log: silentLogger })
    }, 60_000)
    beforeEach(() => {
      path = `requests/shop/stage/2026-11-22-${++tests}.yaml`
    })
    afterAll(() => bench.close())

    async function pass(ms = LOOK_MS): Promise<Job> {
      await host.pass(ms)
      await bench.tick()
      return bench.job(path)
    }

    async function begun(): Promise<Job> {
      bench.commit({ [path]: requestFile('branch: develop') })
      for (let looks = 0; looks < 5; looks++) {
        const job = await pass(21 * SECOND_MS)
        if (job.status === 'running') return job
      }
      throw new Error(`not asked: ${JSON.stringify((await bench.job(path)).reason)}`)
    }

    async function ended(): Promise<Job> {
      for (let looks = 0; looks < LOOKS; looks++) {
        const job = await pass()
        if (isTerminal(job.status)) return job
      }
      throw new Error(`not over: ${JSON.stringify(await bench.job(path))}\n${bench.log.slice(-5).join('\n')}`)
    }

    async function claim({ id }: Job, more: { sha?: string }): Promise<{ status: number; body: unknown }> {
      const told = await host.told(id)
      const { pathname } = new URL(told['CALLBACK_URL']!)
      const answer = await door.request(pathname, {
        method: 'POST',
        headers: { authorization: `Bearer ${told['CALLBACK_TOKEN']}` },
        body: JSON.stringify({ type: 'claim', run: `run of ${id}`, ...more }),
      })
      return { status: answer.status, body: await answer.json() }
    }

    it('is refused and canceled when that is another commit than the pinned one, and holds its lock until it has ended', async () => {
      const job = await begun()
      const { externalId } = await bench.run(path)
      const reason = `This run has checked out ${OTHER}, not the approved commit ${job.pin!.sha}.`
      const refusal = { status: 409, body: { go: false, code: 'commit_mismatch', reason } }
      expect(await claim(job, { sha: OTHER })).toEqual(refusal)
      expect(await claim(job, { sha: OTHER })).toEqual(refusal)
      // Whoever heard it is gone; the next one knows what is in the store.
      bench.restart()
      if (cancels) host.faults?.strike('cancel', 'cancel_ignored')
      for (let looks = 0; looks < 3 && (!cancels || (looks === 0 && host.faults !== null)); looks++) {
        expect(await pass()).toMatchObject({ status: 'running', reason: { code: 'commit_mismatch' } })
        expect(await bench.lockHeld()).toBe(true)
      }
      if (!cancels) await host.bring(externalId!, bad)
      const over = await ended()
      expect(over).toMatchObject({ status: 'canceled', reason: { code: 'commit_mismatch' } })
      expect(over.reason.text).toContain(`${OTHER}, not the approved commit ${job.pin!.sha}`)
      const { state } = await host.pipeline.observe({ externalId: externalId!, selector: host.selector })
      expect(state).toBe(cancels ? 'canceled' : 'failed')
      expect(await bench.lockHeld()).toBe(false)
      expect(await host.made(job.id)).toBe(1)
      expect((await claim(job, { sha: OTHER })).status).toBe(404)
      const { audit, runs } = (await bench.store.views.job(job.id))!
      expect(runs).toMatchObject([{ claimedAt: null, checkedOutSha: OTHER }])
      const actions = audit.map(({ action }) => action)
      expect(actions).toEqual(expect.arrayContaining(['claim_refused', 'cancel_requested', 'run_ended', 'lock_released']))
      expect(actions).not.toContain('run_claimed')
    })

    it.each(['the pinned commit', 'none'])('is told to go on with %s, and is a success', async (what) => {
      const job = await begun()
      expect(await claim(job, what === 'none' ? {} : { sha: job.pin!.sha })).toEqual({ status: 200, body: { go: true } })
      await pass()
      const { externalId } = await bench.run(path)
      await host.bring(externalId!, good)
      expect(await ended()).toMatchObject({ status: 'success', reason: { code: 'run_succeeded' } })
    })
  })
}

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PipelineProvider, RunObservation, Trigger } from '../../controller/jobs/executor.ts'
import type { PipelineSelector } from '../../controller/model/desired-state.ts'
import type { CallFaultKind } from '../sandbox/faults.ts'
import { describeAnotherCommit } from './another-commit.ts'
import { trigger as anyTrigger, SHA } from './fixtures.ts'
import { describeOneRun } from './one-run.ts'
import type { Wire } from './wire.ts'

/** One pipeline provider with the system behind it, which the test may move and disturb. */
export interface PipelineHost {
  pipeline: PipelineProvider
  selector: PipelineSelector
  now(): number
  /** Lets time go by. */
  pass(ms: number): void | Promise<void>
  /** Null: nothing lies between provider and system. */
  wire: Wire | null
  /** Runs ever made for a job, counted where they run. */
  made(jobId: string): number | Promise<number>
  /** What a run was told. */
  told(jobId: string): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
  /** Brings a run into a state, by the system's own word. */
  bring(externalId: string, word: string): void | Promise<void>
  /** Where a run can be looked at, or null where there is no such place. */
  link: RegExp | null
  /** Null: nothing between provider and system can fail. */
  faults: {
    strike(call: 'trigger' | 'list' | 'observe' | 'cancel', kind: CallFaultKind): void
    /** The young do not show in the next list. */
    lagOnce(youngerThanMs?: number): void
  } | null
  /** Null: runs are never tried again. */
  rerun: ((externalId: string) => void) | null
  /** Starts a run that is not of `selector` and gives its id; null where there is only one kind. */
  startForeign: ((trigger: Trigger) => Promise<string>) | null
  /** Null: runs cannot be taken away. */
  remove: ((externalId: string) => void | Promise<void>) | null
  /** The pipeline of `selector` can be told how to reach us. */
  callbacks?: true
  /** Runs after each test. */
  check(): Promise<void>
  close(): Promise<void>
}

export interface PipelineClaims {
  /** Every word of the system for a run's state, and what it is to us. */
  states: readonly (readonly [word: string, state: RunObservation['state']])[]
  /** A word that ends a run well, and one that ends it badly. */
  good: string
  bad: string
  /** False where nobody can stop a run from outside; true unless told. */
  cancels?: boolean
}

type Outcome = 'unknown' | 'refused'

const TRIGGER_FAULTS: readonly [CallFaultKind, made: number, Outcome][] = [
  ['accept_then_drop', 1, 'unknown'],
  ['drop_before', 0, 'unknown'],
  ['error_after', 1, 'unknown'],
  ['error_before', 0, 'unknown'],
  ['rate_limited', 0, 'refused'],
  ['rate_limited_bare', 0, 'refused'],
]

/** The same sentences for every provider: what the engine rests on is promised by all of them. */
export function describePipelines(name: string, claims: PipelineClaims, open: () => Promise<PipelineHost>): void {
  describe(`a pipeline of ${name}`, () => {
    let host: PipelineHost
    let tests = 0
    beforeAll(async () => {
      host = await open()
    }, 60_000)
    beforeEach(() => {
      tests++
    })
    afterEach(() => host.check())
    afterAll(() => host.close())

    /** Each test has a job of its own. */
    function trigger(overrides: Partial<Trigger> = {}): Trigger {
      const jobId = `00000000-0000-5000-8000-${String(tests).padStart(12, '0')}` as Trigger['jobId']
      return anyTrigger({ jobId, selector: host.selector, intendedAt: host.now(), ...overrides })
    }
    const observe = (externalId: string) => host.pipeline.observe({ externalId, selector: host.selector })

    /** Looks until the state shows: what runs beside us needs a moment. */
    async function seen(externalId: string, state: RunObservation['state']): Promise<RunObservation> {
      for (let tries = 0; tries < 400; tries++) {
        const observed = await observe(externalId)
        if (observed.state === state) return observed
        await new Promise((resolve) => setTimeout(resolve, host.faults === null ? 25 : 1))
      }
      throw new Error(`still ${JSON.stringify(await observe(externalId))}`)
    }

    async function started(wanted = trigger()): Promise<string> {
      const outcome = await host.pipeline.start(wanted)
      if (outcome.kind !== 'started') throw new Error(`not started: ${JSON.stringify(outcome)}`)
      return outcome.run.externalId
    }

    it('is started once, told the five agreed names, among them the pinned commit', async () => {
      const id = await started()
      await seen(id, host.faults === null ? 'active' : 'queued')
      expect(await host.told(trigger().jobId)).toEqual({
        JOB_ID: trigger().jobId,
        ENV: 'prod',
        REF: 'v1.4.2',
        TYPE: 'deploy',
        SHA,
      })
      expect(await host.made(trigger().jobId)).toBe(1)
      await host.bring(id, claims.good)
    })

    it('is told how to reach us besides, where the project wants that', async (context) => {
      if (host.callbacks === undefined) return context.skip()
      const callback = { url: 'https://draven.example/callbacks/jobs/1', token: `dcb_${'a'.repeat(43)}` }
      const id = await started(trigger({ callback }))
      const told = await host.told(trigger().jobId)
      expect(told).toMatchObject({ JOB_ID: trigger().jobId, CALLBACK_URL: callback.url, CALLBACK_TOKEN: callback.token })
      await host.bring(id, claims.good)
    })

    it('can be found by its job, under the id under which it was started', async () => {
      const id = await started()
      expect((await host.pipeline.find(trigger())).map((run) => run.externalId)).toEqual([id])
      expect(await host.pipeline.find(trigger({ jobId: 'ffffffff-0000-5000-8000-000000000000' as Trigger['jobId'] }))).toEqual([])
      await host.bring(id, claims.good)
    })

    it('shows where it can be looked at', async () => {
      const outcome = await host.pipeline.start(trigger())
      const url = outcome.kind === 'started' ? outcome.run.url : 'not started'
      if (host.link === null) expect(url).toBeNull()
      else expect(url).toMatch(host.link)
      if (outcome.kind === 'started') await host.bring(outcome.run.externalId, claims.good)
    })

    it.each(claims.states)('%s is %s', async (word, state) => {
      const id = await started()
      await host.bring(id, word)
      expect(await seen(id, state)).toMatchObject({ state, externalAttempt: 1 })
    })

    it('is asked to stop, and is canceled when it says so', async (context) => {
      if (claims.cancels === false) return context.skip()
      const id = await started()
      await host.pipeline.cancel({ externalId: id })
      await seen(id, 'canceled')
    })

    it('says in words that nobody can stop it from outside, and goes on', async (context) => {
      if (claims.cancels !== false) return context.skip()
      const id = await started()
      const refusal = { name: 'RefusedFault', message: expect.stringContaining('on its page') }
      await expect(host.pipeline.cancel({ externalId: id })).rejects.toMatchObject(refusal)
      expect(await observe(id)).toMatchObject({ state: 'queued' })
    })

    it('stays what it was when it is asked to stop after its end', async (context) => {
      if (claims.cancels === false) return context.skip()
      const id = await started()
      await host.bring(id, claims.good)
      await seen(id, 'success')
      await host.pipeline.cancel({ externalId: id })
      expect(await observe(id)).toMatchObject({ state: 'success' })
    })

    it.each(['', 'x', '1/../../2', '9'.repeat(16)])('is not asked about under the id %j', async (id) => {
      await expect(observe(id)).rejects.toMatchObject({ name: 'RefusedFault' })
    })

    it('has vanished when there is none under the id, or it was taken away', async (context) => {
      if (host.remove === null) return context.skip()
      const id = await started()
      await host.remove(id)
      expect(await observe(id)).toMatchObject({ state: 'vanished' })
    })

    it('is not believed when it is of another kind', async (context) => {
      if (host.startForeign === null) return context.skip()
      const id = await host.startForeign(trigger())
      expect(await observe(id)).toMatchObject({ state: 'vanished', detail: expect.stringContaining(', not of ') })
      expect(await host.pipeline.find(trigger())).toEqual([])
    })

    it('keeps its id and shows a higher attempt when somebody tries it again', async (context) => {
      if (host.rerun === null) return context.skip()
      const id = await started()
      await host.bring(id, claims.bad)
      await seen(id, 'failed')
      host.rerun(id)
      expect(await observe(id)).toMatchObject({ state: 'queued', externalAttempt: 2 })
      await host.bring(id, claims.good)
      expect(await observe(id)).toMatchObject({ state: 'success', externalAttempt: 2 })
      expect((await host.pipeline.find(trigger())).map((run) => run.externalId)).toEqual([id])
    })

    it.for(TRIGGER_FAULTS)(
      'after %s there are %i of it, the outcome is %s, and a look tells the truth',
      async ([kind, made, outcome], context) => {
        // Where nothing lies in between, nothing can be lost.
        if (host.faults === null) return context.skip()
        host.faults.strike('trigger', kind)
        const first = await host.pipeline.start(trigger())
        expect(first.kind).toBe(outcome)
        expect(await host.made(trigger().jobId)).toBe(made)
        const found = await host.pipeline.find(trigger())
        expect(found).toHaveLength(made)
        // Sent again after a refusal only, so that there is never a second.
        if (outcome === 'refused') await started()
        expect(await host.made(trigger().jobId)).toBe(outcome === 'refused' ? 1 : made)
      },
    )

    it('may be missed while the list lags, and shows later', async (context) => {
      if (host.faults === null) return context.skip()
      await started()
      host.faults.lagOnce()
      expect(await host.pipeline.find(trigger())).toHaveLength(0)
      expect(await host.pipeline.find(trigger())).toHaveLength(1)
    })

    it('is not over because the wish to stop it was heard', async (context) => {
      if (host.faults === null || claims.cancels === false) return context.skip()
      const id = await started()
      host.faults.strike('cancel', 'cancel_ignored')
      await host.pipeline.cancel({ externalId: id })
      expect(await observe(id)).toMatchObject({ state: 'queued' })
    })

    it.for(['error_before', 'drop_before', 'rate_limited'] as const)(
      'is not known for a while when looking at it meets %s',
      async (kind, context) => {
        if (host.faults === null) return context.skip()
        const id = await started()
        host.faults.strike('observe', kind)
        const fault = { name: 'TransientFault', retryAfterMs: kind === 'rate_limited' ? 60_000 : 0 }
        await expect(observe(id)).rejects.toMatchObject(fault)
        expect(await observe(id)).toMatchObject({ state: 'queued' })
      },
    )

    describeOneRun(() => host, claims.good)
    describeAnotherCommit(() => host, claims)
  })
}

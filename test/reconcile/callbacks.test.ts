import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../controller/clock.ts'
import { RefusedFault, TransientFault } from '../../controller/errors.ts'
import type { CallbackAnswer, CallbackMessage, CallbackOffer } from '../../controller/jobs/callback.ts'
import { type CommitSha, commitSha } from '../../controller/model/names.ts'
import { type CallbackDesk, callbackDesk } from '../../controller/reconcile/answer-callback.ts'
import { redactor } from '../../controller/secrets/redaction.ts'
import { configFiles, requestFile } from '../scenarios/config-files.ts'
import { type Bench, openBench } from './bench.ts'

const REQUEST = 'requests/shop/stage/2026-11-18-develop.yaml'
const PROJECT = 'projects/shop/project.yaml'
const GO: CallbackAnswer = { kind: 'accepted' }
const UNKNOWN: CallbackAnswer = { kind: 'unknown' }
const SECRET = 'canary-7c9e6679f9b14a1d8e5e'

describe('a pipeline that can ask back', () => {
  let bench: Bench
  let desk: CallbackDesk
  let tokens: number

  beforeEach(async () => {
    bench = await openBench()
    tokens = 0
    bench.engine.callbacks = {
      urlOf: (jobId) => `https://draven.example/callbacks/jobs/${jobId}`,
      newToken: () => `dcb_${String(++tokens).padStart(43, '0')}`,
    }
    const scrubber = redactor()
    scrubber.learn(SECRET)
    desk = callbackDesk({
      store: bench.store.state,
      reader: bench.store.callbacks,
      clock: bench.clock,
      redact: scrubber.redact,
      learnSecret: scrubber.learn,
      async nudge(jobId, what) {
        const nudge = { kind: 'job', jobId } as const
        await bench.store.inbox.store({
          integration: 'callback',
          deliveryId: what,
          event: what,
          receivedAt: bench.clock.at,
          nudge,
        })
      },
    })
    bench.commit({ [PROJECT]: configFiles()[PROJECT]!.replace('  pipelines:', '  callbacks: true\n  pipelines:') })
    await bench.tick()
    bench.clock.at += 30_000
  })
  afterEach(() => bench.close())

  async function begin(): Promise<CallbackOffer> {
    bench.commit({ [REQUEST]: requestFile('branch: develop') })
    await bench.tick()
    await bench.tick()
    return bench.pipeline.started.at(-1)!.callback!
  }
  const say = async ({ token }: CallbackOffer, message: CallbackMessage) => desk((await bench.job(REQUEST)).id, token, message)
  const claim = (offer: CallbackOffer, run = 'run 1', sha: CommitSha | null = null) => say(offer, { type: 'claim', run, sha })
  const page = async () => (await bench.store.views.job((await bench.job(REQUEST)).id))!
  const actions = async () => (await page()).audit.map((row) => row.action)

  it('is told where to ask and with what, and only a digest of that is kept', async () => {
    const offer = await begin()
    const job = await bench.job(REQUEST)
    expect(offer.url).toBe(`https://draven.example/callbacks/jobs/${job.id}`)
    const [row] = await bench.store.callbacks.of(job.id)
    expect(row).toMatchObject({ attempt: 1, fence: 1, claimedBy: null })
    expect(JSON.stringify([row, await page()])).not.toContain(offer.token)
  })

  it('is told to go on, once and for one run, and that is on record', async () => {
    const offer = await begin()
    expect(await claim(offer)).toEqual(GO)
    expect(await claim(offer)).toEqual(GO)
    expect(await claim(offer, 'run 1, again')).toMatchObject({ kind: 'stop', code: 'claimed_already' })
    expect(await bench.run(REQUEST)).toMatchObject({ claimedAt: bench.clock.at })
    expect((await actions()).filter((action) => /claim/.test(action))).toEqual(['run_claimed', 'claim_refused'])
  })

  it('does not fill the audit by asking in vain', async () => {
    const offer = await begin()
    await claim(offer)
    for (let index = 0; index < 20; index++) await claim(offer, 'another')
    expect((await actions()).filter((action) => action === 'claim_refused')).toHaveLength(5)
  })

  it('is told nothing with a wrong token, for another job, and after the end of its own', async () => {
    const offer = await begin()
    const { id } = await bench.job(REQUEST)
    expect(await claim({ ...offer, token: `${offer.token}x` })).toEqual(UNKNOWN)
    expect(await desk(id.replace(/^./, 'f'), offer.token, { type: 'claim', run: 'run 1', sha: null })).toEqual(UNKNOWN)
    bench.pipeline.seen = { ...bench.pipeline.seen, state: 'success' }
    bench.clock.at += 20_000
    await bench.tick()
    expect((await bench.job(REQUEST)).status).toBe('success')
    for (const message of [
      { type: 'claim', run: 'run 1', sha: null },
      { type: 'result', run: null, result: 'failed', text: null },
    ] as const)
      expect(await say(offer, message)).toEqual(UNKNOWN)
    expect(await actions()).not.toContain('run_claimed')
  })

  it('has to stop when its request is withdrawn, and what it says until then is kept', async () => {
    const offer = await begin()
    await claim(offer)
    bench.commit({ [REQUEST]: null })
    bench.clock.at += 30_000
    await bench.tick()
    expect(await say(offer, { type: 'progress', run: 'run 1', text: 'half way' })).toMatchObject({ code: 'cancel_asked' })
    expect((await page()).lines).toMatchObject([{ seq: 1, stream: 'event', text: 'half way' }])
  })

  it('is looked for as long as a run may take once it was told to go on', async () => {
    bench.pipeline.outcome = { kind: 'unknown', why: 'the connection broke' }
    await claim(await begin())
    for (let minute = 0; minute < 28; minute++) {
      bench.clock.at += MINUTE_MS
      await bench.tick()
    }
    expect((await bench.job(REQUEST)).status).toBe('running')
    expect(await bench.lockHeld()).toBe(true)
    bench.clock.at += 5 * MINUTE_MS
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'failed', reason: { code: 'trigger_outcome_unknown' } })
  })

  it('is not given up when it is told to go on in the very moment in which the search for it ends', async () => {
    bench.pipeline.outcome = { kind: 'unknown', why: 'timed out' }
    const offer = await begin()
    const { store } = bench.engine
    let answer: CallbackAnswer | null = null
    bench.engine.store = {
      async unit(name, work) {
        if (name === 'job.end' && answer === null) answer = await claim(offer)
        return store.unit(name, work)
      },
    }
    for (let minute = 0; minute < 15; minute++) {
      bench.clock.at += MINUTE_MS
      await bench.tick()
    }
    expect(answer).toEqual(GO)
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running' })
    expect(await bench.lockHeld()).toBe(true)
  })

  it('gets no second run beside it when the provider says afterwards that it refused', async () => {
    bench.pipeline.start = async (trigger) => {
      bench.pipeline.started.push(trigger)
      expect(await claim(trigger.callback!)).toEqual(GO)
      return { kind: 'refused', why: 'busy', retryAfterMs: 0, unreachable: false }
    }
    await begin()
    bench.clock.at += MINUTE_MS
    await bench.tick()
    await bench.tick()
    expect(bench.pipeline.started).toHaveLength(1)
    expect(bench.pipeline.calls).toContain('find')
    expect(await bench.lockHeld()).toBe(true)
  })

  it('of an attempt that was refused may not act, and the next attempt has a token of its own', async () => {
    bench.pipeline.outcome = { kind: 'refused', why: 'busy', retryAfterMs: 0, unreachable: false }
    const first = await begin()
    expect(await claim(first)).toMatchObject({ code: 'given_up' })
    bench.pipeline.outcome = { kind: 'started', run: { externalId: '900', externalAttempt: 1, url: null } }
    bench.clock.at += 5_000
    await bench.tick()
    const second = bench.pipeline.started.at(-1)!.callback!
    expect(second.token).not.toBe(first.token)
    expect(await claim(first)).toMatchObject({ code: 'not_this_attempt' })
    expect(await claim(second)).toEqual(GO)
  })

  it('may tell its result once; the provider is asked at once, and its word is what counts', async () => {
    const offer = await begin()
    await claim(offer)
    await bench.tick()
    bench.pipeline.calls = []
    expect(await say(offer, { type: 'result', run: 'run 1', result: 'succeeded', text: 'all well' })).toEqual(GO)
    expect(await say(offer, { type: 'result', run: 'run 1', result: 'succeeded', text: null })).toEqual(GO)
    expect(await say(offer, { type: 'result', run: 'run 1', result: 'failed', text: null })).toMatchObject({ code: 'over' })
    expect(await say(offer, { type: 'result', run: 'run 2', result: 'failed', text: null })).toMatchObject({
      code: 'claimed_already',
    })
    await bench.tick()
    expect(bench.pipeline.calls).toEqual(['observe'])
    expect((await bench.job(REQUEST)).status).toBe('running')
    expect(await bench.store.callbacks.of((await bench.job(REQUEST)).id)).toMatchObject([
      { result: 'succeeded', detail: 'all well' },
    ])
  })

  const actionsOf = async (pattern: RegExp) => (await actions()).filter((action) => pattern.test(action))
  const OTHER = commitSha('f'.repeat(40))

  it('that checked out another commit is refused and asked to stop, once, and canceled when it has', async () => {
    const offer = await begin()
    const { sha } = (await bench.job(REQUEST)).pin!
    const refusal = {
      kind: 'stop',
      code: 'commit_mismatch',
      reason: `This run has checked out ${OTHER}, not the approved commit ${sha}.`,
    }
    expect(await claim(offer, 'run 1', OTHER)).toEqual(refusal)
    expect(await claim(offer, 'run 1', OTHER)).toEqual(refusal)
    expect(await claim(offer, 'run 1', sha)).toEqual(refusal)
    expect(await bench.run(REQUEST)).toMatchObject({ claimedAt: null, checkedOutSha: OTHER })
    await bench.tick()
    expect(bench.pipeline.calls).toContain('cancel')
    expect(await bench.lockHeld()).toBe(true)
    const asked = await bench.job(REQUEST)
    expect(asked).toMatchObject({ status: 'running', reason: { code: 'commit_mismatch' }, cancelRequestedAt: bench.clock.at })
    expect(asked.reason.text).toContain(OTHER)
    bench.pipeline.seen = { ...bench.pipeline.seen, state: 'canceled' }
    bench.clock.at += 20_000
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'canceled', reason: { code: 'commit_mismatch' } })
    expect(await bench.lockHeld()).toBe(false)
    expect(await actionsOf(/claim|cancel_requested|run_ended/)).toEqual([
      ...Array(3).fill('claim_refused'),
      'cancel_requested',
      'run_ended',
    ])
  })

  it('that checked out another commit keeps that reason while its provider is out of reach, and its lock', async () => {
    const offer = await begin()
    await claim(offer, 'run 1', OTHER)
    bench.pipeline.fault = new TransientFault('it is away')
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ reason: { code: 'provider_unreachable' }, cancelRequestedAt: null })
    bench.restart()
    bench.pipeline.fault = null
    bench.pipeline.cancelFault = new RefusedFault('nobody can stop it from outside')
    bench.clock.at += MINUTE_MS
    await bench.tick()
    const { reason } = await bench.job(REQUEST)
    expect(reason.code).toBe('commit_mismatch')
    expect(reason.text).toContain('nobody can stop it from outside')
    bench.pipeline.fault = new TransientFault('it is away again')
    bench.clock.at += MINUTE_MS
    await bench.tick()
    bench.pipeline.fault = null
    bench.clock.at += MINUTE_MS
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'running', reason: { code: 'commit_mismatch' } })
    expect(await bench.lockHeld()).toBe(true)
    bench.pipeline.seen = { ...bench.pipeline.seen, state: 'failed' }
    bench.clock.at += 20_000
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'canceled', reason: { code: 'commit_mismatch' } })
  })

  it('that checked out another commit and goes on to a good end is no success', async () => {
    await claim(await begin(), 'run 1', OTHER)
    bench.pipeline.seen = { ...bench.pipeline.seen, state: 'success' }
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'failed', reason: { code: 'commit_mismatch' } })
  })

  it('says what it checked out between the look at its run and the record of its end, and is heard', async () => {
    const offer = await begin()
    bench.pipeline.observe = async () => {
      await claim(offer, 'run 1', OTHER)
      return { ...bench.pipeline.seen, state: 'failed' }
    }
    bench.clock.at += 20_000
    await bench.tick()
    expect(await bench.job(REQUEST)).toMatchObject({ status: 'canceled', reason: { code: 'commit_mismatch' } })
  })

  it('may say nothing of its commit, or the approved one, and the record says which', async () => {
    const offer = await begin()
    const { sha } = (await bench.job(REQUEST)).pin!
    expect(await claim(offer, 'run 1', sha)).toEqual(GO)
    expect(await claim(offer)).toEqual(GO)
    expect(await bench.run(REQUEST)).toMatchObject({ claimedAt: bench.clock.at, checkedOutSha: sha })
  })

  it('of another commit is not taken for the run that was told to go on', async () => {
    const offer = await begin()
    await claim(offer)
    expect(await claim(offer, 'run 2', OTHER)).toMatchObject({ code: 'claimed_already' })
    expect(await bench.run(REQUEST)).toMatchObject({ checkedOutSha: null })
  })

  it('gets no second run beside it when it spoke of another commit and the provider then says that it refused', async () => {
    bench.pipeline.start = async (trigger) => {
      bench.pipeline.started.push(trigger)
      expect(await claim(trigger.callback!, 'run 1', OTHER)).toMatchObject({ code: 'commit_mismatch' })
      return { kind: 'refused', why: 'busy', retryAfterMs: 0, unreachable: false }
    }
    await begin()
    bench.clock.at += MINUTE_MS
    await bench.tick()
    await bench.tick()
    expect(bench.pipeline.started).toHaveLength(1)
    expect(await bench.lockHeld()).toBe(true)
  })

  it('has its lines kept without secrets, also where one goes over several lines', async () => {
    const offer = await begin()
    const stdout = (text: string) => ({ stream: 'stdout', text }) as const
    const lines = [stdout(`token ${SECRET}`), { stream: 'stderr', text: `${offer.token}` } as const]
    const key = ['-----BEGIN PRIVATE KEY-----', 'MIIEvQ', '-----END PRIVATE KEY-----', 'after'].map(stdout)
    expect(await say(offer, { type: 'log', run: null, lines: [...lines, ...key] })).toEqual(GO)
    expect((await page()).lines.map(({ seq, stream, text }) => [seq, stream, text])).toEqual([
      [1, 'stdout', 'token ***'],
      [2, 'stderr', '***'],
      [3, 'stdout', '***'],
      [4, 'stdout', 'after'],
    ])
  })

  it('is not triggered where it could ask nobody', async () => {
    bench.engine.callbacks = null
    bench.commit({ [REQUEST]: requestFile('branch: develop') })
    for (let pass = 0; pass < 3; pass++) await bench.tick()
    expect(bench.pipeline.started).toEqual([])
    expect(await bench.job(REQUEST)).toMatchObject({
      status: 'failed',
      reason: { code: 'trigger_refused', text: expect.stringContaining('DRAVEN_PUBLIC_URL') },
    })
  })
})

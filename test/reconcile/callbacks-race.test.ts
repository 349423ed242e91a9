import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { systemClock } from '../../controller/clock.ts'
import { type CallbackAnswer, tokenHash } from '../../controller/jobs/callback.ts'
import { lockKey } from '../../controller/jobs/job.ts'
import { environmentKey } from '../../controller/model/names.ts'
import { type CallbackDesk, callbackDesk } from '../../controller/reconcile/answer-callback.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { noPostgres, openPostgresAt, type ScratchDatabase, scratchDatabase } from '../store/postgres-server.ts'
import { aCallback, aJob, aRun, jobId, T0 } from '../store/rows.ts'

const TOKEN = `dcb_${'a'.repeat(43)}`

describe.skipIf(noPostgres)('two controllers that pipelines ask at the same moment', () => {
  let database: ScratchDatabase
  let stores: OpenStore[]
  let desks: CallbackDesk[]

  beforeEach(async () => {
    database = await scratchDatabase()
    stores = [await openPostgresAt(database.url), await openPostgresAt(database.url)]
    desks = stores.map((store) =>
      callbackDesk({
        store: store.state,
        reader: store.callbacks,
        clock: systemClock(),
        redact: (text) => text,
        learnSecret: () => {},
        nudge: async () => {},
      }),
    )
    await stores[0]!.state.unit('fill', async (tx) => {
      await tx.jobs.insert(aJob('a', { status: 'running', attempt: 1 }))
      await tx.runs.insert(aRun('a'))
      await tx.callbacks.insert(aCallback('a', { tokenHash: tokenHash(TOKEN) }))
      await tx.locks.acquire(lockKey(environmentKey('shop', 'prod')), jobId('a'), T0)
    })
  })
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await database.remove()
  })

  it('tell one of many runs to go on, and all others to stop', async () => {
    const asked = Array.from({ length: 16 }, (_, index) =>
      desks[index % 2]!('a', TOKEN, { type: 'claim', run: `run ${index}`, sha: null }),
    )
    const answers = await Promise.all(asked)
    const count = (fits: (answer: CallbackAnswer) => boolean) => answers.filter(fits).length
    expect(count(({ kind }) => kind === 'accepted')).toBe(1)
    expect(count((answer) => answer.kind === 'stop' && answer.code === 'claimed_already')).toBe(15)
    expect(await verifyChain(stores[0]!.auditRows())).toMatchObject({ ok: true })
    const { audit } = (await stores[0]!.views.job('a'))!
    expect(audit.filter((row) => row.action === 'run_claimed')).toHaveLength(1)
  })

  it('never tell a run to go on and give the attempt up as well', async () => {
    const [one, two] = stores as [OpenStore, OpenStore]
    const giveUp = two.state.unit('give up', async (tx) => {
      const [run] = await tx.runs.of([jobId('a')])
      return run!.claimedAt === null && (await tx.runs.update(run!, { state: 'refused' }))
    })
    const [answer, givenUp] = await Promise.all([desks[0]!('a', TOKEN, { type: 'claim', run: 'run 1', sha: null }), giveUp])
    expect([answer.kind, givenUp]).toSatisfy(([kind, gone]) => (kind === 'accepted') !== gone)
    const [run] = await one.state.unit('look', (tx) => tx.runs.of([jobId('a')]))
    expect(run!.claimedAt === null).toBe(run!.state === 'refused')
  })

  it('keep all lines of both, each under a number of its own', async () => {
    const say = (index: number) =>
      desks[index % 2]!('a', TOKEN, { type: 'log', run: null, lines: [{ stream: 'stdout', text: `line ${index}` }] })
    await Promise.all(Array.from({ length: 12 }, (_, index) => say(index)))
    const { lines } = (await stores[0]!.views.job('a'))!
    expect(lines.map(({ seq }) => seq)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1))
    expect(new Set(lines.map(({ text }) => text)).size).toBe(12)
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { DAY_MS } from '../../controller/clock.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { aCallback, aConfig, aDelivery, aJob, aLine, aMessage, anEvent, aPull, aRun, BLOB, jobId, SHA, T0 } from './rows.ts'

/** A database of its own for one test. `reopen` closes the store and opens the same database again. */
export interface StoreUnderTest {
  store: OpenStore
  reopen(): Promise<OpenStore>
  dispose(): Promise<void>
}

/** What every store has to do, whatever database is below it. */
export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  let made: StoreUnderTest
  let store: OpenStore
  beforeEach(async () => {
    made = await open()
    store = made.store
  })
  afterEach(() => made.dispose())

  const unit = <T>(work: Parameters<OpenStore['state']['unit']>[1]) => store.state.unit('test', work) as Promise<T>

  describe(`units of work on ${name}`, () => {
    test('leave nothing behind when they throw', async () => {
      const failing = unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        await tx.locks.acquire('environment:shop/prod', jobId('a'), T0)
        await tx.runs.insert(aRun('a'))
        await tx.outbox.put(aMessage('hello'), T0)
        await tx.pulls.save(aPull(12))
        await tx.config.write(aConfig())
        await tx.audit(anEvent())
        throw new Error('changed my mind')
      })
      await expect(failing).rejects.toThrow('changed my mind')
      await unit(async (tx) => {
        expect(await tx.jobs.known()).toEqual(new Map())
        expect(await tx.locks.all()).toEqual([])
        expect(await tx.runs.of([jobId('a')])).toEqual([])
        expect(await tx.outbox.nextDueAt()).toBeNull()
        expect(await tx.pulls.get(12)).toBeNull()
        expect(await tx.config.read()).toBeNull()
      })
      expect(await store.views.audit({ limit: 10 })).toEqual([])
    })

    test('cannot commit after a failed statement, even when they catch its error', async () => {
      const stubborn = unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        await tx.runs.insert(aRun('nobody')).catch(() => {})
      })
      await expect(stubborn).rejects.toThrow()
      expect(await store.views.job('a')).toBeNull()
      await unit((tx) => tx.jobs.insert(aJob('b')))
      expect(await store.views.job('b')).not.toBeNull()
    })

    test('give what their work gives, and see their own writes', async () => {
      const seq = await unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        return (await tx.jobs.get(jobId('a')))?.seq
      })
      expect(seq).toBe(1)
    })

    test('never interleave and keep the order in which they were asked for', async () => {
      const log: string[] = []
      const one = (name: string) =>
        unit(async (tx) => {
          log.push(`${name} begins`)
          await tx.jobs.open()
          await new Promise(setImmediate)
          await tx.jobs.insert(aJob(name))
          log.push(`${name} ends`)
        })
      const names = Array.from({ length: 20 }, (_, index) => `job-${index}`)
      await Promise.all(names.map(one))
      expect(log).toEqual(names.flatMap((each) => [`${each} begins`, `${each} ends`]))
      const jobs = await unit<{ id: string }[]>((tx) => tx.jobs.open())
      expect(jobs.map((job) => job.id)).toEqual(names)
    })

    test('do not take an outside write with them when they roll back', async () => {
      let stored: Promise<string> | undefined
      let tell = () => {}
      const begun = new Promise<void>((resolve) => {
        tell = resolve
      })
      const failing = unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        tell()
        while (stored === undefined) await new Promise(setImmediate)
        await tx.jobs.insert(aJob('b'))
        throw new Error('rolled back')
      })
      await begun
      stored = store.inbox.store(aDelivery('outside'))
      await expect(failing).rejects.toThrow('rolled back')
      expect(await stored).toBe('stored')
      expect(await unit((tx) => tx.nudges.pending(10))).toHaveLength(1)
      expect(await store.views.job('a')).toBeNull()
    })

    test.each<[string, (store: OpenStore) => Promise<unknown>]>([
      ['another unit', (it) => it.state.unit('inner', async () => {})],
      ['the inbox', (it) => it.inbox.store(aDelivery('x'))],
      ['a view', (it) => it.views.environments()],
      ['the probe', (it) => it.views.probe()],
      ['the audit', async (it) => it.auditRows()],
    ])('refuse the use of %s from inside at once, because it would wait for ever', async (_, use) => {
      await unit(async (tx) => {
        await tx.jobs.open()
        await expect(use(store)).rejects.toThrow(/inside the unit "test"/)
      })
    })

    test('leave work they started free to use the store once they have ended', async () => {
      let later: Promise<unknown> | undefined
      let go = () => {}
      const ended = new Promise<void>((resolve) => {
        go = resolve
      })
      await unit(async () => {
        later = ended.then(() => store.views.environments())
      })
      go()
      expect(await later).toEqual([])
    })
  })

  describe(`jobs on ${name}`, () => {
    test('come back as they were written', async () => {
      const full = aJob('a', {
        startedAt: T0 + 1,
        endedAt: T0 + 2,
        cancelRequestedAt: T0 + 3,
        status: 'success',
        forced: true,
        attempt: 2,
      })
      const bare = aJob('b', { ref: null, pin: null, pullRequest: null, requester: null, type: 'rollback' })
      await unit(async (tx) => {
        expect(await tx.jobs.insert(full)).toBe(true)
        expect(await tx.jobs.insert(bare)).toBe(true)
        expect(await tx.jobs.get(jobId('a'))).toEqual({ ...full, seq: 1, version: 1 })
        expect(await tx.jobs.get(jobId('b'))).toEqual({ ...bare, seq: 2, version: 1 })
        expect(await tx.jobs.get(jobId('c'))).toBeNull()
      })
    })

    test('are created once, however often they are inserted', async () => {
      await unit((tx) => tx.jobs.insert(aJob('a')))
      expect(await unit((tx) => tx.jobs.insert(aJob('a', { requester: 'mallory' })))).toBe(false)
      const job = await unit((tx) => tx.jobs.get(jobId('a')))
      expect(job).toMatchObject({ requester: 'alice', version: 1, seq: 1 })
    })

    test('are numbered in the order of their acceptance, also after a rollback and a restart', async () => {
      await unit((tx) => tx.jobs.insert(aJob('a')))
      await unit(async (tx) => {
        await tx.jobs.insert(aJob('lost'))
        throw new Error('no')
      }).catch(() => {})
      await unit((tx) => tx.jobs.insert(aJob('b', { status: 'failed' })))
      store = await made.reopen()
      await unit((tx) => tx.jobs.insert(aJob('c')))
      const jobs = await store.views.jobs({ limit: 10 })
      expect(jobs.map((job) => [job.id, job.seq])).toEqual([
        ['c', 3],
        ['b', 2],
        ['a', 1],
      ])
      const known = await unit<ReadonlyMap<string, string>>((tx) => tx.jobs.known())
      expect([...known.entries()].sort()).toEqual([
        ['a', BLOB],
        ['b', BLOB],
        ['c', BLOB],
      ])
    })

    test('change only when id, status, attempt and version are what the writer saw', async () => {
      await unit((tx) => tx.jobs.insert(aJob('a')))
      const seen = { id: jobId('a'), status: 'queued', attempt: 0, version: 1 } as const
      const stale = [{ id: jobId('b') }, { status: 'running' as const }, { attempt: 1 }, { version: 2 }]
      for (const wrong of stale) {
        expect(await unit((tx) => tx.jobs.update({ ...seen, ...wrong }, { status: 'failed' })), JSON.stringify(wrong)).toBe(false)
      }
      expect(await unit((tx) => tx.jobs.get(jobId('a')))).toMatchObject({ status: 'queued', version: 1 })
      const reason = { ...aJob('a').reason, code: 'run_active' as const }
      expect(
        await unit((tx) => tx.jobs.update(seen, { status: 'running', attempt: 1, startedAt: T0 + 5, ref: null, reason })),
      ).toBe(true)
      const changed = { ...aJob('a'), status: 'running', attempt: 1, startedAt: T0 + 5, ref: null, reason, seq: 1, version: 2 }
      expect(await unit((tx) => tx.jobs.get(jobId('a')))).toEqual(changed)
      expect(await unit((tx) => tx.jobs.update(seen, { status: 'failed' }))).toBe(false)
    })

    test('that have not ended are open, in order', async () => {
      const statuses = ['queued', 'waiting_approval', 'running', 'success', 'failed', 'canceled', 'expired'] as const
      await unit(async (tx) => {
        for (const status of statuses) await tx.jobs.insert(aJob(status, { status }))
      })
      const open = await unit<{ id: string }[]>((tx) => tx.jobs.open())
      expect(open.map((job) => job.id)).toEqual(['queued', 'waiting_approval', 'running'])
    })

    test('count as successes of their own environment, newest first, without dry runs', async () => {
      await unit(async (tx) => {
        await tx.jobs.insert(aJob('old', { status: 'success', endedAt: T0 + 1 }))
        await tx.jobs.insert(aJob('newest', { status: 'success', endedAt: T0 + 9, type: 'rollback', ref: null }))
        await tx.jobs.insert(aJob('middle', { status: 'success', endedAt: T0 + 5 }))
        await tx.jobs.insert(aJob('dry', { status: 'success', endedAt: T0 + 10, type: 'dry_run' }))
        await tx.jobs.insert(aJob('failed', { status: 'failed', endedAt: T0 + 11 }))
        await tx.jobs.insert(aJob('elsewhere', { status: 'success', endedAt: T0 + 12, environment: 'stage' }))
      })
      const key = aJob('x').key
      const successes = await unit<{ jobId: string }[]>((tx) => tx.jobs.successes(key, 2))
      expect(successes.map((success) => success.jobId)).toEqual(['newest', 'middle'])
      expect(successes[0]).toEqual({ jobId: 'newest', sha: SHA, ref: null, endedAt: T0 + 9 })
    })
  })

  describe(`runs on ${name}`, () => {
    test('change only from the state the writer saw', async () => {
      await unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        await tx.runs.insert(aRun('a', 2))
        await tx.runs.insert(aRun('a', 1))
        const before = { jobId: jobId('a'), attempt: 1, state: 'intended' } as const
        expect(await tx.runs.update({ ...before, state: 'unknown' }, { state: 'ended' })).toBe(false)
        expect(await tx.runs.update({ ...before, attempt: 3 }, { state: 'ended' })).toBe(false)
        expect(await tx.runs.update(before, { state: 'started', externalId: '99', startedAt: T0 + 1 })).toBe(true)
        expect(await tx.runs.update(before, { state: 'ended' })).toBe(false)
        const started = { ...aRun('a', 1), state: 'started', externalId: '99', startedAt: T0 + 1 }
        expect(await tx.runs.of([jobId('a'), jobId('b')])).toEqual([started, aRun('a', 2)])
      })
    })

    test('exist once per attempt', async () => {
      await unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        await tx.runs.insert(aRun('a'))
      })
      await expect(unit((tx) => tx.runs.insert(aRun('a')))).rejects.toThrow()
    })
  })

  describe(`locks on ${name}`, () => {
    const key = 'environment:shop/prod'
    const acquire = (job: string, lockKey = key) =>
      unit<{ fence: number } | null>((tx) => tx.locks.acquire(lockKey, jobId(job), T0))

    test('are held by one job at a time', async () => {
      expect(await acquire('a')).toEqual({ key, jobId: 'a', fence: 1, acquiredAt: T0 })
      expect(await acquire('b')).toBeNull()
      expect(await acquire('a')).toBeNull()
      expect(await acquire('b', 'environment:shop/stage')).toMatchObject({ fence: 1 })
      await acquire('c', 'environment:api/prod')
      const held = (await unit((tx) => tx.locks.all())) as readonly { key: string }[]
      expect(held.map((lock) => lock.key)).toEqual(['environment:api/prod', key, 'environment:shop/stage'])
    })

    test('are released only by the very acquisition', async () => {
      await acquire('a')
      const release = (lock: { key: string; jobId: string; fence: number }) =>
        unit((tx) => tx.locks.release({ ...lock, jobId: jobId(lock.jobId) }))
      expect(await release({ key, jobId: 'b', fence: 1 })).toBe(false)
      expect(await release({ key, jobId: 'a', fence: 2 })).toBe(false)
      expect(await release({ key: 'environment:x/y', jobId: 'a', fence: 1 })).toBe(false)
      expect(await release({ key, jobId: 'a', fence: 1 })).toBe(true)
      expect(await release({ key, jobId: 'a', fence: 1 })).toBe(false)
      expect(await unit((tx) => tx.locks.all())).toEqual([])
    })

    test('have fences that only grow, across releases, rollbacks and restarts', async () => {
      const fences: number[] = []
      for (let round = 0; round < 6; round += 1) {
        const lock = await acquire(`job-${round}`)
        fences.push(lock!.fence)
        await unit((tx) => tx.locks.release({ key, jobId: jobId(`job-${round}`), fence: lock!.fence }))
        if (round % 2 === 0) store = await made.reopen()
      }
      expect(fences).toEqual([1, 2, 3, 4, 5, 6])
    })

    test('survive a restart while they are held', async () => {
      await acquire('a')
      store = await made.reopen()
      expect(await acquire('b')).toBeNull()
      expect(await unit((tx) => tx.locks.all())).toEqual([{ key, jobId: 'a', fence: 1, acquiredAt: T0 }])
    })

    test('go to exactly one of many who ask at once', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => acquire(`job-${index}`)))
      expect(answers.filter((lock) => lock !== null)).toHaveLength(1)
    })
  })

  describe(`what pipelines say on ${name}`, () => {
    const shown = async (job: string) => (await store.views.job(job))!.lines

    test('is kept with the token of its attempt, and found from outside of a unit', async () => {
      await unit(async (tx) => {
        await tx.callbacks.insert(aCallback('a'))
        await tx.callbacks.insert(aCallback('a', { attempt: 2, fence: null }))
        await tx.callbacks.insert(aCallback('b'))
        await tx.callbacks.update(aCallback('a'), { claimedBy: 'run 7', heardAt: T0, refusals: 1 })
        await tx.callbacks.update(aCallback('a', { attempt: 2 }), { result: 'failed', detail: 'exit\0 3' })
        await tx.callbacks.update(aCallback('nobody'), { result: 'failed' })
      })
      store = await made.reopen()
      const wanted = [
        aCallback('a', { claimedBy: 'run 7', heardAt: T0, refusals: 1 }),
        aCallback('a', { attempt: 2, fence: null, result: 'failed', detail: 'exit\uFFFD 3' }),
      ]
      expect(await store.callbacks.of('a')).toEqual(wanted)
      expect(await unit((tx) => tx.callbacks.of(jobId('a')))).toEqual(wanted)
      expect(await store.callbacks.of('c')).toEqual([])
    })

    test('is on record with the run that was told to go on', async () => {
      await unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        await tx.runs.insert(aRun('a'))
        expect(await tx.runs.update(aRun('a'), { claimedAt: T0 + 5, checkedOutSha: SHA })).toBe(true)
      })
      expect((await store.views.job('a'))!.runs).toMatchObject([{ claimedAt: T0 + 5, checkedOutSha: SHA, state: 'intended' }])
    })

    test('comes back line by line in its order, of a long log its end', async () => {
      await unit((tx) => tx.jobs.insert(aJob('a')))
      await unit(async (tx) => {
        expect(await tx.lines.last(jobId('a'))).toBe(0)
        await tx.lines.append([])
        await tx.lines.append([aLine('a', 1, { text: 'half \uD800 of a pair' }), aLine('a', 2, { stream: 'stderr', attempt: 2 })])
        await tx.lines.append([aLine('b', 1)])
        expect(await tx.lines.last(jobId('a'))).toBe(2)
      })
      expect(await shown('a')).toEqual([
        aLine('a', 1, { text: 'half \uFFFD of a pair' }),
        aLine('a', 2, { stream: 'stderr', attempt: 2 }),
      ])
      await unit((tx) => tx.lines.append(Array.from({ length: 998 }, (_, index) => aLine('a', index + 3))))
      const end = await shown('a')
      expect([end.length, end[0]!.seq, end.at(-1)!.seq]).toEqual([500, 501, 1_000])
    })

    test('is pruned by age and by number, oldest first', async () => {
      await unit((tx) => tx.jobs.insert(aJob('a')))
      await unit((tx) => tx.lines.append(Array.from({ length: 10 }, (_, index) => aLine('a', index + 1))))
      const left = async (before: number, keep: number) => {
        await unit((tx) => tx.lines.prune(before, keep))
        return (await shown('a')).map((line) => line.seq)
      }
      expect(await left(T0 + 3, 100)).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
      expect(await left(T0, 8)).toHaveLength(8)
      expect(await left(T0, 2)).toEqual([9, 10])
    })
  })

  describe(`config and pull requests on ${name}`, () => {
    test('come back as they were last written', async () => {
      const reason = aJob('x').reason
      await unit((tx) => tx.config.write(aConfig()))
      await unit((tx) => tx.config.write(aConfig({ acceptedAt: T0 + 1, frozen: reason })))
      expect(await unit((tx) => tx.config.read())).toEqual(aConfig({ acceptedAt: T0 + 1, frozen: reason }))
      expect(await store.views.config()).toEqual(aConfig({ acceptedAt: T0 + 1, frozen: reason }))

      await unit(async (tx) => {
        await tx.pulls.save(aPull(12))
        await tx.pulls.save(aPull(7))
        await tx.pulls.save(aPull(12, { state: 'merged', pins: new Map() }))
        expect(await tx.pulls.open()).toEqual([aPull(7)])
        expect(await tx.pulls.get(12)).toEqual(aPull(12, { state: 'merged', pins: new Map() }))
        expect(await tx.pulls.get(1)).toBeNull()
      })
    })
  })

  describe(`the inbox on ${name}`, () => {
    test('stores a delivery once and says so', async () => {
      expect(await store.inbox.store(aDelivery('1'))).toBe('stored')
      expect(await store.inbox.store(aDelivery('1', { event: 'other' }))).toBe('duplicate')
      expect(await store.inbox.store(aDelivery('1', { integration: 'other' }))).toBe('stored')
      store = await made.reopen()
      expect(await store.inbox.store(aDelivery('1'))).toBe('duplicate')
      expect(await unit((tx) => tx.nudges.pending(10))).toHaveLength(2)
    })

    test('stores many that arrive at once, and each of them once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 1_200 }, (_, index) => store.inbox.store(aDelivery(String(index % 600)))),
      )
      expect(answers.filter((answer) => answer === 'stored')).toHaveLength(600)
      expect(answers.slice(0, 600).every((answer) => answer === 'stored')).toBe(true)
      expect((await store.views.counts()).deliveries).toBe(600)
    })

    test('hands deliveries on in the order of their arrival until they are settled', async () => {
      const nudges = [
        { kind: 'config' },
        { kind: 'run', externalId: '9007199254740993' },
        { kind: 'repository', repoFullName: 'a/b' },
      ] as const
      for (const [index, nudge] of nudges.entries()) await store.inbox.store(aDelivery(String(index), { nudge }))
      const pending = await unit<{ id: string; nudge: unknown }[]>((tx) => tx.nudges.pending(2))
      expect(pending.map((row) => row.nudge)).toEqual(nudges.slice(0, 2))
      await unit((tx) =>
        tx.nudges.settle(
          pending.map((row) => row.id),
          T0,
        ),
      )
      const rest = await unit<{ nudge: unknown }[]>((tx) => tx.nudges.pending(10))
      expect(rest.map((row) => row.nudge)).toEqual(nudges.slice(2))
    })

    test('forgets what was settled more than a week ago, and nothing else', async () => {
      for (const name of ['old', 'young', 'unsettled', 'now']) await store.inbox.store(aDelivery(name))
      const [old, young, , now] = await unit<{ id: string }[]>((tx) => tx.nudges.pending(10))
      await unit((tx) => tx.nudges.settle([old!.id], T0))
      await unit((tx) => tx.nudges.settle([young!.id], T0 + DAY_MS))
      await unit((tx) => tx.nudges.settle([now!.id], T0 + 7 * DAY_MS + 1))
      expect((await store.views.counts()).deliveries).toBe(3)
      expect(await store.inbox.store(aDelivery('young'))).toBe('duplicate')
      expect(await store.inbox.store(aDelivery('old'))).toBe('stored')
    })
  })

  describe(`the outbox on ${name}`, () => {
    const due = (at: number) => unit<{ key: string; revision: number; attempts: number }[]>((tx) => tx.outbox.due(at, 10))
    const put = (text: string, at = T0) => unit((tx) => tx.outbox.put(aMessage(text), at))
    const delivered = (revision: number, id: string | null) =>
      unit((tx) => tx.outbox.delivered({ key: 'comment:12', revision }, id, T0))

    test('sends only the last of what was put before it was delivered', async () => {
      await put('first')
      await put('second', T0 + 1)
      expect(await due(T0)).toEqual([])
      const rows = await due(T0 + 1)
      expect(rows).toEqual([{ ...aMessage('second'), revision: 2, attempts: 0, externalId: null, lastError: null }])
    })

    test('does not send an equal body again, in whatever order its keys come', async () => {
      await put('same')
      await put('same', T0 + 5)
      expect(await due(T0)).toMatchObject([{ revision: 1 }])
      await delivered(1, '77')
      await unit((tx) =>
        tx.outbox.put({ key: 'comment:12', channel: 'comment', body: { body: 'same', pullRequest: 12 } }, T0 + 6),
      )
      expect(await due(T0 + 100)).toEqual([])
      expect(await unit((tx) => tx.outbox.nextDueAt())).toBeNull()
      await put('other', T0 + 7)
      expect(await due(T0 + 7)).toMatchObject([{ revision: 2, externalId: '77' }])
    })

    test('keeps a body due that was put while an older one was being delivered, and remembers what that created', async () => {
      await put('first')
      await put('second', T0 + 1)
      await delivered(1, '77')
      expect(await due(T0 + 1)).toMatchObject([{ revision: 2, externalId: '77', body: { body: 'second' } }])
      await delivered(2, null)
      expect(await due(T0 + 100)).toEqual([])
    })

    test('tries again at the given time, and at once when there is something new to say', async () => {
      await put('first')
      await unit((tx) => tx.outbox.failed({ key: 'comment:12', revision: 1 }, 'HTTP 502', T0 + 60_000))
      expect(await due(T0 + 59_999)).toEqual([])
      expect(await unit((tx) => tx.outbox.nextDueAt())).toBe(T0 + 60_000)
      expect(await due(T0 + 60_000)).toMatchObject([{ attempts: 1, lastError: 'HTTP 502' }])
      await put('first', T0 + 1)
      expect(await due(T0 + 1)).toEqual([])
      await put('second', T0 + 2)
      expect(await due(T0 + 2)).toMatchObject([{ attempts: 0, lastError: null, revision: 2 }])
      await unit((tx) => tx.outbox.failed({ key: 'comment:12', revision: 1 }, 'late', T0 + 90_000))
      expect(await due(T0 + 2)).toMatchObject([{ attempts: 0, lastError: null }])
    })
  })

  describe(`the audit on ${name}`, () => {
    test('is one chain over all units, with the rows of a unit in order', async () => {
      await unit(async (tx) => {
        await tx.audit(anEvent({ actor: 'first' }))
        await tx.audit(anEvent({ actor: 'second', jobId: 'a', data: { nested: { list: [1, 'zwei', null] } } }))
      })
      await unit(async (tx) => {
        await tx.audit(anEvent({ actor: 'lost' }))
        throw new Error('no')
      }).catch(() => {})
      store = await made.reopen()
      await unit((tx) => tx.audit(anEvent({ actor: 'third' })))
      const rows = await store.views.audit({ limit: 10 })
      expect(rows.map((row) => [row.seq, row.actor])).toEqual([
        [3, 'third'],
        [2, 'second'],
        [1, 'first'],
      ])
      expect(rows[1]).toMatchObject(anEvent({ actor: 'second', jobId: 'a', data: { nested: { list: [1, 'zwei', null] } } }))
      expect(await verifyChain(store.auditRows())).toEqual({ ok: true, rows: 3, head: { seq: 3, hash: rows[0]!.hash } })
      expect((await store.views.audit({ beforeSeq: 3, limit: 1 })).map((row) => row.seq)).toEqual([2])
    })

    test('refuses data that JSON cannot carry, and with it the unit', async () => {
      const failing = unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        await tx.audit(anEvent({ data: { when: new Date(0) } }))
      })
      await expect(failing).rejects.toThrow(/not a JSON value/)
      expect(await store.views.job('a')).toBeNull()
    })

    test('writes what was meant at the time, not what the object became', async () => {
      await unit(async (tx) => {
        const data: Record<string, unknown> = { state: 'before' }
        await tx.audit(anEvent({ data }))
        data['state'] = 'after'
      })
      expect(await store.views.audit({ limit: 1 })).toMatchObject([{ data: { state: 'before' } }])
      expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true })
    })

    test('reads and holds over more than one page', async () => {
      await unit(async (tx) => {
        for (let index = 0; index < 1_203; index += 1) await tx.audit(anEvent({ at: T0 + index }))
      })
      expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true, rows: 1_203 })
    })
  })

  test(`text that no database can keep is stored as near as can be on ${name}`, async () => {
    const odd = 'a\u0000b\uD800c “ä” 😀'
    const kept = 'a\uFFFDb\uFFFDc “ä” 😀'
    await unit(async (tx) => {
      await tx.jobs.insert(aJob('a', { requestReason: odd, requester: odd, reason: { ...aJob('a').reason, text: odd } }))
      await tx.runs.insert({ ...aRun('a'), detail: odd })
      await tx.runs.update({ jobId: jobId('a'), attempt: 1, state: 'intended' }, { url: odd })
      await tx.outbox.put(aMessage(odd), T0)
      await tx.outbox.failed({ key: 'comment:12', revision: 1 }, odd, T0)
      await tx.audit(anEvent({ actor: odd, jobId: 'a', data: { odd } }))
    })
    const view = await store.views.job('a')
    expect(view).toMatchObject({
      job: { requestReason: kept, requester: kept, reason: { text: odd } },
      runs: [{ detail: kept, url: kept }],
      audit: [{ actor: kept, data: { odd } }],
    })
    expect(await unit((tx) => tx.outbox.due(T0, 1))).toMatchObject([{ body: { body: odd }, lastError: kept }])
    expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true, rows: 1 })
  })

  describe(`views on ${name}`, () => {
    test('show each environment with what runs there, what ended last, what waits and who holds the lock', async () => {
      await unit(async (tx) => {
        await tx.jobs.insert(aJob('first', { status: 'success', endedAt: T0 + 1 }))
        await tx.jobs.insert(aJob('current', { status: 'success', endedAt: T0 + 5 }))
        await tx.jobs.insert(aJob('tried', { status: 'success', endedAt: T0 + 6, type: 'dry_run' }))
        await tx.jobs.insert(aJob('last', { status: 'failed', endedAt: T0 + 7 }))
        await tx.jobs.insert(aJob('running', { status: 'running' }))
        await tx.jobs.insert(aJob('queued'))
        await tx.jobs.insert(aJob('new', { environment: 'demo' }))
        await tx.locks.acquire('environment:shop/prod', jobId('running'), T0)
      })
      const [demo, prod, ...none] = await store.views.environments()
      expect(none).toEqual([])
      expect(demo).toMatchObject({ key: 'shop/demo', current: null, last: null, lock: null, open: [{ id: 'new' }] })
      expect(prod).toMatchObject({
        key: 'shop/prod',
        current: { id: 'current' },
        last: { id: 'last' },
        lock: { jobId: 'running', fence: 1 },
      })
      expect(prod!.open.map((job) => job.id)).toEqual(['running', 'queued'])
    })

    test('page through jobs, newest first, by project, environment and status', async () => {
      await unit(async (tx) => {
        for (let index = 1; index <= 5; index += 1) await tx.jobs.insert(aJob(`prod-${index}`))
        await tx.jobs.insert(aJob('stage-1', { environment: 'stage', status: 'failed' }))
        await tx.jobs.insert(aJob('other-1', { project: 'other' }))
      })
      const ids = async (filter: Parameters<OpenStore['views']['jobs']>[0]) =>
        (await store.views.jobs(filter)).map((job) => job.id)
      expect(await ids({ limit: 3 })).toEqual(['other-1', 'stage-1', 'prod-5'])
      expect(await ids({ limit: 3, beforeSeq: 5 })).toEqual(['prod-4', 'prod-3', 'prod-2'])
      expect(await ids({ limit: 9, project: 'shop', environment: 'stage' })).toEqual(['stage-1'])
      expect(await ids({ limit: 9, status: 'failed' })).toEqual(['stage-1'])
      expect(await ids({ limit: 9, project: 'other' })).toEqual(['other-1'])
    })

    test('show a job with its runs and its audit', async () => {
      await unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        await tx.runs.insert(aRun('a', 1))
        await tx.runs.insert(aRun('a', 2))
        await tx.audit(anEvent({ jobId: 'a', actor: 'first' }))
        await tx.audit(anEvent({ jobId: 'b' }))
        await tx.audit(anEvent({ jobId: 'a', actor: 'second' }))
      })
      const view = await store.views.job('a')
      expect(view?.job).toEqual({ ...aJob('a'), seq: 1, version: 1 })
      expect(view?.runs).toEqual([aRun('a', 1), aRun('a', 2)])
      expect(view?.audit.map((row) => row.actor)).toEqual(['first', 'second'])
      expect(await store.views.job('nobody')).toBeNull()
    })

    test('count what there is', async () => {
      await unit(async (tx) => {
        await tx.jobs.insert(aJob('a'))
        await tx.jobs.insert(aJob('b', { status: 'failed' }))
        await tx.locks.acquire('k', jobId('a'), T0)
        await tx.outbox.put(aMessage('x'), T0)
      })
      await store.inbox.store(aDelivery('1'))
      await store.inbox.store(aDelivery('2'))
      const [first] = await unit<{ id: string }[]>((tx) => tx.nudges.pending(1))
      await unit((tx) => tx.nudges.settle([first!.id], T0))
      expect(await store.views.counts()).toEqual({
        jobsByStatus: { queued: 1, waiting_approval: 0, running: 0, success: 0, failed: 1, canceled: 0, expired: 0 },
        locks: 1,
        inboxPending: 1,
        outboxPending: 1,
        deliveries: 2,
      })
    })

    test('probe the store without leaving a trace, alone and many at once', async () => {
      await store.views.probe()
      await Promise.all(Array.from({ length: 20 }, () => store.views.probe()))
      expect((await store.views.counts()).deliveries).toBe(0)
    })
  })

  test(`a closed store on ${name} refuses further use and may be closed again`, async () => {
    await store.close()
    await expect(unit(async () => {})).rejects.toThrow(/after the store was closed/)
    await expect(store.views.probe()).rejects.toThrow(/after the store was closed/)
    await store.close()
  })
}

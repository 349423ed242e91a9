import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import type { LeaderLease } from '../../controller/jobs/lease.ts'
import { silentLogger } from '../../controller/log.ts'
import { guarded, openLeadership } from '../../controller/reconcile/leadership.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { noPostgres, openPostgresAt, type ScratchDatabase, scratchDatabase } from './postgres-server.ts'
import { aDelivery, aJob } from './rows.ts'

const LONG_MS = 60_000

describe.skipIf(noPostgres)('the lease on PostgreSQL', () => {
  let database: ScratchDatabase
  let stores: OpenStore[]
  let leases: LeaderLease[]
  beforeAll(async () => {
    database = await scratchDatabase()
  })
  afterAll(() => database.remove())
  beforeEach(async () => {
    stores = await Promise.all([1, 2, 3].map(() => openPostgresAt(database.url)))
    leases = stores.map((store) => store.shared!.lease)
    await database.query('DELETE FROM jobs')
    await database.query('UPDATE lease SET holder = NULL, fence = 0')
  })
  afterEach(() => Promise.all(stores.map((store) => store.close())))

  const leader = (lease: LeaderLease) => lease.holder().then((holder) => holder?.name ?? null)
  const lapse = () => database.query('UPDATE lease SET "expiresAt" = 1')

  test('goes to one of many who ask at once', async () => {
    const fences = await Promise.all(leases.map((lease, index) => lease.take(`r${index}`, LONG_MS)))
    expect(fences.filter((fence) => fence !== null)).toEqual([1])
    expect(await leader(leases[0]!)).toBe(`r${fences.indexOf(1)}`)
  })

  test('passes on only when it was given back or ran out by the clock of the database, with a higher fence each time', async () => {
    const [a, b] = leases as [LeaderLease, LeaderLease]
    expect(await a.take('a', LONG_MS)).toBe(1)
    expect(await b.take('b', LONG_MS)).toBeNull()
    await a.release(1)
    expect(await leader(b)).toBeNull()
    expect(await b.take('b', LONG_MS)).toBe(2)
    expect(await a.renew(1, LONG_MS)).toBe(false)
    await a.release(1)
    expect(await leader(a)).toBe('b')
    await lapse()
    expect(await leader(a)).toBeNull()
    expect(await a.take('a', LONG_MS)).toBe(3)
    expect(await b.renew(2, LONG_MS)).toBe(false)
  })

  test('may be renewed late as long as nobody took it', async () => {
    const [a, b] = leases as [LeaderLease, LeaderLease]
    await a.take('a', LONG_MS)
    await lapse()
    expect(await a.renew(1, LONG_MS)).toBe(true)
    expect(await b.take('b', LONG_MS)).toBeNull()
  })

  test('is held for the length of a unit that relies on it: a takeover waits, a renewal does not', async () => {
    const [a, b] = leases as [LeaderLease, LeaderLease]
    const log: string[] = []
    await a.take('a', LONG_MS)
    await lapse()
    const taking = await stores[0]!.state.unit('test', async (tx) => {
      expect(await tx.holdsLease(1)).toBe(true)
      const takeover = b.take('b', LONG_MS).then(() => log.push('taken'))
      await new Promise((done) => setTimeout(done, 100))
      await tx.jobs.insert(aJob('a'))
      log.push('written')
      return { takeover }
    })
    await taking.takeover
    expect(log).toEqual(['written', 'taken'])
    expect(await stores[0]!.state.unit('test', (tx) => tx.holdsLease(1))).toBe(false)

    await stores[1]!.state.unit('test', async (tx) => {
      await tx.holdsLease(2)
      expect(await b.renew(2, LONG_MS)).toBe(true)
    })
  })

  test('keeps a unit from committing whose snapshot is older than a takeover', async () => {
    await leases[0]!.take('a', LONG_MS)
    await lapse()
    let tries = 0
    const held = await stores[0]!.state.unit('test', async (tx) => {
      tries += 1
      await tx.jobs.open()
      if (tries === 1) await leases[1]!.take('b', LONG_MS)
      return tx.holdsLease(1)
    })
    expect({ held, tries }).toEqual({ held: false, tries: 2 })
  })

  test('guards every unit of a leader: after a takeover nothing of it is written, whatever its own clock says', async () => {
    const leadership = openLeadership({
      lease: leases[0]!,
      replica: 'a',
      leaseMs: LONG_MS,
      clock: systemClock(),
      log: silentLogger,
    })
    leadership.start(() => {})
    await expect.poll(() => leadership.fence()).toBe(1)
    const store = guarded(stores[0]!.state, leadership)
    expect(await store.unit('test', (tx) => tx.jobs.insert(aJob('before')))).toBe(true)
    await lapse()
    expect(await leases[1]!.take('b', LONG_MS)).toBe(2)
    expect(leadership.fence()).toBe(1)
    await expect(store.unit('test', (tx) => tx.jobs.insert(aJob('after')))).rejects.toThrow('another controller leads')
    expect((await stores[1]!.views.jobs({ limit: 9 })).map((job) => job.id)).toEqual(['before'])
    await leadership.stop()
    expect(await leader(leases[2]!)).toBe('b')
  })

  test('ends for its holder, by its own clock, no later than for the others', async () => {
    const clock = { ...systemClock(), at: 1_000, now: () => clock.at }
    const lost: LeaderLease = { ...leases[0]!, renew: () => Promise.reject(new Error('unreachable')) }
    const leadership = openLeadership({ lease: lost, replica: 'a', leaseMs: 30_000, clock, log: silentLogger })
    leadership.start(() => {})
    await expect.poll(() => leadership.fence()).toBe(1)
    clock.at += 29_999
    expect(leadership.fence()).toBe(1)
    clock.at += 1
    expect(leadership.fence()).toBeNull()
    clock.at = 0
    expect(leadership.fence()).toBeNull()
    await leadership.stop()
  })

  test('the newest delivery that waits is seen by all, until it is settled', async () => {
    const newest = () => stores[0]!.shared!.newestDelivery()
    expect(await newest()).toBeNull()
    await stores[1]!.inbox.store(aDelivery('1'))
    await stores[2]!.inbox.store(aDelivery('2'))
    expect(await newest()).toBe(2)
    await stores[0]!.state.unit('test', (tx) => tx.nudges.settle(['1', '2'], 1))
    expect(await newest()).toBeNull()
  })
})

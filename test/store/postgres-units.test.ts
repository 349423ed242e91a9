import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { TransientFault } from '../../controller/errors.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { noPostgres, openPostgresAt, type ScratchDatabase, scratchDatabase } from './postgres-server.ts'
import { aDelivery, aJob, aMessage, anEvent, jobId, T0 } from './rows.ts'

let database: ScratchDatabase
let store: OpenStore
let fatal: Error[]

describe.skipIf(noPostgres)('on PostgreSQL', () => {
  beforeEach(async () => {
    database = await scratchDatabase()
    fatal = []
    store = await openPostgresAt(database.url, (error) => fatal.push(error))
  })
  afterEach(async () => {
    await store.close()
    await database.remove()
  })

  /** Makes the server run `body` for each new job: at once, or only when the unit commits. */
  async function onNewJob(when: 'at once' | 'at COMMIT', body: string): Promise<void> {
    await database.query(`CREATE FUNCTION obstacle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; RETURN NEW; END $$`)
    const kind = when === 'at once' ? 'TRIGGER' : 'CONSTRAINT TRIGGER'
    const deferred = when === 'at once' ? '' : 'DEFERRABLE INITIALLY DEFERRED'
    await database.query(`CREATE ${kind} obstacle AFTER INSERT ON jobs ${deferred} FOR EACH ROW EXECUTE FUNCTION obstacle()`)
  }

  describe('a unit that meets another writer', () => {
    test.each([
      ['40001', 'at once'],
      ['40P01', 'at once'],
      ['40001', 'at COMMIT'],
    ] as const)('is done again from the start after %s %s, and leaves one trace', async (code, when) => {
      await database.query('CREATE SEQUENCE tries')
      await onNewJob(when, `IF nextval('tries') < 4 THEN RAISE EXCEPTION 'met' USING ERRCODE = '${code}'; END IF`)
      let runs = 0
      await store.state.unit('test', async (tx) => {
        runs += 1
        await tx.audit(anEvent())
        await tx.outbox.put(aMessage('hello'), T0)
        await tx.jobs.insert(aJob('a'))
      })
      expect(runs).toBe(4)
      expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true, rows: 1 })
      expect(await store.state.unit('test', (tx) => tx.outbox.due(T0, 9))).toMatchObject([{ revision: 1 }])
      expect(fatal).toEqual([])
    })

    test('gives up after a number of tries, with a fault that says to try later', async () => {
      await onNewJob('at once', `RAISE EXCEPTION 'met' USING ERRCODE = '40001'`)
      let runs = 0
      const unit = store.state.unit('test', (tx) => {
        runs += 1
        return tx.jobs.insert(aJob('a'))
      })
      await expect(unit).rejects.toBeInstanceOf(TransientFault)
      expect(runs).toBe(10)
      expect(await store.views.job('a')).toBeNull()
    })

    test('never acts on what the other changed meanwhile: of two that each look at both, one sees the other', async () => {
      const other = await openPostgresAt(database.url)
      // Each takes a lock of its own only when nobody holds any: with less than serializable, both would.
      const takeIfFree = async (it: OpenStore, name: string) =>
        it.state.unit(name, async (tx) => {
          if ((await tx.locks.all()).length > 0) return false
          await new Promise((done) => setTimeout(done, 20))
          await tx.locks.acquire(name, jobId(name), T0)
          return true
        })
      for (let round = 0; round < 5; round += 1) {
        await database.query('DELETE FROM locks')
        const taken = await Promise.all([takeIfFree(store, `a-${round}`), takeIfFree(other, `b-${round}`)])
        expect(taken.filter((each) => each)).toHaveLength(1)
      }
      await other.close()
    })

    test('keeps one audit chain with it, however many write at once', async () => {
      const others = await Promise.all([openPostgresAt(database.url), openPostgresAt(database.url)])
      const write = async (it: OpenStore, name: string) => {
        for (let index = 0; index < 10; index += 1) {
          await it.state.unit('write', (tx) => tx.audit(anEvent({ actor: `${name}-${index}` })))
        }
      }
      await Promise.all([store, ...others].map((it, index) => write(it, `writer-${index}`)))
      expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true, rows: 30 })
      for (const other of others) await other.close()
    })
  })

  const terminate = () =>
    database.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
    )

  describe('a connection that breaks', () => {
    test('inside a unit undoes it, says that the database cannot be reached, and the next unit has a new one', async () => {
      const broken = store.state.unit('test', async (tx) => {
        await tx.jobs.insert(aJob('a'))
        await terminate()
        await tx.jobs.insert(aJob('b'))
      })
      await expect(broken).rejects.toBeInstanceOf(TransientFault)
      expect(await store.state.unit('test', (tx) => tx.jobs.insert(aJob('c')))).toBe(true)
      expect((await store.views.jobs({ limit: 9 })).map((job) => job.id)).toEqual(['c'])
      expect(fatal).toEqual([])
    })

    test('while nobody uses it is not noticed', async () => {
      await store.views.environments()
      await terminate()
      // Until the news has reached this end of the connection.
      await sleep(300)
      expect(await store.inbox.store(aDelivery('1'))).toBe('stored')
      expect(fatal).toEqual([])
    })

    test('during COMMIT is fatal: nobody knows whether it happened', async () => {
      await onNewJob('at COMMIT', 'PERFORM pg_sleep(5)')
      const unit = store.state.unit('test', (tx) => tx.jobs.insert(aJob('a')))
      unit.catch(() => {})
      await expect.poll(() => database.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)).toHaveLength(1)
      await terminate()
      await expect(unit).rejects.toThrow()
      expect(fatal.map((error) => error.message)).toEqual(['COMMIT got no answer; the store is closed'])
    })
  })

  test.each([
    ['a change', `UPDATE audit SET actor = 'mallory' WHERE seq = 2`],
    ['a change that changes nothing', 'UPDATE audit SET actor = actor'],
    ['a deletion', 'DELETE FROM audit WHERE seq = 3'],
    ['the deletion of all', 'TRUNCATE audit'],
    [
      'a row out of turn',
      `INSERT INTO audit SELECT 9, at, action, actor, "jobId", environment, "commit", data, "previousHash", hash FROM audit WHERE seq = 3`,
    ],
    [
      'a row that is not linked',
      `INSERT INTO audit SELECT 4, at, action, actor, "jobId", environment, "commit", data, "previousHash", hash FROM audit WHERE seq = 3`,
    ],
  ])('the audit refuses %s', async (_, statement) => {
    await store.state.unit('write', async (tx) => {
      for (let index = 0; index < 3; index += 1) await tx.audit(anEvent())
    })
    await expect(database.query(statement)).rejects.toThrow(/append-only|not the next link/)
    expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true, rows: 3 })
  })
})

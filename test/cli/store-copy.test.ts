import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { verifyChain } from '../../controller/audit/chain.ts'
import { systemClock } from '../../controller/clock.ts'
import { type SqliteConnection, sqliteDriver } from '../../controller/store/sqlite-driver.ts'
import { noPostgres, openPostgresAt, type ScratchDatabase, scratchDatabase } from '../store/postgres-server.ts'
import { aCallback, aConfig, aDelivery, aJob, aLine, aMessage, anEvent, aPull, aRun, jobId, T0 } from '../store/rows.ts'
import { openAt } from '../store/sqlite-file.ts'
import { draven } from './run.ts'

const JOBS = 620

describe.skipIf(noPostgres)('draven store copy', () => {
  let folder: string
  let original: string
  let file: string
  let database: ScratchDatabase

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'draven-copy-test-'))
    original = join(folder, 'original.db')
    const store = await openAt(original)
    await store.state.unit('fill', async (tx) => {
      for (let index = 0; index < JOBS; index += 1) {
        const name = `job-${index}`
        await tx.jobs.insert(aJob(name, { requestReason: `“${index}” ä\n😀`, status: index % 2 ? 'success' : 'queued' }))
        for (let attempt = 1; attempt <= 1 + (index % 3); attempt += 1) await tx.runs.insert(aRun(name, attempt))
        if (index === 5) await tx.callbacks.insert(aCallback(name, { claimedBy: 'run 7' }))
        if (index === 5) await tx.lines.append([aLine(name, 1), aLine(name, 2)])
        await tx.audit(anEvent({ jobId: name, data: { index, text: 'ä\u0000' } }))
      }
      await tx.locks.acquire('environment:shop/prod', jobId('job-1'), T0)
      await tx.config.write(aConfig())
      await tx.pulls.save(aPull(12))
      await tx.outbox.put(aMessage('hello'), T0)
    })
    for (const name of ['1', '2', '3']) await store.inbox.store(aDelivery(name))
    await store.close()
  }, 60_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  beforeEach(async () => {
    file = join(folder, 'draven.db')
    copyFileSync(original, file)
    database = await scratchDatabase()
  })
  afterEach(() => database.remove())

  const copy = (...more: string[]) =>
    draven(['store', 'copy', '--from', `sqlite:${file}`, '--to', database.url, ...more], { clock: systemClock() })

  function change(work: (db: SqliteConnection) => void): void {
    const db = sqliteDriver().open(file, 1_000)
    work(db)
    db.close()
  }

  it('moves every row, tells how far it is, and leaves a store that goes on where the old one ended', async () => {
    const ran = await copy()
    expect(ran).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Copied and compared 2,?48\d rows; the audit is whole\.\nHead/),
    })
    expect(ran.stderr).toContain('audit: 500 of 620\naudit: 620 of 620\n')

    const [old, copied] = [await openAt(file), await openPostgresAt(database.url)]
    expect(await copied.views.counts()).toEqual(await old.views.counts())
    expect(await copied.views.jobs({ limit: 1_000 })).toEqual(await old.views.jobs({ limit: 1_000 }))
    expect(await copied.views.job('job-5')).toEqual(await old.views.job('job-5'))
    expect(await copied.callbacks.of('job-5')).toEqual(await old.callbacks.of('job-5'))
    expect(await copied.views.environments()).toEqual(await old.views.environments())
    const head = (await old.views.audit({ limit: 1 }))[0]!
    expect(await verifyChain(copied.auditRows(), head)).toMatchObject({ ok: true, rows: JOBS })
    expect(await copied.inbox.store(aDelivery('3'))).toBe('duplicate')
    expect(await copied.inbox.store(aDelivery('4'))).toBe('stored')
    await copied.state.unit('go on', async (tx) => {
      await tx.audit(anEvent())
      await tx.jobs.insert(aJob('new'))
    })
    expect(await verifyChain(copied.auditRows())).toMatchObject({ ok: true, rows: JOBS + 1 })
    await Promise.all([old.close(), copied.close()])
  }, 60_000)

  it('refuses a target that holds anything, and leaves it as it was', async () => {
    const other = await openPostgresAt(database.url)
    await other.state.unit('write', (tx) => tx.audit(anEvent()))
    await other.close()
    expect(await copy()).toMatchObject({ code: 4, stderr: expect.stringContaining('the target is not empty: audit has 1 rows') })
    expect(await database.query('SELECT count(*)::int AS jobs FROM jobs')).toEqual([{ jobs: 0 }])
  })

  it('refuses a file whose controller is running', async () => {
    const running = await openAt(file)
    expect(await copy()).toMatchObject({ code: 4, stderr: expect.stringContaining('is in use by this process') })
    await running.close()
  })

  it('refuses a source whose audit was edited, and copies nothing', async () => {
    change((db) => {
      db.exec('DROP TRIGGER audit_refuses_update')
      db.exec(`UPDATE audit SET actor = 'mallory' WHERE seq = 300`)
    })
    expect(await copy()).toMatchObject({ code: 4, stderr: expect.stringContaining('broken at row 300') })
    expect(await database.query(`SELECT to_regclass('jobs') AS jobs`)).toEqual([{ jobs: null }])
  })

  it('notices a row that does not arrive as it was sent, and copies nothing', async () => {
    await (await openPostgresAt(database.url)).close()
    await database.query(`CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF NEW."jobId" = 'job-77' THEN NEW.detail = 'spoilt'; END IF; RETURN NEW; END $$`)
    await database.query('CREATE TRIGGER spoil BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION spoil()')
    const ran = await copy()
    expect(ran.code).not.toBe(0)
    expect(ran.stderr).toContain('runs: row job-77 1 did not arrive as it was sent')
    expect(await database.query('SELECT count(*)::int AS jobs FROM jobs')).toEqual([{ jobs: 0 }])
  })

  it('refuses a file that is not there, and anything that is not PostgreSQL, before it touches either', async () => {
    const missing = ['store', 'copy', '--from', `sqlite:${folder}/none.db`, '--to', database.url]
    expect(await draven(missing)).toMatchObject({ code: 3, stderr: expect.stringContaining('There is no database') })
    const nowhere = ['store', 'copy', '--from', `sqlite:${file}`]
    expect(await draven(nowhere)).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no PostgreSQL database') })
    expect(await draven([...nowhere, '--to', 'mysql://x/y'])).toMatchObject({ code: 2 })
  })
})

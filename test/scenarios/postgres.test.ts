import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { draven } from '../cli/run.ts'
import { noPostgres, type ScratchDatabase, scratchDatabase } from '../store/postgres-server.ts'
import { requestFile } from './config-files.ts'
import { openScene, type Scene } from './scene.ts'

const PATH = 'requests/shop/prod/2026-11-18-v1.4.2.yaml'

describe.skipIf(noPostgres)('a controller on PostgreSQL', () => {
  let database: ScratchDatabase
  let scene: Scene
  beforeAll(async () => {
    database = await scratchDatabase()
    scene = await openScene({ databaseUrl: database.url })
  })
  afterAll(async () => {
    await scene?.close()
    await database.remove()
  })

  it('does the main job: a prod request with two approvals becomes one run, followed to its end and released', async () => {
    const pull = await scene.propose({ [PATH]: requestFile('tag: v1.4.2') })
    await scene.shown(pull)
    await scene.approve(pull, 'bob', 'carol')
    await scene.merge(pull)
    const job = await scene.ended(PATH)
    expect(job).toMatchObject({ status: 'success', attempt: 1 })
    expect(scene.forge.triggerCount(job.id)).toBe(1)
    expect(await scene.controller.store.state.unit('locks', (tx) => tx.locks.all())).toEqual([])
    expect(await database.query('SELECT id, status FROM jobs')).toEqual([{ id: job.id, status: 'success' }])
    scene.forge.assertClean()
  })

  it('keeps what it knows when it is started again', async () => {
    await scene.controller.stop()
    scene.controller = await scene.start()
    expect(await scene.job(PATH)).toMatchObject({ status: 'success' })
  })

  it('has an audit that `draven audit verify` proves whole while it runs, and broken when a row was edited', async () => {
    const verify = () => draven(['audit', 'verify'], { clock: scene.clock, env: { DATABASE_URL: database.url } })
    expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringContaining('The audit is whole') })
    await database.query('ALTER TABLE audit DISABLE TRIGGER USER')
    await database.query(`UPDATE audit SET actor = 'nobody' WHERE seq = 3`)
    expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringContaining('broken at row 3') })
    await database.query(`UPDATE audit SET actor = 'controller' WHERE seq = 3`)
    await database.query('ALTER TABLE audit ENABLE TRIGGER USER')
    expect(await verify()).toMatchObject({ code: 0 })
  })

  it('is checked by `draven doctor`, which names the server and hides the password', async () => {
    const url = new URL(database.url)
    url.password = 'hunter2'
    const doctor = await draven(['doctor'], { clock: scene.clock, env: { ...scene.env, DATABASE_URL: url.href } })
    expect(doctor.stdout).toMatch(/database\s+PostgreSQL \d+.*its tables are up to date/)
    expect(doctor.stdout + doctor.stderr).not.toContain('hunter2')
  })

  it('is refused a database that is not there, with what to check', async () => {
    const url = new URL(database.url)
    url.pathname = '/draven_no_such_database'
    const verify = await draven(['audit', 'verify'], { clock: scene.clock, env: { DATABASE_URL: url.href } })
    expect(verify).toMatchObject({ code: 3, stderr: expect.stringContaining('Check DATABASE_URL') })
    const wrong = await draven(['audit', 'verify'], { clock: scene.clock, env: { DATABASE_URL: 'mysql://hunter2@x/y' } })
    expect(wrong.code).not.toBe(0)
    expect(wrong.stderr).toContain('DATABASE_URL names no database')
    expect(wrong.stderr).not.toContain('hunter2')
  })
})

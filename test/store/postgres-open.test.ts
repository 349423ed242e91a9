import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import { postgresMigrations, postgresSchema } from '../../controller/store/generated/postgres-migrations.ts'
import { migrationPool, withoutPassword } from '../../controller/store/postgres-connection.ts'
import { postgresTarget } from '../../controller/store/postgres-target.ts'
import { diffToSchema, type Migration, migrate } from '../../controller/store/schema-engine.ts'
import { noPostgres, openPostgresAt, type ScratchDatabase, scratchDatabase } from './postgres-server.ts'
import { aDelivery, aJob } from './rows.ts'

const FOLDER = resolve(import.meta.dirname, '../../controller/store/migrations/postgres')

let database: ScratchDatabase

describe.skipIf(noPostgres)('a PostgreSQL database', () => {
  beforeEach(async () => {
    database = await scratchDatabase()
  })
  afterEach(() => database.remove())

  async function withTarget<T>(work: (target: ReturnType<typeof postgresTarget>) => Promise<T>): Promise<T> {
    const pool = migrationPool(database.url)
    try {
      return await work(postgresTarget(pool, systemClock()))
    } finally {
      await pool.end()
    }
  }
  const migrateTo = (migrations: readonly Migration[]) => withTarget((target) => migrate(target, postgresSchema, migrations))
  const applied = () => database.query('SELECT migration_name FROM _prisma_migrations ORDER BY migration_name')

  test('is led by its migrations to exactly the schema', async () => {
    await migrateTo(postgresMigrations)
    expect(await withTarget((target) => diffToSchema(target, postgresSchema))).toBeNull()
    await database.query('ALTER TABLE jobs ADD COLUMN stray TEXT')
    expect(await withTarget((target) => diffToSchema(target, postgresSchema))).toContain('jobs')
    const onDisk = readdirSync(FOLDER).sort()
    expect(postgresMigrations).toEqual(
      onDisk.map((name) => ({ name, sql: readFileSync(join(FOLDER, name, 'migration.sql'), 'utf8') })),
    )
  })

  test('is migrated once by controllers that start at the same moment', async () => {
    const stores = await Promise.all([1, 2, 3].map(() => openPostgresAt(database.url)))
    expect(await applied()).toEqual(postgresMigrations.map(({ name }) => ({ migration_name: name })))
    for (const store of stores) await store.close()
  })

  test('takes all missing migrations or none of them', async () => {
    const [first, second] = [1, 2].map((n) => ({ name: `000${n}_table`, sql: `CREATE TABLE t${n} (a TEXT);` }))
    const bad = { name: '0003_bad', sql: 'CREATE TABLE t3 (a TEXT); CREATE TABLE t1 (a TEXT);' }
    await migrateTo([first!])
    await expect(migrateTo([first!, second!, bad])).rejects.toThrow(/left as it was/)
    expect(await applied()).toHaveLength(1)
    expect(await database.query(`SELECT to_regclass('t2') AS t2, to_regclass('t3') AS t3`)).toEqual([{ t2: null, t3: null }])
    await migrateTo([first!, second!])
    expect(await applied()).toHaveLength(2)
  })

  test('of a newer release is refused, with what to do', async () => {
    await (await openPostgresAt(database.url)).close()
    await database.query(`UPDATE _prisma_migrations SET migration_name = '0999_future'`)
    await expect(openPostgresAt(database.url)).rejects.toMatchObject({
      name: 'ConfigFault',
      message: expect.stringContaining('newer release (migration 0999_future)'),
      fix: expect.stringContaining('Start that release'),
    })
  })

  test('goes on serving controllers of this release while the next release adds to it', async () => {
    const old = await openPostgresAt(database.url)
    await old.state.unit('before', (tx) => tx.jobs.insert(aJob('a')))
    const next = {
      name: '0999_next',
      sql: 'ALTER TABLE "jobs" ADD COLUMN "later" TEXT; CREATE TABLE "new" ("id" INTEGER NOT NULL);',
    }
    await Promise.all([
      migrateTo([...postgresMigrations, next]),
      ...Array.from({ length: 20 }, (_, index) => old.inbox.store(aDelivery(String(index)))),
    ])
    expect(await old.state.unit('after', (tx) => tx.jobs.insert(aJob('b')))).toBe(true)
    expect((await old.views.jobs({ limit: 9 })).map((job) => job.id)).toEqual(['b', 'a'])
    await old.close()
    await expect(openPostgresAt(database.url)).rejects.toMatchObject({ message: expect.stringContaining('0999_next') })
  })

  test('is only ever added to by migrations after the first, so that older replicas go on', () => {
    const folders = ['sqlite', 'postgres'].map((name) => join(FOLDER, '..', name))
    const texts = folders.flatMap((folder) =>
      readdirSync(folder)
        .sort()
        .slice(1)
        .map((name) => readFileSync(join(folder, name, 'migration.sql'), 'utf8')),
    )
    const takesAway = /\bDROP\b|\bRENAME\b|\bALTER\s+COLUMN\b|\bDELETE\b|\bTRUNCATE\b|ADD COLUMN(?![^;]*DEFAULT)[^;]*NOT NULL/i
    expect(texts.filter((text) => takesAway.test(text))).toEqual([])
  })

  test('that cannot be reached is refused without a word of its password', async () => {
    const url = new URL(database.url)
    url.password = 'hunter2'
    url.pathname = '/draven_no_such_database'
    const refused = openPostgresAt(url.href).catch((error: Error) => error)
    expect(await refused).toMatchObject({ name: 'ConfigFault', message: expect.stringContaining('draven_no_such_database') })
    expect(String(await refused)).not.toContain('hunter2')
    expect(withoutPassword('postgres://a:b@h:1/n?x=y')).toBe('postgres://a@h:1/n')
  })

  test('that options in its URL rob of its timeouts is refused', async () => {
    await expect(openPostgresAt(`${database.url}?options=-c%20lock_timeout%3D0`)).rejects.toMatchObject({
      name: 'ConfigFault',
      message: expect.stringContaining('does not run with'),
    })
  })
})

import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sqliteMigrations, sqliteSchema } from '../../controller/store/generated/sqlite-migrations.ts'
import { diffToSchema, migrate } from '../../controller/store/schema-engine.ts'
import { sqliteDriver } from '../../controller/store/sqlite-driver.ts'
import { openSqliteSession } from '../../controller/store/sqlite-session.ts'
import { sqliteTarget } from '../../controller/store/sqlite-target.ts'
import { aJob } from './rows.ts'
import { openAt, scratchFolder } from './sqlite-file.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const STORE = join(ROOT, 'controller/store')

let scratch: ReturnType<typeof scratchFolder>
beforeEach(() => {
  scratch = scratchFolder()
})
afterEach(() => scratch.remove())

const openSession = () => openSqliteSession(sqliteDriver(), scratch.file)

function tablesOf(session: ReturnType<typeof openSession>): string[] {
  return session
    .query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name", [])
    .rows.flat() as string[]
}

describe('opening a SQLite file', () => {
  test('makes files that nobody else may read, and a folder for them', async () => {
    const file = join(dirname(scratch.file), 'new/folder/draven.db')
    const store = await openAt(file)
    await store.state.unit('write', (tx) => tx.jobs.insert(aJob('a')))
    const modes = readdirSync(dirname(file)).map((name) => [name, (statSync(join(dirname(file), name)).mode & 0o777).toString(8)])
    expect(Object.fromEntries(modes)).toEqual({
      'draven.db': '600',
      'draven.db-wal': '600',
      'draven.db-shm': '600',
      'draven.db.lock': '600',
    })
    await store.close()
  })

  test('takes rights away that an existing file gave to others', async () => {
    writeFileSync(scratch.file, '', { mode: 0o666 })
    const store = await openAt(scratch.file)
    expect((statSync(scratch.file).mode & 0o777).toString(8)).toBe('600')
    await store.close()
  })

  test('runs with the pragmas that durability and safety rest on, also after it was migrated and reopened', async () => {
    const session = openSession()
    await migrate(sqliteTarget(session), sqliteSchema, sqliteMigrations)
    const wanted = {
      journal_mode: 'wal',
      synchronous: 2,
      foreign_keys: 1,
      busy_timeout: 50,
      trusted_schema: 0,
      cell_size_check: 1,
      locking_mode: 'normal',
    }
    for (let round = 0; round < 2; round += 1) {
      const found = Object.keys(wanted).map((name) => [name, session.query(`PRAGMA ${name}`, []).rows[0]![0]])
      expect(Object.fromEntries(found)).toEqual(wanted)
      session.reopen()
    }
    session.close()
  })

  test('leaves one file behind that is whole by itself', async () => {
    const store = await openAt(scratch.file)
    await store.state.unit('write', (tx) => tx.jobs.insert(aJob('a')))
    await store.close()
    const copy = scratchFolder()
    copyFileSync(scratch.file, copy.file)
    const again = await openAt(copy.file)
    expect((await again.views.job('a'))?.job.id).toBe('a')
    await again.close()
    copy.remove()
  })

  test.each([
    [
      'no database',
      () =>
        writeFileSync(
          scratch.file,
          'these bytes are no database, and there are more than a hundred of them, so that nobody can take them for one'.repeat(
            9,
          ),
        ),
    ],
    [
      'a damaged database',
      async () => {
        await (await openAt(scratch.file)).close()
        const bytes = readFileSync(scratch.file)
        writeFileSync(scratch.file, bytes.fill(0xff, 4_096, 16_384))
      },
    ],
  ])('refuses %s with a fault that says what to do, and leaves the lock free', async (_, spoil) => {
    await spoil()
    for (let round = 0; round < 2; round += 1) {
      await expect(openAt(scratch.file)).rejects.toMatchObject({ name: 'ConfigFault', fix: expect.stringContaining('backup') })
    }
  })
})

describe('migrations', () => {
  test('lead to exactly the schema', async () => {
    const session = openSession()
    await migrate(sqliteTarget(session), sqliteSchema, sqliteMigrations)
    expect(await diffToSchema(sqliteTarget(session), sqliteSchema)).toBeNull()
    session.exec('ALTER TABLE "jobs" ADD COLUMN "stray" TEXT')
    expect(await diffToSchema(sqliteTarget(session), sqliteSchema)).toContain('jobs')
    session.close()
  })

  test('are built in as they stand in their folder', () => {
    const folder = join(STORE, 'migrations/sqlite')
    const onDisk = readdirSync(folder).sort()
    expect(sqliteMigrations).toEqual(
      onDisk.map((name) => ({ name, sql: readFileSync(join(folder, name, 'migration.sql'), 'utf8') })),
    )
    expect(sqliteSchema).toContain(readFileSync(join(STORE, 'store.prisma'), 'utf8'))
  })

  test('are recorded where Prisma looks for them, and applied once', async () => {
    const session = openSession()
    for (let round = 0; round < 2; round += 1) {
      await migrate(sqliteTarget(session), sqliteSchema, sqliteMigrations)
      const rows = session.query(
        'SELECT migration_name, applied_steps_count FROM _prisma_migrations ORDER BY migration_name',
        [],
      ).rows
      expect(rows).toEqual(sqliteMigrations.map(({ name }) => [name, 1]))
    }
    session.close()
  })

  test('are all applied or none: a failing one leaves the database as it was, and the next start tries again', async () => {
    const session = openSession()
    const first = { name: '0001_first', sql: 'CREATE TABLE one (a TEXT);' }
    const bad = { name: '0003_bad', sql: 'CREATE TABLE three (a TEXT); CREATE TABLE one (a TEXT);' }
    const good = { name: '0003_bad', sql: 'CREATE TABLE three (a TEXT);' }
    const second = { name: '0002_second', sql: 'CREATE TABLE two (a TEXT);' }
    await migrate(sqliteTarget(session), sqliteSchema, [first])
    await expect(migrate(sqliteTarget(session), sqliteSchema, [first, second, bad])).rejects.toThrow(/left as it was/)
    expect(tablesOf(session)).toEqual(['_prisma_migrations', 'one'])
    await migrate(sqliteTarget(session), sqliteSchema, [first, second, good])
    expect(tablesOf(session)).toEqual(['_prisma_migrations', 'one', 'three', 'two'])
    session.close()
  })

  test('of a newer release, or with another content, are refused', async () => {
    const session = openSession()
    await migrate(sqliteTarget(session), sqliteSchema, sqliteMigrations)
    session.run("UPDATE _prisma_migrations SET migration_name = '0999_future'", [])
    session.close()
    await expect(openAt(scratch.file)).rejects.toMatchObject({
      name: 'ConfigFault',
      message: expect.stringContaining('newer release (migration 0999_future)'),
    })

    const again = openSession()
    again.run("UPDATE _prisma_migrations SET migration_name = ?, checksum = 'x'", [sqliteMigrations[0]!.name])
    again.close()
    await expect(openAt(scratch.file)).rejects.toMatchObject({
      name: 'ConfigFault',
      message: expect.stringContaining('not the one of this release'),
    })
  })
})

test('the generated clients are up to date with its sources', () => {
  const run = spawnSync(process.execPath, [join(ROOT, 'scripts/generate-clients.mjs')], { encoding: 'utf8' })
  expect({ status: run.status, out: run.stdout, err: run.stderr }).toEqual({
    status: 0,
    out: 'store clients: up to date\n',
    err: '',
  })
  expect(readdirSync(join(STORE, 'generated')).sort()).toEqual([
    'postgres',
    'postgres-migrations.ts',
    'postgres.prisma',
    'sqlite',
    'sqlite-migrations.ts',
    'sqlite.prisma',
    'stamp',
  ])
})

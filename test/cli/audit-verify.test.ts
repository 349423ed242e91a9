import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SqliteConnection, type SqlValue, sqliteDriver } from '../../controller/store/sqlite-driver.ts'
import { requestFile } from '../scenarios/config-files.ts'
import { openScene, type Scene } from '../scenarios/scene.ts'
import { draven } from './run.ts'

const PATH = 'requests/shop/stage/2026-11-18-develop.yaml'
const HEAD = /^The audit is whole(?: and contains the anchor)?: (\d+) rows\.\nHead, to keep as an anchor: (\d+:[0-9a-f]{64})\n$/

let scene: Scene
let data: string
/** Rows of the run, once it has ended. */
let rows: number

beforeAll(async () => {
  scene = await openScene()
  data = scene.env['DRAVEN_DATA_DIR']!
  const pull = await scene.propose({ [PATH]: requestFile('branch: develop') })
  await scene.shown(pull)
  await scene.merge(pull)
  await scene.ended(PATH)
})
afterAll(() => scene.close())

function verify(dataDirectory: string, ...more: string[]) {
  return draven(['audit', 'verify', '--data-dir', dataDirectory, ...more], { clock: scene.clock })
}

let copies = 0
/** A copy of the database of the ended run, changed as somebody would who has the file: guards dropped, then plain SQL. */
function tampered(change: (db: SqliteConnection) => void): string {
  const folder = join(scene.root, `copy-${++copies}`)
  mkdirSync(folder)
  copyFileSync(join(data, 'draven.db'), join(folder, 'draven.db'))
  const db = sqliteDriver().open(join(folder, 'draven.db'), 1_000)
  const guards = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'").rows([])
  for (const [name] of guards) db.exec(`DROP TRIGGER "${String(name)}"`)
  change(db)
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
  return folder
}

const COLUMNS = '"at", "action", "actor", "jobId", "environment", "commit", "data", "previousHash", "hash"'
const FREE = 1_000_000

function rowAt(db: SqliteConnection, seq: number): SqlValue[] {
  return db.prepare(`SELECT ${COLUMNS} FROM "audit" WHERE "seq" = ${seq}`).rows([])[0]!
}

function putRow(db: SqliteConnection, seq: number, values: readonly SqlValue[]): void {
  db.prepare(`INSERT INTO "audit" ("seq", ${COLUMNS}) VALUES (${seq}, ${values.map(() => '?').join(', ')})`).run(values)
}

const CHANGES: Readonly<Record<string, { change: (db: SqliteConnection, seq: number) => void; last?: false }>> = {
  edited: { change: (db, seq) => db.exec(`UPDATE "audit" SET "actor" = 'nobody' WHERE "seq" = ${seq}`) },
  // The last row's end leaves a shorter chain that holds: only an anchor shows that, see below.
  deleted: { change: (db, seq) => db.exec(`DELETE FROM "audit" WHERE "seq" = ${seq}`), last: false },
  inserted: {
    change(db, seq) {
      const row = rowAt(db, seq)
      db.exec(`UPDATE "audit" SET "seq" = "seq" + ${FREE} WHERE "seq" >= ${seq}`)
      db.exec(`UPDATE "audit" SET "seq" = "seq" - ${FREE - 1} WHERE "seq" > ${FREE}`)
      putRow(db, seq, row)
    },
  },
  swapped: {
    change(db, seq) {
      const [one, two] = [rowAt(db, seq), rowAt(db, seq + 1)]
      db.exec(`DELETE FROM "audit" WHERE "seq" IN (${seq}, ${seq + 1})`)
      putRow(db, seq, two)
      putRow(db, seq + 1, one)
    },
    last: false,
  },
}

describe('draven audit verify', () => {
  it('finds the audit of a serving controller whole, and writes nothing', async () => {
    const before = readdirSync(data).sort()
    const { code, stdout, stderr } = await verify(data)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(HEAD)
    expect(readdirSync(data).sort()).toEqual(before)
    // The controller's lock still holds: its next write goes through.
    await scene.controller.store.views.probe()
  })

  it('accepts its own head as an anchor later on', async () => {
    const [, , head] = HEAD.exec((await verify(data)).stdout)!
    await scene.controller.stop()
    scene.controller = { ...scene.controller, stop: async () => {} }
    const { code, stdout } = await verify(data, '--anchor', head!)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^The audit is whole and contains the anchor: /)
    rows = Number(HEAD.exec(stdout)![1])
    expect(rows).toBeGreaterThan(8)
  })

  it('leaves the file of a stopped controller byte for byte as it was', async () => {
    const file = join(data, 'draven.db')
    const [bytes, files] = [readFileSync(file), readdirSync(data).sort()]
    expect((await verify(data)).code).toBe(0)
    expect(readFileSync(file).equals(bytes)).toBe(true)
    expect(readdirSync(data).sort()).toEqual(files)
    expect(statSync(file).size).toBe(bytes.length)
  })

  it.each(Object.keys(CHANGES))('finds every single row that was %s, at that row', async (name) => {
    const { change, last } = CHANGES[name]!
    for (let seq = 1; seq <= (last === false ? rows - 1 : rows); seq++) {
      const { code, stdout } = await verify(
        tampered((db) => change(db, seq)),
        '--json',
      )
      const verdict = JSON.parse(stdout)
      expect({ name, code, seq: verdict.seq }, `row ${seq}`).toEqual({ name, code: 1, seq: name === 'inserted' ? seq + 1 : seq })
    }
  })

  it('finds a cut-off end only with an anchor, and says which row was known', async () => {
    const [, , head] = HEAD.exec((await verify(data)).stdout)!
    const cut = tampered((db) => db.exec(`DELETE FROM "audit" WHERE "seq" = ${rows}`))
    expect((await verify(cut)).code).toBe(0)
    const { code, stdout } = await verify(cut, '--anchor', head!)
    expect(code).toBe(1)
    expect(stdout).toMatch(
      new RegExp(
        `^The audit is broken at row ${rows} \\(truncated\\): the audit ends at row ${rows - 1}, but row ${rows} was already known\\.\nIntact up to ${rows - 1}:`,
      ),
    )
  })

  it('exits with 3 for a folder without database and for a file that is none', async () => {
    expect(await verify(join(scene.root, 'nowhere'))).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('There is no database'),
    })
    const folder = join(scene.root, 'garbage')
    mkdirSync(folder)
    writeFileSync(join(folder, 'draven.db'), 'this is no database, but long enough to be looked at'.repeat(40))
    const { code, stderr } = await verify(folder)
    expect(code).toBe(3)
    expect(stderr).toContain(`The database ${join(folder, 'draven.db')} cannot be read: `)
    expect(stderr).not.toContain('draven-copy-')
  })

  it('exits with 2 for an anchor that is none', async () => {
    expect((await verify(data, '--anchor', '12')).code).toBe(2)
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AuditHead, type AuditVerdict, verifyChain } from '../../controller/audit/chain.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { type SqliteConnection, sqliteDriver } from '../../controller/store/sqlite-driver.ts'
import { anEvent, T0 } from './rows.ts'
import { openAt, scratchFolder } from './sqlite-file.ts'

const ROWS = 6
let scratch: ReturnType<typeof scratchFolder>
let store: OpenStore
/** A second connection to the same file, past the store: what somebody with the file in hands can do. */
let tamperer: SqliteConnection
let head: AuditHead

beforeAll(async () => {
  scratch = scratchFolder()
  store = await openAt(scratch.file)
  for (let index = 1; index <= ROWS; index += 1) {
    await store.state.unit('write', (tx) =>
      tx.audit(anEvent({ at: T0 + index, jobId: `job-${index}`, actor: `person-${index}` })),
    )
  }
  head = (await store.views.audit({ limit: 1 }))[0]!
  tamperer = sqliteDriver().open(scratch.file, 1_000)
  tamperer.exec('CREATE TABLE original AS SELECT * FROM audit')
})
afterAll(async () => {
  tamperer.close()
  await store.close()
  scratch.remove()
})

const TRIGGERS = ['update', 'delete', 'gap'].map((name) => `audit_refuses_${name}`)

/** Drops the triggers, runs the statements, and gives what the store says of its audit then. Everything is put back. */
async function forced(statements: readonly string[], anchor?: AuditHead): Promise<AuditVerdict> {
  const texts = tamperer.prepare("SELECT sql FROM sqlite_master WHERE type = 'trigger'").rows([]).flat() as string[]
  expect(texts).toHaveLength(TRIGGERS.length)
  const back = ['DELETE FROM audit', 'INSERT INTO audit SELECT * FROM original ORDER BY seq', ...texts]
  try {
    for (const statement of [...TRIGGERS.map((name) => `DROP TRIGGER ${name}`), ...statements]) tamperer.exec(statement)
    return await verifyChain(store.auditRows(), anchor)
  } finally {
    for (const statement of back) tamperer.exec(statement)
  }
}

const force = (statement: string, anchor?: AuditHead) => forced([statement], anchor)
const FORGED_ID = `'${'f'.repeat(40)}'`
const FORGED_HASH = `'${'f'.repeat(64)}'`

describe('an audit on disk', () => {
  test('holds while nobody touched it', async () => {
    expect(await forced([])).toEqual({ ok: true, rows: ROWS, head: { seq: ROWS, hash: head.hash } })
  })

  test.each([
    ['a change', `UPDATE audit SET actor = 'mallory' WHERE seq = 2`],
    ['a change that changes nothing', 'UPDATE audit SET actor = actor'],
    ['a deletion', 'DELETE FROM audit WHERE seq = 6'],
    ['a replacement', `INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 2`],
    [
      'a row out of turn',
      `INSERT INTO audit SELECT 9, at, action, actor, jobId, environment, "commit", data, previousHash, hash FROM audit WHERE seq = 6`,
    ],
    [
      'a row that is not linked',
      `INSERT INTO audit SELECT 7, at, action, actor, jobId, environment, "commit", data, previousHash, hash FROM audit WHERE seq = 6`,
    ],
  ])('refuses %s', async (_, statement) => {
    expect(() => tamperer.exec(statement)).toThrow(/append-only|not the next link/)
    expect(await verifyChain(store.auditRows())).toMatchObject({ ok: true, rows: ROWS })
  })

  const edits: [string, string][] = [
    ['at', 'at + 1'],
    ['at', "'yesterday'"],
    ['action', "'forced'"],
    ['actor', "'mallory'"],
    ['actor', "x'00ff'"],
    ['jobId', 'NULL'],
    ['environment', "'shop/stage'"],
    ['commit', FORGED_ID],
    ['data', "'{}'"],
    ['data', "replace(data, 'queued', 'failed')"],
    ['data', "data || ' '"],
    ['data', "'no JSON at all'"],
    ['previousHash', FORGED_HASH],
    ['hash', FORGED_HASH],
    ['hash', 'upper(hash)'],
    ['seq', '100'],
    ['seq', '-seq'],
  ]
  test.each(edits)('shows where %s was set to %s, in every row', async (column, value) => {
    for (let seq = 1; seq <= ROWS; seq += 1) {
      const verdict = await force(`UPDATE audit SET "${column}" = ${value} WHERE seq = ${seq}`)
      expect(verdict.ok, `row ${seq}`).toBe(false)
    }
  })

  test('shows a missing row, wherever it was, given a known head for the last', async () => {
    for (let seq = 1; seq < ROWS; seq += 1) {
      expect(await force(`DELETE FROM audit WHERE seq = ${seq}`)).toMatchObject({ ok: false, seq, kind: 'missing' })
    }
    expect(await force(`DELETE FROM audit WHERE seq >= ${ROWS}`, head)).toMatchObject({ ok: false, seq: ROWS, kind: 'truncated' })
    expect(await force('DELETE FROM audit', head)).toMatchObject({ ok: false, seq: 1, kind: 'truncated' })
  })

  test('shows a row that was put in, even one that moved the others along', async () => {
    const columns = 'at, action, actor, jobId, environment, "commit", data, previousHash, hash'
    for (const seq of [2, 4]) {
      const verdict = await forced([
        `UPDATE audit SET seq = -seq - 1 WHERE seq >= ${seq}`,
        'UPDATE audit SET seq = -seq WHERE seq < 0',
        `INSERT INTO audit SELECT ${seq}, ${columns} FROM audit WHERE seq = 1`,
      ])
      expect(verdict).toMatchObject({ ok: false, seq })
    }
  })

  test('shows two rows that changed places', async () => {
    for (const [one, other] of [
      [1, 2],
      [2, 5],
      [5, 6],
    ]) {
      const moves = [
        `SET seq = 99 WHERE seq = ${one}`,
        `SET seq = ${one} WHERE seq = ${other}`,
        `SET seq = ${other} WHERE seq = 99`,
      ]
      const verdict = await forced(moves.map((move) => `UPDATE audit ${move}`))
      expect(verdict).toMatchObject({ ok: false, seq: one })
    }
  })
})

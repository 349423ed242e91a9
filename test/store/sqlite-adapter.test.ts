import type { ArgType, SqlDriverAdapter, SqlQuery } from '@prisma/driver-adapter-utils'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import { sqliteAdapterFactory } from '../../controller/store/sqlite-adapter.ts'
import { sqliteDriver } from '../../controller/store/sqlite-driver.ts'
import { openSqliteSession, type SqliteSession } from '../../controller/store/sqlite-session.ts'
import { scratchFolder } from './sqlite-file.ts'

let scratch: ReturnType<typeof scratchFolder>
let session: SqliteSession
let adapter: SqlDriverAdapter
let fatal: Error[]

beforeEach(async () => {
  scratch = scratchFolder()
  fatal = []
  session = openSqliteSession(sqliteDriver(), scratch.file)
  adapter = await sqliteAdapterFactory({ session, clock: systemClock(), onFatal: (error) => fatal.push(error) }).connect()
  await adapter.executeScript(`
    CREATE TABLE parent (id TEXT PRIMARY KEY NOT NULL);
    CREATE TABLE child (parent TEXT REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE typed (whole INTEGER, big BIGINT, truth BOOLEAN, bytes BLOB, words TEXT, moment DATETIME);`)
})
afterEach(() => {
  session.close()
  scratch.remove()
})

function query(sql: string, ...args: [unknown, ArgType['scalarType']][]): SqlQuery {
  return { sql, args: args.map(([value]) => value), argTypes: args.map(([, scalarType]) => ({ scalarType, arity: 'scalar' })) }
}
const insertParent = (id: string) => query('INSERT INTO parent VALUES (?)', [id, 'string'])
const parents = async () => (await adapter.queryRaw(query('SELECT id FROM parent ORDER BY id'))).rows.flat()

describe('a transaction', () => {
  test('keeps everybody else waiting from its begin to its end, in order', async () => {
    const log: string[] = []
    const first = await adapter.startTransaction()
    const outside = adapter.executeRaw(insertParent('outside')).then(() => log.push('outside'))
    const second = adapter.startTransaction().then(async (tx) => {
      log.push('second')
      await tx.rollback()
    })
    const reading = parents().then((rows) => log.push(`read ${rows.join()}`))
    await first.executeRaw(insertParent('first'))
    await new Promise((done) => setTimeout(done, 20))
    expect(log).toEqual([])
    await first.rollback()
    await Promise.all([outside, second, reading])
    expect(log).toEqual(['outside', 'second', 'read outside'])
  })

  test('is really rolled back', async () => {
    const tx = await adapter.startTransaction()
    await tx.executeRaw(insertParent('a'))
    await tx.rollback()
    expect(await parents()).toEqual([])
    expect(fatal).toEqual([])
  })

  test('is doomed by a failing statement, as on PostgreSQL', async () => {
    const tx = await adapter.startTransaction()
    await tx.executeRaw(insertParent('a'))
    await expect(tx.executeRaw(insertParent('a'))).rejects.toMatchObject({ cause: { kind: 'UniqueConstraintViolation' } })
    await expect(tx.executeRaw(insertParent('b'))).rejects.toMatchObject({ cause: { kind: 'TransactionAlreadyClosed' } })
    await expect(tx.commit()).rejects.toMatchObject({ cause: { kind: 'TransactionAlreadyClosed' } })
    expect(await parents()).toEqual([])
    expect(fatal).toEqual([])
  })

  test('refuses use after its end', async () => {
    const tx = await adapter.startTransaction()
    await tx.commit()
    await expect(tx.executeRaw(insertParent('late'))).rejects.toMatchObject({ cause: { kind: 'TransactionAlreadyClosed' } })
    expect(await parents()).toEqual([])
  })

  test('knows one isolation level, the strictest', async () => {
    await expect(adapter.startTransaction('READ COMMITTED')).rejects.toMatchObject({ cause: { kind: 'InvalidIsolationLevel' } })
    const tx = await adapter.startTransaction('SERIALIZABLE')
    await tx.commit()
  })
})

test('a failed statement does not stand in the way of the next COMMIT', async () => {
  await adapter.executeScript(
    "CREATE TRIGGER no_bad BEFORE INSERT ON parent WHEN NEW.id = 'bad' BEGIN SELECT RAISE(ABORT, 'bad'); END",
  )
  await adapter.executeRaw(insertParent('a'))
  const failing = [
    insertParent('a'),
    insertParent('bad'),
    query("INSERT INTO parent VALUES ('b'), ('a') RETURNING id"),
    query('INSERT INTO parent VALUES (NULL)'),
  ]
  for (const statement of failing) {
    await expect(adapter.executeRaw(statement)).rejects.toThrow()
    await expect(adapter.queryRaw(statement)).rejects.toThrow()
    const doomed = await adapter.startTransaction()
    await expect(doomed.queryRaw(statement)).rejects.toThrow()
    await doomed.rollback()
    const tx = await adapter.startTransaction()
    await tx.executeRaw(query("INSERT INTO child VALUES ('a')"))
    await tx.commit()
  }
  expect(fatal).toEqual([])
  expect((await adapter.queryRaw(query('SELECT COUNT(*) FROM child'))).rows).toEqual([[failing.length]])
  expect(await parents()).toEqual(['a'])
})

describe('an error at the end of a transaction', () => {
  test('is fatal at COMMIT: it is reported once, and nothing is accepted any more', async () => {
    const tx = await adapter.startTransaction()
    await tx.executeRaw(query('INSERT INTO child VALUES (?)', ['orphan', 'string']))
    const waiting = adapter.executeRaw(insertParent('waiting'))
    const refused = expect(waiting).rejects.toThrow(/COMMIT failed/)
    await expect(tx.commit()).rejects.toThrow(/COMMIT failed; the store is closed/)
    await refused
    await expect(adapter.startTransaction()).rejects.toThrow(/COMMIT failed/)
    await expect(parents()).rejects.toThrow(/COMMIT failed/)
    expect(fatal.map((error) => error.message)).toEqual(['COMMIT failed; the store is closed'])
    expect(String(fatal[0]!.cause)).toMatch(/FOREIGN KEY/)
  })

  test('is fatal at ROLLBACK too', async () => {
    const tx = await adapter.startTransaction()
    session.exec('ROLLBACK')
    await expect(tx.rollback()).rejects.toThrow(/ROLLBACK failed/)
    expect(fatal).toHaveLength(1)
  })
})

describe('values', () => {
  test('survive the way in and out', async () => {
    await adapter.executeRaw(
      query(
        'INSERT INTO typed VALUES (?, ?, ?, ?, ?, ?)',
        [7, 'int'],
        ['1763722800123', 'bigint'],
        [true, 'boolean'],
        [Buffer.from([0, 255]).toString('base64'), 'bytes'],
        ['“ä”\n😀', 'string'],
        ['2026-11-21T09:00:00.000Z', 'datetime'],
      ),
    )
    const { rows, columnNames } = await adapter.queryRaw(query('SELECT *, COUNT(*) AS n FROM typed'))
    expect(columnNames).toEqual(['whole', 'big', 'truth', 'bytes', 'words', 'moment', 'n'])
    expect(rows[0]!.map((value) => (value instanceof Uint8Array ? [...value] : value))).toEqual([
      7,
      1_763_722_800_123,
      1,
      [0, 255],
      '“ä”\n😀',
      '2026-11-21T09:00:00.000Z',
      1,
    ])
  })

  test('with a NUL are refused, because one of the libraries would read only what stands before it', async () => {
    await expect(adapter.executeRaw(insertParent('a\u0000b'))).rejects.toThrow(/NUL/)
  })

  test('of a kind that SQLite does not have are refused before they reach it', async () => {
    await expect(adapter.executeRaw(query('INSERT INTO parent VALUES (?)', [{}, 'json']))).rejects.toThrow(
      /cannot bind a value of type object/,
    )
  })

  test('changed rows are counted, and errors carry the names Prisma knows', async () => {
    await adapter.executeRaw(insertParent('a'))
    await adapter.executeRaw(insertParent('b'))
    expect(await adapter.executeRaw(query("UPDATE parent SET id = id || '!'"))).toBe(2)
    await expect(adapter.executeRaw(insertParent('a!'))).rejects.toMatchObject({
      cause: { kind: 'UniqueConstraintViolation', constraint: { fields: ['id'] } },
    })
    await expect(adapter.executeRaw(query('INSERT INTO parent VALUES (NULL)'))).rejects.toMatchObject({
      cause: { kind: 'NullConstraintViolation', constraint: { fields: ['id'] } },
    })
    await expect(adapter.queryRaw(query('SELECT 1 FROM nowhere'))).rejects.toMatchObject({
      cause: { kind: 'TableDoesNotExist', table: 'nowhere' },
    })
    await expect(adapter.queryRaw(query('SELECT nobody FROM parent'))).rejects.toMatchObject({
      cause: { kind: 'ColumnNotFound', column: 'nobody' },
    })
    expect(await parents()).toEqual(['a!', 'b!'])
  })
})

import { type AuditHead, verifyChain } from '../audit/chain.ts'
import { MINUTE_MS } from '../clock.ts'
import { ConfigFault } from '../errors.ts'
import { auditRowOf } from './audit-table.ts'
import type { Db, DbTx } from './db.ts'

/** Rows read, written and compared at a time. */
const PAGE_ROWS = 500
const COPY_LIMITS = { maxWait: MINUTE_MS, timeout: 24 * 60 * MINUTE_MS } as const

type Row = Record<string, unknown>

/** What a copy needs of Prisma's access to one table. */
interface Rows {
  count(): Promise<number>
  findMany(options: object): Promise<Row[]>
  createMany(options: { data: Row[] }): Promise<unknown>
}

interface Table {
  name: string
  /** Primary key; its first column is what a page of rows is found by. */
  key: readonly [string, ...string[]]
  of(db: Db | DbTx): Rows
}

/** Every table that holds state, in an order in which each row finds what it refers to. Prisma's types differ from table to table. */
const TABLES: readonly Table[] = [
  { name: 'config', key: ['id'], of: (db) => db.config as unknown as Rows },
  { name: 'jobs', key: ['id'], of: (db) => db.job as unknown as Rows },
  { name: 'runs', key: ['jobId', 'attempt'], of: (db) => db.run as unknown as Rows },
  { name: 'callbacks', key: ['jobId', 'attempt'], of: (db) => db.callback as unknown as Rows },
  { name: 'deploy_log_lines', key: ['jobId', 'seq'], of: (db) => db.deployLogLine as unknown as Rows },
  { name: 'locks', key: ['key'], of: (db) => db.lock as unknown as Rows },
  { name: 'pulls', key: ['number'], of: (db) => db.pull as unknown as Rows },
  { name: 'deliveries', key: ['id'], of: (db) => db.delivery as unknown as Rows },
  { name: 'outbox', key: ['key'], of: (db) => db.outbox as unknown as Rows },
  { name: 'audit', key: ['seq'], of: (db) => db.audit as unknown as Rows },
]

export interface CopyOptions {
  /** A database that nobody writes meanwhile. */
  from: Db
  /** A migrated PostgreSQL database. */
  to: Db
  progress: (table: string, rows: number, total: number) => void
}

export interface Copied {
  rows: Readonly<Record<string, number>>
  /** Of both audits; null: there is no row. */
  head: AuditHead | null
}

/**
 * Copies all state in one transaction, reads each row back and compares it, and proves the chain of the copied audit: all of
 * that, or nothing is left behind. Throws ConfigFault when the target holds anything, or the source's own audit is broken.
 */
export async function copyStore({ from, to, progress }: CopyOptions): Promise<Copied> {
  return to.$transaction(async (tx) => {
    // Whoever starts on the target meanwhile has to write the audit first, and waits.
    await tx.$executeRaw`LOCK TABLE "audit" IN EXCLUSIVE MODE`
    await refuseUnlessEmpty(tx)
    const rows: Record<string, number> = {}
    for (const table of TABLES) rows[table.name] = await copyTable(table, from, tx, progress)
    await tx.$queryRaw`SELECT setval(pg_get_serial_sequence('deliveries', 'id'), (SELECT COALESCE(MAX("id"), 0) + 1 FROM "deliveries"), false)`
    return { rows, head: await provenHead(tx) }
  }, COPY_LIMITS)
}

async function refuseUnlessEmpty(tx: DbTx): Promise<void> {
  for (const { name, of } of TABLES) {
    const count = await of(tx).count()
    if (count === 0) continue
    throw new ConfigFault(
      `the target is not empty: ${name} has ${count} rows`,
      'Make a new database and copy into that; nothing was changed.',
    )
  }
}

async function copyTable(table: Table, from: Db, tx: DbTx, progress: CopyOptions['progress']): Promise<number> {
  const source = table.of(from)
  const target = table.of(tx)
  const total = await source.count()
  let done = 0
  for await (const page of pagesOf(table, source)) {
    await target.createMany({ data: page })
    const found = await target.findMany({ where: { [table.key[0]]: { in: page.map((row) => row[table.key[0]]) } } })
    compare(table, page, found)
    done += page.length
    progress(table.name, done, total)
  }
  const count = await target.count()
  if (count !== total || done !== total) throw new Error(`${table.name}: ${total} rows to copy, ${count} arrived`)
  return total
}

/** Whole groups of equal first key columns, so that a page is found again by that column alone. */
async function* pagesOf({ key: [first, ...rest] }: Table, rows: Rows): AsyncIterable<Row[]> {
  const orderBy = [first, ...rest].map((column) => ({ [column]: 'asc' }))
  for (let last: unknown; ; ) {
    const where = last === undefined ? {} : { [first]: { gt: last } }
    const page = await rows.findMany({ where, orderBy, take: PAGE_ROWS })
    if (page.length === 0) return
    last = page.at(-1)![first]
    const group = rest.length === 0 ? [] : await rows.findMany({ where: { [first]: last }, orderBy })
    yield [...page.filter((row) => rest.length === 0 || row[first] !== last), ...group]
  }
}

function compare({ name, key }: Table, wanted: readonly Row[], found: readonly Row[]): void {
  const nameOf = (row: Row) => key.map((column) => String(row[column])).join(' ')
  const copies = new Map(found.map((row) => [nameOf(row), textOf(row)]))
  for (const row of wanted) {
    if (copies.get(nameOf(row)) !== textOf(row)) throw new Error(`${name}: row ${nameOf(row)} did not arrive as it was sent`)
  }
}

function textOf(row: Row): string {
  const plain = (value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)
  return JSON.stringify(
    Object.keys(row)
      .sort()
      .map((column) => [column, plain(row[column])]),
  )
}

/** The head of the chain as it arrived; equal rows make it the source's as well. */
async function provenHead(tx: DbTx): Promise<AuditHead | null> {
  const verdict = await verifyChain(auditOf(tx))
  if (verdict.ok) return verdict.head
  throw new ConfigFault(
    `the audit is broken at row ${verdict.seq}: ${verdict.problem}`,
    'Restore the source from a backup. Nothing was copied.',
  )
}

async function* auditOf(tx: DbTx) {
  for (let seq = 0; ; ) {
    const page = await tx.audit.findMany({ where: { seq: { gt: seq } }, orderBy: { seq: 'asc' }, take: PAGE_ROWS })
    if (page.length === 0) return
    for (const row of page) yield auditRowOf(row)
    seq = page.at(-1)!.seq
  }
}

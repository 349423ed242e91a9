import { canonicalJson } from '../audit/canonical-json.ts'
import { type AuditHead, chainRow } from '../audit/chain.ts'
import type { AuditAction, AuditEvent, AuditRow } from '../audit/event.ts'
import { type Db, type DbTx, fromBig, plainText } from './db.ts'
import type { Audit } from './generated/sqlite/client.ts'

/** Events of one unit, kept in order and written at its end: one look at the head and one insert, however many there are. */
export interface AuditPages {
  append(event: AuditEvent): void
  write(): Promise<void>
}

export function auditPages(tx: DbTx): AuditPages {
  const events: AuditEvent[] = []
  return {
    append(event) {
      // A copy by way of JSON: what is written is what was meant now, and a value JSON cannot carry fails here, where it came from.
      events.push({ ...event, actor: plainText(event.actor), data: JSON.parse(canonicalJson(event.data)) })
    },
    async write() {
      if (events.length === 0) return
      let head: AuditHead | null = await tx.audit.findFirst({ orderBy: { seq: 'desc' }, select: { seq: true, hash: true } })
      const rows: AuditRow[] = []
      for (const event of events) {
        const row = chainRow(head, event)
        rows.push(row)
        head = row
      }
      await tx.audit.createMany({ data: rows.map((row) => ({ ...row, data: canonicalJson(row.data) })) })
    },
  }
}

export function auditRowOf(row: Audit): AuditRow {
  return { ...row, at: fromBig(row.at), action: row.action as AuditAction, data: dataOf(row.data) }
}

const PAGE_ROWS = 500

/**
 * Every row in order, a page at a time. It serves the check of the chain, so it must not stumble over a row that was tampered
 * with: instants come as text, and data that is no JSON any more is handed on as what it is.
 */
export async function* readAudit(db: Db): AsyncIterable<AuditRow> {
  let page = await db.$queryRaw<RawAudit[]>`
    SELECT "seq", CAST("at" AS TEXT) AS "at", "action", "actor", "jobId", "environment", "commit", "data", "previousHash", "hash"
    FROM "audit" ORDER BY "seq" LIMIT ${PAGE_ROWS}`
  while (page.length > 0) {
    for (const row of page) yield rawAuditRow(row)
    page = await db.$queryRaw<RawAudit[]>`
      SELECT "seq", CAST("at" AS TEXT) AS "at", "action", "actor", "jobId", "environment", "commit", "data", "previousHash", "hash"
      FROM "audit" WHERE "seq" > ${page.at(-1)!.seq} ORDER BY "seq" LIMIT ${PAGE_ROWS}`
  }
}

/** A row as it is in the file, whatever it holds. */
export type RawAudit = Omit<Audit, 'at'> & { at: string | number }

export function rawAuditRow(row: RawAudit): AuditRow {
  return { ...row, at: Number(row.at), action: row.action as AuditAction, data: dataOf(row.data) }
}

function dataOf(text: string): AuditRow['data'] {
  try {
    const data = JSON.parse(text)
    // Only the exact text that was hashed is that data: other spacing or key order means somebody wrote it anew.
    if (canonicalJson(data) === text) return data
  } catch {}
  return { unreadable: text }
}

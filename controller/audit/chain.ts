import { createHash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'
import type { AuditEvent, AuditRow } from './event.ts'

/** What the first row is linked to. */
export const GENESIS_HASH = '0'.repeat(64)

/** One link, by number and hash: enough to know later that everything up to it is unchanged. */
export interface AuditHead {
  seq: number
  hash: string
}

export type AuditVerdict =
  /** `head` null: there are no rows. */
  | { ok: true; rows: number; head: AuditHead | null }
  | {
      ok: false
      /** Where the chain breaks: the number of the first row that is wrong or missing. */
      seq: number
      kind: AuditBreak
      /** One sentence for a person. */
      problem: string
      /** Rows that are intact, from the first. */
      rows: number
      head: AuditHead | null
    }

/** edited: a row's content is not what was hashed. missing / out_of_place: by number. unlinked: does not follow from the row before. */
export type AuditBreak = 'edited' | 'missing' | 'out_of_place' | 'unlinked' | 'truncated' | 'replaced'

/** Numbers an event and links it to the row before (null: it is the first). Throws TypeError when `data` holds what JSON cannot. */
export function chainRow(previous: AuditHead | null, event: AuditEvent): AuditRow {
  const seq = (previous?.seq ?? 0) + 1
  const previousHash = previous?.hash ?? GENESIS_HASH
  return { ...event, seq, previousHash, hash: linkHash(previousHash, seq, event) }
}

/**
 * Reads the chain from its first row to its last and says where it breaks, if it does. Whoever can rewrite every row can also
 * rehash them, and whoever cuts off the end leaves a shorter chain that holds: both show only against an `anchor`, a head that
 * was written down elsewhere at an earlier time.
 */
export async function verifyChain(rows: AsyncIterable<AuditRow>, anchor?: AuditHead): Promise<AuditVerdict> {
  let head: AuditHead | null = null
  for await (const row of rows) {
    const fault = faultOf(row, head, anchor)
    if (fault !== null) return { ok: false, ...fault, rows: head?.seq ?? 0, head }
    head = { seq: row.seq, hash: row.hash }
  }
  const length = head?.seq ?? 0
  if (anchor !== undefined && length < anchor.seq) {
    const problem = `the audit ends at row ${length}, but row ${anchor.seq} was already known`
    return { ok: false, seq: length + 1, kind: 'truncated', problem, rows: length, head }
  }
  return { ok: true, rows: length, head }
}

/** The same for the last rows of a longer chain, in order: what came before the first of them is taken on trust. */
export function verifyTail(rows: readonly AuditRow[]): AuditVerdict {
  const [first] = rows
  let head: AuditHead | null = first === undefined || first.seq === 1 ? null : { seq: first.seq - 1, hash: first.previousHash }
  for (const row of rows) {
    const fault = faultOf(row, head, undefined)
    if (fault !== null) return { ok: false, ...fault, rows: head?.seq ?? 0, head }
    head = { seq: row.seq, hash: row.hash }
  }
  return { ok: true, rows: rows.length, head }
}

type Fault = { seq: number; kind: AuditBreak; problem: string }

function faultOf(row: AuditRow, head: AuditHead | null, anchor: AuditHead | undefined): Fault | null {
  const expected = (head?.seq ?? 0) + 1
  if (row.seq > expected) return { seq: expected, kind: 'missing', problem: `row ${expected} is missing` }
  if (row.seq < expected)
    return { seq: row.seq, kind: 'out_of_place', problem: `row ${row.seq} stands after row ${expected - 1}` }
  if (row.previousHash !== (head?.hash ?? GENESIS_HASH)) {
    return { seq: row.seq, kind: 'unlinked', problem: `row ${row.seq} does not follow from the row before it` }
  }
  if (row.hash !== hashOrNull(row)) {
    return { seq: row.seq, kind: 'edited', problem: `row ${row.seq} was changed after it was written` }
  }
  if (anchor?.seq === row.seq && anchor.hash !== row.hash) {
    return { seq: row.seq, kind: 'replaced', problem: `row ${row.seq} is not the one that was known; history was rewritten` }
  }
  return null
}

/** Null for a row that holds what no event can hold. */
function hashOrNull(row: AuditRow): string | null {
  try {
    return linkHash(row.previousHash, row.seq, row)
  } catch {
    return null
  }
}

function linkHash(previousHash: string, seq: number, event: AuditEvent): string {
  const { at, action, actor, jobId, environment, commit, data } = event
  const body = canonicalJson({ seq, at, action, actor, jobId, environment, commit, data })
  return createHash('sha256').update(previousHash).update(body).digest('hex')
}

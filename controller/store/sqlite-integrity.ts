import { verifyTail } from '../audit/chain.ts'
import { ConfigFault } from '../errors.ts'
import { type RawAudit, rawAuditRow } from './audit-table.ts'
import type { SqliteSession } from './sqlite-session.ts'

/** Rows of the audit that every start looks at: some hours of a busy installation, read in milliseconds. */
const TAIL_ROWS = 500
const COLUMNS = ['seq', 'at', 'action', 'actor', 'jobId', 'environment', 'commit', 'data', 'previousHash', 'hash'] as const

/**
 * Every decision continues the chain, so its end must hold before another row is hung onto it. The whole chain is checked by
 * `draven audit verify` and by each backup.
 * @throws ConfigFault when a row at the end of the audit was changed, taken out or put in
 */
export function checkAuditTail(session: SqliteSession, file: string): void {
  const sql = `SELECT ${COLUMNS.map((name) => `"${name}"`).join(', ')} FROM "audit" ORDER BY "seq" DESC LIMIT ${TAIL_ROWS}`
  const rows = session.query(sql, []).rows.map((row) => Object.fromEntries(COLUMNS.map((name, at) => [name, row[at]])))
  const verdict = verifyTail(rows.reverse().map((row) => rawAuditRow(row as RawAudit)))
  if (verdict.ok) return
  throw new ConfigFault(
    `the audit in ${file} is broken at row ${verdict.seq}: ${verdict.problem}`,
    'Keep this file for those who look into it and restore the last backup; `draven audit verify` tells more.',
  )
}

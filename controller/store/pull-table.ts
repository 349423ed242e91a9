import type { PullRow, PullTable } from '../jobs/state-store.ts'
import type { CommitSha } from '../model/names.ts'
import { type DbTx, fromBig, fromJson } from './db.ts'
import type { Pull } from './generated/sqlite/client.ts'

type Pins = PullRow['pins'] extends ReadonlyMap<string, infer Pin> ? [string, Pin][] : never

export function pullTable(tx: DbTx): PullTable {
  return {
    async open() {
      const rows = await tx.pull.findMany({ where: { state: 'open' }, orderBy: { number: 'asc' } })
      return rows.map(pullOf)
    },

    async get(number) {
      const row = await tx.pull.findUnique({ where: { number } })
      return row === null ? null : pullOf(row)
    },

    async save(pull) {
      const { number, ...rest } = pull
      const row = { ...rest, pins: JSON.stringify([...pull.pins]) }
      await tx.pull.upsert({ where: { number }, create: { number, ...row }, update: row })
    },
  }
}

function pullOf(row: Pull): PullRow {
  return {
    number: row.number,
    headSha: row.headSha as CommitSha,
    baseRef: row.baseRef,
    state: row.state as PullRow['state'],
    updatedAt: fromBig(row.updatedAt),
    pins: new Map(fromJson<Pins>(row.pins)),
  }
}

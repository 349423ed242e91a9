import type { ConfigState, ConfigTable } from '../jobs/state-store.ts'
import type { CommitSha } from '../model/names.ts'
import type { Reason } from '../model/reason.ts'
import { type Db, type DbTx, fromBig, fromJson, toJson } from './db.ts'

const THE_ROW = { id: 1 }

export function configTable(tx: DbTx): ConfigTable {
  return {
    read: () => readConfig(tx),
    async write(state) {
      const row = { ...state, frozen: toJson(state.frozen) }
      await tx.config.upsert({ where: THE_ROW, create: { ...THE_ROW, ...row }, update: row })
    },
  }
}

export async function readConfig(db: Db | DbTx): Promise<ConfigState | null> {
  const row = await db.config.findUnique({ where: THE_ROW })
  if (row === null) return null
  return {
    head: row.head as CommitSha,
    rulesCommit: row.rulesCommit as CommitSha,
    acceptedAt: fromBig(row.acceptedAt),
    bootstrapCommit: row.bootstrapCommit as CommitSha,
    repositoryId: row.repositoryId,
    frozen: fromJson<Reason>(row.frozen),
  }
}

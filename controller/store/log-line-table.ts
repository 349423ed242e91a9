import type { LogLine, LogStream } from '../jobs/callback.ts'
import type { LogLineTable } from '../jobs/state-store.ts'
import type { JobId } from '../model/names.ts'
import { type DbTx, fromBig, plainText } from './db.ts'
import type { DeployLogLine as Row } from './generated/sqlite/client.ts'

export function logLineTable(tx: DbTx): LogLineTable {
  return {
    async last(jobId) {
      const line = await tx.deployLogLine.findFirst({ where: { jobId }, orderBy: { seq: 'desc' }, select: { seq: true } })
      return line?.seq ?? 0
    },

    async append(lines) {
      if (lines.length === 0) return
      await tx.deployLogLine.createMany({ data: lines.map((line) => ({ ...line, text: plainText(line.text) })) })
    },

    async prune(before, keep) {
      await tx.deployLogLine.deleteMany({ where: { at: { lt: before } } })
      const first = await tx.deployLogLine.findFirst({ orderBy: { at: 'desc' }, skip: keep, select: { at: true } })
      if (first !== null) await tx.deployLogLine.deleteMany({ where: { at: { lte: first.at } } })
    },
  }
}

export function lineOf(row: Row): LogLine {
  return { ...row, jobId: row.jobId as JobId, at: fromBig(row.at), stream: row.stream as LogStream }
}

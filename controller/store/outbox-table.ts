import { canonicalJson } from '../audit/canonical-json.ts'
import { LONGEST_PUT_OFF_MS, type OutboxChannel, type OutboxRow, type OutboxTable } from '../jobs/state-store.ts'
import { type DbTx, fromBig, fromJson, plainText } from './db.ts'
import type { Outbox } from './generated/sqlite/client.ts'

/** `dueAt` null means that the present revision was delivered; the row stays, so that an equal body is not sent again. */
export function outboxTable(tx: DbTx): OutboxTable {
  return {
    async put({ key, channel, body }, at) {
      const text = canonicalJson(body)
      const known = await tx.outbox.findUnique({ where: { key } })
      if (known?.body === text && known.channel === channel) return
      const fresh = { channel, body: text, attempts: 0, lastError: null, dueAt: at }
      if (known === null) await tx.outbox.create({ data: { ...fresh, key, revision: 1 } })
      else await tx.outbox.update({ where: { key }, data: { ...fresh, revision: { increment: 1 } } })
    },

    async due(at, limit) {
      const rows = await tx.outbox.findMany({
        where: { OR: [{ dueAt: { lte: at } }, { dueAt: { gt: at + LONGEST_PUT_OFF_MS } }] },
        orderBy: [{ dueAt: 'asc' }, { key: 'asc' }],
        take: limit,
      })
      return rows.map(messageOf)
    },

    async delivered({ key, revision }, externalId) {
      const data = { dueAt: null, lastError: null }
      await tx.outbox.updateMany({ where: { key, revision }, data })
      // What an older revision created is what a newer one has to edit, so its id is kept whatever the revision is now.
      if (externalId !== null) await tx.outbox.updateMany({ where: { key }, data: { externalId } })
    },

    async failed({ key, revision }, error, retryAt) {
      const data = { attempts: { increment: 1 }, lastError: plainText(error), dueAt: retryAt }
      await tx.outbox.updateMany({ where: { key, revision, dueAt: { not: null } }, data })
    },

    async nextDueAt() {
      const next = await tx.outbox.findFirst({
        where: { dueAt: { not: null } },
        orderBy: { dueAt: 'asc' },
        select: { dueAt: true },
      })
      return fromBig(next?.dueAt ?? null)
    },
  }
}

function messageOf(row: Outbox): OutboxRow {
  const { key, revision, attempts, externalId, lastError } = row
  return {
    ...{ key, revision, attempts, externalId, lastError },
    channel: row.channel as OutboxChannel,
    body: fromJson<OutboxRow['body']>(row.body),
  }
}

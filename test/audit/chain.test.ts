import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chainRow, GENESIS_HASH, verifyChain, verifyTail } from '../../controller/audit/chain.ts'
import type { AuditEvent, AuditRow } from '../../controller/audit/event.ts'

function event(index: number): AuditEvent {
  return {
    at: 1_763_722_800_000 + index,
    action: 'status_changed',
    actor: 'controller',
    jobId: `job-${index}`,
    environment: 'shop/prod',
    commit: null,
    data: { from: 'queued', to: 'running', index },
  }
}

function chainOf(length: number): AuditRow[] {
  const rows: AuditRow[] = []
  for (let index = 0; index < length; index += 1) rows.push(chainRow(rows.at(-1) ?? null, event(index)))
  return rows
}

async function* each(rows: readonly AuditRow[]): AsyncIterable<AuditRow> {
  yield* rows
}

describe('the audit chain', () => {
  test('hashes the previous hash and the canonical row, so that anybody can check it without this program', () => {
    const row = chainRow(null, event(0))
    const body =
      '{"action":"status_changed","actor":"controller","at":1763722800000,"commit":null,"data":{"from":"queued","index":0,"to":"running"},' +
      '"environment":"shop/prod","jobId":"job-0","seq":1}'
    expect(row.previousHash).toBe('0'.repeat(64))
    expect(row.hash).toBe(
      createHash('sha256')
        .update(GENESIS_HASH + body)
        .digest('hex'),
    )
  })

  test('holds for rows as they were written, and names its head', async () => {
    const rows = chainOf(5)
    expect(await verifyChain(each(rows))).toEqual({ ok: true, rows: 5, head: { seq: 5, hash: rows[4]!.hash } })
    expect(await verifyChain(each([]))).toEqual({ ok: true, rows: 0, head: null })
  })

  test('accepts any earlier head as anchor', async () => {
    const rows = chainOf(5)
    for (const { seq, hash } of rows) expect(await verifyChain(each(rows), { seq, hash })).toMatchObject({ ok: true, rows: 5 })
  })

  test('breaks where any field of any row is changed', async () => {
    const changes: Partial<AuditRow>[] = [
      { at: 1 },
      { action: 'forced' },
      { actor: 'mallory' },
      { jobId: null },
      { environment: 'shop/stage' },
      { commit: 'f'.repeat(40) },
      { data: { from: 'queued' } },
      // What no event can hold is no row of ours either.
      { data: { from: Number.NaN } },
      { hash: 'f'.repeat(64) },
      { previousHash: 'f'.repeat(64) },
      { seq: 77 },
    ]
    for (const change of changes) {
      for (let index = 0; index < 4; index += 1) {
        const rows = chainOf(4).map((row, at) => (at === index ? { ...row, ...change } : row))
        const verdict = await verifyChain(each(rows))
        expect(verdict, JSON.stringify(change)).toMatchObject({ ok: false, seq: index + 1, rows: index })
      }
    }
  })

  test('breaks for every deletion but the last, every repetition and every swap', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(7), fc.nat(7), async (first, second) => {
        const rows = chainOf(8)
        const deleted = rows.filter((_, at) => at !== first)
        expect((await verifyChain(each(deleted))).ok).toBe(first === 7)
        const repeated = [...rows.slice(0, first), rows[first]!, ...rows.slice(first)]
        expect(await verifyChain(each(repeated))).toMatchObject({ ok: false, kind: 'out_of_place' })
        if (first === second) return
        const swapped = rows.with(first, rows[second]!).with(second, rows[first]!)
        expect(await verifyChain(each(swapped))).toMatchObject({ ok: false })
      }),
    )
  })

  test('breaks at the anchor when the end was cut off or everything was rehashed', async () => {
    const rows = chainOf(6)
    const { seq, hash } = rows[5]!
    expect(await verifyChain(each(rows.slice(0, 4)))).toMatchObject({ ok: true })
    expect(await verifyChain(each(rows.slice(0, 4)), { seq, hash })).toMatchObject({ ok: false, seq: 5, kind: 'truncated' })

    const rewritten: AuditRow[] = []
    for (const row of rows) rewritten.push(chainRow(rewritten.at(-1) ?? null, { ...row, actor: 'mallory' }))
    expect(await verifyChain(each(rewritten))).toMatchObject({ ok: true })
    expect(await verifyChain(each(rewritten), { seq, hash })).toMatchObject({ ok: false, seq: 6, kind: 'replaced' })
  })
})

describe('the end of an audit chain', () => {
  test('holds alone, from wherever it begins', () => {
    const rows = chainOf(6)
    for (let from = 0; from < 6; from += 1) {
      expect(verifyTail(rows.slice(from))).toEqual({ ok: true, rows: 6 - from, head: { seq: 6, hash: rows[5]!.hash } })
    }
    expect(verifyTail([])).toEqual({ ok: true, rows: 0, head: null })
  })

  test('breaks where a row was changed, taken out or begins what it cannot begin', () => {
    const rows = chainOf(6)
    const edited = rows.with(4, { ...rows[4]!, actor: 'mallory' }).slice(3)
    expect(verifyTail(edited)).toMatchObject({ ok: false, seq: 5, kind: 'edited', rows: 4 })
    expect(verifyTail([rows[3]!, rows[5]!])).toMatchObject({ ok: false, seq: 5, kind: 'missing', rows: 4 })
    expect(verifyTail([{ ...rows[0]!, previousHash: 'f'.repeat(64) }])).toMatchObject({
      ok: false,
      seq: 1,
      kind: 'unlinked',
      rows: 0,
    })
    expect(verifyTail([{ ...rows[2]!, actor: 'mallory' }])).toMatchObject({ ok: false, seq: 3, kind: 'edited', rows: 2 })
  })
})

import { describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../controller/audit/event.ts'
import { HOUR_MS, type Instant, MINUTE_MS } from '../../controller/clock.ts'
import { RefusedFault, TransientFault } from '../../controller/errors.ts'
import type { OutboxMessage, OutboxRow, OutboxTable, StateStore, StateTx } from '../../controller/jobs/state-store.ts'
import { silentLogger } from '../../controller/log.ts'
import { type Channels, deliverOutbox, MAX_REFUSALS } from '../../controller/notify/outbox.ts'
import { NOW } from './reports.ts'

describe('the outbox', () => {
  it('sends what is due, tells the channel what it made before, and sends an equal body never again', async () => {
    const calls: unknown[] = []
    const world = outboxWorld({
      comment: async (message, known) => {
        calls.push([message.body, known])
        return 'comment-7'
      },
    })
    await world.put(comment('one'))
    expect(await world.deliver()).toMatchObject({ delivered: 1, failed: 0 })
    await world.put(comment('one'))
    expect(await world.deliver()).toMatchObject({ delivered: 0, failed: 0 })
    await world.put(comment('two'))
    await world.deliver()
    expect(calls).toEqual([
      ['one', null],
      ['two', 'comment-7'],
    ])
  })

  it('sends every channel its own body', async () => {
    const seen: string[] = []
    const note = (channel: string) => async (body: unknown) => {
      seen.push(`${channel} ${JSON.stringify(body)}`)
      return 'id'
    }
    const world = outboxWorld({
      check: note('check'),
      comment: note('comment'),
      deployment: note('deployment'),
      notice: note('notice'),
    })
    for (const channel of ['check', 'comment', 'deployment', 'notice'] as const)
      await world.put({ key: channel, channel, body: { for: channel } })
    expect(await world.deliver()).toMatchObject({ delivered: 4, failed: 0 })
    expect(seen.toSorted()).toEqual(['check', 'comment', 'deployment', 'notice'].map((name) => `${name} {"for":"${name}"}`))
  })

  it('never lets one failing row keep another from being sent', async () => {
    const sent: string[] = []
    const world = outboxWorld({
      comment: async ({ body }) => {
        if (body === 'bad') throw new Error('boom')
        sent.push(body)
        return 'id'
      },
      check: () => {
        throw new TypeError('thrown before any promise')
      },
    })
    await world.put({ key: 'check:1', channel: 'check', body: {} })
    for (const [index, body] of ['bad', 'good', 'bad', 'fine'].entries()) await world.put(comment(body, index))
    expect(await world.deliver()).toMatchObject({ delivered: 2, failed: 3 })
    expect(sent).toEqual(['good', 'fine'])
  })

  it('lets a channel that hangs not hold up the others', async () => {
    let release = () => {}
    const hang = new Promise<void>((resolve) => {
      release = resolve
    })
    const sent: string[] = []
    const world = outboxWorld({
      check: async () => {
        await hang
        return 'id'
      },
      comment: async ({ body }) => {
        sent.push(body)
        return 'id'
      },
    })
    await world.put({ key: 'check:1', channel: 'check', body: {} })
    await world.put(comment('quick'))
    const delivering = world.deliver()
    await expect.poll(() => sent).toEqual(['quick'])
    release()
    expect(await delivering).toMatchObject({ delivered: 2, failed: 0 })
  })

  it('waits twice as long after each failure, from a second to ten minutes', async () => {
    const world = outboxWorld({ comment: () => Promise.reject(new TransientFault('busy')) })
    await world.put(comment('x'))
    const waits: number[] = []
    for (let i = 0; i < 12; i++) {
      expect(await world.deliver()).toMatchObject({ delivered: 0, failed: 1 })
      waits.push((await world.nextDueAt())! - world.now)
      world.now = (await world.nextDueAt())! - 1
      expect(await world.deliver()).toMatchObject({ delivered: 0, failed: 0 })
      world.now++
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600].map((seconds) => seconds * 1_000))
  })

  it('obeys a host that asks for more time than its own back-off', async () => {
    const world = outboxWorld({ comment: () => Promise.reject(new TransientFault('rate limit', HOUR_MS)) })
    await world.put(comment('x'))
    await world.deliver()
    expect(await world.nextDueAt()).toBe(NOW + HOUR_MS)
  })

  it('asks slowly after a refusal, gives up after 24 of them and keeps that on record', async () => {
    const world = outboxWorld({ comment: () => Promise.reject(new RefusedFault('no permission', 403)) })
    await world.put(comment('x'))
    let tries = 0
    for (; (await world.nextDueAt()) !== null; tries++) {
      world.now = (await world.nextDueAt())!
      await world.deliver()
      const next = await world.nextDueAt()
      if (next !== null) expect(next - world.now).toBeGreaterThanOrEqual(10 * MINUTE_MS)
    }
    expect(tries).toBe(MAX_REFUSALS)
    expect(world.audit).toEqual([
      {
        at: world.now,
        action: 'outbox_given_up',
        actor: 'controller',
        jobId: null,
        environment: null,
        commit: null,
        data: { key: 'comment:0', channel: 'comment', refusals: 24, error: 'no permission' },
      },
    ])
    await world.put(comment('a newer body'))
    expect(await world.nextDueAt()).not.toBeNull()
  })

  it('does not give up when one refusal follows a long outage', async () => {
    let fault: Error = new TransientFault('down')
    const world = outboxWorld({ comment: () => Promise.reject(fault) })
    await world.put(comment('x'))
    for (let i = 0; i < 50; i++) {
      world.now = (await world.nextDueAt())!
      await world.deliver()
    }
    fault = new RefusedFault('maintenance', 403)
    world.now = (await world.nextDueAt())!
    await world.deliver()
    expect(await world.nextDueAt()).toBe(world.now + 10 * MINUTE_MS)
    expect(world.audit).toEqual([])
  })

  it('refuses rows of a channel that is not set up', async () => {
    const world = outboxWorld({})
    await world.put(comment('x'))
    expect(await world.deliver()).toMatchObject({ delivered: 0, failed: 1 })
    expect(world.row('comment:0')?.lastError).toBe('refused 1 of 24: no comment channel is set up')
  })

  it('leaves a body that was replaced during the sending due, and sends it next', async () => {
    const sent: string[] = []
    const world = outboxWorld({
      comment: async ({ body }) => {
        sent.push(body)
        if (body === 'old') await world.put(comment('new'))
        return 'id'
      },
    })
    await world.put(comment('old'))
    await world.deliver()
    expect(await world.nextDueAt()).not.toBeNull()
    await world.deliver()
    expect(sent).toEqual(['old', 'new'])
    expect(await world.nextDueAt()).toBeNull()
  })

  it('sends outside of any unit of work', async () => {
    const world = outboxWorld({
      comment: async () => {
        expect(world.openUnits()).toBe(0)
        return 'id'
      },
    })
    await world.put(comment('x'))
    expect(await world.deliver()).toMatchObject({ delivered: 1, failed: 0 })
  })

  it('survives a store that fails at any unit, and sends again what was not recorded', async () => {
    for (const failing of ['outbox due', 'outbox delivered']) {
      const world = outboxWorld({ comment: async () => 'id' })
      await world.put(comment('x'))
      world.failAt(failing)
      expect((await world.deliver()).delivered).toBe(0)
      world.failAt(null)
      world.now += MINUTE_MS
      expect(await world.deliver()).toMatchObject({ delivered: 1, failed: 0 })
    }
    const world = outboxWorld({ comment: () => Promise.reject(new Error('boom')) })
    await world.put(comment('x'))
    world.failAt('outbox failed')
    expect(await world.deliver()).toMatchObject({ delivered: 0, failed: 1 })
  })

  it('takes no more rows at once than it was told to', async () => {
    const world = outboxWorld({ comment: async () => 'id' })
    for (let i = 0; i < 5; i++) await world.put(comment('x', i))
    expect(await world.deliver(3)).toMatchObject({ delivered: 3, failed: 0 })
    expect(await world.deliver(3)).toMatchObject({ delivered: 2, failed: 0 })
  })
})

function comment(body: string, pullRequest = 0): OutboxMessage {
  return { key: `comment:${pullRequest}`, channel: 'comment', body: { pullRequest, body } }
}

/** A store that has nothing but the outbox and the audit, a clock to set, and a unit that can be made to fail. */
function outboxWorld(channels: Channels) {
  const { table, rows } = memoryOutbox()
  const audit: AuditEvent[] = []
  let openUnits = 0
  let failing: string | null = null
  const tx = { outbox: table, audit: async (event: AuditEvent) => void audit.push(event) } as unknown as StateTx
  const store: StateStore = {
    async unit(name, work) {
      if (name === failing) throw new Error(`${name}: disk full`)
      openUnits++
      try {
        return await work(tx)
      } finally {
        openUnits--
      }
    },
  }
  const world = {
    now: NOW as Instant,
    audit,
    openUnits: () => openUnits,
    row: (key: string) => rows.get(key),
    failAt(name: string | null) {
      failing = name
    },
    put: (message: OutboxMessage) => table.put(message, world.now),
    nextDueAt: () => table.nextDueAt(),
    deliver: (limit = 100) =>
      deliverOutbox({
        store,
        channels,
        clock: { now: () => world.now, elapsed: () => world.now, sleep: async () => {} },
        log: silentLogger,
        limit,
      }),
  }
  return world
}

type StoredRow = OutboxRow & { dueAt: Instant | null }

/** The outbox port's contract, in a map. */
function memoryOutbox(): { table: OutboxTable; rows: Map<string, StoredRow> } {
  const rows = new Map<string, StoredRow>()
  const current = ({ key, revision }: Pick<OutboxRow, 'key' | 'revision'>) => {
    const row = rows.get(key)
    return row?.revision === revision ? row : null
  }
  const table: OutboxTable = {
    async put(message, at) {
      const row = rows.get(message.key)
      if (row && JSON.stringify(row.body) === JSON.stringify(message.body)) return
      rows.set(message.key, {
        ...message,
        revision: (row?.revision ?? 0) + 1,
        attempts: 0,
        externalId: row?.externalId ?? null,
        lastError: null,
        dueAt: at,
      })
    },
    async due(at, limit) {
      return [...rows.values()]
        .filter((row) => row.dueAt !== null && row.dueAt <= at)
        .slice(0, limit)
        .map((row) => ({ ...row }))
    },
    async delivered(row, externalId) {
      const stored = rows.get(row.key)
      if (stored) stored.externalId = externalId
      const same = current(row)
      if (same) same.dueAt = null
    },
    async failed(row, error, retryAt) {
      const same = current(row)
      if (same) Object.assign(same, { attempts: same.attempts + 1, lastError: error, dueAt: retryAt })
    },
    async nextDueAt() {
      const times = [...rows.values()].map((row) => row.dueAt).filter((at) => at !== null)
      return times.length === 0 ? null : Math.min(...times)
    },
  }
  return { table, rows }
}

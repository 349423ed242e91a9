import { describe, expect, it } from 'vitest'
import { run } from './campaign.ts'
import { CAMPAIGNS } from './campaigns.ts'

/** A share of what `npm run fuzz -- --nightly` does, with a seed that stays, so that a red run is red again. */
const SECONDS = 2.5
/** One route has as many shares as it has senders. */
const SENDER_SECONDS = 1

describe('hostile input', () => {
  it.each(CAMPAIGNS)('$name: $holds', { timeout: 60_000 }, async (campaign) => {
    const byStatus = campaign.name.startsWith('webhooks:')
    const totals = await run(campaign, 20_261_121, { seconds: byStatus ? SENDER_SECONDS : SECONDS })
    expect(totals.failure?.report ?? null).toBeNull()
    expect(totals.inputs).toBeGreaterThan(100)
    expect(totals.grownMiB).toBeLessThan(50)
    // The attack reaches every answer, or it proves nothing.
    for (const status of byStatus ? [202, 400, 401, 415] : [])
      expect(totals.answers.get(status) ?? 0, String(status)).toBeGreaterThan(10)
  })

  it('that does harm is found, made small and can be replayed by its seed', async () => {
    const harm = {
      ...CAMPAIGNS.find(({ name }) => name === 'yaml')!,
      open: async () => ({
        check(value: unknown) {
          if ((value as Uint8Array).includes(0x7b)) throw new Error('a brace')
        },
        close: async () => {},
      }),
    }
    const first = await run(harm, 1, { inputs: 5_000 })
    expect(first.failure?.report).toContain('a brace')
    const again = await run(harm, first.failure!.seed, { inputs: 250 })
    expect(again.failure).toEqual(first.failure)
  })

  it('that hangs is found', async () => {
    const slow = {
      ...CAMPAIGNS.find(({ name }) => name === 'yaml')!,
      open: async () => ({
        check() {
          // By both clocks: other threads of the process count for the one, other processes for the other.
          const [wall, before] = [performance.now(), process.cpuUsage()]
          const spentMs = ({ user, system } = process.cpuUsage(before)) =>
            Math.min(performance.now() - wall, (user + system) / 1_000)
          while (spentMs() < 130);
        },
        close: async () => {},
      }),
    }
    expect((await run(slow, 1, { inputs: 1 })).failure?.report).toMatch(/took \d+ ms and longer/)
  })
})

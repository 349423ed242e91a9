import { describe, expect, test } from 'vitest'
import type { PipelineProvider, StartOutcome } from '../../controller/jobs/executor.ts'
import type { StateStore, StateTx } from '../../controller/jobs/state-store.ts'
import type { Project } from '../../controller/model/desired-state.ts'
import { currentTerm, guarded, leaderOnly, NotLeading } from '../../controller/reconcile/leadership.ts'

/** A lease that is taken and lost by the test; the store knows of every fence that was ever given. */
function lease() {
  const held: { fence: number | null } = { fence: 1 }
  const leadership = { fence: () => held.fence, leader: () => null, start: () => {}, stop: async () => {} }
  const store: StateStore = { unit: (_name, work) => work({ holdsLease: async (fence) => fence === held.fence } as StateTx) }
  return { held, leadership, store }
}

describe('what was begun in one term', () => {
  test('is written in that term', async () => {
    const { leadership, store } = lease()
    expect(await guarded(store, currentTerm(leadership)!).unit('any', async () => 'written')).toBe('written')
  })

  test('is not written by a later term of the same controller', async () => {
    const { held, leadership, store } = lease()
    const bound = guarded(store, currentTerm(leadership)!)
    held.fence = null
    await expect(bound.unit('any', async () => 'written')).rejects.toBeInstanceOf(NotLeading)
    held.fence = 2
    await expect(bound.unit('any', async () => 'written')).rejects.toBeInstanceOf(NotLeading)
    expect(await guarded(store, currentTerm(leadership)!).unit('any', async () => 'written')).toBe('written')
  })

  test('is neither triggered nor canceled in a later one', async () => {
    const { held, leadership } = lease()
    const calls: string[] = []
    const pipeline = {
      async start(): Promise<StartOutcome> {
        calls.push('start')
        return { kind: 'accepted' }
      },
      async cancel() {
        calls.push('cancel')
      },
    } as unknown as PipelineProvider
    const connections = { refs: () => null as never, pipeline: () => pipeline, deployments: () => null }
    const bound = leaderOnly(connections, currentTerm(leadership)!).pipeline({} as Project)
    held.fence = 2
    expect(await bound.start({} as never)).toMatchObject({ kind: 'refused', unreachable: false })
    await expect(bound.cancel({} as never)).rejects.toBeInstanceOf(NotLeading)
    expect(calls).toEqual([])
  })

  test('does not begin while nobody leads here', () => {
    const { held, leadership } = lease()
    held.fence = null
    expect(currentTerm(leadership)).toBeNull()
  })
})

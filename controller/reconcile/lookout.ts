import { type Clock, SECOND_MS } from '../clock.ts'
import type { Leadership } from './leadership.ts'
import { type Loop, startLoop } from './loop.ts'

/** How often the leader looks for deliveries that other controllers took. */
const LOOKOUT_MS = SECOND_MS

export interface LookoutOptions {
  /** Number of the delivery that was stored last; null: there is none. */
  newestDelivery: () => Promise<number | null>
  leadership: Leadership
  clock: Clock
  wake: () => void
}

/** A delivery that another controller took wakes the leader up as well: it looks often, at one row of an index. */
export function startLookout({ newestDelivery, leadership, clock, wake }: LookoutOptions): Pick<Loop, 'stop'> {
  let seen: number | null = null
  async function look(): Promise<number> {
    if (leadership.fence() === null) return LOOKOUT_MS
    try {
      const newest = await newestDelivery()
      // Another one, not a higher one: what was numbered first may be committed last.
      if (newest !== null && newest !== seen) wake()
      seen = newest
    } catch {
      // The loop that decides says what is wrong with the store.
    }
    return LOOKOUT_MS
  }
  return startLoop({ clock, debounceMs: 0, pass: look })
}

import type { Instant } from '../clock.ts'
import type { Nudge } from '../jobs/state-store.ts'

/** One verified delivery, cut down to what it says to look at. */
export interface Delivery {
  /** Integration the path named; with `deliveryId` the unique key. */
  integration: string
  deliveryId: string
  event: string
  receivedAt: Instant
  nudge: Nudge
}

/** Durable intake. `store` resolves after the rows are on disk (group commit); a repeated delivery is accepted and changes nothing. */
export interface Inbox {
  store(delivery: Delivery): Promise<'stored' | 'duplicate'>
}

import type { Instant } from '../../controller/clock.ts'
import type { LeaderLease } from '../../controller/jobs/lease.ts'

/** The one row of the lease. */
export interface MemoryLease {
  fence: number
  holder: string | null
  since: Instant
  expiresAt: Instant
}

/** The lease of the shared store, by the store's own clock. As in PostgreSQL, it is taken and renewed outside of any unit. */
export function memoryLease(rows: { lease: MemoryLease | null }, now: () => Instant): LeaderLease {
  const isHeld = (lease: MemoryLease | null) => lease !== null && lease.holder !== null && lease.expiresAt > now()
  return {
    async take(holder, durationMs) {
      if (isHeld(rows.lease)) return null
      const fence = (rows.lease?.fence ?? 0) + 1
      rows.lease = { fence, holder, since: now(), expiresAt: now() + durationMs }
      return fence
    },
    async renew(fence, durationMs) {
      if (rows.lease === null || rows.lease.fence !== fence || rows.lease.holder === null) return false
      rows.lease = { ...rows.lease, expiresAt: now() + durationMs }
      return true
    },
    async release(fence) {
      if (rows.lease?.fence === fence) rows.lease = { ...rows.lease, holder: null }
    },
    async holder() {
      const { lease } = rows
      return isHeld(lease) ? { name: lease!.holder!, since: lease!.since } : null
    },
  }
}

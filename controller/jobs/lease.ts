import type { Instant } from '../clock.ts'

/** Time-limited leadership of one controller among all that share a store. The store's own clock alone says when it ends. */
export interface LeaderLease {
  /** Takes the lease when nobody has it and gives its fence, which is higher than any before; null while somebody has it. */
  take(holder: string, durationMs: number): Promise<number | null>
  /** False: it has passed to somebody else. */
  renew(fence: number, durationMs: number): Promise<boolean>
  release(fence: number): Promise<void>
  /** Null while nobody leads. */
  holder(): Promise<{ name: string; since: Instant } | null>
}

/** What a store says to controllers that share it. */
export interface SharedStore {
  lease: LeaderLease
  /** Id of the newest delivery that waits to be handled, whichever controller took it; null: none waits. */
  newestDelivery(): Promise<number | null>
}

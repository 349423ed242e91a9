import type { Instant } from '../clock.ts'
import type { Nudge } from '../jobs/state-store.ts'
import type { ConfigBranch } from './payload.ts'

/** Gives a header of the delivery by its lower-case name. */
export type Header = (name: string) => string | undefined

/** A kind of system that sends webhooks: how its deliveries prove themselves, and what they say to look at. */
export interface Sender {
  /** The largest payload that it sends. */
  maxBodyBytes: number
  /** By the bytes as they came. Every secret is tried, and in constant time, so that time says nothing. */
  isAuthentic(delivery: { header: Header; body: Uint8Array; secrets: readonly string[]; now: Instant }): boolean
  event(header: Header): string
  /** Anything else is answered without being parsed. */
  isWatched(event: string): boolean
  /** What names this delivery and its repetitions; null when it does not say. */
  deliveryId(header: Header, body: Uint8Array): string | null
  /**
   * What a verified delivery says to look at; null when it is none of our business or does not say.
   * Only names are taken, never state: what a name stands for is read from the API afterwards.
   *
   * With `config` (the config repository, when this integration may speak of it) moves of its branch become `config`; its other
   * branches, pull requests elsewhere, and check results there (most of them are our own) are ignored.
   */
  nudge(event: string, payload: unknown, config: ConfigBranch | null): Nudge | null
}

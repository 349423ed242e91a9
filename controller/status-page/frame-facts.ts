import { type Clock, toIso } from '../clock.ts'
import { type ReasonFacts, reasonFacts } from './facts.ts'
import { type Iso, isoOrNull } from './moments.ts'
import type { LiveView, StoreViews } from './views.ts'

/** Where all facts come from. */
export interface Sources {
  views: StoreViews
  live: LiveView
  clock: Clock
  title: string
  /** By how many milliseconds the event loop was late at worst, of late; absent: not measured. */
  lagMs?: () => number
}

/** What stands around every page: when it was made, how fresh its sources are, and what stops everything. */
export interface FrameFacts {
  title: string
  /** As of this moment; a page is a picture, not a stream. */
  at: Iso
  version: string
  config: {
    /** False until the config repository was read for the first time. */
    read: boolean
    /** Commit of the config branch that is in force. */
    head: string | null
    seenAt: Iso | null
    /** Not reached for five polls, or failing now. */
    stale: boolean
    error: string | null
    frozen: ReasonFacts | null
    errors: number
    warnings: number
    /** Unreadable files that could forbid something, so that nothing new may start. */
    closedBy: readonly string[]
  }
}

/** A fact that is this many polls old is called stale. */
export const STALE_POLLS = 5

export async function frameFacts({ views, live, clock, title }: Sources): Promise<FrameFacts> {
  const now = clock.now()
  const desired = live.desired()
  const health = live.health()
  const config = await views.config()
  const findings = desired?.findings ?? []
  const seenAt = health.sourceSeenAt
  return {
    title: desired?.repository.title ?? title,
    at: toIso(now),
    version: health.version,
    config: {
      read: desired !== null,
      head: config?.head ?? null,
      seenAt: isoOrNull(seenAt),
      stale: health.sourceError !== null || (seenAt !== null && now - seenAt > STALE_POLLS * health.pollMs),
      error: health.sourceError,
      frozen: config?.frozen ? reasonFacts(config.frozen, desired) : null,
      errors: findings.filter((one) => one.severity === 'error').length,
      warnings: findings.filter((one) => one.severity === 'warning').length,
      closedBy: [...new Set(desired?.closed.map((one) => one.place.file))],
    },
  }
}

import { SECOND_MS } from '../clock.ts'
import { TransientFault } from '../errors.ts'
import { type Sources, STALE_POLLS } from './frame-facts.ts'
import { durationText } from './moments.ts'
import type { Leader } from './views.ts'

export interface Readiness {
  ready: boolean
  /** Null: one controller has the store for itself. A controller that does not lead is as ready as one that does. */
  leader: Leader | null
  checks: readonly { name: 'store' | 'config' | 'tick' | 'process'; ok: boolean; detail: string }[]
}

/** A store that answers later than this counts as down: who asks (a load balancer) has long given up. */
const PROBE_TIMEOUT_MS = 2 * SECOND_MS

/** One provider that does not answer holds a pass up for its whole deadline, however short the polls are. */
const MIN_STALE_MS = 60 * SECOND_MS

/** Stood still for longer, and callers, leases and deadlines were kept waiting as well. */
const MAX_LAG_MS = 5 * SECOND_MS

/** Can this controller do its work: does the store take writes, was the config read, does the loop still turn, and in time? Details name no internals. */
export async function readiness({ views, live, clock, lagMs }: Omit<Sources, 'title'>): Promise<Readiness> {
  const health = live.health()
  // A first pass has much to read, and may take long; that the loop got anywhere, the config check tells.
  const age = clock.now() - (health.lastTickAt ?? health.startedAt)
  const turning = age <= Math.max(STALE_POLLS * health.pollMs, MIN_STALE_MS)
  const lag = lagMs?.() ?? 0
  const store = await probeStore({ views, clock })
  const checks: Readiness['checks'] = [
    { name: 'store', ok: store === null, detail: store ?? 'takes writes' },
    { name: 'config', ok: live.desired() !== null, detail: live.desired() === null ? 'not read yet' : 'read' },
    {
      name: 'tick',
      ok: turning,
      detail: health.lastTickAt === null ? `first pass, for ${durationText(age)}` : `last pass ${durationText(age)} ago`,
    },
    { name: 'process', ok: lag <= MAX_LAG_MS, detail: lag <= MAX_LAG_MS ? 'in time' : `stood still for ${durationText(lag)}` },
  ]
  return { ready: checks.every((check) => check.ok), leader: live.leader(), checks }
}

/** Null when the store took a write, else what is wrong. The error's own text stays inside: this answer needs no login. */
async function probeStore({ views, clock }: Pick<Sources, 'views' | 'clock'>): Promise<string | null> {
  const patience = new AbortController()
  const timeout = clock.sleep(PROBE_TIMEOUT_MS, patience.signal).then(() => `no answer within ${durationText(PROBE_TIMEOUT_MS)}`)
  const probe = views.probe().then(
    () => null,
    // Trouble that we know has a sentence of our own, without names of files.
    (error: unknown) => (error instanceof TransientFault ? `does not take writes: ${error.message}` : 'does not take writes'),
  )
  const answer = await Promise.race([probe, timeout])
  patience.abort()
  return answer
}

/** Shares one answer among all who ask while it is being made: a probe writes, and strangers may ask often. */
export function sharedReadiness(sources: Omit<Sources, 'title'>): () => Promise<Readiness> {
  let pending: Promise<Readiness> | null = null
  return () => {
    pending ??= readiness(sources).finally(() => {
      pending = null
    })
    return pending
  }
}

import type { Clock, Instant } from '../clock.ts'
import { messageOf, TransientFault } from '../errors.ts'
import type { LeaderLease } from '../jobs/lease.ts'
import type { StateStore } from '../jobs/state-store.ts'
import type { Logger } from '../log.ts'
import type { Leader } from '../status-page/views.ts'
import { startLoop } from './loop.ts'
import type { Connections } from './ports.ts'

/** Who leads, as one of several controllers on one store sees it. */
export interface Leadership {
  /**
   * Fence of our own lease while it has certainly not ended by our clock, else null. To be asked right before anything is done
   * outside of the store; inside, the store itself is asked in each unit (`guarded`).
   */
  fence(): number | null
  /** Null: nobody else could lead. */
  leader(): Leader | null
  /** Takes part from now on. `changed` is called whenever we begin or cease to lead. */
  start(changed: () => void): void
  /** Gives the lease back, so that another need not wait for its end. */
  stop(): Promise<void>
}

/** Others never give up on a leader sooner than after this many missed renewals. */
const RENEWALS_A_LEASE = 3
/** A follower looks more often than a leader renews: looking is cheap, and what it finds is a standstill. */
const LOOKS_A_LEASE = 15

interface LeadershipOptions {
  lease: LeaderLease
  replica: string
  leaseMs: number
  /** How often a follower looks whether nobody leads. */
  lookMs?: number
  clock: Clock
  log: Logger
}

export function openLeadership(options: LeadershipOptions): Leadership {
  const { lease, replica, leaseMs, lookMs = leaseMs / LOOKS_A_LEASE, clock, log } = options
  const renewMs = leaseMs / RENEWALS_A_LEASE
  let held: { fence: number; askedAt: Instant } | null = null
  let holder: { name: string; since: Instant } | null = null
  let stopLoop = async () => {}

  /** Counted from before we asked. A clock that was put back says nothing any more. */
  function fence(): number | null {
    if (held === null) return null
    const age = clock.now() - held.askedAt
    return age >= 0 && age < leaseMs ? held.fence : null
  }

  /** Keeps the lease, or tries to get it. Gives the time until that is due again. */
  async function pass(): Promise<number> {
    const askedAt = clock.now()
    try {
      if (held !== null && (await lease.renew(held.fence, leaseMs))) held = { ...held, askedAt }
      else {
        if (held !== null) log.warn('another controller leads now', { replica, fence: held.fence })
        held = null
        const taken = await lease.take(replica, leaseMs)
        if (taken !== null) {
          held = { fence: taken, askedAt }
          log.info('this controller leads now', { replica, fence: taken })
        }
      }
      holder = await lease.holder()
    } catch (error) {
      // The lease may still be ours: it is, for others, until its time is over, and for us as long as fence() says so.
      holder = null
      log.warn('the lease could not be looked at', { replica, error: messageOf(error) })
    }
    return held === null ? lookMs : renewMs
  }

  return {
    fence,
    leader() {
      const here = fence() !== null
      return { replica, here, name: here ? replica : (holder?.name ?? null), since: holder?.since ?? null }
    },
    start(changed) {
      let led: number | null = null
      const loop = startLoop({
        clock,
        debounceMs: 0,
        async pass() {
          const againInMs = await pass()
          if (fence() !== led) changed()
          led = fence()
          return againInMs
        },
      })
      stopLoop = loop.stop
    },
    async stop() {
      await stopLoop()
      if (held === null) return
      const { fence: last } = held
      held = null
      await lease.release(last).catch((error: unknown) => {
        log.warn('the lease could not be given back; it ends by itself', { replica, error: messageOf(error) })
      })
    },
  }
}

/** For a store that one process has for itself. */
export function soleLeadership(): Leadership {
  return {
    fence: () => 0,
    leader: () => null,
    start: () => {},
    stop: async () => {},
  }
}

/** One time of leading, from taking the lease to losing it. */
export interface Term {
  /** Of its lease; null once it may be over, also when we lead again since: others have moved on meanwhile. */
  fence(): number | null
}

/** The term that we are in; null while we do not lead. Whatever is read and done in one go belongs to one term. */
export function currentTerm(leadership: Leadership): Term | null {
  const began = leadership.fence()
  return began === null ? null : { fence: () => (leadership.fence() === began ? began : null) }
}

/**
 * The store for whoever acts as leader: each unit first asks the store whether the lease is still ours, and then nobody can take
 * it before that unit has ended. So a controller that stood still while another took over writes nothing, and triggers nothing
 * either, because every trigger follows an intent.
 */
export function guarded(store: StateStore, term: Term): StateStore {
  return {
    async unit(name, work) {
      const fence = term.fence()
      if (fence === null) throw new NotLeading()
      return store.unit(name, async (tx) => {
        if (!(await tx.holdsLease(fence))) throw new NotLeading()
        return work(tx)
      })
    },
  }
}

/** The same connections, which start and cancel nothing while another controller may lead. */
export function leaderOnly(connections: Connections, term: Term): Connections {
  return {
    ...connections,
    pipeline(project) {
      const pipeline = connections.pipeline(project)
      return {
        ...pipeline,
        async start(trigger) {
          if (term.fence() !== null) return pipeline.start(trigger)
          return { kind: 'refused', why: new NotLeading().message, retryAfterMs: 0, unreachable: false }
        },
        async cancel(run) {
          if (term.fence() === null) throw new NotLeading()
          await pipeline.cancel(run)
        },
      }
    },
  }
}

/** Says nothing about whoever was to be asked. */
export class NotLeading extends TransientFault {
  constructor() {
    super('another controller leads')
  }
}

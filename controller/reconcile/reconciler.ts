import { isOperatingFault, messageOf } from '../errors.ts'
import type { ConfigState } from '../jobs/state-store.ts'
import type { Leader, LiveView } from '../status-page/views.ts'
import { type Engine, forgetAll } from './engine.ts'
import { keepUp } from './keep-up.ts'
import { currentTerm, guarded, type Leadership, leaderOnly, type Term } from './leadership.ts'
import { type Loop, startLoop } from './loop.ts'
import { tick } from './tick.ts'

/** Several wake-ups within this time become one pass. */
const DEBOUNCE_MS = 50
/** After a pass that failed as a whole. */
const AFTER_FAILURE_MS = 2_000

export interface ReconcilerOptions {
  leadership: Leadership
  /** What is in force, for a controller that does not lead. */
  readConfig: () => Promise<ConfigState | null>
  afterPass: () => void
}

/** The running loop: one pass at a time, its health on show, no failure of a pass ends it. */
export function startReconciler(engine: Engine, options: ReconcilerOptions): Loop {
  const { leadership, readConfig, afterPass } = options
  let led: number | null = null

  async function passOfOurRole(): Promise<number> {
    const term = currentTerm(leadership)
    const fence = term?.fence() ?? null
    if (term === null || fence === null) return keepUp(engine, readConfig)
    const leading = asLeader(engine, term)
    // What was remembered of an earlier term, others have moved on from.
    if (fence !== led) {
      forgetAll(engine.memory)
      await recordLeadership(leading, leadership.leader(), fence)
    }
    led = fence
    return tick(leading)
  }

  async function pass(): Promise<number> {
    const { clock, log, memory } = engine
    const startedAt = clock.now()
    let againInMs = AFTER_FAILURE_MS
    try {
      againInMs = await passOfOurRole()
      memory.health.error = null
    } catch (error) {
      memory.health.error = messageOf(error)
      // Trouble outside of us comes back with each pass until it is mended, and where in our source it was met helps nobody.
      const told = isOperatingFault(error) || !(error instanceof Error) ? messageOf(error) : error.stack
      log.error('a pass of the loop failed', { error: told })
    }
    memory.health.lastTickAt = clock.now()
    memory.health.lastTickMs = clock.now() - startedAt
    afterPass()
    return againInMs
  }

  return startLoop({ clock: engine.clock, debounceMs: DEBOUNCE_MS, pass })
}

/** A pass that stood still and goes on in a later term writes and triggers nothing by what it read in its own. */
function asLeader(engine: Engine, term: Term): Engine {
  return { ...engine, store: guarded(engine.store, term), connections: leaderOnly(engine.connections, term) }
}

async function recordLeadership({ store, clock }: Engine, leader: Leader | null, fence: number): Promise<void> {
  if (leader === null) return
  await store.unit('leadership.taken', (tx) =>
    tx.audit({
      at: clock.now(),
      action: 'leadership_taken',
      actor: 'controller',
      jobId: null,
      environment: null,
      commit: null,
      data: { replica: leader.replica, fence },
    }),
  )
}

/** `redact`: what went wrong is told in the words of others, who may quote what they were sent. */
export function liveView(engine: Engine, leadership: Leadership, redact: (text: string) => string): LiveView {
  const shown = (error: string | null) => error && redact(error)
  return {
    desired: () => engine.memory.desired,
    health() {
      const { health } = engine.memory
      return { ...health, error: shown(health.error), sourceError: shown(health.sourceError) }
    },
    leader: leadership.leader,
  }
}

import { messageOf } from '../errors.ts'
import type { ConfigState } from '../jobs/state-store.ts'
import type { Engine } from './engine.ts'
import { desiredFor } from './sync-config.ts'

/** What a controller that does not lead does in a pass: it reads what is in force, so that its pages show it. It decides nothing. */
export async function keepUp(engine: Engine, readConfig: () => Promise<ConfigState | null>): Promise<number> {
  const { memory, source, clock, timing } = engine
  try {
    await source.fetch()
    memory.health.sourceSeenAt = clock.now()
    memory.health.sourceError = null
  } catch (error) {
    memory.health.sourceError = messageOf(error)
  }
  const state = await readConfig()
  if (state !== null)
    await desiredFor(engine, state).catch((error: unknown) => {
      memory.health.sourceError = messageOf(error)
    })
  // Before the leader has taken the repository over there is nothing to show, and that is soon.
  return state === null ? Math.min(timing.pollMs, timing.runPollMs) : timing.pollMs
}

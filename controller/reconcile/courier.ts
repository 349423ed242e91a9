import { MINUTE_MS } from '../clock.ts'
import { TransientFault } from '../errors.ts'
import type { DeploymentBody } from '../notify/messages.ts'
import { type Channels, deliverOutbox } from '../notify/outbox.ts'
import type { Engine } from './engine.ts'
import { currentTerm, guarded, type Leadership, NotLeading, type Term } from './leadership.ts'
import { type Loop, startLoop } from './loop.ts'

const OUTBOX_BATCH = 50
/** Between two batches of which something failed. */
const OUTBOX_PAUSE_MS = 500
/** Looked at this often even when nobody said that there is something new. */
const OUTBOX_IDLE_MS = MINUTE_MS

/** Sends messages beside the loop that decides: a slow forge never holds a job up. */
export function startCourier(engine: Engine, leadership: Leadership): Loop {
  return startLoop({ clock: engine.clock, debounceMs: 0, pass: () => sendMessages(engine, leadership) })
}

/** Sends a batch of what is due, one after the other, which keeps their order. Gives the time until there is more to send. */
async function sendMessages(engine: Engine, leadership: Leadership): Promise<number> {
  const { clock, log } = engine
  const term = currentTerm(leadership)
  if (term === null) return OUTBOX_IDLE_MS
  const store = guarded(engine.store, term)
  const outcome = await deliverOutbox({ store, channels: channels(engine, term), clock, log, limit: OUTBOX_BATCH })
  if (outcome.failed > 0) return OUTBOX_PAUSE_MS
  if (outcome.delivered > 0) return 0
  const dueInMs = (outcome.nextDueAt ?? Number.POSITIVE_INFINITY) - clock.now()
  return Math.min(Math.max(dueInMs, OUTBOX_PAUSE_MS), OUTBOX_IDLE_MS)
}

/** A message that is late must not overwrite what the next leader said meanwhile, so each asks first whether we still lead. */
function channels(engine: Engine, term: Term): Channels {
  const voice = engine.host?.voice
  const asLeader =
    <Given extends unknown[]>(send: (...given: Given) => Promise<string>) =>
    async (...given: Given) => {
      if (term.fence() === null) throw new NotLeading()
      return send(...given)
    }
  return {
    ...(voice === undefined ? {} : { check: asLeader(voice.publishCheck), comment: asLeader(voice.upsertComment) }),
    deployment: asLeader((body, known) => listDeployment(engine, body, known)),
  }
}

/** Gives the host's id of what is listed; empty: there is no list to keep up to date. */
export async function listDeployment(
  { memory, connections }: Engine,
  body: DeploymentBody,
  known: string | null,
): Promise<string> {
  const { desired } = memory
  // Right after a start: where the project is will be known in a moment, and the message has to wait for that.
  if (desired === null) throw new TransientFault('the config repository was not read yet')
  const project = desired.projects.get(body.project)
  if (project === undefined) {
    // It has its list again when it is mended; a project that has left has none to keep up to date.
    if (desired.unusableProjects.has(body.project) || desired.repository.id === '')
      throw new TransientFault(`project ${body.project} cannot be read from the config repository`)
    return ''
  }
  const mirror = connections.deployments(project)
  return mirror === null ? '' : mirror.mirror(body.message, known)
}

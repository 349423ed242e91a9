import { createHmac, randomUUID } from 'node:crypto'
import { toIso } from '../../controller/clock.ts'
import { repositoryBody } from './rest/repositories.ts'
import { userBody } from './rest/users.ts'
import { type Account, type Hook, type HookDelivery, inBackground, type Repository, type World } from './world.ts'

/** GitHub gives a receiver ten seconds and never asks again by itself. */
const ANSWER_TIMEOUT_MS = 10_000

export interface HookEvent {
  name: string
  action?: string
  /** What the event is about, beside `action`, `repository` and `sender`. */
  payload: Record<string, unknown>
  sender: Account
}

/** Tells every hook of the repository that listens. Returns at once; deliveries of one hook leave in order. */
export function emit(world: World, repository: Repository, event: HookEvent): void {
  // One id for all hooks that hear of the same event, as GitHub does.
  const guid = randomUUID()
  const body = JSON.stringify({
    ...(event.action === undefined ? {} : { action: event.action }),
    ...event.payload,
    repository: repositoryBody(world, repository),
    sender: userBody(world, event.sender),
  })
  for (const hook of repository.hooks) {
    if (!hook.active || !(hook.events.includes('*') || hook.events.includes(event.name) || event.name === 'ping')) continue
    const delivery = newDelivery(world, event.name, event.action ?? null, guid, body)
    enqueue(world, hook, () => deliver(world, hook, delivery))
  }
}

/** Sends a recorded delivery once more, under the same id. */
export function redeliver(world: World, hook: Hook, recorded: HookDelivery): void {
  const { event, action, guid, body } = recorded
  const again = { ...newDelivery(world, event, action, guid, body), redelivery: true }
  enqueue(world, hook, () => send(world, hook, again, hook.secret))
}

/** Lets go what the `reordered` fault still holds back. */
export function releaseHeldBack(world: World): void {
  for (const repository of world.repositories.values()) {
    for (const hook of repository.hooks) {
      const held = hook.heldBack
      hook.heldBack = null
      if (held) enqueue(world, hook, held)
    }
  }
}

function newDelivery(world: World, event: string, action: string | null, guid: string, body: string): HookDelivery {
  return {
    id: world.nextId(),
    guid,
    event,
    action,
    body,
    deliveredAt: world.clock.now(),
    redelivery: false,
    durationSeconds: 0,
    statusCode: 0,
    status: 'pending',
  }
}

function enqueue(world: World, hook: Hook, work: () => Promise<void>): void {
  hook.queue = hook.queue.then(work).catch((error: unknown) => world.log.error('delivery failed', { error: String(error) }))
  inBackground(world, `deliveries of hook ${hook.id}`, hook.queue)
}

async function deliver(world: World, hook: Hook, delivery: HookDelivery): Promise<void> {
  const fault = world.faults.draw(`hook/${delivery.event}`)
  const ordinary = () => send(world, hook, delivery, hook.secret)
  if (fault?.kind === 'reordered') {
    await releaseAfter(hook, async () => {})
    hook.heldBack = ordinary
    return
  }
  await releaseAfter(hook, async () => {
    switch (fault?.kind) {
      case 'lost':
        hook.deliveries.push({ ...delivery, status: 'lost' })
        return
      case 'late':
        return inBackground(world, 'late delivery', world.clock.sleep(fault.delayMs ?? 0).then(ordinary))
      case 'forged':
        await send(world, hook, { ...delivery, id: world.nextId(), guid: randomUUID() }, 'not the secret')
        return ordinary()
      case 'duplicate':
        await ordinary()
        return send(world, hook, { ...delivery, id: world.nextId() }, hook.secret)
      default:
        return ordinary()
    }
  })
}

async function releaseAfter(hook: Hook, work: () => Promise<void>): Promise<void> {
  await work()
  const held = hook.heldBack
  hook.heldBack = null
  await held?.()
}

async function send(world: World, hook: Hook, delivery: HookDelivery, secret: string | null): Promise<void> {
  const record = { ...delivery, deliveredAt: world.clock.now() }
  hook.deliveries.push(record)
  const startedAt = performance.now()
  try {
    const response = await fetch(hook.url, {
      method: 'POST',
      headers: headersOf(hook, delivery, secret),
      body: delivery.body,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
    await response.arrayBuffer()
    record.statusCode = response.status
    record.status = response.ok ? 'OK' : response.statusText || String(response.status)
  } catch (error) {
    record.status = error instanceof Error && error.name === 'TimeoutError' ? 'timed out' : 'failed to connect to host'
  }
  record.durationSeconds = Math.round(performance.now() - startedAt) / 1000
  world.log.debug('webhook delivered', { event: record.event, status: record.status, at: toIso(record.deliveredAt) })
}

function headersOf(hook: Hook, delivery: HookDelivery, secret: string | null): Record<string, string> {
  const signed = secret === null ? null : createHmac('sha256', secret).update(delivery.body).digest('hex')
  return {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/sandbox',
    'x-github-delivery': delivery.guid,
    'x-github-event': delivery.event,
    'x-github-hook-id': String(hook.id),
    ...(signed === null ? {} : { 'x-hub-signature-256': `sha256=${signed}` }),
  }
}

import { createHmac, randomUUID } from 'node:crypto'
import { pullBody, repositoryBody, userBody } from './bodies.ts'
import type { Hook, PullRequest, Repository, User, World } from './world.ts'

const ANSWER_TIMEOUT_MS = 10_000
/** Larger payloads are not sent, and nobody is told. */
const LARGEST_PAYLOAD = 256 * 1024

/** Tells every hook of the repository. Returns at once; deliveries of one hook leave in order. */
export function emit(world: World, repository: Repository, event: string, payload: Record<string, unknown>): void {
  const body = JSON.stringify({ ...payload, repository: repositoryBody(world, repository) })
  for (const hook of repository.hooks) {
    if (!hook.active) continue
    hook.queue = hook.queue.then(() => deliver(world, hook, event, body))
    const tracked: Promise<void> = hook.queue.finally(() => world.pending.delete(tracked))
    world.pending.add(tracked)
  }
}

export function emitPull(world: World, repository: Repository, pull: PullRequest, event: string, actor: User): void {
  const pullrequest = pullBody(world, repository, pull, { whole: true })
  emit(world, repository, `pullrequest:${event}`, { actor: userBody(actor), pullrequest })
}

async function deliver(world: World, hook: Hook, event: string, body: string): Promise<void> {
  if (Buffer.byteLength(body) > LARGEST_PAYLOAD) {
    hook.unsent++
    return
  }
  const fault = world.faults.draw(`hook/${event}`)
  if (fault?.kind === 'lost') return
  const id = randomUUID()
  if (fault?.kind === 'forged') await send(hook, event, randomUUID(), body, 'not the secret')
  await send(hook, event, id, body, hook.secret)
  if (fault?.kind === 'duplicate') await send(hook, event, id, body, hook.secret, 2)
}

async function send(hook: Hook, event: string, id: string, body: string, secret: string | null, attempt = 1): Promise<void> {
  const signature = secret === null ? null : createHmac('sha256', secret).update(body).digest('hex')
  try {
    const response = await fetch(hook.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'Bitbucket-Webhooks/2.0',
        'x-event-key': event,
        'x-hook-uuid': hook.uuid.replace(/[{}]/g, ''),
        'x-request-uuid': id,
        'x-attempt-number': String(attempt),
        ...(signature === null ? {} : { 'x-hub-signature': `sha256=${signature}` }),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
    await response.arrayBuffer()
  } catch {
    // Whoever does not answer is not told again.
  }
}

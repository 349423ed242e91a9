import { createHmac, randomUUID } from 'node:crypto'
import { userBody } from './bodies.ts'
import type { Hook, Repository, User, World } from './world.ts'

const ANSWER_TIMEOUT_MS = 5_000

export interface HookEvent {
  /** As in `X-Gitea-Event`. */
  name: string
  payload: Record<string, unknown>
  sender: User
  /** Forgejo's events about runs carry no repository of their own. */
  bare?: boolean
}

/** Tells every hook of the repository. Returns at once; deliveries of one hook leave in order, and are never sent again. */
export function emit(world: World, repository: Repository, { name, payload, sender, bare = false }: HookEvent): void {
  const about = { repository: { id: repository.id, full_name: repository.fullName }, sender: userBody(sender) }
  const body = JSON.stringify({ ...payload, ...(bare ? {} : about) })
  for (const hook of repository.hooks) {
    hook.queue = hook.queue.then(() => deliver(world, hook, name, body))
    track(world, hook.queue)
  }
}

async function deliver(world: World, hook: Hook, event: string, body: string): Promise<void> {
  const fault = world.faults.draw(`hook/${event}`)
  if (fault?.kind === 'lost') return
  if (fault?.kind === 'forged') await send(world, hook.url, event, randomUUID(), body, 'not the secret')
  const id = randomUUID()
  // Later ones overtake it.
  if (fault?.kind === 'late')
    return track(
      world,
      world.clock.sleep(fault.delayMs ?? 0).then(() => send(world, hook.url, event, id, body, hook.secret)),
    )
  await send(world, hook.url, event, id, body, hook.secret)
  if (fault?.kind === 'duplicate') await send(world, hook.url, event, id, body, hook.secret)
}

/** Lets `settle` wait for it. */
function track(world: World, work: Promise<void>): void {
  const tracked: Promise<void> = work.finally(() => world.pending.delete(tracked))
  world.pending.add(tracked)
}

async function send(world: World, url: string, event: string, id: string, body: string, secret: string | null): Promise<void> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...deliveryHeaders(world.server, event, id, body, secret) },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
    await response.arrayBuffer()
  } catch {
    // Neither server says so anywhere but on the page of the hook.
  }
}

/** All that `services/webhook/deliver.go` adds: its own names, and those of the servers that it stands in for. */
export function deliveryHeaders(
  server: World['server'],
  event: string,
  id: string,
  body: string | Uint8Array,
  secret: string | null,
): Record<string, string> {
  const digest = (algorithm: string) => (secret === null ? '' : createHmac(algorithm, secret).update(body).digest('hex'))
  const families = ['gogs', 'gitea', ...(server === 'forgejo' ? ['forgejo'] : [])]
  const own = families.flatMap((family) => [
    [`x-${family}-delivery`, id],
    [`x-${family}-event`, event],
    [`x-${family}-event-type`, event],
    [`x-${family}-signature`, digest('sha256')],
  ])
  return {
    ...Object.fromEntries(own),
    'x-github-delivery': id,
    'x-github-event': event,
    'x-github-event-type': event,
    'x-hub-signature': `sha1=${digest('sha1')}`,
    'x-hub-signature-256': `sha256=${digest('sha256')}`,
  }
}

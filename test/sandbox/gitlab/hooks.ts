import { createHmac, randomUUID } from 'node:crypto'
import { MINUTE_MS } from '../../../controller/clock.ts'
import type { Hook, Project, World } from './world.ts'

const ANSWER_TIMEOUT_MS = 10_000
/** GitLab rests a hook after so many failures in a row. */
const FAILURES_BEFORE_REST = 4

/** Tells every hook of the project. Returns at once; deliveries of one hook leave in order, and are never sent again. */
export function emit(world: World, project: Project, event: string, payload: Record<string, unknown>): void {
  const body = JSON.stringify({
    ...payload,
    project: { id: project.id, path_with_namespace: project.fullName, default_branch: project.defaultBranch },
  })
  for (const hook of project.hooks) {
    const id = randomUUID()
    hook.queue = hook.queue.then(() => deliver(world, hook, event, id, body))
    const tracked: Promise<void> = hook.queue.finally(() => world.pending.delete(tracked))
    world.pending.add(tracked)
  }
}

async function deliver(world: World, hook: Hook, event: string, id: string, body: string): Promise<void> {
  if (hook.disabledUntil !== null && hook.disabledUntil > world.clock.now()) return
  const fault = world.faults.draw(`hook/${event}`)
  if (fault?.kind === 'lost') return
  if (fault?.kind === 'forged')
    await send(world, hook, event, randomUUID(), body, { token: 'not the token', signingToken: 'whsec_bm90IGl0' })
  const given = { token: hook.token, signingToken: hook.signingToken }
  const accepted = await send(world, hook, event, id, body, given)
  if (fault?.kind === 'duplicate') await send(world, hook, event, id, body, given)
  hook.failures = accepted ? 0 : hook.failures + 1
  hook.disabledUntil = hook.failures < FAILURES_BEFORE_REST ? null : world.clock.now() + MINUTE_MS
}

async function send(
  world: World,
  hook: Hook,
  event: string,
  id: string,
  body: string,
  { token, signingToken }: { token: string | null; signingToken: string | null },
): Promise<boolean> {
  const seconds = String(Math.floor(world.clock.now() / 1_000))
  try {
    const response = await fetch(hook.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'GitLab/18.6.0',
        'x-gitlab-event': event,
        'x-gitlab-webhook-uuid': randomUUID(),
        'x-gitlab-event-uuid': id,
        'idempotency-key': id,
        ...(token === null ? {} : { 'x-gitlab-token': token }),
        ...(signingToken === null ? {} : signedHeaders(signingToken, id, seconds, body)),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

/** The form of Standard Webhooks. */
export function signedHeaders(signingToken: string, id: string, seconds: string, body: string): Record<string, string> {
  const key = Buffer.from(signingToken.replace(/^whsec_/, ''), 'base64')
  const digest = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${digest}` }
}

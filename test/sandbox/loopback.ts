import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context, Hono } from 'hono'
import type { Clock } from '../../controller/clock.ts'
import type { FaultRule } from './faults.ts'

export type ServerContext = Context<{ Bindings: HttpBindings }>

/** Serves the app on a free port of the loopback interface. */
export async function listenOnLoopback(
  app: Hono<{ Bindings: HttpBindings }>,
): Promise<{ origin: string; close(): Promise<void> }> {
  const server = createAdaptorServer({ fetch: app.fetch, hostname: '127.0.0.1' })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        if ('closeAllConnections' in server) server.closeAllConnections()
      }),
  }
}

/** Closes the connection in the middle: the client cannot know what happened. */
export function hangUp(context: ServerContext): Response {
  context.env.incoming.socket.destroy()
  return RESPONSE_ALREADY_SENT
}

export function refused(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ message }), { status, headers: { 'content-type': 'application/json', ...headers } })
}

/** What a fault does to a call before it is acted on; null: go on. */
export async function beforeActing(clock: Clock, fault: FaultRule | null): Promise<Response | 'hang up' | null> {
  switch (fault?.kind) {
    case 'drop_before':
      return 'hang up'
    case 'error_before':
      return refused(502, 'Bad Gateway')
    case 'rate_limited':
      return refused(429, 'Retry later', { 'retry-after': String(fault.retryAfterSeconds ?? 60) })
    case 'rate_limited_bare':
      return refused(429, 'Retry later')
    case 'slow_before':
      await clock.sleep(fault.delayMs ?? 0)
      return null
    default:
      return null
  }
}

/** What a fault does to a call that was acted on; null: answer as ever. */
export async function afterActing(clock: Clock, fault: FaultRule | null): Promise<Response | 'hang up' | null> {
  if (fault?.kind === 'accept_then_drop') return 'hang up'
  if (fault?.kind === 'error_after') return refused(502, 'Bad Gateway')
  if (fault?.kind === 'slow_after') await clock.sleep(fault.delayMs ?? 0)
  return null
}

/** The password of `Basic …`, where git puts the token. */
export function basicPassword(context: ServerContext): string {
  const pair = Buffer.from(/^basic (.+)$/i.exec(context.req.header('authorization') ?? '')?.[1] ?? '', 'base64').toString()
  return pair.slice(pair.indexOf(':') + 1)
}

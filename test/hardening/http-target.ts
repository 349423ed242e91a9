import { Hono } from 'hono'
import { systemClock } from '../../controller/clock.ts'
import { HTTP_LIMITS, type HttpLimits, openHttpServer } from '../../controller/http-server.ts'
import { createMetrics } from '../../controller/status-page/metrics.ts'
import { statusApp } from '../../controller/status-page/status-app.ts'
import { emptyWorld, liveOf, viewsOf } from '../status-page/fixture.ts'
import { intake } from '../webhooks/intake.ts'

export interface RawHttpTarget {
  port: number
  url: string
  /** `METHOD path` of everything that reached the app, in order. */
  seen: string[]
  close(): Promise<void>
}

/** The server as the controller puts it together (webhooks, then pages), with memory behind it. */
export async function startTarget(limits: Partial<HttpLimits> = {}): Promise<RawHttpTarget> {
  const seen: string[] = []
  const world = emptyWorld()
  const app = new Hono()
  app.use(async (c, next) => {
    seen.push(`${c.req.method} ${c.req.path}`)
    await next()
  })
  app.route('/', intake().app)
  app.route(
    '/',
    statusApp({
      views: viewsOf(world),
      live: liveOf(world),
      clock: systemClock(),
      title: 'DRAVEN',
      allowedHosts: ['draven.example'],
      metrics: createMetrics(),
    }),
  )
  const server = await openHttpServer(app, { host: '127.0.0.1', port: 0 }, { ...HTTP_LIMITS, ...limits })
  return { port: Number(new URL(server.url).port), url: server.url, seen, close: server.close }
}

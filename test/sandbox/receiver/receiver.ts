import { createHmac, timingSafeEqual } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { type Clock, MINUTE_MS, SECOND_MS } from '../../../controller/clock.ts'
import { type FaultRule, type Faults, faultTable } from '../faults.ts'
import { afterActing, beforeActing, hangUp, listenOnLoopback } from '../loopback.ts'

export interface ReceivedRun {
  path: string
  /** The body as it came. */
  told: Readonly<Record<string, unknown>>
  state: string
  createdAt: number
}

export interface ReceiverOptions {
  clock: Clock
  secret: string
  /** Which of the three verbs it knows besides POST. */
  tells?: boolean
  stops?: boolean
}

/** A service of somebody that deploys when it is told to, as docs/http.md describes one, on the loopback interface. */
export interface EmulatedReceiver {
  /** What a project names as `api_url`. */
  url: string
  faults: Faults
  /** Changes what it offers. */
  offers: { tells: boolean; stops: boolean }
  runs(jobId: string): readonly ReceivedRun[]
  bring(jobId: string, state: string): void
  remove(jobId: string): void
  /** Runs for each new run; what it throws is lost. */
  onRun: (run: ReceivedRun) => void
  /** What was wrong with calls that it got, in sentences. */
  complaints: string[]
  close(): Promise<void>
}

const OPERATIONS = { POST: 'receiver/start', GET: 'receiver/status', DELETE: 'receiver/stop' } as const
const TOLERANCE_MS = 5 * MINUTE_MS

export async function startReceiver({ clock, secret, tells = true, stops = true }: ReceiverOptions): Promise<EmulatedReceiver> {
  const runs: ReceivedRun[] = []
  const removed: ReceivedRun[] = []
  const seenIds = new Set<string>()
  const faults = faultTable(Object.values(OPERATIONS))
  const receiver: Omit<EmulatedReceiver, 'url' | 'close'> = {
    faults,
    offers: { tells, stops },
    complaints: [],
    onRun: () => {},
    runs: (jobId) => [...runs, ...removed].filter((run) => run.told['job_id'] === jobId),
    bring(jobId, state) {
      for (const run of runs) if (run.told['job_id'] === jobId) run.state = state
    },
    remove(jobId) {
      const gone = runs.filter((run) => run.told['job_id'] === jobId)
      for (const run of gone) removed.push(...runs.splice(runs.indexOf(run), 1))
    },
  }

  function start(path: string, id: string, text: string): Response {
    const told = JSON.parse(text) as Record<string, unknown>
    if (id !== `${told['job_id']}-${told['attempt']}`)
      receiver.complaints.push(`webhook-id ${id} does not name its job and attempt`)
    // A repetition, by whomever, makes no second run.
    if (!seenIds.has(id)) {
      seenIds.add(id)
      const run = { path, told, state: 'queued', createdAt: clock.now() }
      runs.push(run)
      receiver.onRun(run)
    }
    return Response.json({ url: `https://deploys.acme.example/${told['job_id']}` }, { status: 202 })
  }

  function act(context: Context, text: string, fault: FaultRule | null): Response {
    const { path } = context.req
    if (context.req.method === 'POST') return start(path, context.req.header('webhook-id') ?? '', text)
    const jobId = context.req.query('job_id') ?? ''
    const run = runs.find((each) => each.path === path && each.told['job_id'] === jobId)
    if (context.req.method === 'DELETE') {
      if (!receiver.offers.stops) return new Response(null, { status: 405 })
      if (run !== undefined && /^(?:queued|running|waiting)$/.test(run.state) && fault?.kind !== 'cancel_ignored')
        run.state = 'canceled'
      return new Response(null, { status: 204 })
    }
    if (!receiver.offers.tells) return new Response(null, { status: 405 })
    const hidden = fault?.kind === 'stale_list' && run !== undefined && clock.now() - run.createdAt < (fault.youngerThanMs ?? 0)
    if (run === undefined || hidden) return Response.json({ run: null })
    return Response.json({ run: { state: run.state, url: `https://deploys.acme.example/${jobId}` } })
  }

  const app = new Hono<{ Bindings: HttpBindings }>()
  app.all('/hooks/*', async (context) => {
    const text = await context.req.text()
    const fault = faults.draw(OPERATIONS[context.req.method as keyof typeof OPERATIONS])
    const early = await beforeActing(clock, fault)
    if (early !== null) return early === 'hang up' ? hangUp(context) : early
    const wrong = whyNotProved(context, text, secret, clock.now())
    if (wrong !== null) receiver.complaints.push(wrong)
    if (wrong !== null) return Response.json({ error: wrong }, { status: 401 })
    const answer = act(context, text, fault)
    const late = await afterActing(clock, fault)
    return late === 'hang up' ? hangUp(context) : (late ?? answer)
  })
  const { origin, close } = await listenOnLoopback(app)
  return Object.assign(receiver, { url: `${origin}/hooks`, close })
}

/** By the words of Standard Webhooks, not by our code: where there is no body, method and address stand in its place. */
function whyNotProved(context: Context, body: string, secret: string, now: number): string | null {
  const url = new URL(context.req.url)
  const content = context.req.method === 'POST' ? body : `${context.req.method} ${url.pathname}${url.search}`
  const [id, timestamp] = [context.req.header('webhook-id') ?? '', context.req.header('webhook-timestamp') ?? '']
  if (Math.abs(now - Number(timestamp) * SECOND_MS) > TOLERANCE_MS) return 'the timestamp is not of now'
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const wanted = createHmac('sha256', key).update(`${id}.${timestamp}.${content}`).digest()
  const [, given = ''] = /^v1,(.+)$/.exec(context.req.header('webhook-signature') ?? '') ?? []
  const claimed = Buffer.from(given, 'base64')
  return claimed.length === wanted.length && timingSafeEqual(claimed, wanted) ? null : 'the signature does not fit'
}

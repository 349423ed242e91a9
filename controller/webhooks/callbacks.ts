import { type Context, Hono } from 'hono'
import { messageOf } from '../errors.ts'
import type { CallbackAnswer, CallbackMessage } from '../jobs/callback.ts'
import type { Logger } from '../log.ts'
import { bodyBudget, type ReadBody, withBody } from './body.ts'
import { callbackMessage } from './callback-message.ts'
import { parseJson } from './payload.ts'

export interface CallbackOptions {
  /** Resolves after what was accepted is durable. */
  answer: (jobId: string, token: string, message: CallbackMessage) => Promise<CallbackAnswer>
  log: Logger
  /** Calls under way at once; more are asked to come back. */
  maxInFlight?: number
}

const MAX_BODY_BYTES = 64 * 1024
const DEFAULT_MAX_IN_FLIGHT = 100
const JOB_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const BEARER = /^Bearer ([A-Za-z0-9_-]{20,200})$/
const RETRY_AFTER_SECONDS = '5'

/**
 * `POST /callbacks/jobs/:id` with `Authorization: Bearer <token>` and a JSON body: what a pipeline asks and tells while it runs.
 * 200 go on · 202 taken · 409 stop, with the reason · 404 for a wrong token, a job that is none and one that is over alike.
 */
export function callbackApp({ answer, log, maxInFlight = DEFAULT_MAX_IN_FLIGHT }: CallbackOptions): Hono {
  const budget = bodyBudget(maxInFlight * MAX_BODY_BYTES)
  const app = new Hono()
  let inFlight = 0

  app.onError((error, c) => {
    log.error('a callback could not be answered', { error: messageOf(error) })
    return later(c)
  })
  app.post('/callbacks/jobs/:id', async (c) => {
    const jobId = c.req.param('id')
    const token = BEARER.exec(c.req.header('authorization') ?? '')?.[1]
    if (token === undefined || !JOB_ID.test(jobId)) return unknown(c)
    if (inFlight >= maxInFlight) return later(c)
    inFlight++
    try {
      return await withBody(c.req, { maxBytes: MAX_BODY_BYTES, budget }, async (body) => {
        const message = messageIn(body)
        if (typeof message === 'object') return told(c, message, await answer(jobId, token, message))
        return message === 'too large' ? c.json({ error: message }, 413) : c.json({ error: message }, 400)
      })
    } finally {
      inFlight--
    }
  })
  return app
}

function messageIn(body: ReadBody): CallbackMessage | string {
  if (body.kind === 'too_large') return 'too large'
  if (body.kind !== 'read') return 'incomplete body'
  const parsed = parseJson(body.bytes)
  return parsed === undefined ? 'malformed JSON' : callbackMessage(parsed)
}

function told(c: Context, message: CallbackMessage, answer: CallbackAnswer): Response {
  switch (answer.kind) {
    case 'unknown':
      return unknown(c)
    case 'stop':
      return c.json({ go: false, code: answer.code, reason: answer.reason }, 409)
    case 'accepted':
      return message.type === 'claim' ? c.json({ go: true }, 200) : c.json({ accepted: true }, 202)
  }
}

function unknown(c: Context): Response {
  return c.json({ error: 'not found' }, 404)
}

function later(c: Context): Response {
  c.header('Retry-After', RETRY_AFTER_SECONDS)
  return c.json({ error: 'try again later' }, 503)
}

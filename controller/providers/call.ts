import { type Clock, MINUTE_MS, SECOND_MS } from '../clock.ts'
import { messageOf, RefusedFault, TransientFault } from '../errors.ts'
import type { Redactor } from '../secrets/redaction.ts'
import type { SecretReader } from '../secrets/references.ts'
import type { CallFailure, Fetch } from './http.ts'

/** What is waited after a 429 that names no time. */
const DEFAULT_RETRY_MS = MINUTE_MS

export interface Call {
  method: 'GET' | 'POST' | 'DELETE'
  url: string
  /** What to call it in messages: no host, no query. */
  label: string
  headers: Readonly<Record<string, string>>
  body?: string
  signal?: AbortSignal | undefined
}

export interface Answer {
  status: number
  headers: Headers
  /** Undefined when the body is not JSON. */
  data: unknown
}

export interface CallOptions {
  /** Who is asked, for messages. */
  system: string
  /** A guarded fetch (http.ts). */
  fetch: Fetch
  redactor: Redactor
  clock: Clock
}

/** One HTTP request. Throws TransientFault (cause: CallFailure) or RefusedFault, with what the other side said, made printable. */
export async function perform(call: Call, { system, fetch, redactor, clock }: CallOptions): Promise<Answer> {
  const { method, url, label, headers, body, signal } = call
  let response: Response
  try {
    response = await fetch(url, {
      method,
      headers: { accept: 'application/json', 'user-agent': 'draven', ...headers },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    if (error instanceof TransientFault || error instanceof RefusedFault) throw error
    const cause: CallFailure = { sent: true, status: null }
    throw new TransientFault(`${label} failed: ${printable(messageOf(error), redactor)}`, 0, { cause })
  }
  const data = parsed(await response.text())
  if (response.ok) return { status: response.status, headers: response.headers, data }
  const message = `${system} answered ${response.status} to ${label}: ${printable(wordsOf(data), redactor)}`
  throw faultOf(response, message, clock)
}

/** Nothing that counts was sent yet: whatever went wrong, the call that would have acted was not made. */
export function beforeTheCall(error: unknown): unknown {
  if (!(error instanceof TransientFault)) return error
  return new TransientFault(error.message, error.retryAfterMs, { cause: { sent: false, status: null } satisfies CallFailure })
}

/** Read anew for each call, so that a rotated secret needs no restart. */
export async function secretOf(
  ref: string,
  { secrets, redactor }: { secrets: SecretReader; redactor: Redactor },
): Promise<string> {
  const secret = await secrets.read(ref)
  redactor.learn(secret)
  return secret
}

export function notUnderstood(system: string, label: string, status: number): TransientFault {
  const cause: CallFailure = { sent: true, status }
  return new TransientFault(`${system} answered ${label} with something other than what was asked for`, 0, { cause })
}

function faultOf({ status, headers }: Response, message: string, clock: Clock): Error {
  const cause: CallFailure = { sent: true, status }
  const stated = statedRetryMs(headers, clock)
  if (status === 429) return new TransientFault(message, stated ?? DEFAULT_RETRY_MS, { cause })
  if (status >= 500 || status === 408) return new TransientFault(message, stated ?? 0, { cause })
  return new RefusedFault(message, status)
}

/** Seconds, or a date (RFC 9110 §10.2.3). */
function statedRetryMs(headers: Headers, clock: Clock): number | null {
  const text = headers.get('retry-after') ?? ''
  if (/^\d{1,6}$/.test(text)) return Number(text) * SECOND_MS
  const date = Date.parse(text)
  return Number.isNaN(date) ? null : Math.max(date - clock.now(), SECOND_MS)
}

function wordsOf(data: unknown): string {
  const { message, error, reason } = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>
  const words = message ?? error ?? reason
  return typeof words === 'string' && words !== '' ? words : 'no explanation'
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function printable(text: string, redactor: Redactor): string {
  return redactor
    .redact(text)
    .replace(/[\x00-\x1f\x7f]+/g, ' ')
    .slice(0, 300)
}

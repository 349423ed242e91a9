import { type Clock, SECOND_MS } from '../clock.ts'
import { messageOf, RefusedFault, TransientFault } from '../errors.ts'
import type { Redactor } from '../secrets/redaction.ts'
import type { SecretReader } from '../secrets/references.ts'
import type { CallFailure, Fetch } from './http.ts'

/** What is waited after a 429 that names no time; hosts count their limits by the minute. */
const DEFAULT_RETRY_MS = 60 * SECOND_MS

/** A list of values names its parameter once for each. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[]>>

export interface JsonAnswer<Data> {
  /** Null after a 204. */
  data: Data
  status: number
  headers: Headers
}

export interface JsonCall {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: string
  /** What to call it in messages: no host, no query. */
  label: string
  body?: object
  /** Sent as it is, in the place of a body. */
  content?: { type: string; text: string }
  /** What is no JSON is undefined, where it would be a fault: not every answer has to say something. */
  mayBeWordless?: true
  signal?: AbortSignal | undefined
}

/** One host that speaks JSON, as the calls below need it. */
export interface JsonHost {
  /** What people call it: `GitLab`. */
  name: string
  /** The headers that carry its credential, read anew for each call. */
  credential(): Promise<Record<string, string>>
  /** The host's own way of saying when to come back; null when it does not say. `Retry-After` is read before it. */
  retryMs?(headers: Headers): number | null
  /** A guarded fetch (http.ts). */
  fetch: Fetch
  redactor: Redactor
}

export type SendJson = <Data>(call: JsonCall) => Promise<JsonAnswer<Data>>

/**
 * Plain calls, without retries: one is one HTTP request, and throws only TransientFault (cause: CallFailure), RefusedFault or
 * ConfigFault.
 */
export function jsonCalls(host: JsonHost): SendJson {
  return async <Data>(call: JsonCall) => {
    const credential = await host.credential().catch((error: unknown) => {
      throw beforeTheCall(error)
    })
    const content = call.body === undefined ? call.content : { type: 'application/json', text: JSON.stringify(call.body) }
    let response: Response
    try {
      response = await host.fetch(call.url, {
        method: call.method,
        headers: {
          ...credential,
          accept: 'application/json',
          'user-agent': 'draven',
          ...(content === undefined ? {} : { 'content-type': content.type }),
        },
        ...(content === undefined ? {} : { body: content.text }),
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      })
    } catch (error) {
      if (error instanceof TransientFault || error instanceof RefusedFault) throw error
      throw new TransientFault(`${call.label} failed: ${printable(messageOf(error), host.redactor)}`, 0, {
        cause: { sent: true, status: null } satisfies CallFailure,
      })
    }
    const data = response.status === 204 ? null : parsed(await response.text())
    if (!response.ok) throw faultOf(host, response, data, call.label)
    if (data === undefined && !call.mayBeWordless) throw notUnderstood(host.name, call.label, response.status)
    return { data: data as Data, status: response.status, headers: response.headers }
  }
}

/** Read anew for each call, so that a rotated token needs no restart. */
export async function tokenOf({
  secrets,
  tokenRef,
  redactor,
}: {
  secrets: SecretReader
  tokenRef: string
  redactor: Redactor
}): Promise<string> {
  const token = await secrets.read(tokenRef)
  redactor.learn(token)
  return token
}

export async function unlessMissing<T>(send: () => Promise<T>, statuses: readonly number[] = [404]): Promise<T | null> {
  try {
    return await send()
  } catch (error) {
    if (error instanceof RefusedFault && error.status !== null && statuses.includes(error.status)) return null
    throw error
  }
}

/** The host's own clock at an answer, from its `Date` header (whole seconds). */
export function hostTimeOf(headers: Headers, clock: Clock): number {
  const time = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(time) ? clock.now() : time
}

export function queryText(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (typeof value === 'object' ? value : [value]).map((each): [string, string] => [name, String(each)]),
  )
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`
}

export function notUnderstood(host: string, label: string, status: number): TransientFault {
  return new TransientFault(`${host} answered ${label} with something other than the JSON that was asked for`, 0, {
    cause: { sent: true, status } satisfies CallFailure,
  })
}

export function printable(text: string, redactor: Redactor): string {
  return redactor
    .redact(text)
    .replace(/[\x00-\x1f\x7f]+/g, ' ')
    .slice(0, 300)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function faultOf(host: JsonHost, { status, headers }: Response, data: unknown, label: string): Error {
  const message = `${host.name} answered ${status} to ${label}: ${printable(wordsOf(data), host.redactor)}`
  const cause: CallFailure = { sent: true, status }
  if (status === 429) return new TransientFault(message, statedRetryMs(host, headers) ?? DEFAULT_RETRY_MS, { cause })
  if (status >= 500 || status === 408) return new TransientFault(message, statedRetryMs(host, headers) ?? 0, { cause })
  return new RefusedFault(message, status)
}

/** Hosts explain themselves in `message` (a text, a list, or lists by field) or in `error`, which may hold a `message` and its `detail`. */
function wordsOf(data: unknown): string {
  if (typeof data !== 'object' || data === null) return 'no explanation'
  const { message, error, error_description: description, detail } = data as Record<string, unknown>
  if (typeof message === 'string' && typeof detail === 'string') return `${message}: ${detail}`
  if (message === undefined && typeof error === 'object') return wordsOf(error)
  const words = message ?? description ?? error
  return typeof words === 'string' ? words : JSON.stringify(words ?? 'no explanation')
}

function statedRetryMs(host: JsonHost, headers: Headers): number | null {
  const seconds = headers.get('retry-after') ?? ''
  if (/^\d{1,6}$/.test(seconds)) return Number(seconds) * SECOND_MS
  return host.retryMs?.(headers) ?? null
}

/** Nothing that counts was sent yet: whatever went wrong, the call that would have acted was not made. */
export function beforeTheCall(error: unknown): unknown {
  if (!(error instanceof TransientFault)) return error
  return new TransientFault(error.message, error.retryAfterMs, { cause: { sent: false, status: null } satisfies CallFailure })
}

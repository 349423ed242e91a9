import { type Clock, SECOND_MS } from '../../clock.ts'
import { messageOf, RefusedFault, TransientFault } from '../../errors.ts'
import type { Redactor } from '../../secrets/redaction.ts'
import type { SecretReader } from '../../secrets/references.ts'
import type { CallFailure, Fetch } from '../http.ts'

/** What is waited after a 429 that names no time; GitLab's own limits are counted by the minute. */
const DEFAULT_RETRY_MS = 60 * SECOND_MS

export type Query = Readonly<Record<string, string | number | boolean>>

export interface GitlabAnswer<Data> {
  data: Data
  headers: Headers
}

/** Calls on one project of one GitLab. Every call is one HTTP request and throws only TransientFault, RefusedFault or ConfigFault. */
export interface GitlabClient {
  /** `group/project`, or deeper. */
  fullName: string
  /** Path of the project below the API root: `/projects/group%2Fproject`. */
  project: string
  get<Data>(path: string, query?: Query): Promise<GitlabAnswer<Data>>
  send<Data>(method: 'POST' | 'PUT', path: string, body: object, signal?: AbortSignal): Promise<GitlabAnswer<Data>>
  /** A read by GraphQL, for what REST does not tell. Any error in the answer is a RefusedFault. */
  query<Data>(text: string, variables: object): Promise<Data>
}

export interface GitlabClientOptions {
  /** Without a slash at the end: `https://gitlab.com/api/v4`. */
  baseUrl: string
  fullName: string
  tokenRef: string
  secrets: SecretReader
  redactor: Redactor
  /** A guarded fetch (http.ts). */
  fetch: Fetch
  clock: Clock
}

interface Call {
  method: 'GET' | 'POST' | 'PUT'
  url: string
  /** What to call it in messages: no host, no query. */
  label: string
  body?: object
  signal?: AbortSignal | undefined
}

/**
 * Plain fetch, not @gitbeaker/rest: that sends a POST ten times after a 429 or 502 within a third of a second, waits 300 s,
 * and what would be left of it under a requester of our own is the spelling of addresses. Its types lack half of what is
 * needed here (`inputs`, `approved_at`, the states `canceling` and `waiting_for_callback`), and a misspelt option silently
 * calls another address.
 */
export function gitlabClient(options: GitlabClientOptions): GitlabClient {
  const { baseUrl, fullName, redactor } = options

  async function perform<Data>(call: Call): Promise<GitlabAnswer<Data>> {
    const token = await tokenOf(options).catch((error: unknown) => {
      throw beforeTheCall(error)
    })
    let response: Response
    try {
      response = await options.fetch(call.url, {
        method: call.method,
        headers: {
          'private-token': token,
          accept: 'application/json',
          'user-agent': 'draven',
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      })
    } catch (error) {
      if (error instanceof TransientFault || error instanceof RefusedFault) throw error
      throw new TransientFault(`${call.label} failed: ${printable(messageOf(error), redactor)}`, 0, {
        cause: { sent: true, status: null } satisfies CallFailure,
      })
    }
    const text = await response.text()
    const data = parsed(text)
    if (!response.ok) throw faultOf(response, data, call.label, options)
    if (data === undefined) throw notUnderstood(call.label, response.status)
    return { data: data as Data, headers: response.headers }
  }

  return {
    fullName,
    project: `/projects/${encodeURIComponent(fullName)}`,
    get: (path, query = {}) => perform({ method: 'GET', url: `${baseUrl}${path}${queryText(query)}`, label: `GET ${path}` }),
    send: (method, path, body, signal) => perform({ method, url: `${baseUrl}${path}`, label: `${method} ${path}`, body, signal }),
    async query<Data>(query: string, variables: object) {
      // The GraphQL root stands beside that of the REST API.
      const url = baseUrl.replace(/\/v4$/, '/graphql')
      const call = { method: 'POST', url, label: 'POST /api/graphql', body: { query, variables } } as const
      const { data } = await perform<{ data?: Data | null; errors?: { message?: string }[] }>(call)
      if (data.errors !== undefined || !data.data) {
        const why = (data.errors ?? []).map((error) => error.message ?? '').join('; ') || 'no data'
        throw new RefusedFault(`GitLab did not answer a GraphQL query: ${printable(why, redactor)}`)
      }
      return data.data
    },
  }
}

/** `group/project`, checked, because it becomes part of a path. */
export function projectName(fullName: string): string {
  const parts = fullName.split('/')
  const plain = /^(?!\.{1,2}$)[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/
  if (parts.length < 2 || parts.length > 21 || !parts.every((part) => plain.test(part))) {
    throw new RefusedFault(`${JSON.stringify(fullName)} is not a GitLab project of the form group/project.`)
  }
  return fullName
}

/** Answers of a list call, page by page, for as long as the host names a next one. */
export async function* pages<Item>(client: GitlabClient, path: string, query: Query = {}): AsyncGenerator<Item[]> {
  for (let page = 1; ; page++) {
    const { data, headers } = await client.get<Item[]>(path, { ...query, per_page: 100, page })
    if (!Array.isArray(data)) throw notUnderstood(`GET ${path}`, 200)
    yield data
    if (!hasNextPage(headers)) return
  }
}

export async function everything<Item>(client: GitlabClient, path: string, query: Query = {}): Promise<Item[]> {
  const items: Item[] = []
  for await (const page of pages<Item>(client, path, query)) items.push(...page)
  return items
}

/** Long lists come without `x-next-page`, some proxies drop `Link`: either is enough. */
function hasNextPage(headers: Headers): boolean {
  return (headers.get('x-next-page') ?? '') !== '' || /;\s*rel="next"/.test(headers.get('link') ?? '')
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

/** Read anew for each call, so that a rotated token needs no restart. */
export async function tokenOf({ secrets, tokenRef, redactor }: Pick<GitlabClientOptions, 'secrets' | 'tokenRef' | 'redactor'>) {
  const token = await secrets.read(tokenRef)
  redactor.learn(token)
  return token
}

function queryText(query: Query): string {
  const pairs = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function faultOf(response: Response, data: unknown, label: string, { redactor, clock }: GitlabClientOptions): Error {
  const { status, headers } = response
  const message = `GitLab answered ${status} to ${label}: ${printable(wordsOf(data), redactor)}`
  const cause: CallFailure = { sent: true, status }
  if (status === 429) return new TransientFault(message, statedRetryMs(headers, clock) ?? DEFAULT_RETRY_MS, { cause })
  if (status >= 500 || status === 408) return new TransientFault(message, statedRetryMs(headers, clock) ?? 0, { cause })
  return new RefusedFault(message, status)
}

/** GitLab explains itself in `message` (a text, a list, or lists by field) or in `error`. */
function wordsOf(data: unknown): string {
  if (typeof data !== 'object' || data === null) return 'no explanation'
  const { message, error, error_description: description } = data as Record<string, unknown>
  const words = message ?? description ?? error
  return typeof words === 'string' ? words : JSON.stringify(words ?? 'no explanation')
}

function statedRetryMs(headers: Headers, clock: Clock): number | null {
  const seconds = headers.get('retry-after') ?? ''
  if (/^\d{1,6}$/.test(seconds)) return Number(seconds) * SECOND_MS
  const reset = Number(headers.get('ratelimit-reset') ?? Number.NaN)
  if (headers.get('ratelimit-remaining') !== '0' || !Number.isFinite(reset) || reset <= 0) return null
  return Math.max(reset * SECOND_MS - hostTimeOf(headers, clock), SECOND_MS)
}

function notUnderstood(label: string, status: number): TransientFault {
  return new TransientFault(`GitLab answered ${label} with something other than the JSON that was asked for`, 0, {
    cause: { sent: true, status } satisfies CallFailure,
  })
}

function beforeTheCall(error: unknown): unknown {
  if (!(error instanceof TransientFault)) return error
  return new TransientFault(error.message, error.retryAfterMs, { cause: { sent: false, status: null } satisfies CallFailure })
}

function printable(text: string, redactor: Redactor): string {
  return redactor
    .redact(text)
    .replace(/[\x00-\x1f\x7f]+/g, ' ')
    .slice(0, 300)
}

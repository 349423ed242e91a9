import { type Clock, SECOND_MS } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { Redactor } from '../../secrets/redaction.ts'
import type { SecretReader } from '../../secrets/references.ts'
import type { Fetch } from '../http.ts'
import {
  hostTimeOf,
  type JsonAnswer,
  jsonCalls,
  notUnderstood,
  printable,
  type Query,
  queryText,
  tokenOf,
} from '../json-calls.ts'

const HOST = 'GitLab'

/** Calls on one project of one GitLab. Every call is one HTTP request and throws only TransientFault, RefusedFault or ConfigFault. */
export interface GitlabClient {
  /** `group/project`, or deeper. */
  fullName: string
  /** Path of the project below the API root: `/projects/group%2Fproject`. */
  project: string
  get<Data>(path: string, query?: Query): Promise<JsonAnswer<Data>>
  send<Data>(method: 'POST' | 'PUT', path: string, body: object, signal?: AbortSignal): Promise<JsonAnswer<Data>>
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

/**
 * Plain fetch, not @gitbeaker/rest: that sends a POST ten times after a 429 or 502 within a third of a second, waits 300 s,
 * and what would be left of it under a requester of our own is the spelling of addresses. Its types lack half of what is
 * needed here (`inputs`, `approved_at`, the states `canceling` and `waiting_for_callback`), and a misspelt option silently
 * calls another address.
 */
export function gitlabClient(options: GitlabClientOptions): GitlabClient {
  const { baseUrl, fullName, redactor, clock, fetch } = options
  const perform = jsonCalls({
    name: HOST,
    credential: async () => ({ 'private-token': await tokenOf(options) }),
    retryMs: (headers) => resetMs(headers, clock),
    fetch,
    redactor,
  })

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
    if (!Array.isArray(data)) throw notUnderstood(HOST, `GET ${path}`, 200)
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

/** GitLab names the moment at which its budget begins anew. */
function resetMs(headers: Headers, clock: Clock): number | null {
  const reset = Number(headers.get('ratelimit-reset') ?? Number.NaN)
  if (headers.get('ratelimit-remaining') !== '0' || !Number.isFinite(reset) || reset <= 0) return null
  return Math.max(reset * SECOND_MS - hostTimeOf(headers, clock), SECOND_MS)
}

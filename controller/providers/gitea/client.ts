import type { Clock } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { Redactor } from '../../secrets/redaction.ts'
import type { SecretReader } from '../../secrets/references.ts'
import type { Fetch } from '../http.ts'
import { type JsonAnswer, jsonCalls, notUnderstood, type Query, queryText, tokenOf } from '../json-calls.ts'
import type { Dialect } from './dialect.ts'

/** Calls on one repository of one Gitea or Forgejo. One is one HTTP request; throws only TransientFault, RefusedFault or ConfigFault. */
export interface GiteaClient {
  dialect: Dialect
  fullName: string
  /** Path of the repository below the API root: `/repos/owner/name`. */
  repo: string
  /** Where people see the repository. */
  web: string
  get<Data>(path: string, query?: Query): Promise<JsonAnswer<Data>>
  send<Data>(call: WriteCall): Promise<JsonAnswer<Data>>
}

export interface WriteCall {
  method: 'POST' | 'PATCH'
  path: string
  query?: Query
  body?: object
  signal?: AbortSignal
}

export interface GiteaClientOptions {
  dialect: Dialect
  /** Without a slash at the end: `https://git.example/api/v1`. */
  baseUrl: string
  /** `owner/name`, checked by `repositoryPath`. */
  fullName: string
  tokenRef: string
  secrets: SecretReader
  redactor: Redactor
  /** A guarded fetch (http.ts). */
  fetch: Fetch
  clock: Clock
}

/** The servers' own default for the longest page; one that is set lower says how many there are in all. */
const PAGE_SIZE = 50

export function giteaClient(options: GiteaClientOptions): GiteaClient {
  const { dialect, baseUrl, fullName, fetch, redactor } = options
  const perform = jsonCalls({
    name: dialect.name,
    credential: async () => ({ authorization: `token ${await tokenOf(options)}` }),
    fetch,
    redactor,
  })
  return {
    dialect,
    fullName,
    repo: repositoryPath(dialect, fullName),
    web: `${baseUrl.replace(/\/api\/v1$/, '')}/${fullName}`,
    get: (path, query = {}) => perform({ method: 'GET', url: `${baseUrl}${path}${queryText(query)}`, label: `GET ${path}` }),
    send: ({ path, query = {}, ...call }) =>
      perform({ ...call, url: `${baseUrl}${path}${queryText(query)}`, label: `${call.method} ${path}` }),
  }
}

/** Path of `owner/name`, checked, because it becomes part of an address. */
function repositoryPath(dialect: Dialect, fullName: string): string {
  if (!/^(?!\.{1,2}\/)[\w.-]{1,100}\/(?!\.{1,2}$)[\w.-]{1,100}$/.test(fullName)) {
    throw new RefusedFault(`${JSON.stringify(fullName)} is not a repository of ${dialect.name} of the form owner/name.`)
  }
  return `/repos/${fullName}`
}

/**
 * Answers of a list call, page by page. A server may be set to shorter pages than asked for, so a short page is not the last one:
 * `Link` or `X-Total-Count` tells. `pick`: where the list stands in the answer.
 */
export async function* pages<Item>(
  client: GiteaClient,
  path: string,
  query: Query = {},
  pick: (data: unknown) => unknown = (data) => data,
): AsyncGenerator<Item[]> {
  let seen = 0
  for (let page = 1; ; page++) {
    const { data, headers } = await client.get<unknown>(path, { ...query, page, limit: PAGE_SIZE })
    // An empty list inside an answer is null in some versions.
    const items = pick(data) ?? []
    if (!Array.isArray(items)) throw notUnderstood(client.dialect.name, `GET ${path}`, 200)
    yield items as Item[]
    seen += items.length
    const total = Number(headers.get('x-total-count') ?? Number.NaN)
    const goesOn = /;\s*rel="next"/.test(headers.get('link') ?? '') || total > seen
    if (items.length === 0 || !goesOn) return
  }
}

export async function everything<Item>(
  client: GiteaClient,
  path: string,
  query: Query = {},
  pick?: (data: unknown) => unknown,
): Promise<Item[]> {
  const items: Item[] = []
  for await (const page of pages<Item>(client, path, query, pick)) items.push(...page)
  return items
}

/** A name with slashes as part of a path; null for what no branch or tag can be called (git-check-ref-format). */
export function refPath(name: string): string | null {
  const parts = name.split('/')
  if (parts.some((part) => part === '' || part.startsWith('.'))) return null
  return parts.map(encodeURIComponent).join('/')
}

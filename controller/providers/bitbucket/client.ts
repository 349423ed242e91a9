import type { Clock } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { Redactor } from '../../secrets/redaction.ts'
import type { Fetch } from '../http.ts'
import { type JsonAnswer, jsonCalls, notUnderstood, type Query, queryText } from '../json-calls.ts'
import type { CallBudget } from './budget.ts'
import { apiAuthorization, type BitbucketCredential } from './credential.ts'

const HOST = 'Bitbucket'

/** Calls on one repository. Every call is one HTTP request and throws only TransientFault, RefusedFault or ConfigFault. */
export interface BitbucketClient {
  /** `workspace/slug`. */
  fullName: string
  workspace: string
  /** Path of the repository below the API root: `/repositories/workspace/slug`. */
  repository: string
  /** Where people look at the repository: `https://bitbucket.org/workspace/slug`. */
  webUrl: string
  /** `path` below the API root, or the address that a page names as its next. */
  get<Data>(path: string, query?: Query): Promise<JsonAnswer<Data>>
  send<Data>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object, signal?: AbortSignal): Promise<JsonAnswer<Data>>
}

export interface BitbucketClientOptions {
  /** Without a slash at the end: `https://api.bitbucket.org/2.0`. */
  baseUrl: string
  fullName: string
  credential: () => Promise<BitbucketCredential>
  budget: CallBudget
  redactor: Redactor
  /** A guarded fetch (http.ts) that follows the redirect of a diffstat. */
  fetch: Fetch
  clock: Clock
}

/** Plain calls: the published clients are unmaintained, or carry a megabyte of types for thirty calls. */
export function bitbucketClient(options: BitbucketClientOptions): BitbucketClient {
  const { baseUrl, fullName, redactor, budget } = options
  const perform = jsonCalls({
    name: HOST,
    credential: async () => ({ authorization: apiAuthorization(await options.credential()) }),
    redactor,
    async fetch(url, init) {
      budget.spend(init?.method === 'GET' ? 'read' : 'write')
      const response = await options.fetch(url, init)
      budget.learn(response.headers)
      return response
    },
  })

  return {
    fullName,
    workspace: fullName.split('/')[0]!,
    repository: `/repositories/${fullName}`,
    webUrl: `${webRoot(baseUrl)}/${fullName}`,
    get(path, query = {}) {
      const url = path.startsWith(`${baseUrl}/`) ? path : `${baseUrl}${path}${queryText(query)}`
      return perform({ method: 'GET', url, label: `GET ${url.slice(baseUrl.length).replace(/\?.*/s, '')}` })
    },
    send: (method, path, body, signal) =>
      perform({ method, url: `${baseUrl}${path}`, label: `${method} ${path}`, signal, ...(body === undefined ? {} : { body }) }),
  }
}

/** The API has a host of its own, `api.` before that of the pages and of git. */
export function webRoot(apiUrl: string): string {
  const { protocol, host } = new URL(apiUrl)
  return `${protocol}//${host.replace(/^api\./, '')}`
}

/** `workspace/repository`, checked, because it becomes part of a path. */
export function repositoryName(fullName: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_-]{0,61}\/(?!\.{1,2}$)[A-Za-z0-9_.][A-Za-z0-9._-]{0,61}$/.test(fullName)) {
    throw new RefusedFault(`${JSON.stringify(fullName)} is not a Bitbucket repository of the form workspace/repository.`)
  }
  return fullName
}

interface Page<Item> {
  values: Item[]
  next?: string
}

/** Answers of a list call, page by page. Only the address that a page names as its next is followed, never one that we make up. */
export async function* pages<Item>(client: BitbucketClient, path: string, query: Query = {}): AsyncGenerator<Item[]> {
  const seen = new Set<string>()
  for (let next: string | undefined = path; next !== undefined; ) {
    seen.add(next)
    const asked: Query = next === path ? { pagelen: 100, ...query } : {}
    const { data, status }: JsonAnswer<Page<Item>> = await client.get<Page<Item>>(next, asked)
    if (!Array.isArray(data?.values) || seen.has(data.next ?? '')) throw notUnderstood(HOST, `GET ${path}`, status)
    yield data.values
    next = data.next
  }
}

export async function everything<Item>(client: BitbucketClient, path: string, query: Query = {}): Promise<Item[]> {
  const items: Item[] = []
  for await (const page of pages<Item>(client, path, query)) items.push(...page)
  return items
}

import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Project } from '../../controller/model/desired-state.ts'
import { type CommitSha, commitSha } from '../../controller/model/names.ts'
import type { ConnectedProviders } from '../../controller/providers/table.ts'
import { CALL_FAULTS, type CallFaultKind } from '../sandbox/faults.ts'
import { quotesOf, tracesOf } from '../spellings.ts'
import { openBitbucketScene } from './bitbucket/bitbucket-scene.ts'
import { trigger as anyTrigger, type manualClock } from './fixtures.ts'
import { openGiteaScene } from './gitea/gitea-scene.ts'
import { openScene } from './github/forge-scene.ts'
import { openGitlabScene } from './gitlab/gitlab-scene.ts'
import { openReceiverScene } from './http-hook/receiver-scene.ts'
import { openJenkinsScene } from './jenkins/jenkins-scene.ts'

interface Place {
  clock: ReturnType<typeof manualClock>
  connect(fetch: typeof globalThis.fetch): ConnectedProviders
  project(): Project
  selector: string
  /** Commit of a repository that holds code; null where none does. */
  sha: CommitSha | null
  /** Where it never travels: what it proves with is a signature. */
  secret?: string
  close(): Promise<void>
}

const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  async GitHub() {
    const { forge, clock, connect, project, close } = await openScene()
    const sha = commitSha((await forge.sha('acme/shop', 'main'))!)
    return { clock, close, project, sha, selector: 'deploy.yml', connect: (fetch) => connect('token', { fetch }) }
  },
  async 'GitHub, by an app'() {
    const { forge, clock, connect, project, close } = await openScene()
    const sha = commitSha((await forge.sha('acme/shop', 'main'))!)
    return { clock, close, project, sha, selector: 'deploy.yml', connect: (fetch) => connect('app', { fetch }) }
  },
  async GitLab() {
    const { forge, clock, connect, project, close } = await openGitlabScene()
    const sha = commitSha((await forge.sha('acme/shop', 'main'))!)
    return { clock, close, project, sha, selector: 'variables', connect }
  },
  async Bitbucket() {
    const { forge, clock, connect, project, close } = await openBitbucketScene()
    const sha = commitSha((await forge.sha('acme/shop', 'main'))!)
    return { clock, close, project, sha, selector: 'custom:deploy-prod', connect }
  },
  async 'Bitbucket, by an API token'() {
    const { forge, clock, connect, project, close } = await openBitbucketScene()
    forge.user('alice')
    for (const repo of ['acme/shop', 'acme/config']) forge.addMember(repo, 'alice', 'write')
    const sha = commitSha((await forge.sha('acme/shop', 'main'))!)
    const api = { text: forge.token('alice', 'api'), email: 'alice@example.test' }
    return { clock, close, project, sha, selector: 'custom:deploy-prod', connect: (fetch) => connect(fetch, api) }
  },
  async Gitea() {
    const { forge, clock, connect, project, close } = await openGiteaScene('gitea')
    const sha = commitSha((await forge.sha('acme/shop', 'main'))!)
    return { clock, close, project, sha, selector: 'deploy.yml', connect }
  },
  async Forgejo() {
    const { forge, clock, connect, project, close } = await openGiteaScene('forgejo')
    const sha = commitSha((await forge.sha('acme/shop', 'main'))!)
    return { clock, close, project, sha, selector: 'deploy.yml', connect }
  },
  async Jenkins() {
    const { clock, connect, project, close } = await openJenkinsScene()
    return { clock, close, project, sha: null, selector: 'shop/deploy', connect }
  },
  async 'a receiver of webhooks'() {
    const { clock, connect, project, close, secret } = await openReceiverScene()
    return { clock, close, project, sha: null, selector: 'shop/deploy', connect, secret }
  },
}

/** One call that meets trouble. `quote`: what it was sent, and each secret in it, in every spelling. */
interface Struck {
  url: URL
  quote: string
  /** What would have been answered. */
  reach(): Promise<Response>
  expire(): Promise<never>
}
type Strike = (struck: Struck) => Promise<Response>

const json = (status: number, quote: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ message: quote, error: { message: quote, detail: quote }, errors: [{ message: quote }] }), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  })
const page = (status: number, quote: string) =>
  new Response(`<html><body><h1>${quote}</h1></body></html>`, { status, headers: { 'content-type': 'text/html' } })
function broken(code: string, message: string): Promise<never> {
  const cause = Object.assign(new Error(`${code}: ${message}`), { code })
  return Promise.reject(Object.assign(new TypeError(`fetch failed: ${message}`), { cause }))
}

async function after(reach: Struck['reach'], then: () => Promise<Response>): Promise<Response> {
  await (await reach()).arrayBuffer()
  return then()
}

/** Does not compile when the emulators learn a fault that is not here. */
const FAULTS: Readonly<Record<CallFaultKind, Strike>> = {
  accept_then_drop: ({ reach, quote }) => after(reach, () => broken('ECONNRESET', quote)),
  drop_before: ({ quote }) => broken('ECONNRESET', quote),
  error_after: ({ reach, quote }) => after(reach, async () => json(502, quote)),
  error_before: async ({ quote }) => json(502, quote),
  rate_limited: async ({ quote }) => json(429, quote, { 'retry-after': '60' }),
  rate_limited_bare: async ({ quote }) => json(429, quote),
  secondary_limited: async ({ quote }) => json(403, `You have exceeded a secondary rate limit: ${quote}`),
  slow_before: ({ expire }) => expire(),
  slow_after: ({ reach, expire }) => after(reach, expire),
  stale_list: async ({ quote }) => json(200, quote),
  cancel_ignored: async ({ quote }) => json(202, quote),
}

const MORE: Readonly<Record<string, Strike>> = {
  'a redirect to another host, with the token in its address': async ({ quote }) =>
    new Response(null, {
      status: 302,
      headers: { location: `https://elsewhere.example/?token=${encodeURIComponent(quote.slice(0, 2_000))}` },
    }),
  'a redirect on the same host': async ({ url, quote }) =>
    new Response(quote, {
      status: 307,
      headers: { location: `${url.origin}/?token=${encodeURIComponent(quote.slice(0, 200))}` },
    }),
  'a broken handshake whose error names the address': ({ url, quote }) =>
    broken('ERR_SSL_WRONG_VERSION_NUMBER', `write EPROTO ${url.href}?access_token=${quote}`),
  'a certificate that does not fit': ({ quote }) => broken('ERR_TLS_CERT_ALTNAME_INVALID', quote),
  'a connection that cannot be made': ({ quote }) => broken('ECONNREFUSED', quote),
  'an error without a kind': ({ quote }) => Promise.reject(quote),
  'an answer cut off in the middle': async ({ quote }) =>
    new Response(JSON.stringify({ message: quote }).slice(0, -2), { headers: { 'content-type': 'application/json' } }),
  'a page that repeats the headers, with 200': async ({ quote }) => page(200, quote),
  'a page that repeats the headers, with 500': async ({ quote }) => page(500, quote),
  'a page that repeats the headers, with 403': async ({ quote }) => page(403, quote),
  'wrong credentials, repeated': async ({ quote }) => json(401, quote),
  'a right that is missing, repeated': async ({ quote }) => json(403, quote),
  'nothing there, repeated': async ({ quote }) => json(404, quote),
  'a conflict, repeated': async ({ quote }) => json(409, quote),
  'a body that is not understood, repeated': async ({ quote }) => json(422, quote),
  'lists by field that repeat it': async ({ quote }) =>
    new Response(JSON.stringify({ message: { base: [quote] } }), {
      status: 400,
      headers: { 'content-type': 'application/json' },
    }),
}

const TROUBLES = [...CALL_FAULTS.map((kind): [string, Strike] => [kind, FAULTS[kind]]), ...Object.entries(MORE)]
/** Of the requests that one call makes, which one meets the trouble. */
const POSITIONS = [0, 1]
const CALLBACK_TOKEN = `dcb_${'c4n4rY'.repeat(8).slice(0, 43)}`
const MINUTE = 60_000

describe.each(Object.keys(PLACES))('a credential for %s', (name) => {
  let place: Place
  let jobs = 0
  beforeAll(async () => {
    place = await PLACES[name]!()
  }, 120_000)
  afterAll(() => place.close())

  /** Everything that a controller asks of a provider, each as a call of its own on a connection that knows nothing yet. */
  function calls({ connections, configHost, describeAccess }: ConnectedProviders): (() => Promise<unknown>)[] {
    const project = place.project()
    const selector = { selector: place.selector, workflowRef: null }
    const pipeline = connections.pipeline(project)
    const jobId = `00000000-0000-5000-8000-${String(++jobs).padStart(12, '0')}` as Parameters<typeof pipeline.start>[0]['jobId']
    const callback = { url: 'https://draven.example/callbacks/jobs/1', token: CALLBACK_TOKEN }
    const at = { ref: 'main', refType: 'branch', ...(place.sha === null ? {} : { sha: place.sha }) } as const
    const trigger = anyTrigger({ ...at, jobId, selector, intendedAt: place.clock.now(), callback })
    const externalIds = ['1', jobId, `{${jobId}}`]
    const ofRuns = externalIds.flatMap((externalId) => [
      () => pipeline.observe({ externalId, selector }),
      () => pipeline.cancel({ externalId }),
    ])
    const runs = [
      () => pipeline.start(trigger),
      () => pipeline.find(trigger),
      () => pipeline.doubt(trigger),
      ...ofRuns,
      () => describeAccess(project),
    ]
    if (place.sha === null || configHost === null) return runs
    const { sha } = place
    const refs = connections.refs(project)
    const check = { sha, name: 'draven/gate', state: 'pending', title: 'waits', summary: 'x', annotations: [], detailsUrl: null }
    const message = { jobId, sha, ref: 'main', environment: 'prod', production: true, state: 'success' } as const
    return [
      ...runs,
      () => refs.resolveRef({ type: 'branch', name: 'main' }),
      () => refs.ciEvidence(sha),
      () => configHost.reviews.pullRequests({ baseRef: 'main', since: 0 }),
      () => configHost.reviews.pullRequest(1),
      () => configHost.voice.publishCheck(check as Parameters<typeof configHost.voice.publishCheck>[0], null),
      () => configHost.voice.upsertComment({ pullRequest: 1, body: 'x' }, null),
      async () =>
        connections.deployments(project)?.mirror({ ...message, description: '', logUrl: null, environmentUrl: null }, null),
      () => describeAccess('config'),
    ]
  }

  it.each(TROUBLES)('is in no word of a fault or an answer after %s', async (_what, strike) => {
    /** Of the connection at hand: what another one was given, it cannot know. */
    const secrets = new Set<string>()
    let left = 0
    let struck = 0
    async function troubled(input: Parameters<typeof fetch>[0], init?: RequestInit): Promise<Response> {
      const sent = new Headers(init?.headers)
      for (const secret of secretsIn(sent)) secrets.add(secret)
      if (left-- !== 0) return fetch(input, init)
      struck++
      const expire = async () => {
        place.clock.advance(MINUTE)
        return new Promise<never>(() => {})
      }
      const headers = [...sent].map(([header, value]) => `${header}: ${value}`).join('; ')
      const quote = `${[...secrets].flatMap(quotesOf).join(' ')} ${headers} ${String(init?.body ?? '')}`
      return strike({ url: new URL(String(input)), quote, reach: () => fetch(input, init), expire })
    }
    const count = calls(place.connect(troubled)).length
    for (const position of POSITIONS) {
      for (let index = 0; index < count; index++) {
        left = position
        secrets.clear()
        for (const secret of [CALLBACK_TOKEN, ...(place.secret === undefined ? [] : [place.secret])]) secrets.add(secret)
        const call = calls(place.connect(troubled))[index]!
        const heard = await call().catch((error: unknown) => error)
        // The stack and the causes too: a defect's are logged.
        const told = inspect(heard, { depth: 10, showHidden: true, maxStringLength: null })
        expect([...secrets].flatMap(tracesOf).filter((trace) => told.includes(trace))).toEqual([])
        place.clock.advance(MINUTE)
      }
    }
    expect(struck).toBeGreaterThan(0)
  })
})

/** What headers carry of credentials: a token as it is, or the password of a pair. */
function secretsIn(headers: Headers): string[] {
  const own = headers.get('private-token')
  const [scheme, value] = (headers.get('authorization') ?? '').split(' ')
  if (value === undefined) return own === null ? [] : [own]
  if (scheme !== 'Basic') return [value]
  const pair = Buffer.from(value, 'base64').toString()
  return [pair.slice(pair.indexOf(':') + 1)]
}

import { describe, expect, test } from 'vitest'
import { MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { createMetrics } from '../../controller/status-page/metrics.ts'
import { statusApp } from '../../controller/status-page/status-app.ts'
import {
  desiredState,
  emptyWorld,
  environment,
  fixedClock,
  health,
  jobIdOf,
  liveOf,
  NOW,
  reason,
  richWorld,
  viewsOf,
  type World,
} from './fixture.ts'

const BASE = 'http://draven.example'

function appOf(world: World, change: Partial<Parameters<typeof statusApp>[0]> = {}) {
  return statusApp({
    views: viewsOf(world),
    live: liveOf(world),
    clock: fixedClock(),
    title: 'Draven',
    allowedHosts: null,
    metrics: createMetrics(),
    ...change,
  })
}

async function get(world: World, path: string) {
  const answer = await appOf(world).request(`${BASE}${path}`)
  return { status: answer.status, text: await answer.text(), headers: answer.headers }
}

async function getJson<Facts = Record<string, unknown>>(world: World, path: string): Promise<Facts> {
  const answer = await appOf(world).request(`${BASE}${path}`)
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  return (await answer.json()) as Facts
}

const PAGES = ['/', '/jobs', '/audit', '/config', '/system']
const TWINS = ['/api/v1/matrix', '/api/v1/jobs', '/api/v1/audit', '/api/v1/findings', '/api/v1/system']
const MACHINES = ['/livez', '/readyz', '/version', '/metrics', '/assets/style.css', '/assets/icon.svg']
const RICH_PAGES = [
  ...PAGES,
  ...richWorld().jobs.map((job) => `/jobs/${job.id}`),
  ...[...desiredState().environments.keys()].map((key) => `/projects/${key}`),
  '/projects/search/demo',
]

describe('pages', () => {
  test.each(RICH_PAGES)('%s renders a whole page for a full installation', async (path) => {
    const { status, text } = await get(richWorld(), path)
    expect(status).toBe(200)
    expect(text).toMatch(/^<!doctype html>/)
    expect(text.trimEnd()).toMatch(/<\/html>$/)
    expect(text).not.toMatch(/undefined|\[object|NaN|Invalid Date/)
  })

  test.each([...PAGES, ...TWINS])('%s answers before anything was read or stored', async (path) => {
    const { status, text } = await get(emptyWorld(), path)
    expect(status).toBe(200)
    expect(text).not.toMatch(/undefined|\[object|NaN|Invalid Date/)
  })

  test('the matrix orders environments along the promotion chain', async () => {
    const { environments } = await getJson(richWorld(), '/api/v1/matrix')
    expect(environments).toEqual(['stage', 'demo', 'prod'])
  })

  test('environments without a promotion rule follow the usual road', async () => {
    const names = ['zoo', 'production', 'staging', 'dev']
    const environments = new Map(
      names.map((name) => environment('shop', name, { promoteFrom: null })).map((one) => [one.key, one]),
    )
    const world = { ...emptyWorld(), desired: desiredState({ environments, unusableEnvironments: new Map() }) }
    expect((await getJson(world, '/api/v1/matrix'))['environments']).toEqual(['dev', 'staging', 'production', 'zoo'])
  })

  test('a circle of promotions in the config does not hang the matrix', async () => {
    const circle = [environment('shop', 'a', { promoteFrom: 'b' }), environment('shop', 'b', { promoteFrom: 'a' })]
    const world = { ...emptyWorld(), desired: desiredState({ environments: new Map(circle.map((one) => [one.key, one])) }) }
    expect((await get(world, '/')).status).toBe(200)
  })

  test('a cell says when the closed window opens, in the zone of the policy', async () => {
    expect((await get(richWorld(), '/')).text).toContain('it opens Mon 2026-11-23 09:00 Europe/Rome')
  })

  test('a running job that is stuck at its provider counts as blocked, not as running', async () => {
    const { attention } = await getJson<{ attention: Record<string, { id: string }[]> }>(richWorld(), '/api/v1/matrix')
    const ids = (jobs: { id: string }[] | undefined) => jobs?.map((job) => job.id)
    expect(ids(attention['blocked'])).toEqual(expect.arrayContaining([jobIdOf(57), jobIdOf(52), jobIdOf(51)]))
    expect(ids(attention['running'])).toEqual([jobIdOf(53)])
    expect(ids(attention['people'])).toEqual([jobIdOf(56)])
    expect(ids(attention['failed'])).toEqual([jobIdOf(50)])
  })

  test('a failure older than the last success is no news in its cell', async () => {
    const world = richWorld()
    const [failed] = world.jobs.filter((job) => job.status === 'failed')
    world.jobs.push({ ...failed!, id: jobIdOf(99), seq: 99, status: 'success' })
    expect((await get(world, '/projects/mobile-api/prod')).status).toBe(200)
    const { projects } = (await getJson(world, '/api/v1/matrix')) as unknown as {
      projects: { name: string; cells: ({ environment: string; news: unknown } | null)[] }[]
    }
    const cell = projects.find((one) => one.name === 'mobile-api')!.cells.find((one) => one?.environment === 'prod')
    expect(cell?.news).toBeNull()
  })

  test('every page tells that the configuration is frozen, why, and what to do', async () => {
    const world = richWorld()
    world.config!.frozen = reason('config_frozen', 'History was rewritten.', {
      action: { text: 'Restore the branch.', command: 'git push origin main', url: null },
    })
    for (const path of PAGES) {
      const { text } = await get(world, path)
      expect(text).toContain('History was rewritten.')
      expect(text).toContain('git push origin main')
    }
  })

  test('an unreachable config repository is told with its age', async () => {
    const world = { ...richWorld(), health: health({ sourceError: 'connection refused', sourceSeenAt: NOW - 9 * MINUTE_MS }) }
    expect((await get(world, '/')).text).toMatch(/cannot be reached right now.*connection refused.*9 min ago/s)
  })

  test('only pages on which something can still change ask the browser to come again', async () => {
    const refreshes = async (path: string) => (await get(richWorld(), path)).text.includes('http-equiv="refresh"')
    expect(await refreshes('/')).toBe(true)
    expect(await refreshes(`/jobs/${jobIdOf(53)}`)).toBe(true)
    expect(await refreshes('/projects/shop/prod')).toBe(true)
    expect(await refreshes(`/jobs/${jobIdOf(12)}`)).toBe(false)
    expect(await refreshes('/projects/shop/demo')).toBe(false)
    expect(await refreshes('/audit')).toBe(false)
    expect((await get(emptyWorld(), '/')).text).not.toContain('http-equiv="refresh"')
  })

  test('an installation without jobs shows the very file to add', async () => {
    const { text } = await get({ ...emptyWorld(), desired: desiredState() }, '/')
    expect(text).toContain('No jobs yet: add a request file')
    expect(text).toContain('requests/billing/stage/2026-11-21-first.yaml')
  })
})

describe('job page', () => {
  test('each review is listed with whether it counts and why not', async () => {
    const { text } = await get(richWorld(), `/jobs/${jobIdOf(56)}`)
    expect(text.match(/Does not count/g)).toHaveLength(3)
    expect(text).toContain('wrote the change')
    expect(text).toContain('not an approver here')
    expect(text).toContain('approved other content')
  })

  test('the job that is live offers a rollback to the one before it, an older one a return to itself', async () => {
    const live = (await getJson(richWorld(), `/api/v1/jobs/${jobIdOf(12)}`))['rollback'] as { purpose: string; yaml: string }
    const older = (await getJson(richWorld(), `/api/v1/jobs/${jobIdOf(3)}`))['rollback'] as { purpose: string; yaml: string }
    expect(live.purpose).toBe('undo')
    expect(live.yaml).toBe('apiVersion: draven/v1\nkind: DeployRequest\ntype: rollback\nreason: Take back v1.4.1\n')
    expect(older.yaml).toBe(
      'apiVersion: draven/v1\nkind: DeployRequest\ntype: rollback\nref:\n  tag: v1.4.0\nreason: Return to v1.4.0\n',
    )
  })

  test('a return to a branch names the commit that ran, because the branch has moved since', async () => {
    const world = richWorld()
    const first = world.jobs.find((job) => job.seq === 1)!
    world.jobs.push({ ...first, id: jobIdOf(98), seq: 98 })
    const { rollback } = (await getJson(world, `/api/v1/jobs/${first.id}`)) as unknown as { rollback: { yaml: string } }
    expect(rollback.yaml).toContain(`ref:\n  sha: ${first.pin!.sha}\n`)
  })

  test('the first success of an environment has nothing before it to go back to', async () => {
    expect((await getJson(richWorld(), `/api/v1/jobs/${jobIdOf(6)}`))['rollback']).toBeNull()
  })

  test('dry runs, failures and open jobs offer no rollback', async () => {
    for (const seq of [15, 50, 53]) expect((await getJson(richWorld(), `/api/v1/jobs/${jobIdOf(seq)}`))['rollback']).toBeNull()
  })

  test('the timeline runs from request to end in the order of the audit', async () => {
    const { text } = await get(richWorld(), `/jobs/${jobIdOf(12)}`)
    const timeline = text.slice(text.indexOf('Timeline'))
    const marks = [
      'Request accepted',
      'Content pinned',
      'Approvals counted',
      'Lock taken',
      'Trigger intended',
      'Run recorded',
      'Run ended',
      'Lock released',
    ]
    const places = marks.map((word) => timeline.indexOf(word))
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places).not.toContain(-1)
  })

  test('a job in line knows its place', async () => {
    expect((await getJson(richWorld(), `/api/v1/jobs/${jobIdOf(55)}`))['queuePosition']).toBe(2)
  })
})

describe('environment page', () => {
  test('the policy is told in plain sentences', async () => {
    const { rules } = await getJson<{ rules: string[] }>(richWorld(), '/api/v1/environments/shop/prod')
    expect(rules).toEqual([
      'Tags may be deployed when their name matches “v\\d+\\.\\d+\\.\\d+”.',
      'The same commit must have succeeded in demo first.',
      'CI must be green on exactly the commit that runs.',
      '2 different approvers must approve; an approval counts for 14 d.',
      'Jobs may start Mon–Fri 09:00–19:00 Europe/Rome.',
      'Rollbacks are allowed to a commit that succeeded here before, also while the window is closed.',
      'Force is not allowed.',
      'One job at a time; the others queue in order.',
      'A run may take 1 h at most.',
    ])
  })

  test('everybody who may approve is named, and nobody else', async () => {
    const approvers = async (path: string) =>
      (await getJson<{ approvers: { name: string }[] }>(richWorld(), path)).approvers.map((person) => person.name)
    expect(await approvers('/api/v1/environments/shop/prod')).toEqual(['Bob Mensah', 'Carol Ito', 'Dan Weber'])
    expect(await approvers('/api/v1/environments/shop/stage')).toEqual([])
  })

  test('the first request shown is one that the policy takes', async () => {
    const world = { ...emptyWorld(), desired: desiredState() }
    const yaml = async (path: string) => (await getJson<{ example: { yaml: string } }>(world, path)).example.yaml
    expect(await yaml('/api/v1/environments/shop/stage')).toContain('ref: { branch: develop }')
    expect(await yaml('/api/v1/environments/shop/demo')).toContain('ref: { branch: main }')
    expect(await yaml('/api/v1/environments/shop/prod')).toContain('ref: { tag: v1.0.0 }')
  })

  test('a hold is told with its reason and its end', async () => {
    const { text } = await get(richWorld(), '/projects/billing/prod')
    expect(text).toContain('Held (billing-prod) until its file is deleted: Month-end run in progress, ask Erin')
  })

  test('an environment that nobody knows is not found', async () => {
    expect((await get(richWorld(), '/projects/shop/moon')).status).toBe(404)
    expect((await get(emptyWorld(), '/projects/shop/prod')).status).toBe(404)
  })
})

describe('lists', () => {
  test('filters narrow the jobs, and the address carries them on', async () => {
    const { jobs } = (await getJson(richWorld(), '/api/v1/jobs?project=shop&status=queued')) as unknown as {
      jobs: { project: string; status: string }[]
    }
    expect(jobs).toHaveLength(3)
    expect(jobs.every((job) => job.project === 'shop' && job.status === 'queued')).toBe(true)
    expect((await get(richWorld(), '/jobs?project=shop')).text).toContain('/jobs?project=shop&amp;status=queued')
  })

  test('following the cursor shows every job once', async () => {
    const world = richWorld()
    const [pattern] = world.jobs
    world.jobs = Array.from({ length: 120 }, (_, index) => ({ ...pattern!, id: jobIdOf(index), seq: index }))
    const seen: number[] = []
    for (let path: string | null = '/api/v1/jobs'; path !== null; ) {
      const page = (await getJson(world, path)) as unknown as { jobs: { seq: number }[]; nextBefore: number | null }
      seen.push(...page.jobs.map((job) => job.seq))
      path = page.nextBefore === null ? null : `/api/v1/jobs?before=${page.nextBefore}`
    }
    expect(seen).toEqual(Array.from({ length: 120 }, (_, index) => 119 - index))
  })

  test.each(['/jobs?status=broken', '/jobs?before=-1', '/audit?before=1e9', '/api/v1/audit?before=x'])(
    '%s is refused with 400',
    async (path) => {
      expect((await get(richWorld(), path)).status).toBe(400)
    },
  )
})

describe('JSON twins', () => {
  const pairs = [
    ...PAGES.map((path, index) => [path, TWINS[index]!] as const),
    ...richWorld().jobs.map((job) => [`/jobs/${job.id}`, `/api/v1/jobs/${job.id}`] as const),
    ['/projects/shop/prod', '/api/v1/environments/shop/prod'] as const,
  ]

  test.each(pairs)('%s shows each reason that %s answers', async (pagePath, apiPath) => {
    const world = richWorld()
    const { text } = await get(world, pagePath)
    const facts = await getJson(world, apiPath)
    const plain = text
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&amp;', '&')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
    const job = facts['job'] as { reason: { text: string; code: string }; sha: string; requestPath: string } | undefined
    for (const fact of job ? [job.reason.text, job.reason.code, job.sha, job.requestPath] : []) expect(plain).toContain(fact)
    for (const fact of [...((facts['findings'] as { message: string }[] | undefined) ?? [])])
      expect(plain).toContain(fact.message)
    for (const row of (facts['rows'] as { hash: string }[] | undefined) ?? []) expect(plain).toContain(row.hash)
    for (const one of (facts['rules'] as string[] | undefined) ?? []) expect(plain).toContain(one)
    const listed = facts['jobs'] ?? facts['history'] ?? []
    for (const one of listed as { id: string }[]) expect(plain).toContain(one.id)
  })

  test.each(pairs)('neither %s nor %s gives away an e-mail address or a secret reference', async (pagePath, apiPath) => {
    for (const path of [pagePath, apiPath]) {
      const { text } = await get(richWorld(), path)
      expect(text).not.toContain('@acme.example')
      expect(text).not.toContain('TOKEN_OF_THE_SHOP')
    }
  })

  test('an address that slipped into the audit or a reason is taken out, a tag that looks like one stays', async () => {
    const world = richWorld()
    const [row] = world.audit
    world.audit.push({
      ...row!,
      seq: 9_000,
      data: { author: 'Mallory <mallory@acme.example>', nested: [{ mail: 'x.y+z@mail.acme.example' }] },
    })
    world.jobs.push({
      ...world.jobs[0]!,
      id: jobIdOf(97),
      seq: 97,
      ref: { type: 'tag', name: 'pkg@1.0.beta' },
      requestReason: 'for mallory@acme.example',
    })
    for (const path of ['/audit', '/api/v1/audit', '/jobs', '/api/v1/jobs', `/jobs/${jobIdOf(97)}`]) {
      const { text } = await get(world, path)
      expect(text).not.toMatch(/mallory@|x\.y\+z@/)
      expect(text).toContain('[e-mail]')
    }
    expect((await get(world, `/jobs/${jobIdOf(97)}`)).text).toContain('<code class="ref">pkg@1.0.beta</code>')
  })

  test('instants leave as ISO strings', async () => {
    const { frame } = (await getJson(richWorld(), '/api/v1/system')) as unknown as { frame: { at: string } }
    expect(frame.at).toBe('2026-11-21T11:30:12.000Z')
  })
})

describe('probes', () => {
  const ready = async (world: World) => {
    const answer = await appOf(world).request('/readyz')
    const body = (await answer.json()) as { ready: boolean; checks: { name: string; ok: boolean }[] }
    return { status: answer.status, failing: body.checks.filter((check) => !check.ok).map((check) => check.name) }
  }

  test('a controller that works is ready', async () => {
    expect(await ready(richWorld())).toEqual({ status: 200, failing: [] })
  })

  test.each([
    ['a store that takes no writes', 'store', { probe: () => Promise.reject(new Error('disk full at /secret/path')) }],
    ['a config that was never read', 'config', { desired: null }],
    ['a loop that stands still', 'tick', { health: health({ lastTickAt: NOW - 76 * SECOND_MS }) }],
    ['a loop whose first pass does not end', 'tick', { health: health({ lastTickAt: null, startedAt: NOW - 76 * SECOND_MS }) }],
  ])('%s makes it not ready, by name', async (_, name, change) => {
    expect(await ready({ ...richWorld(), ...change })).toEqual({ status: 503, failing: [name] })
  })

  test('a first pass that is still under way makes nobody wait: what it needs to work, it has', async () => {
    const starting = { ...richWorld(), health: health({ lastTickAt: null, startedAt: NOW - 2 * SECOND_MS }) }
    expect(await ready(starting)).toEqual({ status: 200, failing: [] })
  })

  test('short polls do not make a pass late that waits for a provider', async () => {
    const waiting = { ...richWorld(), health: health({ pollMs: SECOND_MS, lastTickAt: NOW - 30 * SECOND_MS }) }
    expect(await ready(waiting)).toEqual({ status: 200, failing: [] })
  })

  test('a process that stood still is not ready, and says for how long', async () => {
    const stalled = (ms: number) => appOf(richWorld(), { lagMs: () => ms }).request('/readyz')
    expect((await stalled(5_000)).status).toBe(200)
    const answer = await stalled(5_001)
    expect(answer.status).toBe(503)
    expect(await answer.text()).toContain('"process","ok":false,"detail":"stood still for 5 s"')
  })

  test('a store that never answers makes it not ready instead of hanging', async () => {
    const world = { ...richWorld(), probe: () => new Promise<void>(() => {}) }
    const impatient = { now: () => NOW, elapsed: () => 0, sleep: async () => {} }
    expect((await appOf(world, { clock: impatient }).request('/readyz')).status).toBe(503)
  })

  test('many askers at once cost one write', async () => {
    let probes = 0
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const probe = () => {
      probes += 1
      return gate
    }
    const world = { ...richWorld(), probe }
    const app = appOf(world)
    const answers = Promise.all(Array.from({ length: 20 }, () => app.request('/readyz')))
    await new Promise((resolve) => setImmediate(resolve))
    release()
    expect((await answers).map((answer) => answer.status)).toEqual(Array(20).fill(200))
    expect(probes).toBe(1)
  })

  test('the reason of a failing store stays inside', async () => {
    const world = { ...richWorld(), probe: () => Promise.reject(new Error('disk full at /secret/path')) }
    expect((await get(world, '/readyz')).text).not.toContain('/secret/path')
  })

  test('liveness needs nothing', async () => {
    expect((await get(emptyWorld(), '/livez')).status).toBe(200)
    expect(await getJson(emptyWorld(), '/version')).toEqual({ version: '0.1.0' })
  })
})

describe('the guard', () => {
  const paths = [...PAGES, ...TWINS, ...MACHINES, `/jobs/${jobIdOf(53)}`, '/projects/shop/prod', '/nowhere', '/api/v1/nowhere']
  const methods = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'MKCOL', 'QUERY']

  test.each(methods)('%s is refused on every path', async (method) => {
    const app = appOf(richWorld())
    for (const path of paths) {
      const answer = await app.request(path, { method })
      expect(answer.status, path).toBe(405)
      expect(answer.headers.get('allow')).toBe('GET, HEAD')
    }
  })

  test('every route of the app answers GET only', () => {
    const writers = appOf(richWorld()).routes.filter((route) => route.method !== 'GET' && route.method !== 'ALL')
    expect(writers).toEqual([])
  })

  test('HEAD answers like GET, without a body', async () => {
    for (const path of [...PAGES, ...TWINS]) {
      const answer = await appOf(richWorld()).request(path, { method: 'HEAD' })
      expect(answer.status).toBe(200)
      expect(await answer.text()).toBe('')
    }
  })

  test('every answer carries the strict policy, errors included', async () => {
    const broken = { ...viewsOf(richWorld()), audit: () => Promise.reject(new Error('no such table: audit')) }
    const app = appOf(richWorld(), { views: broken, allowedHosts: ['draven.example'] })
    const asked: [string, RequestInit, number][] = [
      ...paths.map((path): [string, RequestInit, number] => [path, {}, 0]),
      ['/nowhere', {}, 404],
      ['/jobs/unknown', {}, 404],
      ['/', { method: 'POST' }, 405],
      ['/jobs?status=x', {}, 400],
      ['/audit', {}, 500],
      ['/api/v1/audit', {}, 500],
      ['/', { headers: { Host: 'evil.example' } }, 421],
    ]
    for (const [path, init, status] of asked) {
      const answer = await app.request(`${BASE}${path}`, init)
      if (status !== 0) expect(answer.status, path).toBe(status)
      const policy = answer.headers.get('content-security-policy')
      expect(policy, path).toBe(
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      )
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
      if (!path.startsWith('/assets/')) expect(answer.headers.get('cache-control'), path).toBe('no-store')
      expect(await answer.text()).not.toContain('no such table')
    }
  })

  test('pages need no script, no inline style and nothing from elsewhere', async () => {
    for (const path of RICH_PAGES) {
      const { text } = await get(richWorld(), path)
      expect(text).not.toMatch(/<script|\sstyle=|<style|\son\w+=|<iframe|<form/i)
      for (const [, source] of text.matchAll(/(?:src|<link[^>]*href)="([^"]*)"/g)) expect(source).toMatch(/^\/assets\//)
    }
  })

  test('a host that is not ours is refused; ports and letter case do not matter; probes are let in', async () => {
    const app = appOf(richWorld(), { allowedHosts: ['Draven.example', 'localhost:8080'] })
    const status = async (host: string, path = '/') => (await app.request(`${BASE}${path}`, { headers: { Host: host } })).status
    expect(await status('draven.example')).toBe(200)
    expect(await status('DRAVEN.example:8443')).toBe(200)
    expect(await status('localhost:8080')).toBe(200)
    expect(await status('localhost:9090')).toBe(421)
    expect(await status('draven.example.evil.example')).toBe(421)
    expect(await status('elsewhere.example', '/readyz')).toBe(200)
  })

  test.each(['127.0.0.1', '127.0.0.1:8080', '10.0.0.7:8080', '[::1]', '[::1]:8080', '[2001:db8::7]:8080'])(
    'the address %s is answered, because no foreign name can turn into it',
    async (host) => {
      const app = appOf(richWorld(), { allowedHosts: ['draven.example'] })
      for (const path of ['/', '/metrics', '/version', '/api/v1/matrix']) {
        expect((await app.request(`${BASE}${path}`, { headers: { Host: host } })).status, path).toBe(200)
      }
    },
  )

  test.each([
    'localhost:8080',
    '127.0.0.1.evil.example',
    '127.0.0.1.nip.io:8080',
    '1.evil.example',
    '[::1].evil.example',
    '[::1]evil',
    '127.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '::1',
    '[127.0.0.1]',
    '[fe80::1%25eth0]',
  ])('%s is a name like any other, and refused', async (host) => {
    const app = appOf(richWorld(), { allowedHosts: ['draven.example'] })
    expect((await app.request(`${BASE}/api/v1/matrix`, { headers: { Host: host } })).status).toBe(421)
  })

  test.each([
    '//etc/passwd',
    '/assets/../package.json',
    '/assets/%2e%2e/package.json',
    '/assets/..%5Cpackage.json',
    '/assets//style.css',
    '/%00',
    '/jobs/%E0%A4%A',
  ])('%s leads nowhere', async (path) => {
    expect((await get(richWorld(), path)).status).toBe(404)
  })

  test('a failing page is told to the log, not to the reader', async () => {
    const told: unknown[] = []
    const log = { debug() {}, info() {}, warn() {}, error: (_: string, facts?: object) => told.push(facts) }
    const views = { ...viewsOf(richWorld()), jobs: () => Promise.reject(new Error('database is locked')) }
    const answer = await appOf(richWorld(), { views, log }).request('/jobs')
    expect(answer.status).toBe(500)
    expect(await answer.text()).toContain('Something broke on our side')
    expect(told).toEqual([{ path: '/jobs', error: 'database is locked' }])
  })
})

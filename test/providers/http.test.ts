import { type AddressInfo, createServer } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import { RefusedFault, TransientFault } from '../../controller/errors.ts'
import { allowedApiUrl, callFailure, guardedFetch } from '../../controller/providers/http.ts'
import { CANARY_TOKEN, collectingLog, connect, connectOptions, manualClock, project, SHA } from './fixtures.ts'
import { json, type RawServer, rawServer } from './raw-server.ts'

const servers: RawServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})
async function serve(answer: Parameters<typeof rawServer>[0]): Promise<RawServer> {
  const server = await rawServer(answer)
  servers.push(server)
  return server
}

const redact = (text: string) => text

describe('the addresses that an integration may name', () => {
  const allowed = ['https://api.github.com', 'http://127.0.0.1:8080', 'https://ghe.acme.test:8443']
  it.each(['https://api.github.com', 'https://api.github.com/', 'http://127.0.0.1:8080', 'https://ghe.acme.test:8443/api/v3'])(
    'takes %s',
    (url) => {
      expect(allowedApiUrl(url, allowed).href.startsWith(url)).toBe(true)
    },
  )
  it.each([
    'http://api.github.com',
    'https://api.github.com:444',
    'https://api.github.com.evil.test',
    'https://user:pw@api.github.com',
    'https://api.github.com/?x=1',
    'https://api.github.com/#x',
    'http://127.0.0.1:8081',
    'http://169.254.169.254/latest/meta-data',
    'https://ghe.acme.test/api/v3',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'not a url',
    '',
  ])('refuses %j', (url) => {
    expect(() => allowedApiUrl(url, allowed)).toThrow(RefusedFault)
  })
  it('takes plain http on loopback only, even when another host is on the list', () => {
    expect(() => allowedApiUrl('http://intranet.test', ['http://intranet.test'])).toThrow(/https/)
  })
})

describe('an address at which no API lives', () => {
  const metadata = [
    'https://169.254.169.254',
    'https://2852039166',
    'https://0xa9fea9fe',
    'https://0251.0376.0251.0376',
    'https://169.16689662',
    'https://0xa9.254.43518',
    'https://169.254.169.254.',
    'https://①⑥⑨.254.169.254',
    'https://[::ffff:169.254.169.254]',
    'https://[::ffff:a9fe:a9fe]',
    'https://[64:ff9b::169.254.169.254]',
    'https://[fe80::1]',
    'https://[fd00:ec2::254]',
    'https://0.0.0.0',
    'https://0',
    'https://[::]',
    'https://[::ffff:0.0.0.0]',
    'https://224.0.0.1',
    'https://255.255.255.255',
    'https://[ff02::1]',
  ]
  it.each(metadata)('is refused even when an operator listed it: %s', (url) => {
    expect(() => allowedApiUrl(url, [url])).toThrow(RefusedFault)
  })

  it.each(metadata.map((url) => url.replace('https:', 'http:')))('is refused over plain http: %s', (url) => {
    expect(() => allowedApiUrl(url, [url])).toThrow(RefusedFault)
  })

  it.each([
    'https://127.0.0.1',
    'https://127.1',
    'https://2130706433',
    'https://0177.0.0.1',
    'https://0x7f.1',
    'https://localhost',
    'https://localhost.',
    'https://[::1]',
    'https://[::ffff:127.0.0.1]',
    'https://10.0.0.7',
    'https://192.168.1.1',
    'https://172.16.0.1',
    'https://100.64.0.1',
    'https://[fd12::1]',
    'https://api.github.com@10.0.0.7',
    'https://10.0.0.7\\@api.github.com',
    'https://api.github.com#@10.0.0.7',
    'https://api.github.com%2e10.0.0.7.nip.io',
    'https://api.github.com:443@evil.test',
    'https://аpi.github.com',
    'https://api.github.com..',
    '//10.0.0.7/x',
    'https:\t//evil.test',
    'gopher://api.github.com',
    'ftp://api.github.com',
    'data:,x',
    'blob:https://api.github.com/1',
  ])('inside or elsewhere is refused, because nobody listed it: %s', (url) => {
    expect(() => allowedApiUrl(url, ['https://api.github.com'])).toThrow(RefusedFault)
  })

  it('may be private when an operator listed it, as of an Enterprise Server', () => {
    expect(allowedApiUrl('https://10.0.0.7/api/v3', ['https://10.0.0.7']).host).toBe('10.0.0.7')
  })
})

describe('a listed name that was turned to another address', () => {
  it('reaches no plain-text service there: it sees no request and no credential', async () => {
    const heard: Buffer[] = []
    const metadata = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (bytes: Buffer) => {
        heard.push(bytes)
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
      })
    })
    await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void metadata.close())
    const origin = `https://127.0.0.1:${(metadata.address() as AddressInfo).port}`
    const call = guardedFetch({ redact, fetch, origin, clock: systemClock(), timeoutMs: 5_000 })
    const fault = await call(`${origin}/latest/meta-data`, { headers: { authorization: CANARY_TOKEN } }).catch((error) => error)
    expect(fault).toBeInstanceOf(TransientFault)
    expect(heard).not.toHaveLength(0)
    const seen = Buffer.concat(heard).toString('latin1')
    expect(seen).not.toContain(CANARY_TOKEN)
    expect(seen).not.toContain('meta-data')
    expect(seen.charCodeAt(0)).toBe(0x16)
  })
})

describe('a guarded fetch', () => {
  const clock = systemClock()
  it('goes to its own origin and to no other', async () => {
    const other = await serve((_request, response) => json(response, 200, {}))
    const call = guardedFetch({ redact, fetch, origin: 'https://api.github.com', clock, timeoutMs: 1_000 })
    await expect(call(other.origin)).rejects.toThrow(RefusedFault)
    expect(other.seen).toHaveLength(0)
  })

  it.each([301, 302, 303, 307, 308])('follows no redirect (%i), so a credential never reaches another host', async (status) => {
    const thief = await serve((_request, response) => json(response, 200, {}))
    const server = await serve((_request, response) => response.writeHead(status, { location: `${thief.origin}/steal` }).end())
    const call = guardedFetch({ redact, fetch, origin: server.origin, clock, timeoutMs: 1_000 })
    await expect(call(server.origin, { headers: { authorization: CANARY_TOKEN } })).rejects.toMatchObject({
      name: 'RefusedFault',
      status,
    })
    expect(thief.seen).toHaveLength(0)
  })

  it('follows one redirect of a GET where it is told that it may, and only within its origin', async () => {
    const thief = await serve((_request, response) => json(response, 200, {}))
    const server = await serve(({ path }, response) => {
      if (path === '/there') return json(response, 200, { there: true })
      const location = { '/out': `${thief.origin}/steal`, '/twice': '/moved', '/odd': 'http://[' }[path] ?? '/there'
      return response.writeHead(302, { location }).end()
    })
    const mayFollow = (from: URL, to: URL) => from.pathname !== '/not' && to.pathname !== '/out'
    const call = guardedFetch({ redact, fetch, origin: server.origin, clock, timeoutMs: 1_000, mayFollow })
    expect(await (await call(`${server.origin}/moved`)).json()).toEqual({ there: true })
    for (const path of ['/out', '/not', '/twice', '/odd']) {
      await expect(call(`${server.origin}${path}`)).rejects.toMatchObject({ name: 'RefusedFault', status: 302 })
    }
    await expect(call(`${server.origin}/moved`, { method: 'POST' })).rejects.toMatchObject({ name: 'RefusedFault' })
    expect(thief.seen).toHaveLength(0)
  })

  it('stops reading an answer that is too big', async () => {
    const server = await serve((_request, response) => response.end('x'.repeat(2_000)))
    const call = guardedFetch({ redact, fetch, origin: server.origin, clock, timeoutMs: 1_000, maxResponseBytes: 1_999 })
    const fault = await call(server.origin).catch((error: unknown) => error)
    expect(fault).toBeInstanceOf(TransientFault)
    expect(callFailure(fault)).toEqual({ sent: true, status: 200 })
  })

  it('gives up on a body that never ends, at its own deadline', async () => {
    const time = manualClock()
    const server = await serve((_request, response) => {
      response.writeHead(200).write('x')
      setTimeout(() => time.advance(1_000), 30)
    })
    const call = guardedFetch({ redact, fetch, origin: server.origin, clock: time, timeoutMs: 1_000 })
    expect(callFailure(await call(server.origin).catch((error: unknown) => error))).toEqual({ sent: true, status: null })
  })

  it('ends even when the fetch it was given does not listen', async () => {
    const time = manualClock()
    const call = guardedFetch({
      redact,
      fetch: () => new Promise(() => {}),
      origin: 'https://x.test',
      clock: time,
      timeoutMs: 10,
    })
    const pending = call('https://x.test').catch((error: unknown) => error)
    await Promise.resolve()
    time.advance(10)
    expect(await pending).toBeInstanceOf(TransientFault)
  })
})

describe('whose credential goes where', () => {
  it("keeps the controller's own credential from every host but its own", async () => {
    const other = await serve((_request, response) => json(response, 200, {}))
    const { connections } = connect({ allowedOrigins: [other.origin] })
    expect(() => connections.refs(project({ apiUrl: other.origin }))).toThrow(/credential_ref/)
    expect(other.seen).toHaveLength(0)
  })

  it("sends a project's own credential instead of the controller's", async () => {
    const server = await serve((_request, response) => json(response, 404, { message: 'Not Found' }))
    const options = { apiUrl: server.origin, env: { DRAVEN_SECRET_SHOP: 'shop-token-123456' } }
    const refs = connect(options).connections.refs(project({ credentialRef: 'env:DRAVEN_SECRET_SHOP' }))
    await expect(refs.resolveRef({ type: 'branch', name: 'main' })).rejects.toThrow(RefusedFault)
    expect(server.seen.map((request) => request.headers.authorization)).toEqual([
      'Bearer shop-token-123456',
      'Bearer shop-token-123456',
    ])
  })

  it('refuses an origin that the operator did not allow', () => {
    expect(() => connect({}).connections.refs(project({ apiUrl: 'https://evil.test' }))).toThrow(/allowed origins/)
  })

  it.each(['acme', 'acme/shop/more', '../shop', 'acme/..', 'acme/sh op', 'acme/%2e%2e', '/', ''])(
    'refuses the repository name %j',
    (repoFullName) => {
      expect(() => connect({}).connections.refs(project({ repoFullName }))).toThrow(RefusedFault)
    },
  )

  it.each(['sourceforge', 'constructor', ''])('names a provider that it does not know: %j', (provider) => {
    expect(() => connect({}).connections.pipeline(project({ provider }))).toThrow(
      `${provider} is not supported yet by this controller.`,
    )
  })

  it('never lets a token into an error or a log line', async () => {
    const server = await serve((request, response) =>
      json(response, 500, { message: `you sent ${request.headers.authorization}` }, { deprecation: 'true' }),
    )
    const log = collectingLog()
    const { connections } = connect({ apiUrl: server.origin, log })
    const fault = await connections
      .refs(project())
      .ciEvidence(SHA)
      .catch((error: unknown) => error)
    expect(fault).toBeInstanceOf(TransientFault)
    const everything = JSON.stringify([
      fault,
      (fault as Error).message,
      (fault as Error).stack,
      (fault as Error).cause,
      log.lines,
    ])
    expect(everything).not.toContain(CANARY_TOKEN)
    expect(everything).toContain('you sent Bearer ***')
    expect(log.lines.join()).toContain('is deprecated')
  })

  it('makes one connection for the same integration and another one after an edit', () => {
    const { connections } = connect({})
    expect(connections.pipeline(project())).toBe(connections.pipeline(project()))
    expect(connections.pipeline(project({ defaultBranch: 'trunk' }))).not.toBe(connections.pipeline(project()))
  })

  it('has no config host for a plain directory', () => {
    expect(connect(connectOptions({})).configHost).toBeNull()
  })
})

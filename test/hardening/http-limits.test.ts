import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HTTP_LIMITS } from '../../controller/http-server.ts'
import { heard, open, rawExchange, target } from './raw-http.ts'

const GET = 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
/** Small enough for a test, in the proportions of the real ones. */
const IMPATIENT = { headersTimeout: 300, requestTimeout: 450, connectionsCheckingInterval: 50, keepAliveTimeout: 100 }

describe('the limits in force', () => {
  it('give a sender seconds, not minutes, and cap what all of them take together', () => {
    expect(HTTP_LIMITS).toEqual({
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      connectionsCheckingInterval: 5_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 16_384,
      maxHeadersCount: 64,
      maxConnections: 1_000,
      maxRequestsPerSocket: 1_000,
      idleTimeout: 30_000,
    })
  })
})

describe('a slow sender', () => {
  it('of headers is cut off, however regularly a byte comes', async () => {
    const { port, seen } = await target(IMPATIENT)
    const socket = open(port)
    socket.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n')
    const drip = setInterval(() => socket.write('X'), 40)
    const answer = await heard(socket, 3_000)
    clearInterval(drip)
    expect(answer).toMatchObject({ closed: true, statuses: [408] })
    expect(seen).toEqual([])
  })

  it('of a body is cut off, and its delivery is not taken', async () => {
    const { port } = await target(IMPATIENT)
    const socket = open(port)
    socket.write(
      'POST /webhooks/forge HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n',
    )
    const drip = setInterval(() => socket.write('{'), 40)
    const answer = await heard(socket, 3_000)
    clearInterval(drip)
    expect(answer.closed).toBe(true)
    expect(answer.statuses).not.toContain(202)
  })

  it('that sends nothing at all is cut off as well', async () => {
    const { port } = await target({ ...IMPATIENT, idleTimeout: 200 })
    expect((await heard(open(port), 3_000)).closed).toBe(true)
  })

  it('of answers it does not read holds no more than its connection', async () => {
    const { port, url } = await target()
    const socket = open(port)
    socket.pause()
    socket.write(GET.repeat(300))
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    socket.destroy()
  })
})

describe('many connections', () => {
  it('beyond the cap are dropped, and honest callers are served again once the idle ones are cut off', async () => {
    const { port, url } = await target({ ...IMPATIENT, maxConnections: 50 })
    const sockets = await crowd(port, 200)
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
    await expect.poll(() => sockets.filter((socket) => socket.closed).length).toBeGreaterThanOrEqual(150)
    await expect
      .poll(
        () =>
          fetch(`${url}/livez`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 5_000 },
      )
      .toBe(200)
  })

  it('two thousand of them, broken off in the middle of a body, leave the server answering and its memory small', async () => {
    const { port, url } = await target()
    const before = process.memoryUsage().rss
    for (let round = 0; round < 4; round++) {
      const sockets = await crowd(port, 500, 'POST /webhooks/forge HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{')
      for (const socket of sockets) socket.resetAndDestroy()
    }
    await expect
      .poll(
        () =>
          fetch(`${url}/livez`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 10_000 },
      )
      .toBe(200)
    expect((process.memoryUsage().rss - before) / 1024 / 1024).toBeLessThan(150)
  })

  it('have a bounded number of requests each', async () => {
    const { port } = await target({ maxRequestsPerSocket: 3 })
    const answer = await rawExchange(port, GET.repeat(10), 500)
    expect(answer.statuses.filter((status) => status === 200)).toHaveLength(3)
    expect(answer.text.match(/^connection: close/gim)).not.toBeNull()
  })
})

describe('headers', () => {
  it('of more than 16 KiB are refused', async () => {
    const { port, seen } = await target()
    const answer = await rawExchange(port, GET.replace('\r\n\r\n', `\r\nX-Long: ${'x'.repeat(17_000)}\r\n\r\n`))
    expect(answer).toMatchObject({ statuses: [431], closed: true })
    expect(seen).toEqual([])
  })

  it('beyond the sixty-fourth are not read, so that none of them can weigh on a decision', async () => {
    const { port } = await target()
    const many = Array.from({ length: 100 }, (_, index) => `X-${index}: 1`).join('\r\n')
    const answer = await rawExchange(port, `GET / HTTP/1.1\r\n${many}\r\nHost: evil.example\r\n\r\n`)
    expect(answer.statuses).not.toContain(200)
  })
})

describe('a body where none belongs', () => {
  it.each([
    ['announced', 'Content-Length: 100000000\r\n\r\n'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n'],
  ])('of a page request (%s) is never gathered, and the connection ends', async (_how, rest) => {
    const { port, url } = await target(IMPATIENT)
    const socket = open(port)
    socket.write(`GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n${rest}`)
    const piece = Buffer.alloc(64 * 1024, 0x20)
    const framed = rest.startsWith('T') ? Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')]) : piece
    const feed = setInterval(() => socket.write(framed), 5)
    const answer = await heard(socket, 3_000)
    clearInterval(feed)
    expect(answer.closed).toBe(true)
    expect(answer.statuses.length).toBeLessThanOrEqual(2)
    expect((await fetch(`${url}/livez`)).status).toBe(200)
  })

  it('on a path that takes none is refused without being read', async () => {
    const { port } = await target()
    const answer = await rawExchange(
      port,
      'POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000000\r\n\r\nxxx',
      3_000,
    )
    expect(answer.statuses[0]).toBe(405)
    expect(answer.closed).toBe(true)
    expect(answer.tookMs).toBeLessThan(2_000)
  })
})

async function crowd(port: number, size: number, greeting = 'GET'): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: size }, async () => {
      const socket = open(port)
      await Promise.race([once(socket, 'connect'), once(socket, 'close')])
      socket.write(greeting)
      return socket
    }),
  )
}

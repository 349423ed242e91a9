import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type RawHttpTarget, startTarget } from './http-target.ts'
import { rawExchange } from './raw-http.ts'

/**
 * Requests that two programs in a row could cut differently. One that is odd is refused whole and its connection ends, so that
 * nothing after it is ever taken for a request of its own: SMUGGLED must never reach the app.
 */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

function post(...headers: readonly string[]): string {
  return ['POST /webhooks/forge HTTP/1.1', 'Host: 127.0.0.1', 'Content-Type: application/json', ...headers, '', ''].join('\r\n')
}

const REFUSED: readonly [name: string, bytes: string][] = [
  ['a length and chunks', `${post('Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`],
  ['chunks and a length', `${post('Transfer-Encoding: chunked', 'Content-Length: 4')}0\r\n\r\n${SMUGGLED}`],
  ['two different lengths', `${post('Content-Length: 0', `Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}`],
  ['the same length twice', `${post('Content-Length: 2', 'Content-Length: 2')}{}${SMUGGLED}`],
  ['a list of lengths', `${post('Content-Length: 2, 2')}{}${SMUGGLED}`],
  ['a length with a sign', `${post('Content-Length: +2')}{}${SMUGGLED}`],
  ['a negative length', `${post('Content-Length: -1')}${SMUGGLED}`],
  ['a hexadecimal length', `${post('Content-Length: 0x2')}{}${SMUGGLED}`],
  ['a length beyond 64 bits', `${post('Content-Length: 18446744073709551618')}{}${SMUGGLED}`],
  ['an empty length', `${post('Content-Length:')}${SMUGGLED}`],
  ['an unknown transfer coding', `${post('Transfer-Encoding: xchunked')}0\r\n\r\n${SMUGGLED}`],
  ['chunked, but not last', `${post('Transfer-Encoding: chunked, identity')}0\r\n\r\n${SMUGGLED}`],
  ['a coding with a vertical tab', `${post('Transfer-Encoding: \vchunked')}0\r\n\r\n${SMUGGLED}`],
  ['a space before the colon', `${post('Transfer-Encoding : chunked')}0\r\n\r\n${SMUGGLED}`],
  ['a folded header', `${post('X: a\r\n Transfer-Encoding: chunked', 'Content-Length: 0')}${SMUGGLED}`],
  ['a header without a colon', `${post('Transfer-Encoding chunked')}${SMUGGLED}`],
  ['a bare carriage return in a header', `${post('X: a\rTransfer-Encoding: chunked')}${SMUGGLED}`],
  ['a NUL in a header', `${post('X: a\0b')}${SMUGGLED}`],
  ['a chunk size with a sign', `${post('Transfer-Encoding: chunked')}+2\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
  ['a chunk size beyond 64 bits', `${post('Transfer-Encoding: chunked')}10000000000000002\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
  ['a chunk longer than it says', `${post('Transfer-Encoding: chunked')}1\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
  ['a chunk size with 0x', `${post('Transfer-Encoding: chunked')}0x2\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
  ['HTTP/9.9', `GET /livez HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n${SMUGGLED}`],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a made-up method', `SMUGGLE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${SMUGGLED}`],
  ['a space in the path', `GET /a b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${SMUGGLED}`],
  ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
]

let server: RawHttpTarget
beforeAll(async () => {
  server = await startTarget()
})
afterAll(() => server.close())
beforeEach(() => {
  server.seen.length = 0
})

describe('a request that two readers could cut differently', () => {
  it.each(REFUSED)('is refused whole: %s', async (_name, bytes) => {
    const answer = await rawExchange(server.port, Buffer.from(bytes, 'latin1'), 1_000)
    expect(answer.closed).toBe(true)
    expect(answer.statuses.filter((status) => status < 400)).toEqual([])
    expect(server.seen).not.toContain('GET /smuggled')
    expect((await fetch(`${server.url}/livez`)).status).toBe(200)
  })
})

describe('a request that is odd but clear', () => {
  it.each([
    ['without a Host', ''],
    ['with two Hosts', 'Host: 127.0.0.1\r\nHost: evil.example\r\n'],
    ['with the same Host twice', 'Host: 127.0.0.1\r\nhost: 127.0.0.1\r\n'],
    ['with a path in Host', 'Host: 127.0.0.1/x\r\n'],
    ['with a user in Host', 'Host: a@127.0.0.1\r\n'],
  ])('%s is refused before any route sees it', async (_name, host) => {
    const answer = await rawExchange(server.port, `GET /system HTTP/1.1\r\n${host}\r\n`)
    expect(answer.statuses).toEqual([400])
    expect(server.seen).toEqual([])
  })

  it('for a whole address is answered by the name in Host, the one that a proxy would check', async () => {
    const answer = await rawExchange(
      server.port,
      'GET http://draven.example/system HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
    )
    expect(answer.statuses).toEqual([421])
  })

  it.each(['CONNECT 169.254.169.254:80', 'CONNECT 127.0.0.1:22'])('%s opens no way to elsewhere', async (line) => {
    const answer = await rawExchange(server.port, `${line} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${SMUGGLED}`, 500)
    expect(answer.statuses.filter((status) => status < 400)).toEqual([])
    expect(server.seen).toEqual([])
  })

  it.each(['websocket', 'h2c'])('to become %s stays HTTP/1.1', async (protocol) => {
    const answer = await rawExchange(
      server.port,
      `GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
      300,
    )
    expect(answer.statuses).toEqual([200])
  })

  it('that repeats itself in one write is answered as often, in order', async () => {
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`
    const answer = await rawExchange(server.port, get('/livez') + get('/nowhere') + get('/livez'))
    expect(answer.statuses).toEqual([200, 404, 200])
    expect(server.seen).toEqual(['GET /livez', 'GET /nowhere', 'GET /livez'])
  })

  it('with a compressed body is judged by the bytes that came, never unpacked', async () => {
    const answer = await rawExchange(server.port, `${post('Content-Encoding: gzip', 'Content-Length: 2')}{}`)
    expect(answer.statuses).toEqual([401])
  })
})

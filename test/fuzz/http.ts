import { connect } from 'node:net'
import fc from 'fast-check'
import { startTarget } from '../hardening/http-target.ts'
import { assert, type Campaign } from './campaign.ts'

const latin = (max: number) =>
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: max })
const method = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE', 'PRI', 'get') },
  { weight: 1, arbitrary: latin(6) },
)
const path = fc.oneof(
  fc.constantFrom(
    '/',
    '/livez',
    '/jobs?before=1',
    '/jobs/%00',
    '/api/v1/matrix',
    '/webhooks/forge',
    '/webhooks/%2e%2e',
    '//x',
    '*',
    'http://a/',
    '/assets/..%5c',
    '/projects/a/b',
  ),
  latin(20).map((text) => `/${text}`),
  fc.webPath(),
)
const header = fc.oneof(
  fc.constantFrom(
    'Content-Length: 0',
    'Content-Length: 5',
    'Content-Length: 99999999999',
    'Content-Length: -1',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding:\tchunked',
    'Expect: 100-continue',
    'Expect: x',
    'Upgrade: websocket',
    'Connection: upgrade',
    'Connection: close',
    'Host: evil.example',
    'Content-Type: application/json',
    'X-Hub-Signature-256: sha256=x',
    ' folded',
    'Range: bytes=0-',
    'If-None-Match: *',
  ),
  fc.tuple(latin(10), latin(30)).map(([name, value]) => `${name}: ${value}`),
)
const body = fc.oneof(
  fc.constant(''),
  fc.constantFrom(
    '5\r\nhello\r\n0\r\n\r\n',
    '0\r\n\r\n',
    'ffffffffffffffff\r\n',
    '-1\r\n',
    '{}',
    '5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n',
  ),
  latin(60),
)
const version = fc.oneof(
  { weight: 6, arbitrary: fc.constant('HTTP/1.1') },
  { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', '', 'HTTP/1.1 x') },
)
const request = fc
  .record({ method, path, version, headers: fc.array(header, { maxLength: 5 }), body, hosted: fc.boolean() })
  .map(({ method, path, version, headers, body, hosted }) =>
    [`${method} ${path} ${version}`, ...(hosted ? ['Host: 127.0.0.1'] : []), ...headers, '', body].join('\r\n'),
  )
const damaged = fc.tuple(request, fc.nat(), latin(3)).map(([text, at, piece]) => {
  const cut = at % (text.length + 1)
  return text.slice(0, cut) + piece + text.slice(cut + (at % 4))
})
const PATIENCE_MS = 2_000

export const http: Campaign<string> = {
  name: 'http',
  holds:
    'whatever bytes come over a connection, it is answered below 500 or cut off, nothing unsigned is accepted, and the next caller is served',
  nightly: 100_000,
  input: fc.oneof(
    request,
    damaged,
    fc.tuple(request, request).map((two) => two.join('')),
    latin(100),
  ),
  async open() {
    const target = await startTarget()
    return {
      async check(text) {
        const answer = await exchange(target.port, Buffer.from(text, 'latin1'))
        for (const [, status] of answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
          // 501: Node about a transfer coding that it does not know.
          assert(Number(status) < 500 || status === '501', () => `answered ${status}`)
          assert(status !== '202', () => 'accepted without a signature')
        }
        target.seen.length = 0
      },
      async close() {
        const { status } = await fetch(`${target.url}/livez`)
        assert(status === 200, () => `in the end answered ${status}`)
        await target.close()
      },
    }
  },
}

/** Says everything, hangs up its own half, and listens to the end. */
function exchange(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    const patience = setTimeout(() => {
      socket.destroy()
      reject(new Error('the connection stayed open'))
    }, PATIENCE_MS)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      clearTimeout(patience)
      resolve(text)
    })
    socket.end(bytes)
  })
}

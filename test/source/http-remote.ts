import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface HttpRemote {
  origin: string
  /** Authorization header of every request, in order; null for none. */
  seen: (string | null)[]
}

/** A server on this machine that goes away with the test and notes the credentials it is shown. */
export async function httpServer(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<HttpRemote> {
  const seen: (string | null)[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization ?? null)
    handle(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

/** Real Git over HTTP: `/` is the repository. Requests without `authorization` get 401, those while it `isDown` 503. */
export function gitHttpRemote(gitDir: string, authorization: string | null, isDown = () => false): Promise<HttpRemote> {
  return httpServer((request, response) => {
    if (isDown()) {
      response.writeHead(503).end()
      return
    }
    if (authorization !== null && request.headers.authorization !== authorization) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="config"' }).end()
      return
    }
    runBackend(gitDir, request, response)
  })
}

/** CGI by hand, see git-http-backend(1): headers come first on its output, then an empty line, then the body. */
function runBackend(gitDir: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  const backend = spawn('git', ['http-backend'], {
    env: {
      ...process.env,
      GIT_PROJECT_ROOT: gitDir,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(backend.stdin)
  const chunks: Buffer[] = []
  backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  backend.on('close', () => {
    const output = Buffer.concat(chunks)
    const end = output.indexOf('\r\n\r\n')
    for (const line of output.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(': ')
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.end(output.subarray(end + 4))
  })
}

import type { ServerOptions } from 'node:http'
import { serve } from '@hono/node-server'
import type { Hono } from 'hono'
import { MINUTE_MS, SECOND_MS } from './clock.ts'
import { ConfigFault } from './errors.ts'

/** What one sender, and all of them together, may take of the server. Times in milliseconds, sizes in bytes. */
export interface HttpLimits
  extends Required<
    Pick<
      ServerOptions,
      'headersTimeout' | 'requestTimeout' | 'connectionsCheckingInterval' | 'keepAliveTimeout' | 'maxHeaderSize'
    >
  > {
  maxHeadersCount: number
  maxConnections: number
  maxRequestsPerSocket: number
  /** A connection without a byte in either direction. */
  idleTimeout: number
}

/**
 * Node's own limits let a sender take a minute for its headers and five for its body, on as many connections as the
 * machine has; these are what a webhook sender or a browser needs.
 */
export const HTTP_LIMITS: HttpLimits = {
  headersTimeout: 10 * SECOND_MS,
  requestTimeout: 15 * SECOND_MS,
  connectionsCheckingInterval: 5 * SECOND_MS,
  keepAliveTimeout: 5 * SECOND_MS,
  maxHeaderSize: 16 * 1024,
  maxHeadersCount: 64,
  maxConnections: 1_000,
  maxRequestsPerSocket: 1_000,
  idleTimeout: MINUTE_MS / 2,
}

export interface HttpServer {
  /** Where it answers, with the port that the system chose for port 0. */
  url: string
  /** Connections that are open are cut. */
  close(): Promise<void>
}

const LISTEN_FAULTS: Readonly<Record<string, readonly [what: string, fix: string]>> = {
  EADDRINUSE: ['is in use', 'Set DRAVEN_LISTEN to a free address.'],
  EADDRNOTAVAIL: ['is no address of this machine', 'Set DRAVEN_LISTEN to one that it has, or to 0.0.0.0:PORT for all of them.'],
  ENOTFOUND: ['is no address of this machine', 'Set DRAVEN_LISTEN to one that it has, or to 0.0.0.0:PORT for all of them.'],
  EACCES: ['may not be listened on by this user', 'Set DRAVEN_LISTEN to a port from 1024 on.'],
}

/** Serves the app over HTTP/1.1. ConfigFault when the address cannot be used. */
export async function openHttpServer(
  app: Hono,
  { host, port }: { host: string; port: number },
  limits: HttpLimits = HTTP_LIMITS,
): Promise<HttpServer> {
  const { maxHeadersCount, maxConnections, maxRequestsPerSocket, idleTimeout, ...options } = limits
  const serverOptions: ServerOptions = { ...options, requireHostHeader: true, insecureHTTPParser: false }
  const fetch = (request: Request, { incoming }: { incoming: { rawHeaders: readonly string[] } }) =>
    hosts(incoming.rawHeaders) > 1 ? new Response(null, { status: 400 }) : app.fetch(request)
  const server = serve({ fetch, hostname: host, port, serverOptions })
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error: NodeJS.ErrnoException) => {
      const [what, fix] = LISTEN_FAULTS[error.code ?? ''] ?? []
      reject(what === undefined || fix === undefined ? error : new ConfigFault(`${host}:${port} ${what}.`, fix))
    })
  })
  if (!('maxRequestsPerSocket' in server)) throw new Error('this server is not one of HTTP/1.1')
  Object.assign(server, { maxHeadersCount, maxConnections, maxRequestsPerSocket, timeout: idleTimeout })
  const address = server.address()
  const actual = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Node takes the first of several Host headers; a proxy in front may have checked another one (RFC 9112 §3.2 asks for 400). */
function hosts(rawHeaders: readonly string[]): number {
  return rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === 'host').length
}

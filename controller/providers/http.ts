import { BlockList, isIP } from 'node:net'
import type { Clock } from '../clock.ts'
import { messageOf, RefusedFault, TransientFault } from '../errors.ts'

export type Fetch = typeof globalThis.fetch

/** What is known about a call that gave no usable answer; the `cause` of a TransientFault thrown by this room. */
export interface CallFailure {
  /** False only when it is certain that not one byte of the request left: the other side cannot have acted on it. */
  sent: boolean
  /** HTTP status; null when there was no answer at all. */
  status: number | null
}

export function callFailure(error: unknown): CallFailure | null {
  const cause = error instanceof TransientFault ? error.cause : null
  return typeof cause === 'object' && cause !== null && 'sent' in cause && 'status' in cause ? (cause as CallFailure) : null
}

export interface GuardOptions {
  fetch: Fetch
  /** The one origin that this fetch may talk to: whatever header a caller adds can go nowhere else. */
  origin: string
  clock: Clock
  /** For the whole call, body included. */
  timeoutMs: number
  /** For words of others: an error may quote the request that it is about. */
  redact: (text: string) => string
  maxResponseBytes?: number
  /** May one redirect of a GET be followed? Asked only for the same origin; left out, none ever is. */
  mayFollow?: (from: URL, to: URL) => boolean
}

const MAX_RESPONSE_BYTES = 20 * 1024 * 1024

/**
 * Checks an API root against what the operator allows: `https`, or `http` on loopback, and an origin on the list.
 * A project's document names its API root, so this is what keeps a document from sending our requests into the local network.
 *
 * What a listed name resolves to is not checked: an Enterprise Server has a private address, and whoever turns the name elsewhere
 * still lacks its certificate, so not one byte of a request is sent (plain-text services such as a cloud's metadata see a
 * TLS greeting). Addresses at which no API lives are refused also when an operator lists them by mistake.
 */
export function allowedApiUrl(apiUrl: string, allowedOrigins: readonly string[]): URL {
  const url = URL.canParse(apiUrl) ? new URL(apiUrl) : null
  if (url === null) throw new RefusedFault('The API address of an integration is not a URL.')
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new RefusedFault(
      `The API address on ${url.host} carries a user, a query or a fragment; only scheme, host and path are allowed.`,
    )
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw new RefusedFault(`The API address on ${url.host} must use https.`)
  }
  if (isNoHost(url.hostname)) throw new RefusedFault(`The API address on ${url.host} is not one of a host.`)
  const allowed = allowedOrigins.some((origin) => URL.canParse(origin) && new URL(origin).origin === url.origin)
  if (!allowed) throw new RefusedFault(`${url.origin} is not among the controller's allowed origins.`)
  return url
}

/**
 * `fetch` with a leash: one origin, no redirect followed, a deadline over the whole call, a cap on the answer.
 * Throws TransientFault (cause: CallFailure) when there is no answer, RefusedFault when the call is not allowed or was redirected.
 */
export function guardedFetch(options: GuardOptions): Fetch {
  const maxBytes = options.maxResponseBytes ?? MAX_RESPONSE_BYTES
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (url.origin !== options.origin)
      throw new RefusedFault(`A call to ${url.origin} was stopped: this connection is bound to ${options.origin}.`)
    if (init?.signal?.aborted) throw noAnswer(`the time for a call to ${url.host} was over before it began`, false)
    const stop = new AbortController()
    const finished = new AbortController()
    const signal = init?.signal ? AbortSignal.any([stop.signal, init.signal]) : stop.signal
    void options.clock.sleep(options.timeoutMs, finished.signal).then(() => stop.abort())
    try {
      // The race ends the call even when the fetch that was handed in does not listen to its signal.
      return await Promise.race([
        answered(options, url, { ...init, signal, redirect: 'manual' }, maxBytes),
        aborted(signal, finished.signal),
      ])
    } catch (error) {
      throw signal.aborted ? noAnswer(`${url.host} did not answer in time`, true) : faultOf(error, url.host, options.redact)
    } finally {
      finished.abort()
    }
  }
}

async function answered(options: GuardOptions, url: URL, init: RequestInit, maxBytes: number): Promise<Response> {
  let response = await options.fetch(url, init)
  const next = ownRedirect(options, url, init, response)
  if (next !== null) {
    await response.body?.cancel()
    response = await options.fetch(next, init)
  }
  if (response.status >= 300 && response.status < 400 && response.status !== 304) {
    await response.body?.cancel()
    throw new RefusedFault(`${url.host} redirects this call (${response.status}); was the repository renamed?`, response.status)
  }
  const body = await cappedBody(response, maxBytes, url.host)
  const whole = new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers })
  Object.defineProperty(whole, 'url', { value: url.href })
  return whole
}

/** Where a redirect of this call may be followed to; null: nowhere. */
function ownRedirect({ mayFollow }: GuardOptions, url: URL, init: RequestInit, { status, headers }: Response): URL | null {
  const location = headers.get('location')
  const moved = status >= 301 && status <= 308 && (init.method ?? 'GET') === 'GET'
  if (mayFollow === undefined || !moved || location === null || !URL.canParse(location, url.href)) return null
  const to = new URL(location, url)
  return to.origin === url.origin && mayFollow(url, to) ? to : null
}

async function cappedBody(response: Response, maxBytes: number, host: string): Promise<Uint8Array<ArrayBuffer> | null> {
  if (response.body === null || [204, 205, 304].includes(response.status)) return null
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.byteLength
    if (size > maxBytes) throw noAnswer(`${host} answered with more than ${maxBytes} bytes`, true, response.status)
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

function aborted(signal: AbortSignal, finished: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(new Error('aborted'))
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true, signal: finished })
  })
}

function faultOf(error: unknown, host: string, redact: GuardOptions['redact']): Error {
  if (error instanceof TransientFault || error instanceof RefusedFault) return error
  return neverLeft(error)
    ? noAnswer(`${host} cannot be reached`, false)
    : noAnswer(`the connection to ${host} broke: ${redact(deepestMessage(error))}`, true)
}

function noAnswer(message: string, sent: boolean, status: number | null = null): TransientFault {
  const cause: CallFailure = { sent, status }
  return new TransientFault(message, 0, { cause })
}

/** Errors of name look-up, of connecting and of the TLS handshake: all come before the first byte of the request. */
const BEFORE_SENDING = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

function neverLeft(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    if ((code !== undefined && BEFORE_SENDING.has(code)) || syscall === 'connect' || syscall === 'getaddrinfo') return true
  }
  return false
}

function deepestMessage(error: unknown): string {
  let deepest = error
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause
  return messageOf(deepest)
}

/** Link-local (where clouds keep the credentials of a machine), "this network", multicast and reserved addresses. */
const NO_HOST = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const) {
  NO_HOST.addSubnet(network, prefix, 'ipv4')
  // The same behind the prefix of NAT64, which a BlockList does not see through, as it does for ::ffff:0:0/96.
  NO_HOST.addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6')
}
NO_HOST.addAddress('::', 'ipv6')
NO_HOST.addSubnet('fe80::', 10, 'ipv6')
NO_HOST.addSubnet('ff00::', 8, 'ipv6')
NO_HOST.addAddress('fd00:ec2::254', 'ipv6')

/** `hostname` as a parsed URL has it: every spelling of an IPv4 address (decimal, octal, hexadecimal, short) is dotted there. */
function isNoHost(hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, '')
  const version = isIP(address)
  return version !== 0 && NO_HOST.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

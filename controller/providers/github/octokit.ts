import { Octokit } from '@octokit/rest'
import { type Clock, SECOND_MS } from '../../clock.ts'
import { messageOf, RefusedFault, TransientFault } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Redactor } from '../../secrets/redaction.ts'
import type { CallFailure, Fetch } from '../http.ts'

/** The version that every call asks for. Newer ones drop fields; this one is supported until 2028-03 at least. */
const API_VERSION = '2022-11-28'
/** What GitHub asks of clients that met a secondary limit without a Retry-After: wait a minute. */
const DEFAULT_RETRY_MS = 60 * SECOND_MS

export interface OctokitOptions {
  baseUrl: string
  /** A guarded fetch (http.ts). */
  fetch: Fetch
  clock: Clock
  log: Logger
  redactor: Redactor
}

/**
 * Octokit without its retry and throttling plugins: both send a POST again after a 502 or a broken connection,
 * which starts a pipeline twice. Every call throws only TransientFault or RefusedFault.
 */
export function bareOctokit(options: OctokitOptions): Octokit {
  const log = libraryLog(options)
  // `request.log` too: the request library writes deprecations to the console otherwise.
  const octokit = new Octokit({ baseUrl: options.baseUrl, userAgent: 'draven', log, request: { fetch: options.fetch, log } })
  octokit.hook.wrap('request', async (request, call) => {
    call.headers['x-github-api-version'] = API_VERSION
    try {
      const answer = await request(call)
      // Octokit hands on text that claims to be JSON and is not, as when a proxy answers for the host.
      if (typeof answer.data === 'string' && answer.data !== '') throw notUnderstood(`${call.method} ${call.url}`, answer.status)
      return answer
    } catch (error) {
      throw faultOf(error, `${call.method} ${call.url}`, options)
    }
  })
  return octokit
}

/** The host's own clock at an answer, from its `Date` header (whole seconds). */
export function hostTimeOf(headers: { date?: string | undefined }, clock: Clock): number {
  const time = Date.parse(headers.date ?? '')
  return Number.isNaN(time) ? clock.now() : time
}

function libraryLog({ log, redactor }: OctokitOptions) {
  const write = (message: string) => log.warn('GitHub client warns', { warning: redactor.redact(message) })
  return { debug() {}, info() {}, warn: write, error: write }
}

interface HttpAnswer {
  status: number
  headers: Record<string, string | number | undefined>
}

function faultOf(error: unknown, call: string, options: OctokitOptions): Error {
  if (error instanceof TransientFault || error instanceof RefusedFault) return error
  if (!(error instanceof Error)) return new TransientFault(`${call} failed: ${options.redactor.redact(String(error))}`)
  // Octokit wraps what our fetch throws and pretends that the host answered 500.
  if (error.cause instanceof TransientFault || error.cause instanceof RefusedFault) return error.cause
  const answer = (error as { response?: HttpAnswer }).response
  if (answer === undefined)
    return new TransientFault(`${call} failed: ${printable(error, options)}`, 0, {
      cause: { sent: true, status: null } satisfies CallFailure,
    })
  const message = `GitHub answered ${answer.status} to ${call}: ${printable(error, options)}`
  const cause: CallFailure = { sent: true, status: answer.status }
  if (isRateLimit(answer, error.message)) return new TransientFault(message, retryAfterMs(answer, options.clock), { cause })
  if (answer.status >= 500 || answer.status === 408) return new TransientFault(message, statedRetryMs(answer) ?? 0, { cause })
  return new RefusedFault(message, answer.status)
}

function notUnderstood(call: string, status: number): TransientFault {
  return new TransientFault(`GitHub answered ${call} with something other than JSON`, 0, {
    cause: { sent: true, status } satisfies CallFailure,
  })
}

/** A 403 is a limit and not a refusal when its headers or its text say so (primary and secondary limits both use it). */
function isRateLimit(answer: HttpAnswer, message: string): boolean {
  if (answer.status === 429) return true
  if (answer.status !== 403) return false
  return statedRetryMs(answer) !== null || String(answer.headers['x-ratelimit-remaining']) === '0' || /rate limit/i.test(message)
}

function retryAfterMs(answer: HttpAnswer, clock: Clock): number {
  const stated = statedRetryMs(answer)
  if (stated !== null) return stated
  const reset = Number(answer.headers['x-ratelimit-reset'])
  if (String(answer.headers['x-ratelimit-remaining']) !== '0' || !Number.isFinite(reset) || reset <= 0) return DEFAULT_RETRY_MS
  const now = hostTimeOf({ date: answer.headers.date === undefined ? undefined : String(answer.headers.date) }, clock)
  return Math.max(reset * SECOND_MS - now, SECOND_MS)
}

function statedRetryMs(answer: HttpAnswer): number | null {
  const seconds = answer.headers['retry-after']
  return seconds !== undefined && /^\d{1,6}$/.test(String(seconds)) ? Number(seconds) * SECOND_MS : null
}

function printable(error: Error, options: OctokitOptions): string {
  return options.redactor
    .redact(messageOf(error))
    .replace(/[\x00-\x1f\x7f]+/g, ' ')
    .slice(0, 300)
}

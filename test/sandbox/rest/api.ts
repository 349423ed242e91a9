import { createHash } from 'node:crypto'
import { HOUR_MS } from '../../../controller/clock.ts'
import { appOfJwt, validToken } from '../accounts.ts'
import type { FaultRule } from '../faults.ts'
import type { Repository, Token, World } from '../world.ts'
import { ACTION_OPERATIONS } from './actions.ts'
import { APP_OPERATIONS, rateOf } from './apps.ts'
import { type Answer, assertAllowed, type Call, notFound, type Operation, Refusal, refusalBody } from './call.ts'
import { CHECK_OPERATIONS } from './checks.ts'
import { COMMENT_OPERATIONS } from './comments.ts'
import { COMMIT_OPERATIONS } from './commits.ts'
import { DEPLOYMENT_OPERATIONS } from './deployments.ts'
import { PEOPLE_OPERATIONS } from './people.ts'
import { PULL_OPERATIONS } from './pulls.ts'
import { REVIEW_OPERATIONS } from './reviews.ts'
import { STATUS_OPERATIONS } from './statuses.ts'
import { WEBHOOK_OPERATIONS } from './webhooks.ts'

/** Longer paths first, so that `commits/{ref}/status` is not taken for a ref named `…/status`. */
const OPERATIONS: readonly (Operation & { pattern: RegExp })[] = [
  ...ACTION_OPERATIONS,
  ...APP_OPERATIONS,
  ...CHECK_OPERATIONS,
  ...COMMENT_OPERATIONS,
  ...COMMIT_OPERATIONS,
  ...DEPLOYMENT_OPERATIONS,
  ...PEOPLE_OPERATIONS,
  ...PULL_OPERATIONS,
  ...REVIEW_OPERATIONS,
  ...STATUS_OPERATIONS,
  ...WEBHOOK_OPERATIONS,
]
  .map((operation) => ({ ...operation, pattern: patternOf(operation.path) }))
  .sort((one, other) => other.path.split('/').length - one.path.split('/').length)

/** Ids of all operations that the emulator knows. */
export const OPERATION_IDS: readonly string[] = OPERATIONS.map((operation) => operation.id)

export interface ApiRequest {
  method: string
  /** Full address; the path still percent-encoded. */
  url: URL
  /** The address below the API's root. */
  path: string
  authorization: string | null
  ifNoneMatch: string | null
  text: string
}

/** Null means: close the connection without an answer. */
export type ApiOutcome = { status: number; headers: Record<string, string>; text: string | null } | null

/** Answers one REST request, as GitHub would or as the fault table wants it. */
export async function answerApi(world: World, request: ApiRequest): Promise<ApiOutcome> {
  const found = match(request)
  const token = tokenOf(world, request.authorization)
  if (!found) {
    world.contract.record({ side: 'request', operation: `${request.method} ${request.path}`, detail: 'no such operation' })
    return outcome(world, request, token, refused(404, 'Not Found'))
  }
  const { operation, params } = found
  const body = parseBody(request.text)
  const query = Object.fromEntries(request.url.searchParams)
  world.contract.request({ method: operation.method, path: operation.path, params, query, body })
  const fault = world.faults.draw(operation.id)
  const early = await before(world, fault)
  if (early !== undefined) return early && outcome(world, request, token, early)
  const answer = await act(world, operation, request, params, body, token, fault)
  world.contract.answer(operation, answer.status, answer.body)
  const late = await after(world, fault)
  return late === undefined ? outcome(world, request, token, answer) : late && outcome(world, request, token, late)
}

async function act(
  world: World,
  operation: Operation,
  request: ApiRequest,
  params: Record<string, string>,
  body: unknown,
  token: Token | null,
  fault: FaultRule | null,
): Promise<Answer> {
  try {
    if (!token) throw new Refusal(401, request.authorization ? 'Bad credentials' : 'Requires authentication')
    if (usedThisHour(world, token) >= world.hourlyBudget && operation.id !== 'rate-limit/get') {
      throw new Refusal(403, 'API rate limit exceeded for user.')
    }
    assertKind(operation, token)
    const repository = repositoryIn(world, params)
    if (repository) assertAllowed(token, repository, roleNeeded(operation))
    const call: Call = {
      world,
      url: request.url,
      params,
      body: (body ?? {}) as Record<string, unknown>,
      token,
      fault,
      get repository() {
        if (!repository) throw new Error(`${operation.id} names no repository`)
        return repository
      },
    }
    return await operation.handle(call)
  } catch (error) {
    if (!(error instanceof Refusal)) {
      world.log.error('the emulated forge failed', { operation: operation.id, error: String(error) })
      return refused(500, String(error))
    }
    return { ...refused(error.status, error.message), headers: error.headers }
  }
}

/** Undefined: go on. Null: close the connection. */
async function before(world: World, fault: FaultRule | null): Promise<Answer | null | undefined> {
  switch (fault?.kind) {
    case 'drop_before':
      return null
    case 'error_before':
      return refused(502, 'Bad Gateway')
    case 'rate_limited':
      return { ...refused(429, 'API rate limit exceeded'), headers: { 'retry-after': String(fault.retryAfterSeconds ?? 60) } }
    case 'rate_limited_bare':
      return refused(429, 'API rate limit exceeded')
    case 'secondary_limited':
      return refused(403, 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.')
    case 'slow_before':
      return void (await world.clock.sleep(fault.delayMs ?? 0))
    default:
      return undefined
  }
}

async function after(world: World, fault: FaultRule | null): Promise<Answer | null | undefined> {
  switch (fault?.kind) {
    case 'accept_then_drop':
      return null
    case 'error_after':
      return refused(502, 'Bad Gateway')
    case 'slow_after':
      return void (await world.clock.sleep(fault.delayMs ?? 0))
    default:
      return undefined
  }
}

function outcome(world: World, request: ApiRequest, token: Token | null, answer: Answer): ApiOutcome {
  const text = answer.body === undefined ? null : JSON.stringify(answer.body)
  const etag = text === null ? null : `"${createHash('sha256').update(text).digest('hex')}"`
  const unchanged =
    request.method === 'GET' && answer.status === 200 && etag !== null && request.ifNoneMatch?.replace(/^W\//, '') === etag
  const headers: Record<string, string> = {
    date: new Date(world.clock.now()).toUTCString(),
    'x-github-media-type': 'github.v3; format=json',
    ...(text === null || unchanged ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    ...(etag !== null && answer.status === 200 ? { etag } : {}),
    // An unchanged answer is free.
    ...(token ? budgetHeaders(world, token, unchanged ? 0 : 1) : {}),
    ...answer.headers,
  }
  return unchanged ? { status: 304, headers, text: null } : { status: answer.status, headers, text }
}

function budgetHeaders(world: World, token: Token, cost: number): Record<string, string> {
  token.used = usedThisHour(world, token) + cost
  token.hour = hourOf(world)
  const { limit, remaining, used, reset } = rateOf(world, token.used)
  return {
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-used': String(used),
    'x-ratelimit-reset': String(reset),
    'x-ratelimit-resource': 'core',
  }
}

function usedThisHour(world: World, token: Token): number {
  return token.hour === hourOf(world) ? token.used : 0
}

function hourOf(world: World): number {
  return Math.floor(world.clock.now() / HOUR_MS)
}

function match(request: ApiRequest): { operation: Operation; params: Record<string, string> } | null {
  for (const operation of OPERATIONS) {
    const matched = operation.method === request.method ? operation.pattern.exec(request.path) : null
    if (!matched) continue
    const params = Object.entries(matched.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)])
    return { operation, params: Object.fromEntries(params) }
  }
  return null
}

/** Refs and compared pairs may hold slashes, encoded or not. */
function patternOf(path: string): RegExp {
  const source = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    name === 'ref' || name === 'basehead' ? `(?<${name}>.+)` : `(?<${name}>[^/]+)`,
  )
  return new RegExp(`^${source}$`)
}

/** A token of the forge, or the JWT of an app, which then stands for the app alone. */
function tokenOf(world: World, authorization: string | null): Token | null {
  const text = /^(?:bearer|token) (.+)$/i.exec(authorization ?? '')?.[1]
  if (text === undefined) return null
  const app = appOfJwt(world, text)
  if (app === null) return validToken(world, text)
  return { text: JWT, account: app.bot, app, scopes: ['read'], expiresAt: null, used: 0, hour: 0 }
}

const JWT = 'signed by the app'

function assertKind(operation: Operation, token: Token): void {
  const byApp = token.text === JWT
  if (byApp && operation.needs !== 'app_jwt') throw new Refusal(401, 'A JSON web token could not be decoded for this operation')
  if (!byApp && operation.needs === 'app_jwt') throw new Refusal(401, 'A JSON web token could not be decoded')
}

function roleNeeded(operation: Operation) {
  return operation.needs === 'app_jwt' || operation.needs === 'token' ? 'read' : operation.needs
}

function repositoryIn(world: World, params: Record<string, string>): Repository | null {
  if (params['owner'] === undefined) return null
  const repository = world.repositories.get(`${params['owner']}/${params['repo']}`.toLowerCase())
  if (!repository) throw notFound()
  return repository
}

function parseBody(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

function refused(status: number, message: string): Answer {
  return { status, body: refusalBody(status, message) }
}

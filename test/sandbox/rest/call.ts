import type { FaultRule } from '../faults.ts'
import { hasRole, type Repository, type Role, roleOf, type Token, type World } from '../world.ts'

/** One request that was let in. */
export interface Call {
  world: World
  url: URL
  params: Readonly<Record<string, string>>
  body: Readonly<Record<string, unknown>>
  /** Who asks. Operations that need no token never look. */
  token: Token
  /** The repository that the path names; asking for it elsewhere is a mistake in the emulator. */
  repository: Repository
  /** The fault that strikes this call, for kinds that change what is done. */
  fault: FaultRule | null
}

export interface Answer {
  status: number
  body?: unknown
  headers?: Record<string, string>
}

/** Who may call: a role in the repository, any token, or an app by its own JWT. */
export type Need = Role | 'token' | 'app_jwt'

export interface Operation {
  /** GitHub's own operation id; faults name it. */
  id: string
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** Path template as GitHub describes it. */
  path: string
  needs: Need
  handle(call: Call): Answer | Promise<Answer>
}

/** An answer that says no. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly headers: Record<string, string>
  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

export function notFound(): Refusal {
  return new Refusal(404, 'Not Found')
}

export function refusalBody(status: number, message: string) {
  const body = { message, documentation_url: 'https://docs.github.com/rest' }
  // GitHub's two shapes of 422 have no `status`; all other errors do.
  return status === 422 ? body : { ...body, status: String(status) }
}

export function ok(body: unknown): Answer {
  return { status: 200, body }
}

export function numberParam(call: Call, name: string): number {
  const value = Number(call.params[name])
  if (!Number.isSafeInteger(value)) throw notFound()
  return value
}

export function textParam(call: Call, name: string): string {
  return call.params[name] ?? ''
}

/** A text property of the body, or the given default. */
export function bodyText<T>(call: Call, name: string, otherwise: T): string | T {
  const value = call.body[name]
  return typeof value === 'string' ? value : otherwise
}

export function requiredText(call: Call, name: string): string {
  const value = call.body[name]
  if (typeof value !== 'string') throw new Refusal(422, `Invalid request.\n\n"${name}" wasn't supplied.`)
  return value
}

/** The part of a list that was asked for, with absolute links to the others (clients follow them as they are). */
export function page<T>(call: Call, items: readonly T[]): { items: readonly T[]; headers: Record<string, string> } {
  const size = Math.min(positive(call.url.searchParams.get('per_page'), 30), 100)
  const number = positive(call.url.searchParams.get('page'), 1)
  const last = Math.max(1, Math.ceil(items.length / size))
  const link = (target: number, rel: string) => {
    const url = new URL(call.url)
    url.searchParams.set('page', String(target))
    return `<${url.href}>; rel="${rel}"`
  }
  const links = [
    ...(number > 1 ? [link(number - 1, 'prev')] : []),
    ...(number < last ? [link(number + 1, 'next'), link(last, 'last')] : []),
    ...(number > 1 ? [link(1, 'first')] : []),
  ]
  return {
    items: items.slice((number - 1) * size, number * size),
    headers: links.length > 0 ? { link: links.join(', ') } : {},
  }
}

function positive(text: string | null, otherwise: number): number {
  const value = Number(text ?? otherwise)
  return Number.isSafeInteger(value) && value > 0 ? value : otherwise
}

/** 404 hides what a caller may not see; 403 tells what it may not do. */
export function assertAllowed(token: Token, repository: Repository, least: Role): void {
  // An app was given its rights at installation; in the sandbox every app is installed everywhere.
  const role = token.app ? 'write' : roleOf(repository, token.account)
  if (!hasRole(role, 'read')) throw notFound()
  if (hasRole(least, 'write') && !token.scopes.includes('write')) {
    throw new Refusal(403, 'Resource not accessible by personal access token')
  }
  if (!token.app && !hasRole(role, least)) throw new Refusal(403, 'Must have sufficient rights to Repository.')
}

import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { serveGit } from '../git/http.ts'
import { listRefs, ZERO_SHA } from '../git/repository.ts'
import { afterActing, basicPassword, beforeActing, hangUp, listenOnLoopback, refused, type ServerContext } from '../loopback.ts'
import { Refusal } from '../refusal.ts'
import { type Answer, type Call, OPERATIONS, type Operation } from './api.ts'
import { refMoved } from './code.ts'
import { addUser, type Permission, type Repository, type Token, type User, type World } from './world.ts'

/** REST below `/2.0`, git at `/<workspace>/<repository>.git`; on a free port of the loopback interface. */
export async function listen(world: World): Promise<{ origin: string; close(): Promise<void> }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.all('/2.0/*', (context) => serveApi(world, context))
  app.all('/*', (context) => serveRepository(world, context))
  return listenOnLoopback(app)
}

async function serveApi(world: World, context: ServerContext): Promise<Response> {
  world.calls++
  const url = new URL(context.req.url)
  const { method } = context.req
  const matched = match(method, url.pathname.slice('/2.0'.length))
  if (matched === null) {
    world.contract.record({ side: 'request', operation: `${method} ${url.pathname}`, detail: 'does not exist here' })
    return refused(404, 'Not Found')
  }
  const { operation, params } = matched
  const sent = await context.req.text()
  const body = sent === '' ? undefined : JSON.parse(sent)
  world.contract.request({ method, path: operation.path, params, query: Object.fromEntries(url.searchParams), body })
  const fault = world.faults.draw(operation.id)
  const early = await beforeActing(world.clock, fault)
  if (early !== null) return early === 'hang up' ? hangUp(context) : early
  const token = tokenOf(world, context)
  const question = { params, query: url.searchParams, body: body ?? {}, fault }
  // A call through the proxy of a pipeline: it may write reports, and nothing else.
  const proxied = url.host === 'api.bitbucket.org' && operation.id.startsWith('reports/')
  const answer = await act(world, operation, question, proxied ? 'pipelines' : (token?.user ?? null))
  const page = answer.list === undefined ? answer.body : pageOf(world, url, answer.list, operation.longest ?? 100)
  world.contract.answer({ method, path: operation.path }, answer.status, page)
  const late = await afterActing(world.clock, fault)
  if (late !== null) return late === 'hang up' ? hangUp(context) : late
  return respond(world, answer, page, token)
}

async function act(
  world: World,
  operation: Operation,
  question: Pick<Call, 'params' | 'query' | 'body' | 'fault'>,
  caller: User | 'pipelines' | null,
): Promise<Answer> {
  try {
    if (caller === null) throw new Refusal(401, 'Token is invalid, expired, or not supported for this endpoint.')
    const inPipeline = caller === 'pipelines'
    const user = inPipeline ? addUser(world, 'pipelines', { type: 'app_user' }) : caller
    const repository = operation.needs === null ? undefined : repositoryIn(world, question.params)
    if (repository !== undefined && !inPipeline) assertAllowed(repository, user, operation.needs ?? 'admin')
    return await operation.handle({
      world,
      user,
      ...question,
      get repository() {
        if (repository === undefined) throw new Error(`${operation.id} names no repository`)
        return repository
      },
    })
  } catch (error) {
    const [status, message] = error instanceof Refusal ? [error.status, String(error.said)] : [500, String(error)]
    return { status, body: { type: 'error', error: { message } } }
  }
}

const RANKS: readonly Permission[] = ['read', 'write', 'admin']

function repositoryIn(world: World, params: Readonly<Record<string, string>>): Repository {
  const name = `${params['workspace']}/${params['repo_slug']}`
  const repository = world.repositories.get(name.toLowerCase())
  if (repository === undefined) throw new Refusal(404, `Repository ${name} not found`)
  return repository
}

/** A repository that the caller may not see looks the same as none. */
function assertAllowed(repository: Repository, user: User, needs: Permission): void {
  const has = repository.members.get(user)
  if (has === undefined) throw new Refusal(404, `Repository ${repository.fullName} not found`)
  if (RANKS.indexOf(has) < RANKS.indexOf(needs)) {
    throw new Refusal(403, 'Your credentials lack one or more required privilege scopes.')
  }
}

function pageOf(world: World, url: URL, list: readonly unknown[], longest: number): Record<string, unknown> {
  const pagelen = Math.min(Number(url.searchParams.get('pagelen') ?? 10), longest)
  const page = Number(url.searchParams.get('page') ?? 1)
  const next = new URL(url.pathname + url.search, world.origin)
  next.searchParams.set('page', String(page + 1))
  const values = list.slice((page - 1) * pagelen, page * pagelen)
  return { values, page, pagelen, size: list.length, ...(list.length > page * pagelen ? { next: next.href } : {}) }
}

function respond(world: World, { status, location }: Answer, body: unknown, token: Token | null): Response {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    date: new Date(world.clock.now()).toUTCString(),
    ...(token === null ? {} : { 'x-oauth-scopes': token.scopes }),
    ...(location === undefined ? {} : { location }),
    ...(world.limit === null ? {} : { 'x-ratelimit-limit': String(world.limit) }),
  }
  return new Response(body === undefined ? null : JSON.stringify(body), { status, headers })
}

/** Names of branches and tags, and spans of commits, may hold slashes. */
const ROUTES = OPERATIONS.map((operation) => ({
  operation,
  pattern: new RegExp(
    `^${operation.path.replace(/\{(\w+)\}/g, (_, name: string) => `(?<${name}>${['name', 'spec', 'revspec'].includes(name) ? '.+' : '[^/]+'})`)}$`,
  ),
}))

function match(method: string, path: string): { operation: Operation; params: Record<string, string> } | null {
  for (const { operation, pattern } of ROUTES) {
    const found = operation.method === method ? pattern.exec(path) : null
    if (found === null) continue
    const params = Object.entries(found.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)])
    return { operation, params: Object.fromEntries(params) }
  }
  return null
}

/** An access token comes as Bearer, an API token as the password of its account's e-mail. */
function tokenOf(world: World, context: ServerContext): Token | null {
  const authorization = context.req.header('authorization') ?? ''
  const bearer = world.tokens.get(/^bearer (.+)$/i.exec(authorization)?.[1] ?? '')
  if (bearer !== undefined) return bearer.kind === 'access' ? bearer : null
  const pair = Buffer.from(/^basic (.+)$/i.exec(authorization)?.[1] ?? '', 'base64').toString()
  const token = world.tokens.get(basicPassword(context))
  return token?.kind === 'api' && pair === `${token.user.email}:${token.text}` ? token : null
}

const GIT_USERS = { access: 'x-token-auth', api: 'x-bitbucket-api-token-auth' } as const

async function serveRepository(world: World, context: ServerContext): Promise<Response> {
  const url = new URL(context.req.url)
  const [, fullName = '', rest = ''] = /^\/([^/]+\/[^/]+?)\.git(\/.*)$/.exec(url.pathname) ?? []
  const pair = Buffer.from(/^basic (.+)$/i.exec(context.req.header('authorization') ?? '')?.[1] ?? '', 'base64').toString()
  const token = world.tokens.get(basicPassword(context))
  if (token === undefined || pair !== `${GIT_USERS[token.kind]}:${token.text}`) {
    return new Response('Unauthorized', { status: 401, headers: { 'www-authenticate': 'Basic realm="Bitbucket.org HTTP"' } })
  }
  const { user } = token
  const repository = world.repositories.get(fullName.toLowerCase())
  const permission = repository?.members.get(user)
  if (repository === undefined || permission === undefined) return new Response('Not found', { status: 404 })
  const writes = rest === '/git-receive-pack' || url.searchParams.get('service') === 'git-receive-pack'
  if (writes && permission === 'read') return new Response('Forbidden', { status: 403 })
  const known = rest === '/git-receive-pack' ? await listRefs(repository.git) : null
  const request = {
    programs: world.programs,
    root: world.root,
    path: `/git/${repository.fullName}.git${rest}`,
    query: url.search.slice(1),
    user: user.nickname,
    beforeEnd: () => (known === null ? Promise.resolve() : pushed(world, repository, known, user)),
  }
  await serveGit(request, context.env.incoming, context.env.outgoing)
  return RESPONSE_ALREADY_SENT
}

async function pushed(world: World, repository: Repository, known: Map<string, string>, by: User): Promise<void> {
  const now = await listRefs(repository.git)
  for (const ref of new Set([...known.keys(), ...now.keys()])) {
    if (!/^refs\/(heads|tags)\//.test(ref)) continue
    await refMoved(world, repository, { ref, before: known.get(ref) ?? ZERO_SHA, after: now.get(ref) ?? ZERO_SHA }, by)
  }
}

import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import type { FaultRule } from '../faults.ts'
import { serveGit } from '../git/http.ts'
import { listRefs, ZERO_SHA } from '../git/repository.ts'
import { afterActing, basicPassword, beforeActing, hangUp, listenOnLoopback, refused, type ServerContext } from '../loopback.ts'
import { Refusal } from '../refusal.ts'
import { type Answer, OPERATIONS, type Operation } from './api.ts'
import { refMoved } from './code.ts'
import { DEVELOPER, type Project, REPORTER, type User, type World } from './world.ts'

/** REST below `/api/v4`, GraphQL beside it, git at `/<group>/<project>.git`; on a free port of the loopback interface. */
export async function listen(world: World): Promise<{ origin: string; close(): Promise<void> }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.all('/api/*', (context) => serveApi(world, context))
  app.all('/*', (context) => serveRepository(world, context))
  return listenOnLoopback(app)
}

async function serveApi(world: World, context: ServerContext): Promise<Response> {
  const url = new URL(context.req.url)
  const { method } = context.req
  const matched = match(method, url.pathname)
  if (matched === null) {
    world.contract.violations.push(`${method} ${url.pathname} does not exist here`)
    return refused(404, '404 Not Found')
  }
  const { operation, params } = matched
  const sent = await context.req.text()
  const body = (sent === '' ? {} : JSON.parse(sent)) as Record<string, unknown>
  world.contract.request({ method, path: operation.path, query: [...new Set(url.searchParams.keys())], body })
  const fault = world.faults.draw(operation.id)
  const early = await beforeActing(world.clock, fault)
  if (early === 'hang up') return hangUp(context)
  if (early !== null) return early
  const answer = await act(world, operation, { params, query: url.searchParams, body, fault }, userOfCall(world, context))
  world.contract.answer({ method, path: operation.path }, answer.status, answer.body)
  const late = await afterActing(world.clock, fault)
  if (late === 'hang up') return hangUp(context)
  return late ?? paged(world, url, answer)
}

interface Question {
  params: Record<string, string>
  query: URLSearchParams
  body: Record<string, unknown>
  fault: FaultRule | null
}

async function act(world: World, operation: Operation, question: Question, user: User | null): Promise<Answer> {
  try {
    if (user === null) throw new Refusal(401, '401 Unauthorized')
    const project = operation.level > 0 ? projectIn(world, question.params['id'] ?? '', user, operation.level) : undefined
    return await operation.handle({
      world,
      user,
      ...question,
      get project() {
        if (project === undefined) throw new Error(`${operation.id} names no project`)
        return project
      },
    })
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, body: { message: error.said } }
    return { status: 500, body: { message: String(error) } }
  }
}

/** A project that the caller may not see looks the same as none. */
function projectIn(world: World, id: string, user: User, level: number): Project {
  const project = [...world.projects.values()].find(
    (each) => String(each.id) === id || each.fullName.toLowerCase() === id.toLowerCase(),
  )
  const has = project?.members.get(user) ?? 0
  if (project === undefined || has === 0) throw new Refusal(404, '404 Project Not Found')
  if (has < level) throw new Refusal(403, '403 Forbidden')
  return project
}

function paged(world: World, url: URL, { status, body }: Answer): Response {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    date: new Date(world.clock.now()).toUTCString(),
    'ratelimit-limit': '2000',
    'ratelimit-remaining': '1999',
    'ratelimit-reset': String(Math.floor(world.clock.now() / 1_000) + 60),
  }
  if (!Array.isArray(body)) return new Response(JSON.stringify(body), { status, headers })
  const size = Math.min(Number(url.searchParams.get('per_page') ?? 20), 100)
  const page = Number(url.searchParams.get('page') ?? 1)
  const items = body.slice((page - 1) * size, page * size)
  headers['x-next-page'] = body.length > page * size ? String(page + 1) : ''
  return new Response(JSON.stringify(items), { status, headers })
}

const ROUTES = OPERATIONS.map((operation) => ({
  operation,
  pattern: new RegExp(`^${operation.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
}))

function match(method: string, path: string): { operation: Operation; params: Record<string, string> } | null {
  for (const { operation, pattern } of ROUTES) {
    const groups = operation.method === method ? pattern.exec(path)?.groups : undefined
    const hasNone = operation.method === method && groups === undefined && pattern.test(path)
    if (groups === undefined && !hasNone) continue
    const params = Object.entries(groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)])
    return { operation, params: Object.fromEntries(params) }
  }
  return null
}

function userOfCall(world: World, context: ServerContext): User | null {
  return activeUser(world, context.req.header('private-token') ?? '')
}

function activeUser(world: World, token: string): User | null {
  const user = world.tokens.get(token)
  return user?.state === 'active' ? user : null
}

async function serveRepository(world: World, context: ServerContext): Promise<Response> {
  const url = new URL(context.req.url)
  const [, fullName = '', rest = ''] = /^\/(.+?)\.git(\/.*)$/.exec(url.pathname) ?? []
  const user = activeUser(world, basicPassword(context))
  if (user === null) return new Response('Unauthorized', { status: 401, headers: { 'www-authenticate': 'Basic realm="GitLab"' } })
  const project = world.projects.get(fullName.toLowerCase())
  const level = project?.members.get(user) ?? 0
  if (project === undefined || level < REPORTER) return new Response('Not found', { status: 404 })
  const writes = rest === '/git-receive-pack' || url.searchParams.get('service') === 'git-receive-pack'
  if (writes && level < DEVELOPER) return new Response('Forbidden', { status: 403 })
  const known = rest === '/git-receive-pack' ? await listRefs(project.git) : null
  const path = `/git/${project.fullName}.git${rest}`
  const request = {
    programs: world.programs,
    root: world.root,
    path,
    query: url.search.slice(1),
    user: user.username,
    beforeEnd: () => (known === null ? Promise.resolve() : pushed(world, project, known, user)),
  }
  await serveGit(request, context.env.incoming, context.env.outgoing)
  return RESPONSE_ALREADY_SENT
}

async function pushed(world: World, project: Project, known: Map<string, string>, by: User): Promise<void> {
  const now = await listRefs(project.git)
  for (const ref of new Set([...known.keys(), ...now.keys()])) {
    if (!/^refs\/(heads|tags)\//.test(ref)) continue
    await refMoved(world, project, { ref, before: known.get(ref) ?? ZERO_SHA, after: now.get(ref) ?? ZERO_SHA, by })
  }
}

import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import type { FaultRule } from '../faults.ts'
import { serveGit } from '../git/http.ts'
import { listRefs, ZERO_SHA } from '../git/repository.ts'
import { afterActing, basicPassword, beforeActing, hangUp, listenOnLoopback, refused, type ServerContext } from '../loopback.ts'
import { Refusal } from '../refusal.ts'
import { OPERATIONS, type Operation } from './api.ts'
import type { Answer } from './call.ts'
import { refMoved } from './code.ts'
import { mayDo, type Repository, type Role, type User, type World } from './world.ts'

/** REST below `/api/v1`, git at `/<owner>/<name>.git`; on a free port of the loopback interface. */
export async function listen(world: World): Promise<{ origin: string; close(): Promise<void> }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.all('/api/v1/*', (context) => serveApi(world, context))
  app.all('/*', (context) => serveRepository(world, context))
  return listenOnLoopback(app)
}

async function serveApi(world: World, context: ServerContext): Promise<Response> {
  const url = new URL(context.req.url)
  const { method } = context.req
  const matched = match(world, method, url.pathname)
  if (matched === null) {
    world.contract.violations.push(`${method} ${url.pathname} does not exist here`)
    return refused(404, 'Not found.')
  }
  const { operation, params } = matched
  const sent = await context.req.text()
  const body = (sent === '' ? {} : JSON.parse(sent)) as Record<string, unknown>
  world.contract.request({ method, path: operation.path, query: [...new Set(url.searchParams.keys())], body })
  const fault = world.faults.draw(operation.id)
  const early = await beforeActing(world.clock, fault)
  if (early === 'hang up') return hangUp(context)
  if (early !== null) return early
  const token = /^(?:token|bearer) (.+)$/i.exec(context.req.header('authorization') ?? '')?.[1] ?? ''
  const user = world.tokens.get(token) ?? null
  const answer = await act(world, operation, { params, query: url.searchParams, body, fault }, user)
  world.contract.answer({ method, path: operation.path }, answer.status, answer.body)
  const late = await afterActing(world.clock, fault)
  if (late === 'hang up') return hangUp(context)
  return late ?? respond(world, answer)
}

interface Question {
  params: Record<string, string>
  query: URLSearchParams
  body: Record<string, unknown>
  fault: FaultRule | null
}

async function act(world: World, operation: Operation, question: Question, user: User | null): Promise<Answer> {
  try {
    if (user === null) throw new Refusal(401, 'invalid username, password or token')
    const { owner, repo } = question.params
    const repository = operation.role === null ? undefined : repositoryIn(world, `${owner}/${repo}`, user, operation.role)
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
    if (error instanceof Refusal)
      return { status: error.status, body: { message: error.said, url: `${world.origin}/api/swagger` } }
    return { status: 500, body: { message: String(error) } }
  }
}

/** A repository that the caller may not see looks the same as none. */
function repositoryIn(world: World, fullName: string, user: User, role: Role): Repository {
  const repository = world.repositories.get(fullName.toLowerCase())
  if (repository === undefined || !mayDo(repository, user, 'read')) throw new Refusal(404, 'The target couldn’t be found.')
  if (!mayDo(repository, user, role)) throw new Refusal(403, 'user should have a permission to write to a repo')
  return repository
}

function respond(world: World, { status, body, headers }: Answer): Response {
  const all = { 'content-type': 'application/json', date: new Date(world.clock.now()).toUTCString(), ...headers }
  return new Response(body === undefined ? null : JSON.stringify(body), { status, headers: all })
}

/** Names of refs hold slashes. */
const DEEP: readonly string[] = ['branch', 'tag', 'ref', 'basehead']

const ROUTES = OPERATIONS.map((operation) => {
  const source = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => `(?<${name}>${DEEP.includes(name) ? '.+' : '[^/]+'})`)
  return { operation, pattern: new RegExp(`^${source}$`) }
})

function match(world: World, method: string, path: string): { operation: Operation; params: Record<string, string> } | null {
  for (const { operation, pattern } of ROUTES) {
    if (operation.method !== method || (operation.only ?? world.server) !== world.server) continue
    const matched = pattern.exec(path)
    if (matched === null) continue
    const params = Object.entries(matched.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)])
    return { operation, params: Object.fromEntries(params) }
  }
  return null
}

async function serveRepository(world: World, context: ServerContext): Promise<Response> {
  const url = new URL(context.req.url)
  const [, fullName = '', rest = ''] = /^\/(.+?)\.git(\/.*)$/.exec(url.pathname) ?? []
  const user = world.tokens.get(basicPassword(context))
  if (user === undefined)
    return new Response('Unauthorized', { status: 401, headers: { 'www-authenticate': 'Basic realm="Gitea"' } })
  const repository = world.repositories.get(fullName.toLowerCase())
  if (repository === undefined || !mayDo(repository, user, 'read')) return new Response('Not found', { status: 404 })
  const writes = rest === '/git-receive-pack' || url.searchParams.get('service') === 'git-receive-pack'
  if (writes && !mayDo(repository, user, 'write')) return new Response('Forbidden', { status: 403 })
  const fault = world.faults.draw(writes ? 'git/push' : 'git/fetch')
  const early = await beforeActing(world.clock, fault)
  if (early !== null) return early === 'hang up' ? hangUp(context) : early
  const known = rest === '/git-receive-pack' ? await listRefs(repository.git) : null
  const request = {
    programs: world.programs,
    root: world.root,
    path: `/git/${repository.fullName}.git${rest}`,
    query: url.search.slice(1),
    user: user.login,
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

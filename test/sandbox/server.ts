import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { type Context, Hono } from 'hono'
import { validToken } from './accounts.ts'
import { serveGit } from './git/http.ts'
import { listRefs } from './git/repository.ts'
import { refsPushed } from './refs.ts'
import { answerApi } from './rest/api.ts'
import { type Account, hasRole, type Repository, roleOf, type World } from './world.ts'

type HonoContext = Context<{ Bindings: HttpBindings }>

export interface ForgeServer {
  origin: string
  close(): Promise<void>
}

/** REST below `/api/v3`, git at `/<owner>/<repo>.git`, job logs; listens on a free port of the loopback interface. */
export async function listen(world: World): Promise<ForgeServer> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.all('/api/v3/*', (context) => serveApi(world, context))
  app.get('/_logs/:job', (context) => serveLog(world, context))
  app.all('/:owner/:repo/*', (context) => serveRepository(world, context))
  const server = createAdaptorServer({ fetch: app.fetch, hostname: '127.0.0.1' })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the emulated forge has no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        if ('closeAllConnections' in server) server.closeAllConnections()
      }),
  }
}

async function serveApi(world: World, context: HonoContext): Promise<Response> {
  const url = new URL(context.req.url)
  const outcome = await answerApi(world, {
    method: context.req.method,
    url: new URL(`${world.origin}${url.pathname}${url.search}`),
    path: url.pathname.slice('/api/v3'.length),
    authorization: context.req.header('authorization') ?? null,
    ifNoneMatch: context.req.header('if-none-match') ?? null,
    text: await context.req.text(),
  })
  return outcome === null ? hangUp(context) : new Response(outcome.text, { status: outcome.status, headers: outcome.headers })
}

/** Closes the connection in the middle: the client cannot know what happened. */
function hangUp(context: HonoContext): Response {
  context.env.incoming.socket.destroy()
  return RESPONSE_ALREADY_SENT
}

function serveLog(world: World, context: HonoContext): Response | Promise<Response> {
  const id = Number(context.req.param('job'))
  for (const repository of world.repositories.values()) {
    const job = repository.runs.flatMap((run) => run.jobs).find((each) => each.id === id)
    if (job) return context.text(job.log)
  }
  return context.notFound()
}

async function serveRepository(world: World, context: HonoContext): Promise<Response> {
  const url = new URL(context.req.url)
  const [, owner, name, rest] = /^\/([^/]+)\/([^/]+)\.git(\/.*)$/.exec(url.pathname) ?? []
  const repository = world.repositories.get(`${owner}/${name}`.toLowerCase())
  if (rest === undefined) return context.notFound()
  const writes = rest === '/git-receive-pack' || url.searchParams.get('service') === 'git-receive-pack'
  const account = basicAccount(world, context)
  const refusal = gitRefusal(repository, account, writes)
  if (refusal) return refusal
  const fault = world.faults.draw(writes ? 'git/push' : 'git/fetch')
  if (fault?.kind === 'drop_before') return hangUp(context)
  if (fault?.kind === 'error_before') return context.text('Bad Gateway', 502)
  if (fault?.kind === 'slow_before') await world.clock.sleep(fault.delayMs ?? 0)
  await exchange(world, context, repository!, account!.account, rest, url.search.slice(1))
  return RESPONSE_ALREADY_SENT
}

async function exchange(
  world: World,
  context: HonoContext,
  repository: Repository,
  account: Account,
  rest: string,
  query: string,
): Promise<void> {
  const pushes = rest === '/git-receive-pack'
  const before = pushes ? await listRefs(repository.git) : null
  const path = `/${repository.owner.login}/${repository.name}.git${rest}`
  const beforeEnd = async () => {
    if (before) await refsPushed(world, repository, before, account)
  }
  const request = { programs: world.programs, root: join(world.root, 'git'), path, query, user: account.login, beforeEnd }
  await serveGit(request, context.env.incoming, context.env.outgoing)
}

/** As GitHub: a repository that the token may not see looks the same as none; without a token git is asked for one. */
function gitRefusal(repository: Repository | undefined, caller: Caller | null, writes: boolean): Response | null {
  if (!caller) return new Response('Unauthorized', { status: 401, headers: { 'www-authenticate': 'Basic realm="GitHub"' } })
  const role = repository && (caller.isApp ? 'write' : roleOf(repository, caller.account))
  if (role === undefined || !hasRole(role, 'read')) return new Response('Repository not found.', { status: 404 })
  const mayWrite = hasRole(role, 'write') && caller.canWrite
  return writes && !mayWrite ? new Response('Permission denied.', { status: 403 }) : null
}

interface Caller {
  account: Account
  isApp: boolean
  canWrite: boolean
}

/** `x-access-token:<token>`; like GitHub we look at the password only. */
function basicAccount(world: World, context: HonoContext): Caller | null {
  const encoded = /^basic (.+)$/i.exec(context.req.header('authorization') ?? '')?.[1] ?? ''
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const token = validToken(world, pair.slice(pair.indexOf(':') + 1))
  return token && { account: token.account, isApp: token.app !== null, canWrite: token.scopes.includes('write') }
}

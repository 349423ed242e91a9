import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { FaultRule } from '../faults.ts'
import { afterActing, beforeActing, hangUp, listenOnLoopback, type ServerContext } from '../loopback.ts'
import { pick } from './tree.ts'
import {
  type EmulatedBuild,
  type EmulatedItem,
  type EmulatedJob,
  endBuild,
  itemsToTell,
  type OPERATIONS,
  type World,
} from './world.ts'

type Operation = (typeof OPERATIONS)[number]

/** On a free port of the loopback interface, below `/ci` as behind many a proxy. */
export async function listen(world: World): Promise<{ origin: string; close(): Promise<void> }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.all('/ci/*', (context) => serve(world, context))
  return listenOnLoopback(app)
}

async function serve(world: World, context: ServerContext): Promise<Response> {
  const { method } = context.req
  const path = new URL(context.req.url).pathname.replace(/^\/ci/, '')
  const form = new URLSearchParams(await context.req.text())
  const route = routeOf(method, path, context.req.query('tree') ?? '')
  if (route === null) {
    world.complaints.push(`${method} ${path} does not exist here`)
    return new Response('<html>Not Found</html>', { status: 404 })
  }
  const fault = world.faults.draw(route.operation)
  const early = await beforeActing(world.clock, fault)
  if (early !== null) return early === 'hang up' ? hangUp(context) : early
  const answer = mayCall(world, context) ? act(world, route, context, form, fault) : page(401)
  const late = await afterActing(world.clock, fault)
  return late === 'hang up' ? hangUp(context) : (late ?? answer)
}

interface Route {
  operation: Operation
  job: string
  number: number
  way: string
}

function routeOf(method: string, path: string, tree: string): Route | null {
  const [, jobs = '', rest = ''] = /^((?:\/job\/[^/]+)*)(.*)$/.exec(path) ?? []
  const job = jobs.split('/job/').slice(1).map(decodeURIComponent).join('/')
  const none = { job, number: 0, way: '' }
  if (method === 'GET' && path === '/queue/api/json') return { ...none, operation: 'queue/list' }
  const item = /^\/queue\/item\/(\d+)\/api\/json$/.exec(path)
  if (method === 'GET' && item !== null) return { ...none, operation: 'queue/item', number: Number(item[1]) }
  if (method === 'POST' && path === '/queue/cancelItem') return { ...none, operation: 'queue/cancel' }
  if (job === '') return null
  if (method === 'GET' && rest === '/api/json')
    return { ...none, operation: tree.includes('allBuilds') ? 'job/builds' : 'job/read' }
  if (method === 'POST' && rest === '/buildWithParameters') return { ...none, operation: 'job/trigger' }
  const build = /^\/(\d+)\/(api\/json|stop|term|kill)$/.exec(rest)
  if (build === null) return null
  const [, number, way = ''] = build
  if (method === 'GET' && way === 'api/json') return { job, number: Number(number), way, operation: 'build/read' }
  return method === 'POST' && way !== 'api/json' ? { job, number: Number(number), way, operation: 'build/stop' } : null
}

/** Basic, by an API token: that needs no crumb. */
function mayCall({ accounts }: World, context: ServerContext): boolean {
  const pair = Buffer.from(/^Basic (.+)$/.exec(context.req.header('authorization') ?? '')?.[1] ?? '', 'base64').toString()
  const [user = '', token = ''] = pair.split(':')
  return token !== '' && accounts.get(user) === token
}

function act(world: World, route: Route, context: ServerContext, form: URLSearchParams, fault: FaultRule | null): Response {
  const tell = (value: unknown) => Response.json(pick(context.req.query('tree') ?? '', value))
  const young = (at: number) => fault?.kind === 'stale_list' && world.clock.now() - at < (fault.youngerThanMs ?? 0)
  const job = world.jobs.get(route.job)
  const build = job?.builds.find((each) => each.number === route.number)
  switch (route.operation) {
    case 'queue/list': {
      const waiting = world.items.filter((item) => item.leftAt === null && !young(item.since))
      return tell({ items: waiting.map((item) => itemBody(world, item)) })
    }
    case 'queue/item': {
      const item = itemsToTell(world).find(({ id }) => id === route.number)
      return item === undefined ? page(404) : tell(itemBody(world, item))
    }
    case 'queue/cancel':
      return cancelItem(world, Number(context.req.query('id')), fault)
    case 'job/read':
      return job === undefined ? page(404) : tell(jobBody(job))
    case 'job/builds': {
      if (job === undefined) return page(404)
      const shown = job.builds.filter((each) => !young(each.timestamp))
      return tell({ nextBuildNumber: job.nextNumber, allBuilds: shown.map((each) => buildBody(job, each)) })
    }
    case 'job/trigger':
      return job === undefined ? page(404) : trigger(world, job, form)
    case 'build/read':
      return job === undefined || build === undefined ? page(404) : tell(buildBody(job, build))
    case 'build/stop':
      return build === undefined ? page(404) : stopBuild(world, build, route.way, fault)
  }
}

/** hudson.model.ParametersDefinitionProperty, jenkins.model.ParameterizedJobMixIn. */
function trigger(world: World, job: EmulatedJob, form: URLSearchParams): Response {
  if (!job.buildable) return page(409)
  if (job.parameters.length === 0) return page(400)
  // What is not declared is not read, and nobody is told.
  const values = Object.fromEntries(job.parameters.map(({ name }) => [name, form.get(name) ?? '']))
  if (world.closed) return page(302, { location: '.' })
  const same = world.items.find((item) => item.leftAt === null && item.job === job && equal(item.values, values))
  const item = same ?? newItem(world, job, values)
  return page(same === undefined ? 201 : 303, { location: `${world.rootUrl}/queue/item/${item.id}/` })
}

export function newItem(world: World, job: EmulatedJob, values: Readonly<Record<string, string>>): EmulatedItem {
  const item = { id: world.nextId(), job, values, since: world.clock.now(), build: null, cancelled: false, leftAt: null }
  world.items.push(item)
  return item
}

function equal(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())
}

function cancelItem(world: World, id: number, fault: FaultRule | null): Response {
  const item = world.items.find((each) => each.id === id && each.leftAt === null)
  if (item === undefined) return page(404)
  if (fault?.kind !== 'cancel_ignored') Object.assign(item, { cancelled: true, leftAt: world.clock.now() })
  return new Response(null, { status: 204 })
}

/** Heard or not, over or not: the answer is a redirect to the page that the caller came from. */
function stopBuild(world: World, build: EmulatedBuild, way: string, fault: FaultRule | null): Response {
  const ways = ['stop', 'term', 'kill']
  const enough = ways.indexOf(way) >= ways.indexOf(build.stubborn) && build.stubborn !== 'never'
  if (enough && fault?.kind !== 'cancel_ignored') endBuild(world, build, 'ABORTED')
  return page(302, { location: '.' })
}

function jobBody({ buildable, parameters }: EmulatedJob) {
  const definitions = { parameterDefinitions: parameters.map(({ name }) => ({ name, type: 'StringParameterDefinition' })) }
  return { buildable, property: [{}, ...(parameters.length === 0 ? [] : [definitions])] }
}

function parametersOf(job: EmulatedJob, values: Readonly<Record<string, string>>) {
  const parameters = job.parameters.map(({ name, password }) => (password ? { name } : { name, value: values[name] }))
  return [{ causes: [{}] }, { parameters }, {}]
}

function buildBody(job: EmulatedJob, build: EmulatedBuild) {
  const { number, queueId, timestamp, endedAt, result } = build
  const duration = endedAt === null ? 0 : endedAt - timestamp
  return { number, queueId, timestamp, duration, building: endedAt === null, result, actions: parametersOf(job, build.values) }
}

function itemBody({ rootUrl }: World, item: EmulatedItem) {
  const url = `${rootUrl}${item.job.name
    .split('/')
    .map((name) => `/job/${encodeURIComponent(name)}`)
    .join('')}/`
  return {
    id: item.id,
    inQueueSince: item.since,
    task: { name: item.job.name.split('/').at(-1), url },
    why: item.leftAt === null ? 'Waiting for next available executor' : null,
    cancelled: item.cancelled,
    executable: item.build === null ? null : { number: item.build.number, url: `${url}${item.build.number}/` },
    actions: parametersOf(item.job, item.values),
  }
}

function page(status: number, headers: Record<string, string> = {}): Response {
  return new Response('<html>Jenkins</html>', { status, headers: { 'content-type': 'text/html', ...headers } })
}

import { emit, redeliver } from '../hooks.ts'
import type { Hook, HookDelivery, Repository, World } from '../world.ts'
import { type Answer, type Call, notFound, numberParam, type Operation, Refusal } from './call.ts'
import { repositoryApiUrl, timestamp } from './urls.ts'

/** `hook`. The secret is never shown again. */
function hookBody(world: World, repository: Repository, hook: Hook) {
  const url = repositoryApiUrl(world, repository, `/hooks/${hook.id}`)
  return {
    type: 'Repository',
    id: hook.id,
    name: 'web',
    active: hook.active,
    events: hook.events,
    config: {
      url: hook.url,
      content_type: 'json',
      insecure_ssl: '0',
      ...(hook.secret === null ? {} : { secret: '********' }),
    },
    updated_at: timestamp(hook.createdAt),
    created_at: timestamp(hook.createdAt),
    url,
    test_url: `${url}/tests`,
    ping_url: `${url}/pings`,
    deliveries_url: `${url}/deliveries`,
    last_response: { code: null, status: 'unused', message: null },
  }
}

function deliveryBody(repository: Repository, delivery: HookDelivery) {
  return {
    id: delivery.id,
    guid: delivery.guid,
    delivered_at: timestamp(delivery.deliveredAt),
    redelivery: delivery.redelivery,
    duration: delivery.durationSeconds,
    status: delivery.status,
    status_code: delivery.statusCode,
    event: delivery.event,
    action: delivery.action,
    installation_id: null,
    repository_id: repository.id,
    throttled_at: null,
  }
}

export interface NewHook {
  url: string
  secret: string | null
  events: readonly string[]
  active?: boolean
}

/** Registers a hook and greets it with a ping, as GitHub does. */
export function addHook(world: World, repository: Repository, wanted: NewHook): Hook {
  const hook: Hook = {
    id: world.nextId(),
    url: wanted.url,
    secret: wanted.secret,
    events: wanted.events,
    active: wanted.active ?? true,
    createdAt: world.clock.now(),
    deliveries: [],
    queue: Promise.resolve(),
    heldBack: null,
  }
  repository.hooks.push(hook)
  const payload = { zen: 'Anything added dilutes everything else.', hook_id: hook.id, hook: hookBody(world, repository, hook) }
  emit(world, { ...repository, hooks: [hook] }, { name: 'ping', payload, sender: repository.owner })
  return hook
}

function create(call: Call): Answer {
  const { repository, world } = call
  const config = (call.body['config'] ?? {}) as { url?: string; secret?: string; content_type?: string }
  if (!config.url) throw new Refusal(422, 'Validation Failed')
  // GitHub's default is a form; our receivers take JSON only, so a hook without it is a mistake worth seeing.
  if (config.content_type !== 'json') throw new Refusal(422, 'the sandbox sends JSON only: set config.content_type to json')
  const known = repository.hooks.find((hook) => hook.url === config.url)
  if (known) throw new Refusal(422, 'Hook already exists on this repository')
  const hook = addHook(world, repository, {
    url: config.url,
    secret: config.secret ?? null,
    events: (call.body['events'] as string[] | undefined) ?? ['push'],
    active: call.body['active'] !== false,
  })
  const body = hookBody(world, repository, hook)
  return { status: 201, headers: { location: body.url }, body }
}

function hookParam(call: Call): Hook {
  const id = numberParam(call, 'hook_id')
  const hook = call.repository.hooks.find((each) => each.id === id)
  if (!hook) throw notFound()
  return hook
}

/** Newest first; pages by cursor, the id of the last one shown. */
function listDeliveries(call: Call): Answer {
  const query = call.url.searchParams
  const failed = (delivery: HookDelivery) => delivery.statusCode < 200 || delivery.statusCode >= 300
  const found = [...hookParam(call).deliveries]
    .reverse()
    .filter((delivery) => !query.has('status') || failed(delivery) === (query.get('status') === 'failure'))
  const cursor = query.get('cursor')
  const start = cursor === null ? 0 : found.findIndex((delivery) => String(delivery.id) === cursor) + 1
  const size = Math.min(Number(query.get('per_page') ?? 30), 100)
  const shown = found.slice(start, start + size)
  const last = shown.at(-1)
  const headers: Record<string, string> = {}
  if (last && start + size < found.length) {
    const url = new URL(call.url)
    url.searchParams.set('cursor', String(last.id))
    headers['link'] = `<${url.href}>; rel="next"`
  }
  return { status: 200, headers, body: shown.map((delivery) => deliveryBody(call.repository, delivery)) }
}

function redeliverOne(call: Call): Answer {
  const hook = hookParam(call)
  const id = numberParam(call, 'delivery_id')
  const delivery = hook.deliveries.find((each) => each.id === id)
  if (!delivery) throw notFound()
  redeliver(call.world, hook, delivery)
  return { status: 202, body: {} }
}

const HOOKS = '/repos/{owner}/{repo}/hooks'

export const WEBHOOK_OPERATIONS: readonly Operation[] = [
  { id: 'repos/create-webhook', method: 'POST', path: HOOKS, needs: 'admin', handle: create },
  {
    id: 'repos/list-webhook-deliveries',
    method: 'GET',
    path: `${HOOKS}/{hook_id}/deliveries`,
    needs: 'admin',
    handle: listDeliveries,
  },
  {
    id: 'repos/redeliver-webhook-delivery',
    method: 'POST',
    path: `${HOOKS}/{hook_id}/deliveries/{delivery_id}/attempts`,
    needs: 'admin',
    handle: redeliverOne,
  },
]

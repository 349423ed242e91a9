import { HOUR_MS } from '../../../controller/clock.ts'
import { grantToken } from '../accounts.ts'
import type { App, World } from '../world.ts'
import { type Answer, type Call, notFound, numberParam, type Operation, ok } from './call.ts'
import { apiUrl, timestamp, webUrl } from './urls.ts'
import { userBody } from './users.ts'

const PERMISSIONS = {
  actions: 'write',
  checks: 'write',
  contents: 'read',
  deployments: 'write',
  metadata: 'read',
  pull_requests: 'write',
  statuses: 'write',
} as const

/** `installation`. */
function installationBody(world: World, app: App) {
  const url = apiUrl(world, `/app/installations/${app.installationId}`)
  return {
    id: app.installationId,
    account: userBody(world, app.bot),
    repository_selection: 'all',
    access_tokens_url: `${url}/access_tokens`,
    repositories_url: apiUrl(world, '/installation/repositories'),
    html_url: webUrl(world, `/settings/installations/${app.installationId}`),
    app_id: app.id,
    app_slug: app.slug,
    target_id: app.bot.id,
    target_type: 'Organization',
    permissions: PERMISSIONS,
    events: ['pull_request', 'push', 'workflow_run'],
    created_at: timestamp(app.createdAt),
    updated_at: timestamp(app.createdAt),
    single_file_name: null,
    suspended_by: null,
    suspended_at: null,
  }
}

function appOfCall(call: Call): App {
  if (!call.token.app) throw notFound()
  return call.token.app
}

function createToken(call: Call): Answer {
  const { world } = call
  const app = appOfCall(call)
  if (app.installationId !== numberParam(call, 'installation_id')) throw notFound()
  const token = grantToken(world, app.bot, { app, expiresAt: world.clock.now() + HOUR_MS })
  const expires = timestamp(token.expiresAt ?? 0)
  return { status: 201, body: { token: token.text, expires_at: expires, permissions: PERMISSIONS, repository_selection: 'all' } }
}

function rateLimit(call: Call): Answer {
  const rate = rateOf(call.world, call.token.used)
  return ok({ resources: { core: rate, search: { ...rate, limit: 30, remaining: 30, used: 0 } }, rate })
}

/** The budget as GitHub reports it: it is full again at every whole hour. */
export function rateOf(world: World, used: number) {
  const reset = Math.ceil((world.clock.now() + 1) / HOUR_MS) * (HOUR_MS / 1000)
  const limit = world.hourlyBudget
  return { limit, used, remaining: Math.max(0, limit - used), reset }
}

export const APP_OPERATIONS: readonly Operation[] = [
  {
    id: 'apps/create-installation-access-token',
    method: 'POST',
    path: '/app/installations/{installation_id}/access_tokens',
    needs: 'app_jwt',
    handle: createToken,
  },
  {
    id: 'apps/get-repo-installation',
    method: 'GET',
    path: '/repos/{owner}/{repo}/installation',
    needs: 'app_jwt',
    handle: (call) => ok(installationBody(call.world, appOfCall(call))),
  },
  { id: 'rate-limit/get', method: 'GET', path: '/rate_limit', needs: 'token', handle: rateLimit },
]

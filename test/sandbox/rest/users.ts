import { type Account, type App, nodeId, type World } from '../world.ts'
import { apiUrl, timestamp, webUrl } from './urls.ts'

/** `simple-user`. */
export function userBody(world: World, account: Account) {
  const url = apiUrl(world, `/users/${encodeURIComponent(account.login)}`)
  return {
    login: account.login,
    id: account.id,
    node_id: nodeId('User', account.id),
    avatar_url: webUrl(world, `/avatars/${account.id}`),
    gravatar_id: '',
    url,
    html_url: webUrl(world, `/${encodeURIComponent(account.login)}`),
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type: account.type,
    site_admin: false,
  }
}

/** What is left of somebody's traces: nothing once the account was deleted. */
export function userBodyOrNull(world: World, account: Account | null) {
  return account === null || account.deleted ? null : userBody(world, account)
}

/** `nullable-integration`, an app as others see it. */
export function appBody(world: World, app: App) {
  return {
    id: app.id,
    slug: app.slug,
    node_id: nodeId('App', app.id),
    owner: userBody(world, app.bot),
    name: app.slug,
    description: null,
    external_url: webUrl(world, `/apps/${app.slug}`),
    html_url: webUrl(world, `/apps/${app.slug}`),
    created_at: timestamp(app.createdAt),
    updated_at: timestamp(app.createdAt),
    permissions: { checks: 'write', contents: 'read', deployments: 'write', issues: 'write', metadata: 'read' },
    events: ['pull_request', 'push', 'workflow_run'],
  }
}

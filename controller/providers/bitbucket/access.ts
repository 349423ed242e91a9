import type { Clock } from '../../clock.ts'
import type { AccessPurpose, AccessReport } from '../access.ts'
import { hostTimeOf, unlessMissing } from '../json-calls.ts'
import type { CallBudget } from './budget.ts'
import { type BitbucketClient, everything } from './client.ts'

/**
 * What a connection needs, by the names of access tokens and by those of API tokens; either will do. By Bitbucket's description
 * whoever may read may post statuses, reports and comments as well.
 */
const NEEDED: Readonly<Record<AccessPurpose, readonly (readonly [accessToken: string, apiToken: string])[]>> = {
  config: [
    ['repository', 'read:repository:bitbucket'],
    ['pullrequest', 'read:pullrequest:bitbucket'],
  ],
  project: [
    ['repository', 'read:repository:bitbucket'],
    ['pipeline:write', 'write:pipeline:bitbucket'],
  ],
}

interface ShownHook {
  url: string
  active: boolean
  secret_set?: boolean
}

export interface BitbucketAccessOptions {
  client: BitbucketClient
  budget: CallBudget
  purpose: AccessPurpose
  clock: Clock
}

/** Asks Bitbucket what the token may do. Reads only; faults of the calls are thrown. */
export async function bitbucketAccess({ client, budget, purpose, clock }: BitbucketAccessOptions): Promise<AccessReport> {
  const asked = clock.now()
  const { headers } = await client.get(client.repository)
  const scopes = scopesIn(headers)
  const missing =
    scopes === null
      ? []
      : NEEDED[purpose]
          .filter(([one, other]) => !grants(scopes, one) && !grants(scopes, other))
          .map(([one, other]) => `scope ${one} (${other})`)
  const limit = Number(headers.get('x-ratelimit-limit') ?? 1_000)
  return {
    provider: 'bitbucket',
    repository: client.fullName,
    auth: 'token',
    missing,
    rateLimit: { limit, remaining: Math.max(limit - budget.used(), 0), resetAt: clock.now() },
    clockSkewMs: headers.get('date') === null ? null : hostTimeOf(headers, clock) - asked,
    notes: [...(scopes === null ? ['Bitbucket does not tell the scopes of this token.'] : []), ...(await hookNotes(client))],
  }
}

function scopesIn(headers: Headers): readonly string[] | null {
  const text = headers.get('x-oauth-scopes')
  return text === null ? null : text.split(/[\s,]+/).filter((scope) => scope !== '')
}

/** Writing includes reading, and administering includes both. */
function grants(scopes: readonly string[], wanted: string): boolean {
  const modern = /^(?:read|write):(\w+):bitbucket$/.exec(wanted)?.[1]
  if (modern !== undefined) {
    const words = wanted.startsWith('read:') ? ['read', 'write', 'admin'] : ['write', 'admin']
    return words.some((word) => scopes.includes(`${word}:${modern}:bitbucket`))
  }
  const [area, right] = wanted.split(':')
  const rights = right === undefined ? ['', ':write', ':admin'] : [':write', ':admin']
  // Rights on pull requests bring those on the repository with them.
  const areas = area === 'repository' ? ['repository', 'pullrequest'] : [area]
  return areas.some((each) => rights.some((suffix) => scopes.includes(`${each}${suffix}`)))
}

/** Bitbucket signs nothing without a secret, and such deliveries are refused here. */
async function hookNotes(client: BitbucketClient): Promise<string[]> {
  const hooks = await unlessMissing(() => everything<ShownHook>(client, `${client.repository}/hooks`), [401, 403, 404])
  return (hooks ?? []).flatMap(({ url, active, secret_set: signed }) => {
    if (!/\/webhooks\//.test(url)) return []
    const name = URL.canParse(url) ? new URL(url).pathname : ''
    if (!active) return [`The webhook ${name} is switched off.`]
    return signed === false ? [`The webhook ${name} has no secret, so its deliveries are refused.`] : []
  })
}

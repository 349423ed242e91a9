import type { Clock } from '../../clock.ts'
import { DAY_MS, SECOND_MS } from '../../clock.ts'
import { RefusedFault } from '../../errors.ts'
import type { AccessPurpose, AccessReport } from '../access.ts'
import { hostTimeOf, type JsonAnswer } from '../json-calls.ts'
import { everything, type GitlabClient } from './client.ts'

interface ShownProject {
  permissions?: { project_access: { access_level: number } | null; group_access: { access_level: number } | null }
  /** Shown to those who may change it. */
  ci_pipeline_variables_minimum_override_role?: string
}

interface ShownToken {
  scopes: string[]
  expires_at: string | null
}

const DEVELOPER = 30
const EXPIRY_WARNING_MS = 14 * DAY_MS

export interface GitlabAccessOptions {
  client: GitlabClient
  purpose: AccessPurpose
  /** True when pipelines are told by variables, which a project may forbid. */
  usesVariables: boolean
  clock: Clock
}

/** Asks GitLab what the token may do. Reads only; faults of the calls are thrown. */
export async function gitlabAccess({ client, purpose, usesVariables, clock }: GitlabAccessOptions): Promise<AccessReport> {
  const asked = clock.now()
  const project = await client.get<ShownProject>(client.project)
  const token = await unlessRefused(() => client.get<ShownToken>('/personal_access_tokens/self'))
  const missing: string[] = []
  const notes: string[] = []
  const { permissions, ci_pipeline_variables_minimum_override_role: variables } = project.data
  const level = Math.max(permissions?.project_access?.access_level ?? 0, permissions?.group_access?.access_level ?? 0)
  // An administrator's token has no membership and every right.
  if (permissions !== undefined && level > 0 && level < DEVELOPER) missing.push('role Developer')
  if (level === 0) notes.push('GitLab does not name a role of this token in the project.')
  if (token === null) notes.push('GitLab does not tell the scopes of this token.')
  else if (!token.data.scopes.includes('api')) missing.push('scope api')
  notes.push(...expiryNotes(token?.data.expires_at ?? null, clock))
  if (purpose === 'project' && usesVariables && variables === 'no_one_allowed') {
    missing.push('pipeline variables (nobody may set them in this project; allow the role, or use the selector inputs)')
  }
  notes.push(...(await hookNotes(client)))
  return {
    provider: 'gitlab',
    repository: client.fullName,
    auth: 'token',
    missing,
    rateLimit: rateLimitOf(project),
    clockSkewMs: project.headers.get('date') === null ? null : hostTimeOf(project.headers, clock) - asked,
    notes,
  }
}

function expiryNotes(expiresAt: string | null, clock: Clock): string[] {
  const end = Date.parse(expiresAt ?? '')
  return end - clock.now() < EXPIRY_WARNING_MS ? [`The token ends on ${expiresAt}.`] : []
}

interface ShownHook {
  url: string
  alert_status?: string
}

/** GitLab stops calling a hook that failed a few times, and says so nowhere else. */
async function hookNotes(client: GitlabClient): Promise<string[]> {
  const hooks = await unlessRefused(() => everything<ShownHook>(client, `${client.project}/hooks`))
  const stopped = (hooks ?? []).filter(
    ({ url, alert_status: status }) => /\/webhooks\//.test(url) && status !== undefined && status !== 'executable',
  )
  return stopped.map(
    ({ url, alert_status: status }) =>
      `GitLab has stopped calling the webhook ${URL.canParse(url) ? new URL(url).pathname : ''} (${status}).`,
  )
}

async function unlessRefused<T>(send: () => Promise<T>): Promise<T | null> {
  try {
    return await send()
  } catch (error) {
    if (error instanceof RefusedFault) return null
    throw error
  }
}

function rateLimitOf({ headers }: JsonAnswer<unknown>): AccessReport['rateLimit'] {
  const [limit, remaining, reset] = ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'].map((name) =>
    Number(headers.get(name) ?? Number.NaN),
  ) as [number, number, number]
  return [limit, remaining, reset].some(Number.isNaN) ? null : { limit, remaining, resetAt: reset * SECOND_MS }
}

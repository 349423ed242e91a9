import type { Forge } from '../../sandbox/forge.ts'

/** What a person would see on the forge, read by another client than the product's. */
export interface ForgeReader {
  checks(repo: string, sha: string): Promise<ShownCheck[]>
  statuses(repo: string, sha: string): Promise<ShownStatus[]>
  comments(repo: string, pull: number): Promise<{ id: number; body: string }[]>
  comment(login: string, repo: string, pull: number, body: string): Promise<void>
}

export interface ShownCheck {
  id: number
  name: string
  status: string
  conclusion: string | null
  details_url: string
  output: { title: string | null; summary: string | null; annotations_count: number }
}

export interface ShownStatus {
  id: number
  context: string
  state: string
  description: string | null
  target_url: string | null
}

export function forgeReader(forge: Forge): ForgeReader {
  const tokens = new Map<string, string>()

  async function call<T>(login: string, path: string, body?: object): Promise<T> {
    const token = tokens.get(login) ?? forge.token(login)
    tokens.set(login, token)
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const response = await fetch(
      `${forge.apiUrl}${path}`,
      body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers },
    )
    if (!response.ok) throw new Error(`${path} answered ${response.status}`)
    return (await response.json()) as T
  }

  return {
    checks: async (repo, sha) =>
      (await call<{ check_runs: ShownCheck[] }>('acme', `/repos/${repo}/commits/${sha}/check-runs`)).check_runs,
    statuses: async (repo, sha) =>
      (await call<{ statuses: ShownStatus[] }>('acme', `/repos/${repo}/commits/${sha}/status`)).statuses,
    comments: (repo, pull) => call('acme', `/repos/${repo}/issues/${pull}/comments?per_page=100`),
    async comment(login, repo, pull, body) {
      await call(login, `/repos/${repo}/issues/${pull}/comments`, { body })
    },
  }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Project } from '../../../controller/model/desired-state.ts'
import { type ConnectedProviders, connectProviders } from '../../../controller/providers/table.ts'
import { secretReader } from '../../../controller/secrets/references.ts'
import { DEPLOY_WORKFLOW } from '../../sandbox/forge-fixture.ts'
import { type Gitea, type GiteaOptions, startGitea } from '../../sandbox/gitea/forge.ts'
import { collectingLog, connectOptions, manualClock, project } from '../fixtures.ts'

export const SHOP = 'acme/shop'
export const CONFIG = 'acme/config'
export const BOT = 'draven-bot'

/** A server with a project and a config repository, and the product connected to it by a token of its own user. */
export interface GiteaScene {
  forge: Gitea
  clock: ReturnType<typeof manualClock>
  /** `fetch`: stands between product and server. */
  connect(fetch?: typeof globalThis.fetch): ConnectedProviders
  project(integration?: Partial<Project['integration']>): Project
  /** Forgets the faults of the last test. Fails when a call or an answer was not as described, or when the token was logged. */
  check(): Promise<void>
  close(): Promise<void>
}

export async function openGiteaScene(
  server: Gitea['server'],
  options: Partial<Pick<GiteaOptions, 'version' | 'namesRun' | 'maxPage' | 'runs'>> = {},
): Promise<GiteaScene> {
  const root = mkdtempSync(join(tmpdir(), `draven-${server}-`))
  const clock = manualClock()
  const forge = await startGitea({ server, clock, root, ...options })
  await forge.createRepo(SHOP, { files: { [`.${server}/workflows/deploy.yml`]: DEPLOY_WORKFLOW } })
  await forge.createRepo(CONFIG, { files: { 'draven.yaml': 'kind: ConfigRepository\n' } })
  for (const repo of [SHOP, CONFIG]) forge.addCollaborator(repo, BOT, 'write')
  const token = forge.token(BOT)
  const log = collectingLog()
  return {
    forge,
    clock,
    connect: (fetch = globalThis.fetch) =>
      connectProviders(
        connectOptions({
          secrets: secretReader({ env: { DRAVEN_SECRET_FORGE: token }, envPrefix: 'DRAVEN_SECRET_', secretsDirectory: null }),
          clock,
          fetch,
          log,
          github: null,
          [server]: { apiUrl: forge.apiUrl, tokenRef: 'env:DRAVEN_SECRET_FORGE' },
          configRepo: { provider: server, fullName: CONFIG },
        }),
      ),
    project: (integration) =>
      project({
        provider: server,
        pipelines: new Map([['prod', { selector: 'deploy.yml', workflowRef: null }]]),
        ...integration,
      }),
    async check() {
      forge.faults.clear()
      await forge.settle()
      forge.assertClean()
      if (log.lines.join('\n').includes(token)) throw new Error('a secret was logged')
    },
    async close() {
      await forge.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** The server's own answers, with those to one path changed. */
export function changing<Body>(path: RegExp, change: (body: Body) => unknown): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    if (!path.test(new URL(String(input)).pathname)) return response
    return new Response(JSON.stringify(change((await response.json()) as Body)), response)
  }
}

export function refusing(path: RegExp, status: number): typeof fetch {
  return (input, init) =>
    path.test(new URL(String(input)).pathname) ? Promise.resolve(Response.json({}, { status })) : fetch(input, init)
}

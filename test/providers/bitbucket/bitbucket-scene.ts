import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Project } from '../../../controller/model/desired-state.ts'
import { type ConnectedProviders, connectProviders } from '../../../controller/providers/table.ts'
import { secretReader } from '../../../controller/secrets/references.ts'
import { type Bitbucket, startBitbucket } from '../../sandbox/bitbucket/forge.ts'
import { collectingLog, connectOptions, manualClock, project } from '../fixtures.ts'

export const SHOP = 'acme/shop'
export const CONFIG = 'acme/config'
export const BOT = 'draven-bot'

export const DEFINITION = `pipelines:
  custom:
    deploy-prod:
      - step:
          name: Deploy
          script: [./deploy.sh]
    other:
      - step:
          script: [./other.sh]
`

/** A Bitbucket with a project and a config repository, and the product connected to it by an access token. */
export interface BitbucketScene {
  forge: Bitbucket
  clock: ReturnType<typeof manualClock>
  /** `fetch`: stands between product and Bitbucket. `secret`: another credential than the access token. */
  connect(fetch?: typeof globalThis.fetch, secret?: { text: string; email?: string }): ConnectedProviders
  project(integration?: Partial<Project['integration']>): Project
  /** Forgets the faults of the last test. Fails when a call or an answer was not as Bitbucket describes it, or when the token was logged. */
  check(): Promise<void>
  close(): Promise<void>
}

export async function openBitbucketScene(): Promise<BitbucketScene> {
  const root = mkdtempSync(join(tmpdir(), 'draven-bitbucket-'))
  const clock = manualClock()
  const forge = await startBitbucket({ clock, root })
  await forge.createRepo(SHOP, { files: { 'bitbucket-pipelines.yml': DEFINITION } })
  await forge.createRepo(CONFIG, { files: { 'draven.yaml': 'kind: ConfigRepository\n' } })
  forge.user(BOT, { type: 'app_user' })
  for (const repo of [SHOP, CONFIG]) forge.addMember(repo, BOT, 'write')
  const token = forge.token(BOT)
  const log = collectingLog()
  return {
    forge,
    clock,
    connect: (fetch = globalThis.fetch, secret = { text: token }) =>
      connectProviders(
        connectOptions({
          secrets: secretReader({
            env: { DRAVEN_SECRET_FORGE: secret.text },
            envPrefix: 'DRAVEN_SECRET_',
            secretsDirectory: null,
          }),
          clock,
          fetch,
          log,
          github: null,
          bitbucket: { apiUrl: forge.apiUrl, tokenRef: 'env:DRAVEN_SECRET_FORGE', email: secret.email ?? null },
          configRepo: { provider: 'bitbucket', fullName: CONFIG },
        }),
      ),
    project: (integration) =>
      project({
        provider: 'bitbucket',
        pipelines: new Map([['prod', { selector: 'custom:deploy-prod', workflowRef: null }]]),
        ci: { requiredChecks: ['pipeline'], apps: ['bitbucket-pipelines'] },
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

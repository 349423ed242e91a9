import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Project } from '../../../controller/model/desired-state.ts'
import type { GithubAuth } from '../../../controller/providers/github/credential.ts'
import { type ConnectedProviders, connectProviders } from '../../../controller/providers/table.ts'
import { secretReader } from '../../../controller/secrets/references.ts'
import { type Forge, startForge } from '../../sandbox/forge.ts'
import { collectingLog, connectOptions, manualClock, project } from '../fixtures.ts'

export const SHOP = 'acme/shop'
export const CONFIG = 'acme/config'
const WORKFLOW = '.github/workflows/deploy.yml'

export const DEPLOY_WORKFLOW = `name: Deploy
run-name: deploy \${{ inputs.REF }} to \${{ inputs.ENV }} (\${{ inputs.JOB_ID }})
on:
  workflow_dispatch:
    inputs:
      JOB_ID: { required: true }
      ENV: { required: true }
      REF: { required: true }
      TYPE: { required: true }
      SHA: { required: true }
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - run: echo deployed
`

/** A forge with a project and a config repository, and the product connected to it as a token or as an app. */
export interface Scene {
  forge: Forge
  /** Folder of the bare repositories: `<root>/git/<owner>/<name>.git`. */
  root: string
  clock: ReturnType<typeof manualClock>
  log: ReturnType<typeof collectingLog>
  /** `login`: what the operator told about whose token it is. `fetch`: stands between product and forge. */
  connect(kind: 'token' | 'app', more?: { login?: string; fetch?: typeof fetch }): ConnectedProviders
  project(integration?: Partial<Project['integration']>): Project
  /** Forgets the faults of the last test. Fails when a call or an answer was not as GitHub describes it, or when a secret was logged. */
  check(): Promise<void>
  close(): Promise<void>
}

export async function openScene(): Promise<Scene> {
  const root = mkdtempSync(join(tmpdir(), 'draven-scene-'))
  const clock = manualClock()
  const forge = await startForge({ clock, root, actions: 'manual' })
  await forge.createRepo(SHOP, { files: { [WORKFLOW]: DEPLOY_WORKFLOW } })
  await forge.createRepo(CONFIG, { files: { 'draven.yaml': 'kind: ConfigRepository\n' } })
  forge.user('draven-service')
  for (const repo of [SHOP, CONFIG]) forge.addCollaborator(repo, 'draven-service', 'write')
  const app = forge.app('draven')
  const token = forge.token('draven-service')
  const log = collectingLog()
  const env = {
    DRAVEN_SECRET_FORGE: token,
    // Made on first use: a key pair takes a while.
    get DRAVEN_SECRET_APP() {
      return app.privateKey()
    },
  }
  const auths: Record<'token' | 'app', GithubAuth> = {
    token: { kind: 'token', ref: 'env:DRAVEN_SECRET_FORGE' },
    app: { kind: 'app', appId: app.id, privateKeyRef: 'env:DRAVEN_SECRET_APP' },
  }
  return {
    forge,
    root,
    clock,
    log,
    connect: (kind, { login, fetch = globalThis.fetch } = {}) =>
      connectProviders(
        connectOptions({
          secrets: secretReader({ env, envPrefix: 'DRAVEN_SECRET_', secretsDirectory: null }),
          clock,
          fetch,
          log,
          github: {
            apiUrl: forge.apiUrl,
            auth: login === undefined ? auths[kind] : { kind: 'token', ref: 'env:DRAVEN_SECRET_FORGE', login },
          },
          configRepo: { provider: 'github', fullName: CONFIG },
        }),
      ),
    project: (integration) =>
      project({ pipelines: new Map([['prod', { selector: 'deploy.yml', workflowRef: null }]]), ...integration }),
    async check() {
      forge.faults.clear()
      await forge.settle()
      forge.assertClean()
      const logged = log.lines.join('\n')
      for (const secret of [token, 'PRIVATE KEY', 'ghs_']) if (logged.includes(secret)) throw new Error('a secret was logged')
    },
    async close() {
      await forge.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

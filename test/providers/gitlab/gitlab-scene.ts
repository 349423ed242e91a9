import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Project } from '../../../controller/model/desired-state.ts'
import { type ConnectedProviders, connectProviders } from '../../../controller/providers/table.ts'
import { secretReader } from '../../../controller/secrets/references.ts'
import { type Gitlab, startGitlab } from '../../sandbox/gitlab/forge.ts'
import { DEVELOPER } from '../../sandbox/gitlab/world.ts'
import { collectingLog, connectOptions, manualClock, project } from '../fixtures.ts'

export const SHOP = 'acme/shop'
export const CONFIG = 'acme/config'

/** Told by variables: named by them, too. */
const VARIABLES_FILE = `workflow:
  name: 'deploy $REF to $ENV ($JOB_ID)'
deploy:
  script: [./deploy.sh]
`

/** Told by inputs, which must be declared. */
const INPUTS_FILE = `spec:
  inputs:
    JOB_ID:
    ENV:
    REF:
    TYPE:
    SHA:
    CALLBACK_URL:
    CALLBACK_TOKEN:
---
workflow:
  name: 'deploy $[[ inputs.REF ]] ($[[ inputs.JOB_ID ]])'
deploy:
  script: [./deploy.sh]
`

/** A GitLab with a project and a config repository, and the product connected to it by a token of its own user. */
export interface GitlabScene {
  forge: Gitlab
  clock: ReturnType<typeof manualClock>
  /** `fetch`: stands between product and GitLab. */
  connect(fetch?: typeof globalThis.fetch): ConnectedProviders
  project(integration?: Partial<Project['integration']>): Project
  /** Forgets the faults of the last test. Fails when a call or an answer was not as GitLab describes it, or when the token was logged. */
  check(): Promise<void>
  close(): Promise<void>
}

export async function openGitlabScene(): Promise<GitlabScene> {
  const root = mkdtempSync(join(tmpdir(), 'draven-gitlab-'))
  const clock = manualClock()
  const forge = await startGitlab({ clock, root })
  await forge.createRepo(SHOP, { files: { '.gitlab-ci.yml': VARIABLES_FILE } })
  await forge.commit(SHOP, 'with-inputs', { '.gitlab-ci.yml': INPUTS_FILE }, { as: 'acme' })
  await forge.createRepo(CONFIG, { files: { 'draven.yaml': 'kind: ConfigRepository\n' } })
  forge.user('project_7_bot_1', { bot: true })
  for (const repo of [SHOP, CONFIG]) forge.addMember(repo, 'project_7_bot_1', DEVELOPER)
  const token = forge.token('project_7_bot_1')
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
          gitlab: { apiUrl: forge.apiUrl, tokenRef: 'env:DRAVEN_SECRET_FORGE' },
          configRepo: { provider: 'gitlab', fullName: CONFIG },
        }),
      ),
    project: (integration) =>
      project({
        provider: 'gitlab',
        pipelines: new Map([['prod', { selector: 'variables', workflowRef: null }]]),
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

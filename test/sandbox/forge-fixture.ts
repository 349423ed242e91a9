import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Octokit } from '@octokit/rest'
import { type Clock, systemClock } from '../../controller/clock.ts'
import { type Forge, type ForgeOptions, startForge } from './forge.ts'

/** A forge in a temporary folder of its own; `close` removes both. */
export async function temporaryForge(options: Partial<ForgeOptions> = {}): Promise<Forge> {
  const root = await mkdtemp(join(tmpdir(), 'forge-'))
  const forge = await startForge({ clock: systemClock(), root, ...options })
  return {
    ...forge,
    async close() {
      await forge.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** A clock that moves only when told; sleeping moves it. */
export function sandboxClock(start: string): Clock & { advance(durationMs: number): void } {
  let now = Date.parse(start)
  return {
    now: () => now,
    elapsed: () => now,
    async sleep(durationMs) {
      now += durationMs
    },
    advance(durationMs) {
      now += durationMs
    },
  }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** A real client, with nothing added that repeats calls. */
export function octokitFor(forge: Forge, token: string): Octokit {
  return new Octokit({ auth: token, baseUrl: forge.apiUrl, log: silent })
}

export const DEPLOY_WORKFLOW = `name: Deploy
run-name: Deploy \${{ inputs.REF }} to \${{ inputs.ENV }} (\${{ inputs.JOB_ID }})
on:
  workflow_dispatch:
    inputs:
      JOB_ID: { required: true }
      ENV: { required: true }
      REF: { required: true }
      TYPE: { required: true }
      SHA: { required: false, default: '' }
jobs:
  deploy:
    steps:
      - name: Deploy
        env:
          JOB_ID: \${{ inputs.JOB_ID }}
          TARGET: \${{ inputs.ENV }}
        run: |
          echo "$JOB_ID deploys $INPUT_REF ($INPUT_TYPE) to $TARGET"
`

export const DEPLOY_INPUTS = { JOB_ID: 'job-1', ENV: 'prod', REF: 'v1.0.0', TYPE: 'deploy' }

/** `acme/shop` with alice (admin), bob (maintain), carol (write), dave (read) and a workflow on its default branch. */
export async function shop(forge: Forge, workflow = DEPLOY_WORKFLOW): Promise<string> {
  forge.user('acme')
  await forge.createRepo('acme/shop', { files: { 'README.md': '# shop\n', '.github/workflows/deploy.yml': workflow } })
  forge.addCollaborator('acme/shop', 'alice', 'admin')
  forge.addCollaborator('acme/shop', 'bob', 'maintain')
  forge.addCollaborator('acme/shop', 'carol', 'write')
  forge.addCollaborator('acme/shop', 'dave', 'read')
  return 'acme/shop'
}

import type { Project } from '../../../controller/model/desired-state.ts'
import { type ConnectedProviders, connectProviders } from '../../../controller/providers/table.ts'
import { secretReader } from '../../../controller/secrets/references.ts'
import { type Jenkins, startJenkins } from '../../sandbox/jenkins/jenkins.ts'
import type { EmulatedParameter } from '../../sandbox/jenkins/world.ts'
import { collectingLog, connectOptions, manualClock, project } from '../fixtures.ts'

export const DEPLOY = 'shop/deploy'
export const PARAMETERS: readonly EmulatedParameter[] = [
  ...['JOB_ID', 'ENV', 'REF', 'TYPE', 'SHA', 'CALLBACK_URL'].map((name) => ({ name })),
  { name: 'CALLBACK_TOKEN', password: true },
]

/** A Jenkins with a job in a folder, and the product connected to it by an API token. */
export interface JenkinsScene {
  jenkins: Jenkins
  clock: ReturnType<typeof manualClock>
  /** `fetch`: stands between product and system. */
  connect(fetch?: typeof globalThis.fetch): ConnectedProviders
  project(integration?: Partial<Project['integration']>): Project
  /** Forgets the faults of the last test. Fails when a call was made that Jenkins does not know, or when the token was logged. */
  check(): Promise<void>
  close(): Promise<void>
}

export async function openJenkinsScene(): Promise<JenkinsScene> {
  const clock = manualClock()
  const jenkins = await startJenkins({ clock })
  jenkins.job(DEPLOY, PARAMETERS)
  const secret = jenkins.account('draven')
  const token = secret.split(':')[1]!
  const log = collectingLog()
  const secrets = secretReader({ env: { DRAVEN_SECRET_JENKINS: secret }, envPrefix: 'DRAVEN_SECRET_', secretsDirectory: null })
  return {
    jenkins,
    clock,
    connect: (fetch = globalThis.fetch) =>
      connectProviders(connectOptions({ secrets, clock, fetch, log, allowedOrigins: [new URL(jenkins.url).origin] })),
    project: (integration) =>
      project({
        provider: 'jenkins',
        apiUrl: jenkins.url,
        credentialRef: 'env:DRAVEN_SECRET_JENKINS',
        pipelines: new Map([['prod', { selector: DEPLOY, workflowRef: null }]]),
        code: { provider: 'github', apiUrl: null, credentialRef: null },
        ...integration,
      }),
    async check() {
      jenkins.faults.clear()
      jenkins.close(false)
      const complaints = jenkins.complaints.splice(0)
      if (complaints.length > 0) throw new Error(complaints.join('\n'))
      if (log.lines.join('\n').includes(token)) throw new Error('a secret was logged')
    },
    close: jenkins.stop,
  }
}

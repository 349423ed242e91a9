import { randomBytes } from 'node:crypto'
import type { Callback } from '../../../controller/jobs/callback.ts'
import type { Project } from '../../../controller/model/desired-state.ts'
import { type ConnectedProviders, connectProviders } from '../../../controller/providers/table.ts'
import { secretReader } from '../../../controller/secrets/references.ts'
import { type EmulatedReceiver, startReceiver } from '../../sandbox/receiver/receiver.ts'
import { collectingLog, connectOptions, manualClock, project } from '../fixtures.ts'

/** A receiver, and the product connected to it. What pipelines told by callbacks is a list that the test fills. */
export interface ReceiverScene {
  receiver: EmulatedReceiver
  clock: ReturnType<typeof manualClock>
  spoken: Callback[]
  secret: string
  /** `fetch`: stands between product and system. */
  connect(fetch?: typeof globalThis.fetch): ConnectedProviders
  project(integration?: Partial<Project['integration']>): Project
  /** Fails when a call was not proved as it has to be, or when the secret was logged. */
  check(): Promise<void>
  close(): Promise<void>
}

export async function openReceiverScene(): Promise<ReceiverScene> {
  const clock = manualClock()
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const receiver = await startReceiver({ clock, secret })
  const log = collectingLog()
  const spoken: Callback[] = []
  const secrets = secretReader({ env: { DRAVEN_SECRET_HOOK: secret }, envPrefix: 'DRAVEN_SECRET_', secretsDirectory: null })
  return {
    receiver,
    clock,
    spoken,
    secret,
    connect: (fetch = globalThis.fetch) =>
      connectProviders(
        connectOptions({
          secrets,
          clock,
          fetch,
          log,
          allowedOrigins: [new URL(receiver.url).origin],
          callbacks: { of: async (jobId) => spoken.filter((each) => each.jobId === jobId) },
        }),
      ),
    project: (integration) =>
      project({
        provider: 'http',
        apiUrl: receiver.url,
        credentialRef: 'env:DRAVEN_SECRET_HOOK',
        pipelines: new Map([['prod', { selector: 'shop/deploy', workflowRef: null }]]),
        code: { provider: 'github', apiUrl: null, credentialRef: null },
        ...integration,
      }),
    async check() {
      receiver.faults.clear()
      const complaints = receiver.complaints.splice(0)
      if (complaints.length > 0) throw new Error(complaints.join('\n'))
      if (log.lines.join('\n').includes(secret)) throw new Error('a secret was logged')
    },
    close: receiver.close,
  }
}

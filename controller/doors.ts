import { Hono } from 'hono'
import type { Clock } from './clock.ts'
import type { Logger } from './log.ts'
import type { DesiredState } from './model/desired-state.ts'
import { callbackDesk } from './reconcile/answer-callback.ts'
import type { Engine } from './reconcile/engine.ts'
import type { Leadership } from './reconcile/leadership.ts'
import { liveView } from './reconcile/reconciler.ts'
import type { Redactor } from './secrets/redaction.ts'
import type { Settings } from './settings.ts'
import { createMetrics } from './status-page/metrics.ts'
import { statusApp } from './status-page/status-app.ts'
import type { OpenStore } from './store/open-store.ts'
import { callbackApp } from './webhooks/callbacks.ts'
import { NOT_CONFIG } from './webhooks/payload.ts'
import { type WebhookOptions, webhookApp } from './webhooks/routes.ts'
import { senderOf } from './webhooks/senders.ts'

export interface DoorsOptions {
  settings: Settings
  store: OpenStore
  engine: Engine
  leadership: Leadership
  clock: Clock
  log: Logger
  readSecret: (ref: string) => Promise<string>
  redactor: Redactor
  /** How long the process last stood still, in ms. */
  lagMs: () => number
  /** Has the loop look again now. */
  wake: () => void
}

/** Everything that answers HTTP: deliveries of forges, questions of pipelines, the pages. */
export function doors(options: DoorsOptions): Hono {
  const app = new Hono()
  app.route('/', webhooks(options))
  app.route('/', callbacks(options))
  app.route('/', pages(options))
  return app
}

function webhooks({ settings, store, engine, clock, log, readSecret, wake }: DoorsOptions): Hono {
  return webhookApp({
    integrations: integrations(settings, readSecret, () => engine.memory.desired),
    inbox: store.inbox,
    clock,
    log,
    onDelivery() {
      engine.memory.health.lastWebhookAt = clock.now()
      wake()
    },
  })
}

function callbacks({ store, clock, log, redactor, wake }: DoorsOptions): Hono {
  const answer = callbackDesk({
    store: store.state,
    reader: store.callbacks,
    clock,
    redact: redactor.redact,
    learnSecret: redactor.learn,
    async nudge(jobId, what) {
      await store.inbox.store({
        integration: 'callback',
        deliveryId: `${jobId}:${what}`,
        event: what,
        receivedAt: clock.now(),
        nudge: { kind: 'job', jobId },
      })
      wake()
    },
  })
  return callbackApp({ answer, log })
}

function pages({ settings, store, engine, leadership, clock, log, redactor, lagMs }: DoorsOptions): Hono {
  return statusApp({
    views: store.views,
    live: liveView(engine, leadership, redactor.redact),
    clock,
    log,
    title: 'DRAVEN',
    metrics: createMetrics(),
    lagMs,
    allowedHosts: allowedHosts(settings),
  })
}

/** The forge's name: the controller's own secret, for the config repository; a project's name: the secret that its document names. */
function integrations(
  { webhookSecretRefs, configForge, config }: Settings,
  read: (ref: string) => Promise<string>,
  desired: () => DesiredState | null,
): WebhookOptions['integrations'] {
  const configBranch = config.kind === 'remote' ? { fullName: config.repoFullName, branch: config.branch } : null
  return {
    get(name) {
      const isForge = name === configForge
      const integration = isForge ? null : desired()?.projects.get(name)?.integration
      const sender =
        integration === undefined ? null : senderOf(integration?.code?.provider ?? integration?.provider ?? configForge)
      if (sender === null) return undefined
      if (isForge) return { sender, secrets: () => Promise.all(webhookSecretRefs.map(read)), configBranch }
      const ref = integration?.webhookSecretRef ?? null
      // A project's secret speaks of the config repository only where that is on the same forge.
      const branch = (integration?.code?.provider ?? integration?.provider) === configForge ? configBranch : NOT_CONFIG
      return ref === null ? undefined : { sender, secrets: async () => [await read(ref)], configBranch: branch }
    },
  }
}

/** Without a public address: on loopback nobody has to come by name, elsewhere we do not know the names. */
function allowedHosts({ publicUrl, listen }: Settings): readonly string[] | null {
  if (publicUrl !== null) return [new URL(publicUrl).host]
  return /^(?:localhost|127\..*|::1)$/.test(listen.host) ? ['localhost'] : null
}

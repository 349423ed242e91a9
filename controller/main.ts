import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { localSettings, makeDataDirectory, openSource, openStore } from './adapters.ts'
import { type Clock, systemClock } from './clock.ts'
import { doors } from './doors.ts'
import { watchEventLoop } from './event-loop.ts'
import { openHttpServer } from './http-server.ts'
import { jsonLogger, type Logger } from './log.ts'
import { documentCache } from './model/load.ts'
import { type ConnectedProviders, connectProviders } from './providers/table.ts'
import { startCourier } from './reconcile/courier.ts'
import { type Engine, emptyMemory } from './reconcile/engine.ts'
import { openLeadership, soleLeadership } from './reconcile/leadership.ts'
import { startLookout } from './reconcile/lookout.ts'
import { startReconciler } from './reconcile/reconciler.ts'
import { type Redactor, redactor } from './secrets/redaction.ts'
import { SECRET_PREFIX, secretReader } from './secrets/references.ts'
import { databasePasswords, type Environment, type Settings } from './settings.ts'
import { withoutSecrets } from './store/clean-store.ts'
import type { OpenStore } from './store/open-store.ts'
import { VERSION } from './version.ts'

/** What a test or a simulation may put in place of the world. */
export interface Seams {
  clock: Clock
  fetch: typeof globalThis.fetch
  env: Environment
  write: (line: string) => void
  /** Where the secrets that are read become known. */
  redactor: Redactor
  /** Called when going on could lose an acknowledged write. */
  onFatal: (error: Error) => void
  wrapStore: (store: OpenStore) => OpenStore
  wrapProviders: (providers: ConnectedProviders) => ConnectedProviders
}

export interface Controller {
  url: string
  engine: Engine
  store: OpenStore
  /** Looks at everything again now. */
  wake(): void
  stop(): Promise<void>
}

const CALL_TIMEOUT_MS = 20_000
const TRIGGER_TIMEOUT_MS = 10_000
const EVIDENCE_MAX_AGE_MS = 30_000

/** The composition root, in the order in which facts flow: settings → secrets → store → providers → source → loop → page. */
export async function startController(settings: Settings, seams: Partial<Seams> = {}): Promise<Controller> {
  const clock = seams.clock ?? systemClock()
  const secrets = secretReader({
    env: seams.env ?? process.env,
    envPrefix: SECRET_PREFIX,
    secretsDirectory: settings.secretsDirectory,
  })
  const scrubber = seams.redactor ?? redactor()
  const log = jsonLogger({
    level: settings.logLevel,
    redact: scrubber.redact,
    write: seams.write ?? ((line) => process.stderr.write(line)),
  })
  const onFatal = seams.onFatal ?? exitAtOnce(log)

  await makeDataDirectory(settings.dataDirectory)
  if (settings.database.kind === 'postgres') {
    for (const password of databasePasswords({ DATABASE_URL: settings.database.url })) scrubber.learn(password)
  }
  const opened = await openStore(settings, { clock, onFatal })
  const store = withoutSecrets(seams.wrapStore?.(opened) ?? opened, scrubber.redact)
  const connected = connectProviders({
    ...settings.forges,
    local: await localSettings(settings),
    allowedOrigins: settings.allowedOrigins,
    callbacks: store.callbacks,
    secrets,
    redactor: scrubber,
    fetch: seams.fetch ?? globalThis.fetch,
    clock,
    log,
    timeouts: { callMs: CALL_TIMEOUT_MS, triggerMs: TRIGGER_TIMEOUT_MS },
    configRepo:
      settings.config.kind === 'remote' ? { provider: settings.config.provider, fullName: settings.config.repoFullName } : null,
  })
  const providers = seams.wrapProviders?.(connected) ?? connected
  const { source, watch, close: closeSource } = await openSource(settings, providers, log)

  const leadership =
    store.shared === null
      ? soleLeadership()
      : openLeadership({ lease: store.shared.lease, replica: replicaName(), leaseMs: settings.leaseMs, clock, log })
  const engine: Engine = {
    clock,
    log,
    source,
    store: store.state,
    host: providers.configHost,
    connections: providers.connections,
    config: { branch: settings.config.branch, acceptHistory: settings.acceptHistory },
    statusUrl: settings.publicUrl,
    callbacks: callbackDoor(settings.publicUrl),
    timing: { ...settings.timing, evidenceMaxAgeMs: EVIDENCE_MAX_AGE_MS, triggerTimeoutMs: TRIGGER_TIMEOUT_MS },
    memory: emptyMemory(documentCache(), {
      startedAt: clock.now(),
      lastTickAt: null,
      lastTickMs: null,
      sourceSeenAt: null,
      sourceError: null,
      lastWebhookAt: null,
      pollMs: settings.timing.pollMs,
      error: null,
      version: VERSION,
    }),
  }
  await store.state.unit('controller.started', (tx) =>
    tx.audit({
      at: clock.now(),
      action: 'controller_started',
      actor: 'controller',
      jobId: null,
      environment: null,
      commit: null,
      data: { version: VERSION },
    }),
  )

  // Messages go out beside the loop: a slow forge never holds a job up.
  const courier = startCourier(engine, leadership)
  const loop = startReconciler(engine, { leadership, readConfig: store.views.config, afterPass: courier.wake })
  const unwatch = watch(() => {
    engine.memory.configMoved = true
    loop.wake()
  })
  const newestDelivery = store.shared?.newestDelivery
  const lookout = newestDelivery && startLookout({ newestDelivery, leadership, clock, wake: loop.wake })
  leadership.start(loop.wake)

  const eventLoop = watchEventLoop()
  const app = doors({
    settings,
    store,
    engine,
    leadership,
    clock,
    log,
    readSecret: secrets.read,
    redactor: scrubber,
    lagMs: eventLoop.lagMs,
    wake: loop.wake,
  })
  const server = await openHttpServer(app, settings.listen)
  log.info('controller started', { version: VERSION, url: server.url })

  return {
    url: server.url,
    engine,
    store,
    wake: loop.wake,
    async stop() {
      await server.close()
      eventLoop.stop()
      await unwatch()
      await loop.stop()
      await courier.stop()
      await lookout?.stop()
      await leadership.stop()
      await store.state.unit('controller.stopped', (tx) =>
        tx.audit({
          at: clock.now(),
          action: 'controller_stopped',
          actor: 'controller',
          jobId: null,
          environment: null,
          commit: null,
          data: {},
        }),
      )
      await closeSource()
      await store.close()
    },
  }
}

/** The form of a token is known to the redactor, so that none needs to be taught. */
function callbackDoor(publicUrl: string | null): Engine['callbacks'] {
  if (publicUrl === null) return null
  return {
    urlOf: (jobId) => `${publicUrl}/callbacks/jobs/${jobId}`,
    newToken: () => `dcb_${randomBytes(32).toString('base64url')}`,
  }
}

/** For people who read logs and the system page; the lease itself goes by its fence. */
function replicaName(): string {
  return `${hostname()}:${process.pid}`
}

/** Crash-only: the store can no longer be trusted with what it acknowledged; a restart can. */
function exitAtOnce(log: Logger): (error: Error) => void {
  return (error) => {
    log.error('the store failed; the process ends', { error: error.stack ?? error.message })
    process.exit(1)
  }
}

import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { parse } from 'yaml'
import { type Clock, systemClock } from './clock.ts'
import { ConfigFault } from './errors.ts'
import { watchEventLoop } from './event-loop.ts'
import { openHttpServer } from './http-server.ts'
import { jsonLogger, type Logger } from './log.ts'
import type { DesiredState } from './model/desired-state.ts'
import { documentCache } from './model/load.ts'
import { commitSha } from './model/names.ts'
import type { LocalSettings } from './providers/provider.ts'
import { type ConnectedProviders, connectProviders } from './providers/table.ts'
import { callbackDesk } from './reconcile/answer-callback.ts'
import { startCourier } from './reconcile/courier.ts'
import { type Engine, emptyMemory } from './reconcile/engine.ts'
import { guarded, type Leadership, leaderOnly, openLeadership, soleLeadership } from './reconcile/leadership.ts'
import { type Loop, startLoop } from './reconcile/loop.ts'
import type { ConfigSource } from './reconcile/ports.ts'
import { liveView, startReconciler } from './reconcile/reconciler.ts'
import { type Redactor, redactor } from './secrets/redaction.ts'
import { SECRET_PREFIX, secretReader } from './secrets/references.ts'
import type { Environment, Settings } from './settings.ts'
import { openLocalDirectory } from './source/local-directory.ts'
import { openMirror } from './source/mirror.ts'
import { createMetrics } from './status-page/metrics.ts'
import { statusApp } from './status-page/status-app.ts'
import type { OpenStore } from './store/open-store.ts'
import { openPostgresStore } from './store/postgres-store.ts'
import { openSqliteStore } from './store/sqlite-store.ts'
import { VERSION } from './version.ts'
import { callbackApp } from './webhooks/callbacks.ts'
import { NOT_CONFIG } from './webhooks/payload.ts'
import { type WebhookOptions, webhookApp } from './webhooks/routes.ts'
import { senderOf } from './webhooks/senders.ts'

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
const FETCH_TIMEOUT_MS = 120_000
const EVIDENCE_MAX_AGE_MS = 30_000
/** How often the leader looks for deliveries that other controllers took. */
const LOOKOUT_MS = 1_000

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

  await mkdir(settings.dataDirectory, { recursive: true, mode: 0o700 })
  const opened = await openStore(settings, { clock, onFatal, learnSecret: scrubber.learn })
  const store = seams.wrapStore?.(opened) ?? opened
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
    store: guarded(store.state, leadership),
    host: providers.configHost,
    connections: leaderOnly(providers.connections, leadership),
    config: {
      branch: settings.config.branch,
      acceptHistory: settings.acceptHistory === null ? null : commitSha(settings.acceptHistory),
    },
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
  const unwatch = watch(() => loop.wake())
  const lookout = startLookout(store, leadership, clock, loop.wake)
  leadership.start(loop.wake)

  const eventLoop = watchEventLoop()
  const app = new Hono()
  app.route(
    '/',
    webhookApp({
      integrations: webhookIntegrations(settings, secrets.read, () => engine.memory.desired),
      inbox: store.inbox,
      clock,
      log,
      onDelivery() {
        engine.memory.health.lastWebhookAt = clock.now()
        loop.wake()
      },
    }),
  )
  app.route(
    '/',
    callbackApp({
      answer: callbackDesk({
        store: store.state,
        reader: store.callbacks,
        clock,
        redact: scrubber.redact,
        learnSecret: scrubber.learn,
        async nudge(jobId, what) {
          const nudge = { kind: 'job', jobId } as const
          await store.inbox.store({
            integration: 'callback',
            deliveryId: `${jobId}:${what}`,
            event: what,
            receivedAt: clock.now(),
            nudge,
          })
          loop.wake()
        },
      }),
      log,
    }),
  )
  app.route(
    '/',
    statusApp({
      views: store.views,
      live: liveView(engine, leadership),
      clock,
      log,
      title: 'DRAVEN',
      metrics: createMetrics(),
      lagMs: eventLoop.lagMs,
      allowedHosts: allowedHosts(settings),
    }),
  )
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
      await lookout.stop()
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

/** A delivery that another controller took wakes the leader up as well: it looks often, at one row of an index. */
function startLookout(store: OpenStore, leadership: Leadership, clock: Clock, wake: () => void): Pick<Loop, 'stop'> {
  const { shared } = store
  if (shared === null) return { stop: async () => {} }
  let seen: number | null = null
  async function look(): Promise<number> {
    if (leadership.fence() === null) return LOOKOUT_MS
    try {
      const newest = await shared!.newestDelivery()
      // Another one, not a higher one: what was numbered first may be committed last.
      if (newest !== null && newest !== seen) wake()
      seen = newest
    } catch {
      // The loop that decides says what is wrong with the store.
    }
    return LOOKOUT_MS
  }
  return startLoop({ clock, debounceMs: 0, pass: look })
}

interface StoreNeeds {
  clock: Clock
  onFatal: (error: Error) => void
  learnSecret: (secret: string) => void
}

function openStore({ database, dataDirectory }: Settings, { clock, onFatal, learnSecret }: StoreNeeds): Promise<OpenStore> {
  if (database.kind === 'sqlite') return openSqliteStore({ file: join(dataDirectory, 'draven.db'), clock, onFatal })
  learnSecret(decodeURIComponent(new URL(database.url).password))
  return openPostgresStore({ url: database.url, clock, onFatal, random: Math.random })
}

interface OpenSource {
  source: ConfigSource
  watch: (onChange: () => void) => () => Promise<void>
  close: () => Promise<void>
}

async function openSource(settings: Settings, providers: ConnectedProviders, log: Logger): Promise<OpenSource> {
  if (settings.config.kind === 'directory') {
    const source = await openLocalDirectory({ directory: settings.config.directory, branch: settings.config.branch, log })
    return { source, watch: (onChange) => source.watch(onChange), close: async () => source.close() }
  }
  const source = await openMirror({
    url: settings.config.url,
    branch: settings.config.branch,
    directory: join(settings.dataDirectory, 'config.git'),
    authorization: providers.gitAuthorization(settings.config.url),
    allowFileProtocol: false,
    allowHttp: settings.allowLoopback,
    fetchTimeoutMs: FETCH_TIMEOUT_MS,
    sshCommand: settings.gitSshCommand,
    log,
  })
  return { source, watch: () => async () => {}, close: source.close }
}

/** The forge's name: the controller's own secret, for the config repository; a project's name: the secret that its document names. */
function webhookIntegrations(
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

/** Commands that the local provider may run: from this machine's own file, never from the config repository. */
async function localSettings(settings: Settings): Promise<LocalSettings | null> {
  if (settings.localPipelinesFile === null) return null
  const read = parse(await readFile(settings.localPipelinesFile, 'utf8')) as {
    commands?: LocalSettings['commands']
    repositories?: LocalSettings['repositories']
  } | null
  if (read === null || typeof read !== 'object' || typeof read.commands !== 'object') {
    throw new ConfigFault(
      `${settings.localPipelinesFile} has no commands.`,
      'Write `commands:` with a name and an `argv:` list for each.',
    )
  }
  return { commands: read.commands, repositories: read.repositories ?? {}, dataDirectory: join(settings.dataDirectory, 'local') }
}

/** Without a public address: on loopback nobody has to come by name, elsewhere we do not know the names. */
function allowedHosts({ publicUrl, listen }: Settings): readonly string[] | null {
  if (publicUrl !== null) return [new URL(publicUrl).host]
  return /^(?:localhost|127\..*|::1)$/.test(listen.host) ? ['localhost'] : null
}

/** Crash-only: the store can no longer be trusted with what it acknowledged; a restart can. */
function exitAtOnce(log: Logger): (error: Error) => void {
  return (error) => {
    log.error('the store failed; the process ends', { error: error.stack ?? error.message })
    process.exit(1)
  }
}

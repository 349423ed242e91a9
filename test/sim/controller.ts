import type { Instant } from '../../controller/clock.ts'
import { RefusedFault, TransientFault } from '../../controller/errors.ts'
import type { PipelineProvider, StartOutcome } from '../../controller/jobs/executor.ts'
import type { LeaderLease } from '../../controller/jobs/lease.ts'
import type { StateStore } from '../../controller/jobs/state-store.ts'
import type { Logger } from '../../controller/log.ts'
import { type DocumentCache, documentCache } from '../../controller/model/load.ts'
import type { CommitSha } from '../../controller/model/names.ts'
import { type CallbackDesk, callbackDesk } from '../../controller/reconcile/answer-callback.ts'
import { startCourier } from '../../controller/reconcile/courier.ts'
import { type Engine, emptyMemory } from '../../controller/reconcile/engine.ts'
import { openLeadership, soleLeadership } from '../../controller/reconcile/leadership.ts'
import type { ConfigHost, ConfigSource, Connections, LoopTiming } from '../../controller/reconcile/ports.ts'
import { startReconciler } from '../../controller/reconcile/reconciler.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import type { Delivery } from '../../controller/webhooks/inbox.ts'
import type { Checks } from './checks.ts'
import type { Fault } from './faults.ts'
import { ciEvidence, type Forge, factsOf, headOf, resolvedRef, summaryAt } from './forge.ts'
import type { Pipelines, SimRun } from './pipelines.ts'
import { recorded } from './recorder.ts'
import { blobOf, bytesOf, type Remote, snapshotOf, textAt } from './remote.ts'
import type { Actor, World } from './world.ts'

/** Shorter than in production where that only saves steps: the order of the times is the same. */
const TIMING: Omit<LoopTiming, 'pollMs'> = {
  runPollMs: 30_000,
  evidenceMaxAgeMs: 30_000,
  triggerTimeoutMs: 10_000,
  triggerLookupMs: 240_000,
}

/** Long, so that keeping it costs few steps; pauses and absences last longer still. */
const LEASE_MS = 120_000
const LOOK_MS = 30_000

/** The simulated outside, as all controllers share it. */
export interface Surroundings {
  world: World
  remote: Remote
  forge: Forge
  pipelines: Pipelines
  checks: Checks
  /** Are messages sent? That is a fourth of all steps, and next to nothing depends on it. */
  sends: boolean
  /** How often a controller looks without being told. */
  pollMs: number
  /** For pipelines that ask back. */
  newToken: () => string
  /** The store as it is now: a lost one is followed by an empty one. */
  store: () => OpenStore
}

/** What a machine keeps of the config repository: what was once fetched there. It only ever grows. */
export type Mirror = Set<CommitSha>

export interface RunningController {
  actor: Actor
  engine: Engine
  deliver(delivery: Delivery): Promise<void>
  /** Answers a pipeline that asks back. */
  answer: CallbackDesk
  /** Ends its work in good order. */
  stop(): Promise<void>
}

/** Parsed documents depend on nothing but their text, so all histories of a process may share them. */
const documents: DocumentCache = documentCache()

/** Starts the real loop and the real courier on simulated ports, with nothing in memory. */
export function startController(outside: Surroundings, actor: Actor, mirror: Mirror): RunningController {
  const { world, checks, pollMs } = outside
  const state = recorded({ unit: (name, work) => outside.store().state.unit(name, work) }, (unit, writes) =>
    checks.committed(actor, unit, writes),
  )
  const clock = world.clockOf(actor)
  const log: Logger = {
    debug() {},
    info() {},
    warn: (message, facts) => world.trace(`  ${actor.name} warns: ${message}${firstLine(facts)}`),
    error(message, facts) {
      world.trace(`  ${actor.name} reports: ${message}${firstLine(facts)}`)
      checks.reported(message, JSON.stringify(facts ?? {}))
    },
  }
  const leadership =
    outside.store().shared === null
      ? soleLeadership()
      : openLeadership({ lease: leaseOf(outside, actor), replica: actor.name, leaseMs: LEASE_MS, lookMs: LOOK_MS, clock, log })
  const store: StateStore = {
    unit: (name, work) => world.call(actor, `store ${name}`, 'store', () => state.unit(name, work)),
  }
  const engine: Engine = {
    clock,
    log,
    store,
    source: configSource(outside, actor, mirror),
    host: configHost(outside, actor),
    connections: connections(outside, actor),
    config: { branch: 'main', acceptHistory: null },
    statusUrl: null,
    callbacks: { urlOf: (jobId) => `https://draven.test/callbacks/jobs/${jobId}`, newToken: outside.newToken },
    timing: { ...TIMING, pollMs },
    memory: emptyMemory(documents, {
      startedAt: clock.now(),
      lastTickAt: null,
      lastTickMs: null,
      sourceSeenAt: null,
      sourceError: null,
      lastWebhookAt: null,
      pollMs,
      error: null,
      version: 'sim',
    }),
  }
  const courier = outside.sends ? startCourier(engine, leadership) : null
  const readConfig = () => world.call(actor, 'store views.config', 'store', () => outside.store().views.config())
  const loop = startReconciler(engine, { leadership, readConfig, afterPass: () => courier?.wake() })
  leadership.start(loop.wake)
  async function deliver(delivery: Delivery): Promise<void> {
    await world.call(actor, 'inbox store', 'delivery', () => outside.store().inbox.store(delivery))
    checks.acknowledged(delivery)
    loop.wake()
  }
  return {
    actor,
    engine,
    deliver,
    answer: callbackDesk({
      store,
      reader: { of: (jobId) => world.call(actor, 'store callbacks.of', 'store', () => outside.store().callbacks.of(jobId)) },
      clock,
      redact: (text) => text,
      learnSecret: () => {},
      nudge: (jobId, what) =>
        deliver({
          integration: 'callback',
          deliveryId: `${jobId}:${what}`,
          event: what,
          receivedAt: clock.now(),
          nudge: { kind: 'job', jobId },
        }),
    }),
    async stop() {
      await loop.stop()
      await courier?.stop()
      await leadership.stop()
    },
  }
}

function leaseOf({ world, store, checks }: Surroundings, actor: Actor): LeaderLease {
  const lease = () => store().shared!.lease
  return {
    take: (holder, durationMs) =>
      world.call(actor, 'lease take', 'lease', async () => {
        const fence = await lease().take(holder, durationMs)
        if (fence !== null) checks.leads(actor)
        return fence
      }),
    renew: (fence, durationMs) => world.call(actor, 'lease renew', 'lease', () => lease().renew(fence, durationMs)),
    release: (fence) => world.call(actor, 'lease release', 'lease', () => lease().release(fence)),
    holder: () => world.call(actor, 'lease holder', 'lease', () => lease().holder()),
  }
}

function configSource({ world, remote, forge, checks }: Surroundings, actor: Actor, mirrored: Mirror): ConfigSource {
  const add = (id: CommitSha) => {
    const commit = remote.commit(id)
    if (commit === undefined || mirrored.has(id)) return
    mirrored.add(id)
    for (const parent of commit.parents) add(parent)
  }
  const mirror = (id: CommitSha) => (mirrored.has(id) ? remote.commit(id)! : null)
  return {
    fetch: () =>
      world.call(actor, 'git fetch', 'read', (fault) => {
        refuse(fault, 'git fetch')
        checks.lookedAtBranch(actor)
        add(remote.head().id)
        return remote.head().id
      }),
    async snapshot(commit) {
      if (mirror(commit) === null) {
        await world.call(actor, 'git fetch commit', 'read', (fault) => {
          if (remote.hides && !remote.isAncestor(commit, remote.head().id)) refuse('refused', 'git fetch commit')
          refuse(fault, 'git fetch commit')
          add(commit)
        })
      }
      return snapshotOf(mirror(commit)!)
    },
    readBlobs: async (ids) => new Map(ids.map((id) => [id, bytesOf(id)])),
    history: {
      isAncestor: async (one, other) => mirror(one) !== null && mirror(other) !== null && remote.isAncestor(one, other),
      commitsBetween: async () => [],
      fetchPull: (headRef, expected) =>
        world.call(actor, 'git fetch pull', 'read', (fault) => {
          refuse(fault, 'git fetch pull')
          const pull = forge.pulls[Number(headRef) - 1]!
          add(headOf(pull).id)
          return headOf(pull).id === expected
        }),
      async blobAt(commit, path) {
        const there = mirror(commit)
        const text = there === null ? undefined : textAt(there, path)
        return text === undefined ? null : blobOf(text)
      },
      lastAuthorEmail: async () => null,
      async broughtAt(commit, path) {
        const there = mirror(commit)
        const text = there === null ? undefined : textAt(there, path)
        if (there === null || text === undefined) return null
        // The branch only moves forward here, so the heads it had are its first-parent line.
        let since: Instant | null = null
        for (const move of remote.moves) {
          if (!remote.isAncestor(move.head, commit)) continue
          const same = textAt(remote.commit(move.head)!, path) === text
          since = same ? (since ?? move.at) : null
        }
        return since
      },
    },
  }
}

function configHost({ world, forge, checks }: Surroundings, actor: Actor): ConfigHost {
  return {
    provider: 'github',
    reviews: {
      pullRequests: ({ baseRef, since }) =>
        world.call(actor, 'forge list pulls', 'list', (fault) => {
          // A list that lags chooses by what was half a minute ago. What it then shows of each is as old, or quite fresh.
          const upTo = fault === 'stale' ? world.now() - 30_000 : world.now()
          const shownAt = fault === 'stale' && world.draw(2) === 1 ? world.now() : upTo
          return forge.pulls.flatMap((pull) => {
            const known = pull.createdAt <= upTo ? summaryAt(pull, upTo) : null
            const listed = known?.baseRef === baseRef && (known.state === 'open' || known.updatedAt >= since)
            return listed ? [summaryAt(pull, shownAt)] : []
          })
        }),
      pullRequest: (number) =>
        world.call(actor, 'forge read pull', 'read', (fault) => {
          refuse(fault, 'reading the pull request')
          return factsOf(forge.pulls[number - 1]!, world.now())
        }),
      headRef: (number) => String(number),
    },
    voice: {
      publishCheck: (message) => {
        checks.acts(actor, 'publish a check')
        return world.call(actor, 'forge publish check', 'send', (fault) => {
          refuse(fault, 'publishing')
          checks.shown(`check ${message.sha} ${message.name}`, message)
          return `${message.sha} ${message.name}`
        })
      },
      upsertComment: (message) => {
        checks.acts(actor, 'comment')
        return world.call(actor, 'forge comment', 'send', (fault) => {
          refuse(fault, 'commenting')
          checks.shown(`comment ${message.pullRequest}`, message)
          return `c${message.pullRequest}`
        })
      },
    },
  }
}

function connections(outside: Surroundings, actor: Actor): Connections {
  const { world, forge, checks } = outside
  return {
    refs: ({ integration: { repoFullName } }) => ({
      resolveRef: (ref) =>
        world.call(actor, 'forge resolve ref', 'read', (fault) => {
          refuse(fault, 'resolving the ref')
          if (ref.type === 'sha') return resolvedRef(ref.name as CommitSha)
          return resolvedRef(forge.refAt(repoFullName, `${ref.type} ${ref.name}`, world.now()))
        }),
      ciEvidence: (sha) =>
        world.call(actor, 'forge read ci', 'read', (fault) => {
          refuse(fault, 'reading CI')
          return ciEvidence(sha, forge.ciAt(sha, world.now()))
        }),
    }),
    pipeline: ({ integration: { repoFullName } }) => pipelineProvider(outside, actor, repoFullName),
    deployments: () => ({
      mirror: (message) => {
        checks.acts(actor, 'mirror a deployment')
        return world.call(actor, 'forge mirror deployment', 'send', (fault) => {
          refuse(fault, 'mirroring')
          checks.shown(`deployment ${message.jobId}`, message)
          return `d${message.jobId}`
        })
      },
    }),
  }
}

function pipelineProvider({ world, pipelines, checks }: Surroundings, actor: Actor, repo: string): PipelineProvider {
  return {
    start: (trigger) => {
      checks.acts(actor, 'start a run')
      return world
        .call<StartOutcome>(actor, 'pipeline start', 'trigger', (fault) => {
          checks.sent(trigger)
          if (fault === 'refused') return { kind: 'refused', why: 'simulated 422', retryAfterMs: null, unreachable: false }
          if (fault === 'unreachable') return { kind: 'refused', why: 'ECONNREFUSED', retryAfterMs: 10_000, unreachable: true }
          const run = pipelines.create(repo, trigger)
          checks.runCreated(run)
          if (fault === 'accepted') return { kind: 'accepted' }
          if (fault === 'throws') throw new Error('simulated: the adapter broke')
          return { kind: 'started', run: { externalId: run.id, externalAttempt: 1, url: null } }
        })
        .catch((error: unknown) => {
          if (!(error instanceof TransientFault)) throw error
          if (error.retryAfterMs > 0) {
            return { kind: 'refused', why: error.message, retryAfterMs: error.retryAfterMs, unreachable: false }
          }
          return { kind: 'unknown', why: error.message }
        })
    },
    find: ({ jobId }) =>
      asked(
        checks,
        jobId,
        world.call(actor, 'pipeline find', 'list', (fault) => pipelines.find(repo, jobId, fault === 'stale')),
      ),
    // Every simulated run carries its JOB_ID, and none ever leaves the list.
    doubt: async () => null,
    observe: ({ externalId }) =>
      asked(
        checks,
        jobOf(pipelines.runs, externalId),
        world.call(actor, 'pipeline observe', 'read', (fault) => {
          refuse(fault, 'observing')
          const run = pipelines.runs.find((each) => each.id === externalId)
          if (run !== undefined) checks.observed(run)
          return pipelines.observe(repo, externalId)
        }),
      ),
    cancel: ({ externalId }) => {
      checks.acts(actor, 'cancel a run')
      return asked(
        checks,
        jobOf(pipelines.runs, externalId),
        world.call(actor, 'pipeline cancel', 'cancel', (fault) => {
          const run = pipelines.runs.find((each) => each.id === externalId)
          if (run !== undefined) checks.cancelAsked(run)
          refuse(fault, 'canceling')
          if (run !== undefined) pipelines.cancel(run)
        }),
      )
    },
  }
}

function jobOf(runs: readonly SimRun[], externalId: string): string | null {
  return runs.find((run) => run.id === externalId)?.trigger.jobId ?? null
}

/** The checks know how long a provider was really asked in vain. */
async function asked<T>(checks: Checks, jobId: string | null, answer: Promise<T>): Promise<T> {
  try {
    const value = await answer
    checks.answered(jobId, true)
    return value
  } catch (error) {
    checks.answered(jobId, false)
    throw error
  }
}

/** Stacks are no part of a history: they tell of the machine. */
function firstLine(facts: Record<string, unknown> | undefined): string {
  const told = facts?.['error'] ?? facts?.['reason']
  return typeof told === 'string' ? `: ${told.split('\n')[0]}` : ''
}

function refuse(fault: Fault | null, what: string): void {
  if (fault === 'refused') throw new RefusedFault(`simulated: ${what} was refused`, 403)
}

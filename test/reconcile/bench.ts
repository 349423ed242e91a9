import { createHash } from 'node:crypto'
import type { PullRequestFacts, PullRequestSummary } from '../../controller/approvals/evidence.ts'
import type { Clock } from '../../controller/clock.ts'
import type { PipelineProvider, RunObservation, StartOutcome, Trigger } from '../../controller/jobs/executor.ts'
import type { Job, Run } from '../../controller/jobs/job.ts'
import { jobIdFor } from '../../controller/jobs/job-id.ts'
import { documentCache } from '../../controller/model/load.ts'
import { type BlobId, blobId, type CommitSha, commitSha } from '../../controller/model/names.ts'
import type { CiEvidence, ResolvedRef } from '../../controller/policy/facts.ts'
import { type Engine, emptyMemory } from '../../controller/reconcile/engine.ts'
import type { ConfigHost, ConfigSource } from '../../controller/reconcile/ports.ts'
import { tick } from '../../controller/reconcile/tick.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { CONFIG_REPO_ID, configFiles } from '../scenarios/config-files.ts'
import { openAt, scratchFolder } from '../store/sqlite-file.ts'

/** Wednesday 2026-11-18 11:00 in Rome: every window of the plain config repository is open. */
export const NOON = Date.parse('2026-11-18T10:00:00Z')
export const SHA = commitSha('a'.repeat(40))

/** The engine on a real store, with a config repository, a forge and a pipeline made by hand: one `tick` at a time. */
export interface Bench {
  engine: Engine
  store: OpenStore
  clock: Clock & { at: number }
  /** Adds a commit to the config branch; null deletes a file. Gives its id. */
  commit(files: Readonly<Record<string, string | null>>): CommitSha
  source: FakeSource
  forge: FakeForge
  pipeline: FakePipeline
  log: string[]
  tick(): Promise<number>
  job(path: string): Promise<Job>
  run(path: string): Promise<Run>
  lockHeld(): Promise<boolean>
  /** Forgets everything but the store, as a new process would. */
  restart(): void
  close(): Promise<void>
}

export interface FakeSource extends ConfigSource {
  /** Thrown by the next fetches. */
  fault: Error | null
  /** Commits that neither the mirror nor the host has any more. */
  gone: Set<CommitSha>
  /** Thrown when one of them is asked for; null: that there is none. */
  lost: Error | null
  /** Looks at a pull request's head at the remote. */
  headLooks: number
}

export interface FakeForge {
  pulls: Map<number, PullRequestFacts>
  /** Pull requests whose reading is refused. */
  unreadable: Map<number, Error>
  lists: number[]
  reads: number[]
}

export interface FakePipeline extends PipelineProvider {
  started: Trigger[]
  outcome: StartOutcome
  seen: RunObservation
  calls: string[]
  /** Thrown by every call but `start`. */
  fault: Error | null
  cancelFault: Error | null
  /** Why not finding a run proves nothing. */
  doubts: string | null
  ref: ResolvedRef
  refFault: Error | null
}

/** With the config repository on record already; `unseen`: the first look at it is still to come. `files` are in it besides. */
export async function openBench(
  options: { forge?: boolean; unseen?: boolean; files?: Record<string, string> } = {},
): Promise<Bench> {
  const folder = scratchFolder()
  const store = await openAt(folder.file)
  const clock = { at: NOON, now: () => clock.at, elapsed: () => clock.at, sleep: async () => {} }
  const { source, commit } = fakeSource()
  const pipeline = fakePipeline()
  const forge: FakeForge = { pulls: new Map(), unreadable: new Map(), lists: [], reads: [] }
  const log: string[] = []
  const note = (message: string, data?: unknown) => void log.push(`${message} ${JSON.stringify(data ?? {})}`)
  const memory = () =>
    emptyMemory(documentCache(), {
      startedAt: NOON,
      lastTickAt: null,
      lastTickMs: null,
      sourceSeenAt: null,
      sourceError: null,
      lastWebhookAt: null,
      pollMs: 20_000,
      error: null,
      version: 'test',
    })
  const refs = {
    async resolveRef() {
      if (pipeline.refFault) throw pipeline.refFault
      return pipeline.ref
    },
    ciEvidence: async (sha: CommitSha): Promise<CiEvidence> => ({
      sha,
      results: [{ name: 'build', app: 'github-actions', state: 'success', url: null }],
      ignored: [],
    }),
  }
  const engine: Engine = {
    clock,
    log: { debug: note, info: note, warn: note, error: note },
    store: store.state,
    source,
    host: options.forge ? fakeHost(forge) : null,
    connections: { refs: () => refs, pipeline: () => pipeline, deployments: () => null },
    config: { branch: 'main', acceptHistory: null },
    statusUrl: null,
    callbacks: null,
    timing: { pollMs: 20_000, runPollMs: 15_000, evidenceMaxAgeMs: 30_000, triggerTimeoutMs: 10_000, triggerLookupMs: 600_000 },
    memory: memory(),
  }
  const bench: Bench = {
    engine,
    store,
    clock,
    commit,
    source,
    forge,
    pipeline,
    log,
    tick: () => tick(engine),
    async job(path) {
      const job = await store.state.unit('test.job', (tx) => tx.jobs.get(jobIdFor(CONFIG_REPO_ID, path)))
      if (job === null) throw new Error(`no job for ${path}\n${log.join('\n')}`)
      return job
    },
    async run(path) {
      const runs = await store.state.unit('test.runs', (tx) => tx.runs.of([jobIdFor(CONFIG_REPO_ID, path)]))
      return runs.at(-1)!
    },
    lockHeld: async () => (await store.state.unit('test.locks', (tx) => tx.locks.all())).length > 0,
    restart() {
      engine.memory = memory()
    },
    async close() {
      await store.close()
      folder.remove()
    },
  }
  commit({ ...configFiles(), ...options.files })
  if (!options.unseen) await tick(engine)
  bench.restart()
  return bench
}

function fakeSource(): { source: FakeSource; commit: Bench['commit'] } {
  const history: { id: CommitSha; files: Map<string, string> }[] = []
  const blobs = new Map<BlobId, Uint8Array>()
  const store = (text: string): BlobId => {
    const id = blobId(createHash('sha1').update(text).digest('hex'))
    blobs.set(id, Buffer.from(text))
    return id
  }
  const at = (id: CommitSha) => {
    const found = source.gone.has(id) ? undefined : history.find((commit) => commit.id === id)
    if (found === undefined) throw source.lost ?? new Error(`no commit ${id}`)
    return found.files
  }
  const place = (id: CommitSha) => history.findIndex((commit) => commit.id === id)
  const source: FakeSource = {
    fault: null,
    gone: new Set(),
    lost: null,
    headLooks: 0,
    async fetch() {
      if (source.fault) throw source.fault
      return history.at(-1)!.id
    },
    snapshot: async (commit) => ({
      commit,
      entries: [...at(commit)]
        .map(([path, text]) => ({ path, mode: '100644', id: store(text), size: Buffer.byteLength(text) }))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
    }),
    readBlobs: async (ids) => new Map(ids.map((id) => [id, blobs.get(id)!])),
    history: {
      isAncestor: async (a, b) => place(a) !== -1 && place(b) !== -1 && !source.gone.has(a) && place(a) <= place(b),
      commitsBetween: async () => [],
      async fetchPull() {
        source.headLooks++
        return true
      },
      async blobAt(commit, path) {
        const text = place(commit) === -1 ? undefined : at(commit).get(path)
        return text === undefined ? null : store(text)
      },
      lastAuthorEmail: async () => 'alice@work.example',
      broughtAt: async () => NOON - 60_000,
    },
  }
  return {
    source,
    commit(files) {
      const next = new Map(history.at(-1)?.files ?? [])
      for (const [path, text] of Object.entries(files)) text === null ? next.delete(path) : next.set(path, text)
      const id = commitSha((history.length + 1).toString(16).padStart(40, '0'))
      history.push({ id, files: next })
      return id
    },
  }
}

function fakePipeline(): FakePipeline {
  const run = { externalId: '900', externalAttempt: 1, url: null }
  const pipeline: FakePipeline = {
    started: [],
    outcome: { kind: 'started', run },
    seen: { state: 'active', externalAttempt: 1, url: null, detail: null },
    calls: [],
    fault: null,
    cancelFault: null,
    doubts: null,
    ref: { found: true, sha: SHA, reachable: true },
    refFault: null,
    async start(trigger) {
      pipeline.started.push(trigger)
      const { outcome } = pipeline
      // Each job has a run of its own: the first is 900.
      const others = new Set(pipeline.started.filter(({ jobId }) => jobId !== trigger.jobId).map(({ jobId }) => jobId)).size
      return outcome.kind === 'started' && outcome.run === run
        ? { kind: 'started', run: { ...run, externalId: String(900 + others) } }
        : outcome
    },
    async find() {
      pipeline.calls.push('find')
      if (pipeline.fault) throw pipeline.fault
      return []
    },
    doubt: async () => pipeline.doubts,
    async observe() {
      pipeline.calls.push('observe')
      if (pipeline.fault) throw pipeline.fault
      return pipeline.seen
    },
    async cancel() {
      pipeline.calls.push('cancel')
      if (pipeline.fault ?? pipeline.cancelFault) throw pipeline.fault ?? pipeline.cancelFault
    },
  }
  return pipeline
}

function fakeHost(forge: FakeForge): ConfigHost {
  return {
    provider: 'github',
    reviews: {
      async pullRequests({ since }) {
        forge.lists.push(since)
        return [...forge.pulls.values()].filter(
          (pull) => pull.state === 'open' || pull.updatedAt >= since,
        ) satisfies PullRequestSummary[]
      },
      async pullRequest(number) {
        forge.reads.push(number)
        const fault = forge.unreadable.get(number)
        if (fault) throw fault
        return forge.pulls.get(number)!
      },
      headRef: (number) => `refs/pull/${number}/head`,
    },
    voice: { publishCheck: async () => '', upsertComment: async () => '' } as unknown as ConfigHost['voice'],
  }
}

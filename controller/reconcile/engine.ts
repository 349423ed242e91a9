import type { PullRequestFacts } from '../approvals/evidence.ts'
import type { Clock, Instant } from '../clock.ts'
import type { Evidence } from '../jobs/evidence.ts'
import type { ConfigState, StateStore } from '../jobs/state-store.ts'
import type { Logger } from '../log.ts'
import type { DesiredState } from '../model/desired-state.ts'
import type { DocumentCache } from '../model/load.ts'
import type { CommitSha, JobId } from '../model/names.ts'
import type { LoopHealth } from '../status-page/views.ts'
import type { ConfigHost, ConfigSource, Connections, LoopTiming } from './ports.ts'

/** Everything the loop may touch, given from outside: time, state, git, forge and pipelines. */
export interface Engine {
  clock: Clock
  log: Logger
  store: StateStore
  source: ConfigSource
  /** Null when the config repository is a plain directory: then nobody can review. */
  host: ConfigHost | null
  connections: Connections
  config: { branch: string /** Head that an operator accepts although history was rewritten. */; acceptHistory: CommitSha | null }
  /** Address of the status page, for links on pull requests; null when there is none. */
  statusUrl: string | null
  /** Null when pipelines cannot reach us. */
  callbacks: CallbackDoor | null
  timing: LoopTiming
  memory: Memory
}

/** Where pipelines find us, and how a token of theirs is made. */
export interface CallbackDoor {
  urlOf(jobId: JobId): string
  newToken(): string
}

/** What of the config repository is in force after looking at it once. */
export interface AcceptedConfig {
  state: ConfigState
  desired: DesiredState
}

/** A value and when it was read from outside. */
export interface Read<T> {
  value: T
  at: Instant
}

/** What is kept between ticks to save work. Losing it costs time, never truth. */
export interface Memory {
  desired: DesiredState | null
  /** Head and rules commit that `desired` was made of. */
  desiredOf: { head: CommitSha; rules: CommitSha } | null
  /** Desired states by the commits of their rules and requests, the one unused for longest first. */
  desiredAt: Map<string, DesiredState>
  /** Result of the last look at the repository. */
  accepted: AcceptedConfig | null
  /** When that look began, and the clock's drift then; what was accepted is known to be in force up to then. */
  acceptedSeen: { at: Instant; drift: number } | null
  documents: DocumentCache
  evidence: Map<JobId, Evidence>
  /** Merged pull request that brought the present content of a request file. */
  pullByPath: Map<string, number>
  /** Host time up to which the list of pull requests was read. */
  pullsReadUpTo: Instant | null
  /** Pull requests as last read, and when the forge's list says that they last changed. */
  pulls: Map<number, Read<PullRequestFacts>>
  pullUpdatedAt: Map<number, Instant>
  /** Of the clock in the last pass: what was read by another one is read again. */
  drift: number | null
  /** When each open pull request was last judged. */
  pullJudgedAt: Map<number, Instant>
  /** Heads of pull requests that our mirror has. */
  pullHeads: Map<number, CommitSha>
  /** Pull requests that could not be judged as they are, and when to try again. */
  pullFailures: Map<number, { headSha: CommitSha; state: PullRequestFacts['state']; againAt: Instant }>
  /** Jobs whose provider could not be asked about their run, and when to ask again. */
  askAgainAt: Map<JobId, Instant>
  /** When a provider first said that the run of a job is not there, by `clock.elapsed()`, and has said nothing else since. */
  missedSince: Map<JobId, number>
  inFlight: Set<JobId>
  /** Jobs that cannot have run without this process knowing: accepted by it as they came, or the provider was asked about them. */
  witnessed: Set<JobId>
  /** When a list of pull requests was first read in vain for where a job comes from, by `clock.elapsed()`. */
  originSoughtAt: Map<JobId, number>
  /** When the provider was first asked whether a job ran before these records, by the time that passed, and the clock's drift then. */
  pastAskedAt: Map<JobId, { elapsed: number; drift: number }>
  lastPollAt: Instant | null
  /** The config repository says that it moved; nobody has looked since. */
  configMoved: boolean
  health: LoopHealth
}

export function emptyMemory(documents: DocumentCache, health: LoopHealth): Memory {
  return {
    desired: null,
    desiredOf: null,
    desiredAt: new Map(),
    accepted: null,
    acceptedSeen: null,
    documents,
    evidence: new Map(),
    pullByPath: new Map(),
    pullsReadUpTo: null,
    pulls: new Map(),
    pullUpdatedAt: new Map(),
    drift: null,
    pullJudgedAt: new Map(),
    pullHeads: new Map(),
    pullFailures: new Map(),
    askAgainAt: new Map(),
    missedSince: new Map(),
    inFlight: new Set(),
    witnessed: new Set(),
    originSoughtAt: new Map(),
    pastAskedAt: new Map(),
    lastPollAt: null,
    configMoved: false,
    health,
  }
}

/** As after a start, but for what is true whenever it was read. */
export function forgetAll(memory: Memory): void {
  const { documents, health, desired, desiredOf, desiredAt } = memory
  Object.assign(memory, { ...emptyMemory(documents, health), desired, desiredOf, desiredAt })
}

/** A job that ended is not thought of again. */
export function forgetJob(memory: Memory, id: JobId): void {
  memory.evidence.delete(id)
  memory.askAgainAt.delete(id)
  memory.missedSince.delete(id)
  memory.witnessed.delete(id)
  memory.originSoughtAt.delete(id)
  memory.pastAskedAt.delete(id)
}

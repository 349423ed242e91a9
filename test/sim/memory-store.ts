import { AsyncLocalStorage } from 'node:async_hooks'
import { canonicalJson } from '../../controller/audit/canonical-json.ts'
import { type AuditHead, chainRow } from '../../controller/audit/chain.ts'
import type { AuditEvent, AuditRow } from '../../controller/audit/event.ts'
import { DAY_MS, type Instant } from '../../controller/clock.ts'
import type { Callback, LogLine } from '../../controller/jobs/callback.ts'
import { isTerminal, JOB_STATUSES, type Job, type JobStatus, type Lock, lockKey, type Run } from '../../controller/jobs/job.ts'
import {
  type ConfigState,
  LONGEST_PUT_OFF_MS,
  type Nudge,
  type OutboxRow,
  type PullRow,
  type StateTx,
} from '../../controller/jobs/state-store.ts'
import type { EnvironmentKey, JobId } from '../../controller/model/names.ts'
import { plainText } from '../../controller/store/db.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import type { Delivery } from '../../controller/webhooks/inbox.ts'
import { type MemoryLease, memoryLease } from './memory-lease.ts'

/** Longer than any forge re-sends a delivery, as in the real store. */
const KEEP_SETTLED_MS = 7 * DAY_MS

interface StoredLock {
  fence: number
  jobId: JobId | null
  acquiredAt: Instant
}

interface StoredMessage {
  row: Omit<OutboxRow, 'body'>
  text: string
  dueAt: Instant | null
}

interface StoredDelivery {
  id: number
  delivery: Delivery
  settledAt: Instant | null
}

/** What outlives a process. */
export interface MemoryRows {
  config: ConfigState | null
  jobs: Map<JobId, Job>
  runs: Map<JobId, Run[]>
  callbacks: Map<string, Callback>
  lines: LogLine[]
  locks: Map<string, StoredLock>
  pulls: Map<number, PullRow>
  outbox: Map<string, StoredMessage>
  deliveries: Map<string, StoredDelivery>
  deliveryIds: number
  lease: MemoryLease | null
  /** `data` as canonical JSON, as it is kept. */
  audit: (Omit<AuditEvent, 'data'> & { data: string })[]
}

export function emptyRows(): MemoryRows {
  return {
    config: null,
    jobs: new Map(),
    runs: new Map(),
    callbacks: new Map(),
    lines: [],
    locks: new Map(),
    pulls: new Map(),
    outbox: new Map(),
    deliveries: new Map(),
    deliveryIds: 0,
    lease: null,
    audit: [],
  }
}

export interface MemoryStoreOptions {
  /** Given when several controllers share the store: its own clock, by which a lease ends. */
  sharedBy?: (() => Instant) | undefined
  /** Refuse use of the store from inside a unit, as the real one does. Costs half the speed, so the simulator goes without. */
  guarded: boolean
}

/** The state store in memory: units one at a time, each undone as a whole when it fails. It fulfils the contract of the real ones. */
export function memoryStore(rows: MemoryRows, { guarded, sharedBy }: MemoryStoreOptions): OpenStore {
  const current = guarded ? new AsyncLocalStorage<{ name: string; open: boolean }>() : null
  let last: Promise<unknown> = Promise.resolve()
  let closed = false
  // Units never run side by side, so one set of tables serves them all.
  let undo: (() => void)[] = []
  let doomed: Error | null = null
  const tables = transaction(
    rows,
    (step) => undo.push(step),
    (error) => {
      doomed ??= error
      return error
    },
  )

  function refuseInside(what: string): void {
    const unit = current?.getStore()
    if (unit?.open) throw new Error(`${what} was called inside the unit "${unit.name}"; use the unit's own tx`)
    if (closed) throw new Error(`${what} was called after the store was closed`)
  }

  async function runUnit<T>(name: string, work: (tx: StateTx) => Promise<T>): Promise<T> {
    undo = []
    doomed = null
    const unit = { name, open: true }
    try {
      const value = await (current === null ? work(tables) : current.run(unit, () => work(tables)))
      if (doomed !== null) throw doomed
      return value
    } catch (error) {
      for (const step of undo.reverse()) step()
      throw error
    } finally {
      unit.open = false
    }
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }

  const guard =
    <Given extends unknown[], T>(name: string, view: (...given: Given) => T) =>
    async (...given: Given): Promise<T> => {
      refuseInside(name)
      return view(...given)
    }

  return {
    state: {
      async unit(name, work) {
        refuseInside(`the unit "${name}"`)
        return inTurn(() => runUnit(name, work))
      },
    },
    shared:
      sharedBy === undefined ? null : { lease: memoryLease(rows, sharedBy), newestDelivery: async () => newestDelivery(rows) },
    inbox: {
      async store(delivery) {
        refuseInside('inbox.store')
        return inTurn(async () => {
          const key = JSON.stringify([delivery.integration, delivery.deliveryId])
          if (rows.deliveries.has(key)) return 'duplicate'
          rows.deliveries.set(key, { id: ++rows.deliveryIds, delivery, settledAt: null })
          return 'stored'
        })
      },
    },
    views: {
      environments: guard('views.environments', () => environmentViews(rows)),
      jobs: guard('views.jobs', ({ project, environment, status, beforeSeq, limit }) =>
        jobsBySeq(rows)
          .reverse()
          .filter(
            (job) =>
              (project === undefined || job.project === project) &&
              (environment === undefined || job.environment === environment) &&
              (status === undefined || job.status === status) &&
              (beforeSeq === undefined || job.seq < beforeSeq),
          )
          .slice(0, limit),
      ),
      job: guard('views.job', (id) => {
        const job = rows.jobs.get(id as JobId)
        if (job === undefined) return null
        return {
          job,
          runs: runsOf(rows, job.id),
          audit: chained(rows).filter((row) => row.jobId === id),
          lines: rows.lines.filter((line) => line.jobId === id).slice(-500),
        }
      }),
      audit: guard('views.audit', ({ beforeSeq, limit }) =>
        chained(rows)
          .filter((row) => beforeSeq === undefined || row.seq < beforeSeq)
          .reverse()
          .slice(0, limit),
      ),
      config: guard('views.config', () => rows.config),
      counts: guard('views.counts', () => {
        const jobs = [...rows.jobs.values()]
        const count = (status: JobStatus) => jobs.filter((job) => job.status === status).length
        return {
          jobsByStatus: Object.fromEntries(JOB_STATUSES.map((status) => [status, count(status)])) as Record<JobStatus, number>,
          locks: [...rows.locks.values()].filter((lock) => lock.jobId !== null).length,
          inboxPending: [...rows.deliveries.values()].filter((row) => row.settledAt === null).length,
          outboxPending: [...rows.outbox.values()].filter((row) => row.dueAt !== null).length,
          deliveries: rows.deliveries.size,
        }
      }),
      probe: guard('views.probe', () => {}),
    },
    callbacks: {
      async of(jobId) {
        refuseInside('callbacks.of')
        return callbacksOf(rows, jobId)
      },
    },
    auditRows() {
      refuseInside('auditRows')
      return (async function* () {
        yield* chained(rows)
      })()
    },
    async close() {
      closed = true
      await last
    },
  }
}

/** The tables of one unit. `undo` takes what would take a write back; `doom` says that the unit may not commit any more. */
function transaction(rows: MemoryRows, undo: (step: () => void) => void, doom: (error: Error) => Error): StateTx {
  function set<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
    const before = map.get(key)
    undo(() => (before === undefined ? map.delete(key) : map.set(key, before)))
    map.set(key, value)
  }
  function keepLines(lines: LogLine[]): void {
    const before = rows.lines
    undo(() => {
      rows.lines = before
    })
    rows.lines = lines
  }
  return {
    config: {
      read: async () => rows.config,
      async write(state) {
        const before = rows.config
        undo(() => {
          rows.config = before
        })
        rows.config = { ...state }
      },
    },

    jobs: {
      open: async () => jobsBySeq(rows).filter((job) => !isTerminal(job.status)),
      get: async (id) => rows.jobs.get(id) ?? null,
      known: async () => new Map([...rows.jobs.values()].map((job) => [job.id, job.requestBlob])),
      async insert(job) {
        if (rows.jobs.has(job.id)) return false
        const seq = 1 + (jobsBySeq(rows).at(-1)?.seq ?? 0)
        set(rows.jobs, job.id, { ...cleaned(job), seq, version: 1 })
        return true
      },
      async update({ id, status, attempt, version }, change) {
        const job = rows.jobs.get(id)
        if (job === undefined || job.status !== status || job.attempt !== attempt || job.version !== version) return false
        set(rows.jobs, id, { ...job, ...cleaned(change), version: version + 1 })
        return true
      },
      successes: async (key, limit) => successesOf(rows, key).slice(0, limit),
    },

    runs: {
      of: async (ids) => [...ids].sort().flatMap((id) => runsOf(rows, id)),
      known: async (externalId) => [...rows.runs.values()].flat().filter((run) => run.externalId === externalId),
      async insert(run) {
        if (!rows.jobs.has(run.jobId)) throw doom(new Error(`a run of no job: ${run.jobId}`))
        const runs = runsOf(rows, run.jobId)
        if (runs.some((other) => other.attempt === run.attempt)) throw doom(new Error(`attempt ${run.attempt} exists`))
        set(
          rows.runs,
          run.jobId,
          [...runs, cleaned(run)].sort((a, b) => a.attempt - b.attempt),
        )
      },
      async update({ jobId, attempt, state }, change) {
        const runs = runsOf(rows, jobId)
        const index = runs.findIndex((run) => run.attempt === attempt && run.state === state)
        if (index === -1 || Object.keys(change).length === 0) return false
        set(rows.runs, jobId, runs.with(index, { ...runs[index]!, ...cleaned(change) }))
        return true
      },
    },

    callbacks: {
      of: async (jobId) => callbacksOf(rows, jobId),
      insert: async (callback) => set(rows.callbacks, `${callback.jobId} ${callback.attempt}`, callback),
      async update({ jobId, attempt }, change) {
        const known = rows.callbacks.get(`${jobId} ${attempt}`)
        if (known !== undefined) set(rows.callbacks, `${jobId} ${attempt}`, { ...known, ...cleaned(change) })
      },
    },

    lines: {
      last: async (jobId) => Math.max(0, ...rows.lines.filter((line) => line.jobId === jobId).map((line) => line.seq)),
      append: async (lines) => keepLines([...rows.lines, ...lines.map(cleaned)]),
      async prune(before, keep) {
        const young = rows.lines.filter((line) => line.at >= before)
        const last = young.toSorted((a, b) => b.at - a.at)[keep]
        keepLines(young.filter((line) => last === undefined || line.at > last.at))
      },
    },

    locks: {
      all: async () => heldLocks(rows),
      async acquire(key, jobId, at) {
        const lock = rows.locks.get(key)
        if (lock !== undefined && lock.jobId !== null) return null
        const fence = (lock?.fence ?? 0) + 1
        set(rows.locks, key, { fence, jobId, acquiredAt: at })
        return { key, jobId, fence, acquiredAt: at }
      },
      async release({ key, jobId, fence }) {
        const lock = rows.locks.get(key)
        if (lock === undefined || lock.jobId !== jobId || lock.fence !== fence) return false
        set(rows.locks, key, { ...lock, jobId: null })
        return true
      },
    },

    pulls: {
      open: async () => [...rows.pulls.values()].filter((pull) => pull.state === 'open').sort((a, b) => a.number - b.number),
      get: async (number) => rows.pulls.get(number) ?? null,
      save: async (pull) => set(rows.pulls, pull.number, { ...pull, pins: new Map(pull.pins) }),
    },

    nudges: {
      async pending(limit) {
        const pending: { id: string; nudge: Nudge }[] = []
        for (const { id, delivery, settledAt } of rows.deliveries.values()) {
          if (settledAt === null && pending.length < limit) pending.push({ id: String(id), nudge: delivery.nudge })
        }
        return pending
      },
      async settle(ids, at) {
        if (ids.length === 0) return
        const settled = new Set(ids.map(Number))
        for (const [key, row] of rows.deliveries) {
          if (row.settledAt === null && settled.has(row.id)) set(rows.deliveries, key, { ...row, settledAt: at })
          else if (row.settledAt !== null && row.settledAt < at - KEEP_SETTLED_MS) {
            const before = [...rows.deliveries]
            undo(() => {
              rows.deliveries = new Map(before)
            })
            rows.deliveries.delete(key)
          }
        }
      },
    },

    outbox: {
      async put({ key, channel, body }, at) {
        const text = canonicalJson(body)
        const known = rows.outbox.get(key)
        if (known?.text === text && known.row.channel === channel) return
        const revision = (known?.row.revision ?? 0) + 1
        const row = { key, channel, revision, attempts: 0, lastError: null, externalId: known?.row.externalId ?? null }
        set(rows.outbox, key, { row, text, dueAt: at })
      },
      async due(at, limit) {
        const due: StoredMessage[] = []
        for (const message of rows.outbox.values()) {
          const { dueAt } = message
          if (dueAt !== null && (dueAt <= at || dueAt > at + LONGEST_PUT_OFF_MS)) due.push(message)
        }
        return due
          .sort((a, b) => a.dueAt! - b.dueAt! || (a.row.key < b.row.key ? -1 : 1))
          .slice(0, limit)
          .map(({ row, text }) => ({ ...row, body: JSON.parse(text) as OutboxRow['body'] }))
      },
      async delivered({ key, revision }, externalId) {
        const known = rows.outbox.get(key)
        if (known === undefined) return
        const present = known.row.revision === revision
        const row = {
          ...known.row,
          externalId: externalId ?? known.row.externalId,
          lastError: present ? null : known.row.lastError,
        }
        set(rows.outbox, key, { ...known, row, dueAt: present ? null : known.dueAt })
      },
      async failed({ key, revision }, error, retryAt) {
        const known = rows.outbox.get(key)
        if (known === undefined || known.row.revision !== revision || known.dueAt === null) return
        const row = { ...known.row, attempts: known.row.attempts + 1, lastError: cleanText(error) }
        set(rows.outbox, key, { ...known, row, dueAt: retryAt })
      },
      async nextDueAt() {
        let next: Instant | null = null
        for (const { dueAt } of rows.outbox.values()) if (dueAt !== null && (next === null || dueAt < next)) next = dueAt
        return next
      },
    },

    holdsLease: async (fence) => rows.lease === null || (rows.lease.fence === fence && rows.lease.holder !== null),

    async audit(event) {
      const length = rows.audit.length
      undo(() => {
        rows.audit.length = length
      })
      rows.audit.push({ ...event, actor: cleanText(event.actor), data: canonicalJson(event.data) })
    },
  }
}

/** The columns that are text take only what a database can keep. */
function cleaned<T extends object>(row: T): T {
  const copy = { ...row } as Record<string, unknown>
  for (const name in copy) {
    const value = copy[name]
    if (typeof value === 'string') copy[name] = cleanText(value)
  }
  return copy as T
}

function cleanText(text: string): string {
  return /[\0\uD800-\uDFFF]/.test(text) ? plainText(text) : text
}

function jobsBySeq(rows: MemoryRows): Job[] {
  // A Map keeps the order in which its keys came, and a unit that fails takes the last ones back.
  return [...rows.jobs.values()]
}

function runsOf(rows: MemoryRows, id: JobId): Run[] {
  return rows.runs.get(id) ?? []
}

function callbacksOf(rows: MemoryRows, jobId: string): Callback[] {
  return [...rows.callbacks.values()].filter((each) => each.jobId === jobId).sort((a, b) => a.attempt - b.attempt)
}

function heldLocks(rows: MemoryRows): Lock[] {
  return [...rows.locks]
    .flatMap(([key, { jobId, fence, acquiredAt }]) => (jobId === null ? [] : [{ key, jobId, fence, acquiredAt }]))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
}

function successesOf(rows: MemoryRows, key: EnvironmentKey) {
  return [...rows.jobs.values()]
    .filter((job) => job.key === key && job.status === 'success' && job.type !== 'dry_run' && job.pin !== null)
    .sort((a, b) => b.endedAt! - a.endedAt! || b.seq - a.seq)
    .map((job) => ({ jobId: job.id, sha: job.pin!.sha, ref: job.ref, endedAt: job.endedAt! }))
}

function newestDelivery(rows: MemoryRows): number | null {
  return [...rows.deliveries.values()].findLast((row) => row.settledAt === null)?.id ?? null
}

/** The rows with their numbers and hashes, made when somebody looks: most histories are checked without. */
function chained(rows: MemoryRows): AuditRow[] {
  let head: AuditHead | null = null
  return rows.audit.map((event) => {
    const row = chainRow(head, { ...event, data: JSON.parse(event.data) as AuditEvent['data'] })
    head = row
    return row
  })
}

function environmentViews(rows: MemoryRows) {
  const jobs = jobsBySeq(rows)
  const locks = new Map(heldLocks(rows).map((lock) => [lock.key, lock]))
  const newest = (of: readonly Job[]) =>
    of
      .filter((job) => job.endedAt !== null)
      .toSorted((a, b) => a.endedAt! - b.endedAt! || a.seq - b.seq)
      .at(-1) ?? null
  return [...new Set(jobs.map((job) => job.key))].sort().map((key) => {
    const own = jobs.filter((job) => job.key === key)
    return {
      key,
      current: newest(own.filter((job) => job.status === 'success' && job.type !== 'dry_run')),
      last: newest(own),
      open: own.filter((job) => !isTerminal(job.status)),
      lock: locks.get(lockKey(key)) ?? null,
    }
  })
}

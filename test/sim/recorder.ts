import type { AuditEvent } from '../../controller/audit/event.ts'
import type { Job, Lock, Run } from '../../controller/jobs/job.ts'
import type {
  ConfigState,
  JobChange,
  JobVersion,
  Nudge,
  OutboxMessage,
  RunChange,
  StateStore,
  StateTx,
} from '../../controller/jobs/state-store.ts'

/** One write that a unit made, with what it found. */
export type Write =
  | { table: 'config'; state: ConfigState }
  | { table: 'job'; before: JobVersion | null; change: JobChange; job: Job }
  | { table: 'run inserted'; run: Run }
  | { table: 'run'; run: Run; change: RunChange }
  | { table: 'locked'; lock: Lock }
  | { table: 'released'; lock: Pick<Lock, 'key' | 'jobId' | 'fence'> }
  | { table: 'message'; message: OutboxMessage }
  | { table: 'settled'; nudges: readonly Nudge[] }
  | { table: 'audit'; event: AuditEvent }

/** Tells what each unit wrote, once it is durable. It works on any store, so the checks see all stores alike. */
export function recorded(store: StateStore, committed: (name: string, writes: readonly Write[]) => void): StateStore {
  /** What each delivery that was read said. */
  const nudges = new Map<string, Nudge>()
  let known: { tx: StateTx; writes: Write[]; heard: StateTx } | null = null
  function heardIn(tx: StateTx): { writes: Write[]; heard: StateTx } {
    if (known?.tx !== tx) {
      const writes: Write[] = []
      known = { tx, writes, heard: listening(tx, writes, nudges) }
    }
    known.writes.length = 0
    return known
  }
  return {
    async unit(name, work) {
      let writes: readonly Write[] = []
      const value = await store.unit(name, async (tx) => {
        const listener = heardIn(tx)
        const done = await work(listener.heard)
        writes = listener.writes.length === 0 ? [] : [...listener.writes]
        return done
      })
      if (writes.length > 0) committed(name, writes)
      return value
    },
  }
}

function listening(tx: StateTx, writes: Write[], nudges: Map<string, Nudge>): StateTx {
  return {
    ...tx,
    config: {
      read: () => tx.config.read(),
      async write(state) {
        await tx.config.write(state)
        writes.push({ table: 'config', state })
      },
    },
    jobs: {
      ...tx.jobs,
      async insert(row) {
        const inserted = await tx.jobs.insert(row)
        if (inserted) writes.push({ table: 'job', before: null, change: {}, job: (await tx.jobs.get(row.id))! })
        return inserted
      },
      async update(before, change) {
        const updated = await tx.jobs.update(before, change)
        if (updated) writes.push({ table: 'job', before, change, job: (await tx.jobs.get(before.id))! })
        return updated
      },
    },
    runs: {
      ...tx.runs,
      async insert(run) {
        await tx.runs.insert(run)
        writes.push({ table: 'run inserted', run })
      },
      async update(before, change) {
        const updated = await tx.runs.update(before, change)
        if (updated) {
          const run = (await tx.runs.of([before.jobId])).find((each) => each.attempt === before.attempt)!
          writes.push({ table: 'run', run, change })
        }
        return updated
      },
    },
    locks: {
      ...tx.locks,
      async acquire(key, jobId, at) {
        const lock = await tx.locks.acquire(key, jobId, at)
        if (lock !== null) writes.push({ table: 'locked', lock })
        return lock
      },
      async release(lock) {
        const released = await tx.locks.release(lock)
        if (released) writes.push({ table: 'released', lock })
        return released
      },
    },
    outbox: {
      ...tx.outbox,
      async put(message, at) {
        await tx.outbox.put(message, at)
        writes.push({ table: 'message', message })
      },
    },
    nudges: {
      async pending(limit) {
        const pending = await tx.nudges.pending(limit)
        for (const { id, nudge } of pending) nudges.set(id, nudge)
        return pending
      },
      async settle(ids, at) {
        await tx.nudges.settle(ids, at)
        writes.push({ table: 'settled', nudges: ids.flatMap((id) => nudges.get(id) ?? []) })
      },
    },
    async audit(event) {
      await tx.audit(event)
      writes.push({ table: 'audit', event })
    },
  }
}

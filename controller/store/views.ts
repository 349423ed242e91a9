import type { Instant } from '../clock.ts'
import { JOB_STATUSES, type Job, type JobStatus, type Lock, lockKey } from '../jobs/job.ts'
import type { EnvironmentKey } from '../model/names.ts'
import type { EnvironmentView, StoreViews } from '../status-page/views.ts'
import { auditRowOf } from './audit-table.ts'
import { readConfig } from './config-table.ts'
import { type Db, fromBig } from './db.ts'
import { DEPLOYING_TYPES, jobOf, OPEN_STATUSES } from './job-table.ts'
import { heldLocks } from './lock-table.ts'
import { lineOf } from './log-line-table.ts'
import { runOf } from './run-table.ts'

/** A page of more is of no use to anybody. */
const SHOWN_LINES = 500

export function openViews(db: Db): Omit<StoreViews, 'probe'> {
  return {
    environments: () => environments(db),

    async jobs({ project, environment, status, beforeSeq, limit }) {
      const where = {
        ...(project === undefined ? {} : { project }),
        ...(environment === undefined ? {} : { environment }),
        ...(status === undefined ? {} : { status }),
        ...(beforeSeq === undefined ? {} : { seq: { lt: beforeSeq } }),
      }
      const rows = await db.job.findMany({ where, orderBy: { seq: 'desc' }, take: limit })
      return rows.map(jobOf)
    },

    async job(id) {
      const row = await db.job.findUnique({ where: { id }, include: { runs: { orderBy: { attempt: 'asc' } } } })
      if (row === null) return null
      const audit = await db.audit.findMany({ where: { jobId: id }, orderBy: { seq: 'asc' } })
      const lines = await db.deployLogLine.findMany({ where: { jobId: id }, orderBy: { seq: 'desc' }, take: SHOWN_LINES })
      return { job: jobOf(row), runs: row.runs.map(runOf), audit: audit.map(auditRowOf), lines: lines.reverse().map(lineOf) }
    },

    async audit({ beforeSeq, limit }) {
      const where = beforeSeq === undefined ? {} : { seq: { lt: beforeSeq } }
      const rows = await db.audit.findMany({ where, orderBy: { seq: 'desc' }, take: limit })
      return rows.map(auditRowOf)
    },

    config: () => readConfig(db),

    async counts() {
      const groups = await db.job.groupBy({ by: ['status'], _count: { _all: true } })
      const found = new Map(groups.map((group) => [group.status, group._count._all]))
      const jobsByStatus = Object.fromEntries(JOB_STATUSES.map((status) => [status, found.get(status) ?? 0]))
      return {
        jobsByStatus: jobsByStatus as Record<JobStatus, number>,
        locks: await db.lock.count({ where: { jobId: { not: null } } }),
        inboxPending: await db.delivery.count({ where: { settledAt: null } }),
        outboxPending: await db.outbox.count({ where: { dueAt: { not: null } } }),
        deliveries: await db.delivery.count(),
      }
    },
  }
}

/** Every environment that ever had a job, by key. */
async function environments(db: Db): Promise<readonly EnvironmentView[]> {
  const ends = await newestEnds(db)
  const current = await jobsAt(db, newestByKey(ends.filter(isDeploySuccess)))
  const last = await jobsAt(db, newestByKey(ends))
  const open = (await db.job.findMany({ where: { status: { in: OPEN_STATUSES } }, orderBy: { seq: 'asc' } })).map(jobOf)
  const locks = new Map((await heldLocks(db)).map((lock): [string, Lock] => [lock.key, lock]))

  const keys = new Set<EnvironmentKey>([...last.keys(), ...open.map((job) => job.key)])
  return [...keys].sort().map((key) => ({
    key,
    current: current.get(key) ?? null,
    last: last.get(key) ?? null,
    open: open.filter((job) => job.key === key),
    lock: locks.get(lockKey(key)) ?? null,
  }))
}

interface End {
  status: string
  type: string
  key: string
  endedAt: Instant
}

/** Last end of each status and type in each environment: one walk along the index, whatever the length of the history. */
async function newestEnds(db: Db): Promise<readonly End[]> {
  const groups = await db.job.groupBy({
    by: ['status', 'type', 'key'],
    where: { endedAt: { not: null } },
    _max: { endedAt: true },
  })
  return groups.map(({ status, type, key, _max }) => ({ status, type, key, endedAt: fromBig(_max.endedAt!) }))
}

function isDeploySuccess(end: End): boolean {
  return end.status === 'success' && DEPLOYING_TYPES.some((type) => type === end.type)
}

function newestByKey(ends: readonly End[]): readonly End[] {
  const newest = new Map<string, End>()
  for (const end of ends) if (end.endedAt > (newest.get(end.key)?.endedAt ?? -1)) newest.set(end.key, end)
  return [...newest.values()]
}

/** SQLite limits how deep an expression may nest, and OR nests. */
const ENDS_A_QUERY = 200

async function jobsAt(db: Db, ends: readonly End[]): Promise<ReadonlyMap<EnvironmentKey, Job>> {
  const found = new Map<EnvironmentKey, Job>()
  for (let from = 0; from < ends.length; from += ENDS_A_QUERY) {
    const OR = ends.slice(from, from + ENDS_A_QUERY).map((end) => ({ ...end }))
    const rows = await db.job.findMany({ where: { OR }, orderBy: { seq: 'asc' } })
    for (const row of rows.map(jobOf)) found.set(row.key, row)
  }
  return found
}

import { resolve } from 'node:path'
import { isTerminal, type Job, type JobStatus } from '../jobs/job.ts'
import type { DesiredState, Ref, RequestType } from '../model/desired-state.ts'
import type { ReasonCode } from '../model/reason.ts'
import type { GateName, Verdict } from '../policy/decision.ts'
import type { JobFacts } from '../status-page/facts.ts'
import type { JobPageFacts } from '../status-page/job-facts.ts'
import type { JobsFacts } from '../status-page/list-facts.ts'
import { readController } from './controller-api.ts'
import type { Io } from './io.ts'

/** One request and what would become of it now. */
export interface PlanRow {
  /** Path of its file. */
  request: string
  project: string
  environment: string
  type: RequestType
  ref: Ref | null
  /** `new`: no controller knows it yet, as far as was asked. */
  status: JobStatus | 'new'
  verdict: Verdict
  gate: GateName | null
  reason: { code: ReasonCode; text: string } | null
  /** Every gate as last decided; one that is among `asked` only says what it wants. */
  gates: readonly GateView[]
  /** Gates that only the forge can answer. */
  asked: readonly GateName[]
}

interface GateView {
  gate: GateName
  verdict: Verdict
  saw: string
  wanted: string
}

function gateView({ gate, verdict, saw, wanted }: GateView): GateView {
  return { gate, verdict, saw, wanted }
}

/** Requests as one source knows them. */
export interface Picture {
  rows: readonly PlanRow[]
  /** Requests that have ended, where that is known. */
  ended: number
  source: 'files' | 'store' | 'url'
}

/** Every request file, judged by the files alone. */
export async function picturedByFiles(io: Io, desired: DesiredState): Promise<Picture> {
  return { rows: await forecastRows(io, desired, requestPaths(desired), null), ended: 0, source: 'files' }
}

function requestPaths(desired: DesiredState): string[] {
  return [...desired.requests.keys(), ...desired.unusableRequests.keys()].sort()
}

type Known = Parameters<typeof import('./offline.ts')['forecast']>[2]

async function forecastRows(io: Io, desired: DesiredState, paths: readonly string[], known: Known): Promise<PlanRow[]> {
  const { forecast } = await import('./offline.ts')
  return forecast(desired, paths, known, io.clock.now()).map(({ key, gates, reason, ...about }) => {
    const [project, environment] = key.split('/') as [string, string]
    return {
      ...about,
      project,
      environment,
      status: 'new',
      gates: gates.map(gateView),
      reason: reason && { code: reason.code, text: reason.text },
    }
  })
}

const SUCCESSES = 50

/** Open jobs as their controller last decided them; files that are no job yet as a forecast. */
export async function picturedByStore(io: Io, desired: DesiredState, dataDir: string): Promise<Picture> {
  const [{ withStoreCopy }, { jobIdFor }] = await Promise.all([import('./store-to-read.ts'), import('../jobs/job-id.ts')])
  const state = await withStoreCopy(io, resolve(io.cwd, dataDir), (store) =>
    store.state.unit('plan', async (tx) => ({
      open: await tx.jobs.open(),
      known: await tx.jobs.known(),
      locks: new Map((await tx.locks.all()).map((lock) => [lock.key, lock])),
      successes: new Map(
        await Promise.all(
          [...desired.environments.keys()].map(async (key) => [key, await tx.jobs.successes(key, SUCCESSES)] as const),
        ),
      ),
    })),
  )
  const fresh = requestPaths(desired).filter((path) => !state.known.has(jobIdFor(desired.repository.id, path)))
  const rows = [...state.open.map((job) => jobRow(job, job.gates)), ...(await forecastRows(io, desired, fresh, state))]
  return { rows, ended: state.known.size - state.open.length, source: 'store' }
}

/** A job as its controller last decided it; from the store and from the API it has the same shape. */
function jobRow(job: Job | JobFacts, gates: readonly GateView[]): PlanRow {
  const { requestPath: request, project, environment, type, ref, status, reason } = job
  return {
    ...decisive(gates),
    request,
    project,
    environment,
    type,
    ref,
    status,
    reason: { code: reason.code, text: reason.text },
    gates: gates.map(gateView),
    asked: [],
  }
}

function decisive(gates: readonly { gate: GateName; verdict: Verdict }[]): { gate: GateName | null; verdict: Verdict } {
  const gate = gates.find(({ verdict }) => verdict === 'deny') ?? gates.find(({ verdict }) => verdict === 'wait')
  return { gate: gate?.gate ?? null, verdict: gate?.verdict ?? 'allow' }
}

const OPEN = ['running', 'waiting_approval', 'queued'] as const satisfies readonly JobStatus[]

/** The open jobs of a running controller, by its own account. */
export async function picturedByController(io: Io, url: string): Promise<Picture> {
  // By id, because a job may change its status between two questions.
  const jobs = new Map<string, JobFacts>()
  for (const status of OPEN) {
    let before: number | null = null
    do {
      const cursor: string = before === null ? '' : `&before=${before}`
      const page: JobsFacts | null = await readController<JobsFacts>(io, url, `/api/v1/jobs?status=${status}${cursor}`)
      for (const job of page?.jobs ?? []) jobs.set(job.id, job)
      before = page?.nextBefore ?? null
    } while (before !== null)
  }
  const rows: PlanRow[] = []
  for (const { id } of [...jobs.values()].sort((a, b) => a.seq - b.seq)) {
    const page = await readController<JobPageFacts>(io, url, `/api/v1/jobs/${id}`)
    if (page !== null && !isTerminal(page.job.status)) rows.push(jobRow(page.job, page.gates))
  }
  return { rows, ended: 0, source: 'url' }
}

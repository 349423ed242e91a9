import { wasSet } from '../clock.ts'
import type { Job, Run } from '../jobs/job.ts'
import type { Observed } from '../jobs/observed-state.ts'
import type { Nudge, StateTx } from '../jobs/state-store.ts'
import type { DesiredState } from '../model/desired-state.ts'
import { type EnvironmentKey, environmentKey, type JobId } from '../model/names.ts'
import type { AcceptedConfig, Engine } from './engine.ts'
import { SUCCESS_LIMIT } from './successes.ts'
import type { TickFacts } from './tick-facts.ts'

/** What is so, at one moment: rows in one unit, evidence from memory. */
export async function observe(
  engine: Engine,
  facts: TickFacts,
  accepted: AcceptedConfig,
  nudges: readonly Nudge[],
): Promise<Observed> {
  return engine.store.unit('observe', async (tx) => {
    const jobs = await tx.jobs.open()
    const runs = await runsByJob(tx, jobs)
    return {
      config: accepted.state,
      configProvider: engine.host?.provider ?? null,
      configBranch: engine.config.branch,
      jobs,
      runs,
      locks: new Map((await tx.locks.all()).map((lock) => [lock.key, lock])),
      // By a clock that was set since they were read, nobody knows how old facts are.
      evidence: wasSet(engine.clock, facts.drift) ? new Map() : engine.memory.evidence,
      tickStartedAt: facts.startedAt,
      nudged: nudgedJobs(
        jobs.filter(({ id }) => !facts.followed.has(id)),
        runs,
        accepted.desired,
        nudges.filter((nudge) => nudge.kind !== 'repository'),
      ),
      stirred: nudgedJobs(
        jobs,
        runs,
        accepted.desired,
        nudges.filter((nudge) => nudge.kind === 'repository'),
      ),
      successes: await successesOf(tx, accepted.desired, jobs),
      inFlight: engine.memory.inFlight,
      witnessed: engine.memory.witnessed,
      unanswered: unanswered(engine),
    }
  })
}

/** An answer that did not come long ago says nothing about now: a process may have slept since. */
function unanswered({ memory, clock, timing }: Engine): ReadonlySet<JobId> {
  const now = clock.now()
  return new Set([...memory.askAgainAt].flatMap(([id, againAt]) => (now < againAt + timing.pollMs ? [id] : [])))
}

async function runsByJob(tx: StateTx, jobs: readonly Job[]): Promise<Observed['runs']> {
  const running = jobs.filter((job) => job.status === 'running').map((job) => job.id)
  const byJob = new Map<JobId, Awaited<ReturnType<StateTx['runs']['of']>>[number][]>()
  if (running.length === 0) return byJob
  for (const run of await tx.runs.of(running)) byJob.set(run.jobId, [...(byJob.get(run.jobId) ?? []), run])
  return byJob
}

/** Past successes of every environment that has a waiting job, and of the environments that must come before them. */
async function successesOf(tx: StateTx, desired: DesiredState, jobs: readonly Job[]): Promise<Observed['successes']> {
  const keys = new Set<EnvironmentKey>()
  for (const job of jobs) {
    if (job.status === 'running') continue
    keys.add(job.key)
    const first = desired.environments.get(job.key)?.promoteFrom ?? null
    if (first !== null) keys.add(environmentKey(job.project, first))
  }
  const successes = new Map<EnvironmentKey, Awaited<ReturnType<StateTx['jobs']['successes']>>>()
  for (const key of keys) successes.set(key, await tx.jobs.successes(key, SUCCESS_LIMIT))
  return successes
}

/** A nudge names something outside; these are the jobs that could care. */
function nudgedJobs(
  jobs: readonly Job[],
  runs: Observed['runs'],
  desired: DesiredState,
  nudges: readonly Nudge[],
): ReadonlySet<JobId> {
  const named = new Set<JobId>()
  for (const job of jobs) {
    const repo = desired.projects.get(job.project)?.integration.repoFullName
    const run = runs.get(job.id)?.at(-1)
    if (nudges.some((nudge) => concerns(nudge, job, run, repo))) named.add(job.id)
  }
  return named
}

function concerns(nudge: Nudge, job: Job, run: Run | undefined, repo: string | undefined): boolean {
  switch (nudge.kind) {
    case 'config':
      return false
    case 'pull_request':
      return job.pullRequest?.number === nudge.number
    case 'repository':
      // A run in front makes many such nudges; whoever is in line behind it is read when its turn comes.
      return repo === nudge.repoFullName && job.status !== 'running' && job.reason.code !== 'queue_position'
    case 'job':
      return job.id === nudge.jobId
    case 'run':
      // A run whose id we do not know yet may be the one that is being looked for.
      return run !== undefined && (run.externalId === nudge.externalId || run.externalId === null)
  }
}

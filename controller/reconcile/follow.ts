import type { AuditAction } from '../audit/event.ts'
import { RefusedFault } from '../errors.ts'
import type { PipelineProvider, RunHandle } from '../jobs/executor.ts'
import type { Job, Run } from '../jobs/job.ts'
import { hasSpoken } from '../jobs/plan-run.ts'
import type { RunChange, StateTx } from '../jobs/state-store.ts'
import type { PipelineSelector, Project } from '../model/desired-state.ts'
import type { Reason } from '../model/reason.ts'
import { auditJob, changeJob } from './change-job.ts'
import type { AcceptedConfig, Engine } from './engine.ts'
import { tellAboutJob } from './tell.ts'

/** Rolls a unit back: the job was changed by somebody else between plan and write. */
export class LostRace extends Error {}

/** Moves a run on and says so on the job, in one unit. */
export async function follow(
  engine: Engine,
  jobId: Job['id'],
  run: Run,
  unit: string,
  change: RunChange,
  reason: Reason,
  action: AuditAction | null,
  data: Record<string, unknown>,
): Promise<void> {
  await engine.store.unit(unit, async (tx) => {
    const now = engine.clock.now()
    const job = await tx.jobs.get(jobId)
    if (job === null || job.status !== 'running' || job.attempt !== run.attempt) return
    // A pipeline that has spoken is there, whatever the answer to its trigger was: it is looked for, and none takes its place.
    if (change.state === 'refused' && (await isThere(tx, run))) return
    if (action === 'run_recorded' && (await isOfAnotherJob(tx, run, change))) {
      // A proxy's memory, or a number used again: ours is looked for by JOB_ID.
      engine.log.warn('the answer to a trigger names the run of another job', { jobId, externalId: change.externalId })
      return
    }
    if (!(await tx.runs.update(run, change))) return
    if (action !== null) await auditJob(tx, job, action, now, { attempt: run.attempt, ...data })
    if (reason.code === job.reason.code && reason.text === job.reason.text) return
    if (await changeJob(tx, job, { reason }, now)) await tellAboutJob(tx, engine, jobId)
  })
}

/** Has the pipeline of this attempt spoken, as far as the store knows now? */
export async function isThere(tx: StateTx, { jobId, attempt }: Run): Promise<boolean> {
  return (await tx.runs.of([jobId])).some((run) => run.attempt === attempt && hasSpoken(run))
}

async function isOfAnotherJob(tx: StateTx, run: Run, { externalId }: RunChange): Promise<boolean> {
  if (!externalId) return false
  const apiUrl = (one: Run) => one.connection?.integration.apiUrl ?? null
  return (await tx.runs.known(externalId)).some(
    (other) =>
      other.jobId !== run.jobId &&
      other.provider === run.provider &&
      other.repoFullName === run.repoFullName &&
      apiUrl(other) === apiUrl(run),
  )
}

export function handleFields(handle: RunHandle): Pick<Run, 'externalId' | 'externalAttempt' | 'url'> {
  return { externalId: handle.externalId, externalAttempt: handle.externalAttempt, url: handle.url }
}

/** Where a job that is about to run goes, by the config in force. */
export function pipelineFor(accepted: AcceptedConfig, job: Job): { project: Project; selector: PipelineSelector } {
  const project = accepted.desired.projects.get(job.project)
  const selector = project?.integration.pipelines.get(job.environment)
  if (project === undefined || selector === undefined)
    throw new RefusedFault(`${job.key} has no pipeline in the config repository any more.`)
  return { project, selector }
}

/** Where a run already is: told by the run itself, since the config may have changed under it, or be out of reach. */
export function pipelineOf(
  engine: Engine,
  accepted: AcceptedConfig,
  job: Job,
  run: Run,
): { provider: PipelineProvider; selector: PipelineSelector } {
  const project = projectThen(job, run, accepted.desired.projects.get(job.project) ?? null)
  if (project === null)
    throw new RefusedFault(`The config repository does not tell where ${job.project} runs, so its run cannot be asked about.`)
  const workflowRef = project.integration.pipelines.get(job.environment)?.workflowRef ?? null
  return { provider: engine.connections.pipeline(project), selector: { selector: run.selector, workflowRef } }
}

/**
 * What is needed of a project to follow a run of it, as it was when the run began: by another branch or address the provider
 * would say that there is no such run, and its lock would be freed. Only a credential for the same place may be a newer one.
 */
function projectThen({ project: name, environment }: Job, run: Run, now: Project | null): Project | null {
  const { provider, repoFullName, selector, connection } = run
  if (connection === null) {
    if (now?.integration.provider !== provider) return null
    return { ...now, integration: { ...now.integration, repoFullName } }
  }
  const then = connection.integration
  const isThere =
    now?.integration.provider === provider &&
    now.integration.apiUrl === then.apiUrl &&
    now.integration.repoFullName === repoFullName
  return {
    name,
    description: '',
    active: false,
    owner: '',
    integration: {
      ...then,
      provider,
      repoFullName,
      credentialRef: isThere ? now.integration.credentialRef : then.credentialRef,
      pipelines: new Map([[environment, { selector, workflowRef: connection.workflowRef }]]),
      webhookSecretRef: null,
      ci: { requiredChecks: [], apps: [] },
    },
    place: { file: `projects/${name}/project.yaml`, line: 1, column: 1, endColumn: 1 },
  }
}

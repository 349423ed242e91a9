import { toIso } from '../clock.ts'
import { isTerminal } from '../jobs/job.ts'
import { environmentKey } from '../model/names.ts'
import { may } from '../model/roles.ts'
import { type ExampleRequest, exampleRequest } from './example-request.ts'
import { type JobFacts, jobFacts } from './facts.ts'
import { type FrameFacts, frameFacts, type Sources } from './frame-facts.ts'
import { closedBecause, type StopFacts, stopFacts } from './matrix-facts.ts'
import type { Iso } from './moments.ts'
import { environmentRules } from './policy-words.ts'

export interface EnvironmentFacts {
  frame: FrameFacts
  project: string
  environment: string
  description: string
  url: string | null
  policy: string | null
  current: JobFacts | null
  /** By place in the queue; the running one first. */
  open: readonly JobFacts[]
  /** Ended jobs, newest first. */
  history: readonly JobFacts[]
  /** While nothing was ever asked for here: what to add. */
  example: ExampleRequest | null
  lock: { jobId: string; since: Iso; fence: number } | null
  stop: StopFacts | null
  closed: string | null
  /** The rules in plain sentences. */
  rules: readonly string[]
  approvers: readonly { id: string; name: string }[]
}

const HISTORY = 25

/** Null when neither the config nor the store knows the environment. */
export async function environmentFacts(sources: Sources, project: string, environment: string): Promise<EnvironmentFacts | null> {
  const key = environmentKey(project, environment)
  const desired = sources.live.desired()
  const configured = desired?.environments.get(key)
  const [frame, views, history] = await Promise.all([
    frameFacts(sources),
    sources.views.environments(),
    sources.views.jobs({ project, environment, limit: HISTORY }),
  ])
  const view = views.find((one) => one.key === key)
  if (!view && !configured && !desired?.unusableEnvironments.has(key) && history.length === 0) return null
  const place = { project, environment }
  return {
    frame,
    ...place,
    description: desired?.projects.get(project)?.description ?? '',
    url: configured?.url ?? null,
    policy: configured?.policy.name ?? null,
    current: view?.current ? jobFacts(view.current, desired) : null,
    open: (view?.open ?? [])
      .toSorted((a, b) => Number(b.status === 'running') - Number(a.status === 'running') || a.seq - b.seq)
      .map((job) => jobFacts(job, desired)),
    history: history.filter((job) => isTerminal(job.status)).map((job) => jobFacts(job, desired)),
    example: history.length === 0 ? exampleRequest(desired, frame.at, key) : null,
    lock: view?.lock ? { jobId: view.lock.jobId, since: toIso(view.lock.acquiredAt), fence: view.lock.fence } : null,
    stop: stopFacts(place, desired, sources.clock.now()),
    closed: closedBecause(place, desired),
    rules: configured ? environmentRules(configured) : [],
    approvers: approversOf(sources, project, environment),
  }
}

function approversOf({ live }: Sources, project: string, environment: string): { id: string; name: string }[] {
  const desired = live.desired()
  if (desired === null) return []
  return [...desired.people.values()]
    .filter((person) => may(desired, person.id, 'approve', { project, environment }))
    .map(({ id, name }) => ({ id, name }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

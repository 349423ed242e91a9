import { DAY_MS, type Instant, toIso } from '../clock.ts'
import { isTerminal, type Job } from '../jobs/job.ts'
import type { DesiredState, Scope } from '../model/desired-state.ts'
import { environmentKey } from '../model/names.ts'
import { byPromotion } from './environment-order.ts'
import { type ExampleRequest, exampleRequest } from './example-request.ts'
import { type JobFacts, jobFacts } from './facts.ts'
import { type FrameFacts, frameFacts, type Sources } from './frame-facts.ts'
import { type Iso, isoOrNull } from './moments.ts'
import type { EnvironmentView } from './views.ts'
import { attentionOf } from './words.ts'

export interface CellFacts {
  project: string
  environment: string
  /** Last successful deploy or rollback: what is there now. */
  current: JobFacts | null
  /** What the cell tells beyond that: the open job at the front, else a failure later than `current`, else null. */
  news: JobFacts | null
  /** Open jobs behind `news`. */
  alsoOpen: number
  lock: { jobId: string; since: Iso } | null
  /** Freeze or hold in force now. */
  stop: StopFacts | null
  /** Set when the front job waits for the deploy window: when it opens, and in which zone the policy counts. */
  windowOpens: { at: Iso | null; zone: string } | null
  /** Why nothing can be deployed here at all. */
  closed: string | null
}

export interface StopFacts {
  kind: 'freeze' | 'hold'
  name: string
  reason: string
  until: Iso | null
  zone: string
}

export interface MatrixFacts {
  frame: FrameFacts
  attention: { people: JobFacts[]; blocked: JobFacts[]; failed: JobFacts[]; running: JobFacts[] }
  environments: readonly string[]
  /** `cells` in the order of `environments`; null where the project has no such environment. */
  projects: readonly { name: string; description: string; active: boolean; cells: readonly (CellFacts | null)[] }[]
  /** Jobs that have not ended. */
  open: number
  /** While nothing was ever asked for: what to add. */
  example: ExampleRequest | null
}

const RECENT_FAILURES = 50

export async function matrixFacts(sources: Sources): Promise<MatrixFacts> {
  const now = sources.clock.now()
  const desired = sources.live.desired()
  const [frame, views, failures] = await Promise.all([
    frameFacts(sources),
    sources.views.environments(),
    sources.views.jobs({ status: 'failed', limit: RECENT_FAILURES }),
  ])
  const known = new Map(views.map((view) => [view.key as string, view]))
  const cells = new Map(places(desired, views).map((place) => [place.key, cellFacts(place, known.get(place.key), desired, now)]))
  const environments = byPromotion([...new Set([...cells.values()].map((cell) => cell.environment))], desired)
  const projects = [...new Set([...(desired?.projects.keys() ?? []), ...[...cells.values()].map((cell) => cell.project)])].sort()
  const open = views.flatMap((view) => view.open)
  const inState = (state: string) => open.filter((job) => attentionOf(job) === state).map((job) => jobFacts(job, desired))
  return {
    frame,
    attention: {
      people: inState('people'),
      blocked: inState('blocked'),
      failed: failures.filter((job) => job.endedAt !== null && now - job.endedAt <= DAY_MS).map((job) => jobFacts(job, desired)),
      running: inState('running'),
    },
    environments,
    projects: projects.map((name) => ({
      name,
      description: desired?.projects.get(name)?.description ?? '',
      active: desired?.projects.get(name)?.active ?? false,
      cells: environments.map((environment) => cells.get(environmentKey(name, environment)) ?? null),
    })),
    open: open.length,
    example: views.length === 0 ? exampleRequest(desired, frame.at) : null,
  }
}

interface CellPlace {
  key: string
  project: string
  environment: string
}

/** Every environment of the config, usable or not, and those that only the store remembers while something still happens there. */
function places(desired: DesiredState | null, views: readonly EnvironmentView[]): CellPlace[] {
  const configured = desired === null ? [] : [...desired.environments.keys(), ...desired.unusableEnvironments.keys()]
  const remembered = views
    .filter((view) => desired === null || view.open.length > 0 || view.lock !== null)
    .map((view) => view.key)
  return [...new Set<string>([...configured, ...remembered])].map((key) => {
    const [project = '', environment = ''] = key.split('/')
    return { key, project, environment }
  })
}

function cellFacts(place: CellPlace, view: EnvironmentView | undefined, desired: DesiredState | null, now: Instant): CellFacts {
  const environment = desired?.environments.get(environmentKey(place.project, place.environment))
  const front = view?.open.find((job) => job.status === 'running') ?? view?.open[0] ?? null
  const news = front ?? laterFailure(view)
  const waitsForWindow = front?.reason.code === 'window_closed'
  return {
    project: place.project,
    environment: place.environment,
    current: view?.current ? jobFacts(view.current, desired) : null,
    news: news && jobFacts(news, desired),
    alsoOpen: Math.max(0, (view?.open.length ?? 0) - 1),
    lock: view?.lock ? { jobId: view.lock.jobId, since: toIso(view.lock.acquiredAt) } : null,
    stop: stopFacts(place, desired, now),
    windowOpens: waitsForWindow ? { at: isoOrNull(front.reason.until), zone: environment?.policy.window?.tz ?? 'UTC' } : null,
    closed: closedBecause(place, desired),
  }
}

/** The last job when it ended without success after the last success. A dry run changes nothing, so it is no news. */
function laterFailure(view: EnvironmentView | undefined): Job | null {
  const last = view?.last ?? null
  if (last === null || last.type === 'dry_run' || !isTerminal(last.status) || last.status === 'success') return null
  return last.seq > (view?.current?.seq ?? -1) ? last : null
}

/** The freeze or hold that stops this place now. A hold comes first: somebody put it there by hand. */
export function stopFacts(place: Omit<CellPlace, 'key'>, desired: DesiredState | null, now: Instant): StopFacts | null {
  const hold = desired?.holds.find((one) => covers(one.scope, place) && (one.untilAt === null || now < one.untilAt))
  if (hold) return { kind: 'hold', name: hold.name, reason: hold.reason, until: isoOrNull(hold.untilAt), zone: 'UTC' }
  const freeze = desired?.freezes.find((one) => covers(one.scope, place) && one.fromAt <= now && now < one.toAt)
  if (!freeze) return null
  return { kind: 'freeze', name: freeze.name, reason: freeze.reason, until: toIso(freeze.toAt), zone: freeze.tz }
}

function covers(scope: Scope, place: Omit<CellPlace, 'key'>): boolean {
  return (scope.projects?.includes(place.project) ?? true) && (scope.environments?.includes(place.environment) ?? true)
}

/** Why no job can ever start here; null when one can. */
export function closedBecause(place: Omit<CellPlace, 'key'>, desired: DesiredState | null): string | null {
  if (desired === null) return null
  const key = environmentKey(place.project, place.environment)
  const findings = desired.unusableEnvironments.get(key)
  if (findings) return `Cannot be used: ${findings[0]?.message ?? 'its file has errors'}`
  const environment = desired.environments.get(key)
  if (!environment) return 'No longer in the config repository'
  if (!environment.enabled) return 'Disabled in its file'
  return desired.projects.get(place.project)?.active === false ? 'The project is not active' : null
}

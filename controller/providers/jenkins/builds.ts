import type { RunObservation } from '../../jobs/executor.ts'
import { unlessMissing } from '../json-calls.ts'
import { type JenkinsClient, jobPath } from './client.ts'

interface WithParameters {
  /** One of them has the parameters; others are empty objects. */
  actions?: readonly { parameters?: readonly { name: string; value?: unknown }[] }[]
}

export interface Build extends WithParameters {
  number: number
  /** Id of the queue's item that it came from: what it goes by here, since it had none else when it was asked for. */
  queueId: number
  /** Milliseconds, by Jenkins's clock. */
  timestamp: number
  /** Milliseconds; 0 while it goes on. */
  duration: number
  building: boolean
  result: string | null
}

export interface QueueItem extends WithParameters {
  id: number
  inQueueSince: number
  task: { url?: string }
  /** Why it still waits, in Jenkins's words. */
  why?: string | null
  cancelled?: boolean
  executable?: { number: number } | null
}

export interface Job {
  buildable: boolean
  /** Properties of all kinds; the one with definitions names the parameters. */
  property?: readonly { parameterDefinitions?: readonly { name: string }[] }[]
}

const PARAMETERS = 'actions[parameters[name,value]]'
const BUILD = 'number,queueId,timestamp,duration,building,result'
const ITEM = `id,inQueueSince,why,cancelled,task[url],executable[number],${PARAMETERS}`
const PAGE = 100
/** Older builds of one job are not looked at. */
const MAX_BUILDS = 1_000

export function readJob(client: JenkinsClient, selector: string, signal?: AbortSignal): Promise<Job> {
  return client.get<Job>(jobPath(selector), 'buildable,property[parameterDefinitions[name]]', signal)
}

/** Names of `wanted` that the job does not declare. Jenkins would drop them without a word. */
export function undeclared({ property = [] }: Job, wanted: readonly string[]): string[] {
  const declared = new Set(property.flatMap(({ parameterDefinitions = [] }) => parameterDefinitions.map(({ name }) => name)))
  return wanted.filter((name) => !declared.has(name))
}

export function readBuild(client: JenkinsClient, selector: string, number: number): Promise<Build | null> {
  return unlessMissing(() => client.get<Build>(`${jobPath(selector)}/${number}`, BUILD))
}

/** Null: there is none, or it left the queue more than five minutes ago. */
export function readItem(client: JenkinsClient, id: number): Promise<QueueItem | null> {
  return unlessMissing(() => client.get<QueueItem>(`/queue/item/${id}`, ITEM))
}

export async function queueItems(client: JenkinsClient): Promise<readonly QueueItem[]> {
  return (await client.get<{ items?: QueueItem[] }>('/queue', `items[${ITEM}]`)).items ?? []
}

export interface BuildList {
  /** Newest first. */
  builds: readonly Build[]
  nextNumber: number
  /** The end of the list was reached: older builds there are none, or not any more. */
  whole: boolean
}

/** Builds of a job, page by page, until one `isEnough`. */
export async function listBuilds(
  client: JenkinsClient,
  selector: string,
  isEnough: (build: Build) => boolean,
): Promise<BuildList> {
  const builds: Build[] = []
  for (let from = 0; from < MAX_BUILDS; from += PAGE) {
    // `allBuilds`: `builds` has the newest hundred alone.
    const tree = `nextBuildNumber,allBuilds[${BUILD},${PARAMETERS}]{${from},${from + PAGE}}`
    const page = await client.get<{ nextBuildNumber: number; allBuilds?: Build[] }>(jobPath(selector), tree)
    const found = page.allBuilds ?? []
    builds.push(...found)
    const whole = found.length < PAGE
    if (whole || found.some(isEnough)) return { builds, nextNumber: page.nextBuildNumber, whole }
  }
  return { builds, nextNumber: Number.POSITIVE_INFINITY, whole: false }
}

export function parameterOf({ actions = [] }: WithParameters, name: string): string | null {
  const found = actions.flatMap(({ parameters = [] }) => parameters).find((parameter) => parameter.name === name)
  return typeof found?.value === 'string' ? found.value : null
}

const RESULTS = new Map<string, RunObservation['state']>([
  ['SUCCESS', 'success'],
  // Something went wrong that the pipeline let pass: not shown to have worked.
  ['UNSTABLE', 'failed'],
  ['FAILURE', 'failed'],
  // Nothing was done, or a later build took its place.
  ['NOT_BUILT', 'failed'],
  ['ABORTED', 'canceled'],
])

/** A result may be there while the build goes on: it can still get worse. */
export function buildState({ building, result }: Build): RunObservation['state'] {
  if (building || result === null) return 'active'
  return RESULTS.get(result) ?? 'failed'
}

/** Jenkins's own word, where it says more than our state does. */
export function wordsOf({ building, result }: Build): string | null {
  if (building) return result === null ? null : `building, ${result} so far`
  return result === 'UNSTABLE' || result === 'NOT_BUILT' || !RESULTS.has(result ?? '') ? result : null
}

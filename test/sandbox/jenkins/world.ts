import { type Clock, MINUTE_MS } from '../../../controller/clock.ts'
import { type Faults, faultTable } from '../faults.ts'

/** Every value of Jenkins's `Result`. */
export const RESULTS = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'NOT_BUILT', 'ABORTED'] as const
export type Result = (typeof RESULTS)[number]

export interface EmulatedJob {
  /** `folder/deploy`. */
  name: string
  parameters: readonly EmulatedParameter[]
  buildable: boolean
  builds: EmulatedBuild[]
  nextNumber: number
}

/** A value of a password is in no answer. */
export interface EmulatedParameter {
  name: string
  password?: boolean
}

export interface EmulatedBuild {
  number: number
  queueId: number
  values: Readonly<Record<string, string>>
  timestamp: number
  endedAt: number | null
  result: Result | null
  /** How politely it has to be asked before it stops. */
  stubborn: 'stop' | 'term' | 'kill' | 'never'
}

export interface EmulatedItem {
  id: number
  job: EmulatedJob
  values: Readonly<Record<string, string>>
  since: number
  build: EmulatedBuild | null
  cancelled: boolean
  leftAt: number | null
}

export interface World {
  clock: Clock
  origin: string
  /** What Jenkins takes for its own address in links: behind a proxy it is often another. */
  rootUrl: string
  accounts: Map<string, string>
  jobs: Map<string, EmulatedJob>
  items: EmulatedItem[]
  /** The queue takes nothing. */
  closed: boolean
  faults: Faults
  complaints: string[]
  nextId(): number
  onStart(build: EmulatedBuild, job: EmulatedJob): void
}

export const OPERATIONS = [
  'job/read',
  'job/builds',
  'job/trigger',
  'queue/list',
  'queue/item',
  'queue/cancel',
  'build/read',
  'build/stop',
] as const

export function newWorld(clock: Clock): World {
  let lastId = 100
  return {
    clock,
    origin: '',
    rootUrl: 'http://jenkins.internal:8080',
    accounts: new Map(),
    jobs: new Map(),
    items: [],
    closed: false,
    faults: faultTable(OPERATIONS),
    complaints: [],
    nextId: () => ++lastId,
    onStart: () => {},
  }
}

/** Items that left the queue are told of for five minutes. */
export function itemsToTell({ items, clock }: World): EmulatedItem[] {
  return items.filter((item) => item.leftAt === null || clock.now() - item.leftAt < 5 * MINUTE_MS)
}

/** An executor is free: the item leaves the queue as a build. */
export function startBuild(world: World, item: EmulatedItem): EmulatedBuild {
  const { job } = item
  const build: EmulatedBuild = {
    number: job.nextNumber++,
    queueId: item.id,
    values: item.values,
    timestamp: world.clock.now(),
    endedAt: null,
    result: null,
    stubborn: 'stop',
  }
  job.builds.unshift(build)
  item.build = build
  item.leftAt = world.clock.now()
  world.onStart(build, job)
  return build
}

export function endBuild(world: World, build: EmulatedBuild, result: Result): void {
  if (build.endedAt !== null) return
  build.result = result
  build.endedAt = world.clock.now()
}

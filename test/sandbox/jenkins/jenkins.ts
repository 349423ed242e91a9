import type { Clock } from '../../../controller/clock.ts'
import type { Faults } from '../faults.ts'
import { listen, newItem } from './server.ts'
import {
  type EmulatedBuild,
  type EmulatedItem,
  type EmulatedJob,
  type EmulatedParameter,
  endBuild,
  newWorld,
  type Result,
  startBuild,
  type World,
} from './world.ts'

/**
 * An emulated Jenkins: the remote API of its queue and its jobs on the loopback interface, and its people and executors as
 * functions. No description of that API is published; this one follows jenkinsci/jenkins (Queue, ParametersDefinitionProperty,
 * ParameterizedJobMixIn) and jenkinsci/workflow-job-plugin (WorkflowRun).
 */
export interface Jenkins extends Pick<World, 'complaints'> {
  /** What a project names as `api_url`. */
  url: string
  faults: Faults
  /** Gives `user:token`. */
  account(user: string): string
  job(name: string, parameters: readonly EmulatedParameter[]): EmulatedJob
  items(): readonly EmulatedItem[]
  /** Of an item of the queue, which becomes a build when it was none. */
  build(queueId: number): EmulatedBuild
  end(queueId: number, result: Result): void
  /** Somebody starts the job by hand. */
  startByHand(name: string, values?: Readonly<Record<string, string>>): EmulatedItem
  /** As "discard old builds" does. */
  discard(name: string, number: number): void
  /** The queue takes nothing, or everything again. */
  close(closed: boolean): void
  /** Runs when an item becomes a build. */
  onStart(run: World['onStart']): void
  stop(): Promise<void>
}

export async function startJenkins({ clock }: { clock: Clock }): Promise<Jenkins> {
  const world = newWorld(clock)
  const server = await listen(world)
  world.origin = server.origin

  function itemOf(queueId: number): EmulatedItem {
    const item = world.items.find(({ id }) => id === queueId)
    if (item === undefined) throw new Error(`the Jenkins has no queue item ${queueId}`)
    return item
  }

  function jobNamed(name: string): EmulatedJob {
    const job = world.jobs.get(name)
    if (job === undefined) throw new Error(`the Jenkins has no job ${name}`)
    return job
  }

  const jenkins: Jenkins = {
    url: `${server.origin}/ci`,
    faults: world.faults,
    complaints: world.complaints,
    account(user) {
      const token = `11${user}${'0'.repeat(30)}`.slice(0, 34)
      world.accounts.set(user, token)
      return `${user}:${token}`
    },
    job(name, parameters) {
      const job: EmulatedJob = { name, parameters, buildable: true, builds: [], nextNumber: 1 }
      world.jobs.set(name, job)
      return job
    },
    items: () => world.items,
    build(queueId) {
      const item = itemOf(queueId)
      return item.build ?? startBuild(world, item)
    },
    end: (queueId, result) => endBuild(world, jenkins.build(queueId), result),
    startByHand: (name, values = {}) => newItem(world, jobNamed(name), values),
    discard(name, number) {
      const job = jobNamed(name)
      job.builds = job.builds.filter((build) => build.number !== number)
    },
    close(closed) {
      world.closed = closed
    },
    onStart(run) {
      world.onStart = run
    },
    stop: server.close,
  }
  return jenkins
}

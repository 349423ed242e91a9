import { type Conclusion, inBackground, type Runner, type WorkflowRun, type World } from '../world.ts'
import { finishRun, startJob, startRun } from './runs.ts'

export interface InstantOptions {
  queueDelayMs: number
  /** How a run ends; success unless told. */
  conclusionOf: (run: WorkflowRun) => Conclusion
}

/** Runs that do nothing and end as soon as they may: for tests that care about everything else. */
export function instantRunner(world: World, options: InstantOptions): Runner {
  return {
    begin(run) {
      const attempt = run.attempt
      const work = async () => {
        if (options.queueDelayMs > 0) await world.clock.sleep(options.queueDelayMs)
        if (run.status !== 'queued' || run.attempt !== attempt) return
        startRun(world, run)
        for (const job of run.workflow.jobs) startJob(world, run, job)
        finishRun(world, run, options.conclusionOf(run))
      }
      inBackground(world, `run ${run.id}`, work())
    },
    cancel: (run) => finishRun(world, run, 'cancelled'),
    close: async () => {},
  }
}

/** Runs that stay as they are until the test moves them. */
export function manualRunner(world: World): Runner {
  return {
    begin() {},
    cancel: (run) => finishRun(world, run, 'cancelled'),
    close: async () => {},
  }
}

/** A test's hand on a run: queued → in progress, with its jobs. */
export function startByHand(world: World, run: WorkflowRun): void {
  startRun(world, run)
  for (const job of run.workflow.jobs) startJob(world, run, job)
}

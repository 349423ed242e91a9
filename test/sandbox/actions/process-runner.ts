import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Conclusion, inBackground, type RunJob, type Runner, type WorkflowRun, type World } from '../world.ts'
import { contextOf, finishJob, finishRun, startJob, startRun } from './runs.ts'
import { scriptProcesses } from './scripts.ts'
import { expand, type WorkflowJob, type WorkflowStep } from './workflow-file.ts'

/**
 * Really runs the `run:` scripts, each as `bash -e` in the job's own folder. Jobs go one after the other, in the file's order;
 * after a failure or a cancel only `always()` steps run, and a forced cancel stops those too.
 */
export function processRunner(world: World, queueDelayMs: number): Runner {
  const scripts = scriptProcesses<WorkflowRun>()
  const forced = new Set<WorkflowRun>()
  const executions = new Set<Promise<void>>()
  const closing = new AbortController()

  async function execute(run: WorkflowRun): Promise<void> {
    if (queueDelayMs > 0) await world.clock.sleep(queueDelayMs, closing.signal)
    if (closing.signal.aborted || run.status !== 'queued') return
    if (run.cancelAsked) return finishRun(world, run, 'cancelled')
    startRun(world, run)
    const folder = join(world.root, 'runs', `${run.id}-${run.attempt}`)
    let conclusion: Conclusion = 'success'
    for (const job of run.workflow.jobs) {
      const started = startJob(world, run, job)
      const ended: Conclusion = conclusion === 'success' ? await executeJob(run, job, started, folder) : 'skipped'
      finishJob(world, run, started, ended)
      if (ended !== 'skipped') conclusion = ended
    }
    forced.delete(run)
    await rm(folder, { recursive: true, force: true })
    finishRun(world, run, conclusion)
  }

  async function executeJob(run: WorkflowRun, job: WorkflowJob, started: RunJob, folder: string): Promise<Conclusion> {
    let failed = false
    for (const [index, step] of job.steps.entries()) {
      const shown = started.steps[index]!
      const skip: boolean = ((failed || run.cancelAsked) && !step.always) || forced.has(run) || closing.signal.aborted
      shown.startedAt = world.clock.now()
      shown.status = 'in_progress'
      const passed: boolean = skip || step.run === null || (await executeStep(run, job, step, started, folder))
      failed ||= !passed
      shown.status = 'completed'
      shown.completedAt = world.clock.now()
      shown.conclusion = skip ? 'skipped' : passed ? 'success' : 'failure'
    }
    if (run.cancelAsked) return 'cancelled'
    return failed ? 'failure' : 'success'
  }

  async function executeStep(
    run: WorkflowRun,
    job: WorkflowJob,
    step: WorkflowStep,
    started: RunJob,
    folder: string,
  ): Promise<boolean> {
    await mkdir(folder, { recursive: true })
    const ended = scripts.run(run, {
      text: expand(step.run ?? '', contextOf(world, run)),
      cwd: folder,
      env: environmentOf(world, run, job, step),
      onOutput(text) {
        started.log += text
      },
    })
    // Asked to stop while the folder was being made: nobody has told this process yet.
    if (closing.signal.aborted || forced.has(run)) scripts.kill(run)
    else if (run.cancelAsked && !step.always) scripts.stop(run)
    return ended
  }

  return {
    begin(run) {
      const execution = execute(run).finally(() => executions.delete(execution))
      executions.add(execution)
      inBackground(world, `run ${run.id}`, execution)
    },
    cancel(run, force) {
      if (run.status === 'queued') return finishRun(world, run, 'cancelled')
      if (force) forced.add(run)
      scripts.stop(run)
    },
    async close() {
      closing.abort()
      await scripts.close()
      // Trouble of a run is logged where it began; here it only has to be over.
      await Promise.allSettled(executions)
    },
  }
}

function environmentOf(world: World, run: WorkflowRun, job: WorkflowJob, step: WorkflowStep): NodeJS.ProcessEnv {
  const context = contextOf(world, run)
  const declared = { ...run.workflow.env, ...job.env, ...step.env }
  const inputs = Object.entries(run.inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])
  const github = Object.entries(context)
    .filter(([name]) => name.startsWith('github.'))
    .map(([name, value]) => [name.replace('github.', 'GITHUB_').toUpperCase(), value])
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    CI: 'true',
    ...Object.fromEntries([...github, ...inputs]),
    ...Object.fromEntries(Object.entries(declared).map(([name, value]) => [name, expand(value, context)])),
  }
}

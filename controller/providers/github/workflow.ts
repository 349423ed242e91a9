import { RefusedFault } from '../../errors.ts'
import type { RunObservation } from '../../jobs/executor.ts'

/**
 * The workflow that a selector names: `deploy.yml` or `.github/workflows/deploy.yml`.
 * Files only, no numeric ids: runs are recognised by the path of their workflow file.
 */
export function workflowFile(selector: string): { file: string; path: string } {
  const file = selector.startsWith('.github/workflows/') ? selector.slice('.github/workflows/'.length) : selector
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.ya?ml$/.test(file)) {
    throw new RefusedFault(`${JSON.stringify(selector)} is not a workflow file; name it like deploy.yml.`)
  }
  return { file, path: `.github/workflows/${file}` }
}

/** A run's `path` may carry the ref it was read at: `.github/workflows/deploy.yml@refs/heads/main`. */
export function runsWorkflow(runPath: string, path: string): boolean {
  return runPath === path || runPath.startsWith(`${path}@`)
}

const UNFINISHED = new Map<string | null, RunObservation['state']>([
  ['queued', 'queued'],
  ['requested', 'queued'],
  ['pending', 'queued'],
  ['in_progress', 'active'],
  // An environment protection rule or a first-time contributor rule holds the run: a person must act at GitHub.
  ['waiting', 'blocked'],
  ['action_required', 'blocked'],
])

const FINISHED = new Map<string, RunObservation['state']>([
  ['success', 'success'],
  ['failure', 'failed'],
  ['startup_failure', 'failed'],
  ['stale', 'failed'],
  // Nothing was deployed.
  ['skipped', 'failed'],
  // Not shown to have worked: only a plain success counts as one.
  ['neutral', 'failed'],
  ['cancelled', 'canceled'],
  ['timed_out', 'timed_out'],
  // Comes with status `completed` while the run waits for a person.
  ['action_required', 'blocked'],
])

/** Our word for a workflow run's `status` and `conclusion`. A word we do not know never means success. */
export function runState(status: string | null, conclusion: string | null): RunObservation['state'] {
  if (status !== 'completed') return UNFINISHED.get(status) ?? 'active'
  if (conclusion === null) return 'active'
  return FINISHED.get(conclusion) ?? 'failed'
}

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Clock, HOUR_MS, SECOND_MS, toIso } from '../../clock.ts'
import { ConfigFault, messageOf, RefusedFault } from '../../errors.ts'
import type { PipelineProvider, RunHandle, RunObservation, StartOutcome, Trigger } from '../../jobs/executor.ts'
import { told } from '../told.ts'
import {
  isAlive,
  type ProcessMark,
  RUN_FILES,
  type RunExit,
  type RunSpec,
  readWhole,
  signalGroup,
  writeWhole,
} from './run-files.ts'

/** A command of the controller's own configuration. Documents choose among them by name and can say nothing more. */
export interface LocalCommand {
  argv: readonly [string, ...string[]]
  cwd?: string
  timeoutMs?: number
}

export interface LocalPipelineOptions {
  commands: Readonly<Record<string, LocalCommand>>
  /** Runs are kept in `<dataDirectory>/local-runs/<job id>/`. */
  dataDirectory: string
  /** The compiled supervisor; see supervisorProgram. */
  supervisor: string
  clock: Clock
  /** `PATH` of supervisor and commands. */
  path?: string
  killGraceMs?: number
  maxOutputBytes?: number
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const DEFAULT_TIMEOUT_MS = HOUR_MS
const DEFAULT_KILL_GRACE_MS = 5 * SECOND_MS
const DEFAULT_MAX_OUTPUT_BYTES = 64 * 1024
/** A supervisor that has not shown itself after this long never will. */
const SUPERVISOR_START_MS = 15 * SECOND_MS
const JOB_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Processes on the controller's own machine. The directory of a run comes into being whole and only once,
 * which makes it the proof that a job was started: `start` never makes a second process for a job.
 */
export function localPipeline(options: LocalPipelineOptions): PipelineProvider {
  const runs = join(options.dataDirectory, 'local-runs')

  function directoryOf(jobId: string): string {
    if (!JOB_ID.test(jobId)) throw new RefusedFault(`${JSON.stringify(jobId)} is not a job id.`)
    return join(runs, jobId)
  }

  return {
    async start(trigger) {
      const { selector } = trigger.selector
      const command = Object.hasOwn(options.commands, selector) ? options.commands[selector] : undefined
      if (command === undefined) return refused(`The controller has no local command named ${JSON.stringify(selector)}.`)
      if (!JOB_ID.test(trigger.jobId)) return refused(`${JSON.stringify(trigger.jobId)} is not a job id.`)
      const directory = directoryOf(trigger.jobId)
      recordsSince(runs, options.clock.now())
      if (!createRun(runs, directory, specOf(trigger, command, options))) return { kind: 'started', run: handle(trigger.jobId) }
      const failure = await launchSupervisor(directory, options)
      if (failure === null) return { kind: 'started', run: handle(trigger.jobId) }
      // No process was made, so the place is free for another attempt.
      rmSync(directory, { recursive: true, force: true })
      return { kind: 'refused', why: `The supervisor did not start: ${failure}`, retryAfterMs: 10 * SECOND_MS, unreachable: true }
    },

    async find({ jobId }) {
      return readWhole<RunSpec>(directoryOf(jobId), RUN_FILES.spec) === null ? [] : [handle(jobId)]
    },

    async doubt({ intendedAt }) {
      const since = recordsSince(runs, options.clock.now())
      return since <= intendedAt ? null : `the local runs are on record only since ${toIso(since)}`
    },

    async observe({ externalId, selector }) {
      const directory = directoryOf(externalId)
      const spec = readWhole<RunSpec>(directory, RUN_FILES.spec)
      if (spec === null) return observation('vanished', 'there is no such local run')
      if (spec.selector !== selector.selector)
        return observation('vanished', `the local run is of ${spec.selector}, not of ${selector.selector}`)
      return observeFiles(directory, spec, options.clock.now())
    },

    async cancel({ externalId }) {
      const directory = directoryOf(externalId)
      if (readWhole<RunSpec>(directory, RUN_FILES.spec) !== null) writeFileSync(join(directory, RUN_FILES.cancel), '')
    },
  }
}

/** The supervisor beside this module: its compiled form, or its source where Node runs TypeScript. */
export function supervisorProgram(): string {
  if (import.meta.url.endsWith('.js')) return fileURLToPath(new URL('./supervisor.js', import.meta.url))
  // Absent in Node 20, which runs no TypeScript.
  const { typescript } = process.features as { typescript?: unknown }
  if (typescript) return fileURLToPath(new URL('./supervisor.ts', import.meta.url))
  throw new ConfigFault(
    'This Node does not run TypeScript, so the local supervisor must be compiled.',
    'Run the build and name the compiled supervisor.js.',
  )
}

function specOf(trigger: Trigger, command: LocalCommand, options: LocalPipelineOptions): RunSpec {
  return {
    selector: trigger.selector.selector,
    argv: command.argv,
    cwd: command.cwd ?? options.dataDirectory,
    env: {
      PATH: options.path ?? DEFAULT_PATH,
      ...told(trigger),
    },
    timeoutMs: command.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    killGraceMs: options.killGraceMs ?? DEFAULT_KILL_GRACE_MS,
    maxOutputBytes: options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES,
    createdAt: options.clock.now(),
  }
}

/** When the directory of runs began: it may be younger than a job, when it was lost or put elsewhere. Makes it when there is none. */
function recordsSince(runs: string, now: number): number {
  mkdirSync(runs, { recursive: true, mode: 0o700 })
  const known = readWhole<{ since: number }>(runs, RECORDS_FILE)
  if (known !== null) return known.since
  writeWhole(runs, RECORDS_FILE, { since: now })
  return now
}

const RECORDS_FILE = '.records.json'

/** False when the run is already there. A rename onto a directory with files in it fails, so exactly one caller succeeds. */
function createRun(runs: string, directory: string, spec: RunSpec): boolean {
  mkdirSync(runs, { recursive: true, mode: 0o700 })
  const draft = mkdtempSync(join(runs, '.draft-'))
  try {
    writeWhole(draft, RUN_FILES.spec, spec)
    renameSync(draft, directory)
    return true
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false
    throw error
  }
}

/** Null when the supervisor process exists, else why not. */
function launchSupervisor(directory: string, options: LocalPipelineOptions): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [options.supervisor, directory], {
      cwd: '/',
      // Nothing of the controller's own environment, where its secrets may be.
      env: { PATH: options.path ?? DEFAULT_PATH },
      detached: true,
      stdio: 'ignore',
    })
    child.once('error', (error) => resolve(messageOf(error)))
    child.once('spawn', () => {
      child.unref()
      resolve(null)
    })
  })
}

function observeFiles(directory: string, spec: RunSpec, now: number): RunObservation {
  const before = readWhole<RunExit>(directory, RUN_FILES.exit)
  if (before !== null) return endObservation(before)
  const supervisor = readWhole<ProcessMark>(directory, RUN_FILES.supervisor)
  if (supervisor === null) {
    const starting = now - spec.createdAt < SUPERVISOR_START_MS
    return starting
      ? observation('queued', 'the supervisor is starting')
      : observation('vanished', 'the supervisor never started')
  }
  const started = readWhole<ProcessMark>(directory, RUN_FILES.started)
  if (isAlive(supervisor)) return started === null ? observation('queued', null) : observation('active', null)
  // It may have ended well between our two looks.
  const after = readWhole<RunExit>(directory, RUN_FILES.exit)
  if (after !== null) return endObservation(after)
  // Vanished must mean that nothing runs any more, because the lock is released on it.
  if (started !== null && isAlive(started)) signalGroup(started.pid, 'SIGKILL')
  return observation('vanished', 'the supervisor died before the command ended')
}

function endObservation(exit: RunExit): RunObservation {
  const words = exit.detail ?? (exit.signal === null ? `exit code ${exit.code}` : `ended by ${exit.signal}`)
  switch (exit.reason) {
    case 'timed_out':
      return observation('timed_out', words)
    case 'canceled':
      return observation('canceled', words)
    case 'not_started':
      return observation('failed', words)
    case 'ended':
      return observation(exit.code === 0 ? 'success' : 'failed', words)
  }
}

function observation(state: RunObservation['state'], detail: string | null): RunObservation {
  return { state, externalAttempt: 1, url: null, detail }
}

function handle(jobId: string): RunHandle {
  return { externalId: jobId, externalAttempt: 1, url: null }
}

function refused(why: string): StartOutcome {
  return { kind: 'refused', why, retryAfterMs: null, unreachable: false }
}

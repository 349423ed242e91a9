/**
 * A program of its own: `node supervisor.js <run directory>`. Runs one command and writes down how it ends,
 * so that a run and its result survive a restart of the controller.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import {
  type ProcessMark,
  processIdentity,
  RUN_FILES,
  type RunExit,
  type RunSpec,
  readWhole,
  signalGroup,
  writeWhole,
} from './run-files.ts'

const CANCEL_POLL_MS = 200
/** How long the end of a run waits for the rest of its output. */
const OUTPUT_GRACE_MS = 1_000

function supervise(directory: string): void {
  const spec = readWhole<RunSpec>(directory, RUN_FILES.spec)
  if (spec === null) throw new Error(`no ${RUN_FILES.spec} in ${directory}`)
  writeWhole(directory, RUN_FILES.supervisor, mark(process.pid))
  const [program = '', ...args] = spec.argv
  // A group of its own: everything that the command starts can be ended with it.
  const child = spawn(program, args, { cwd: spec.cwd, env: spec.env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  keepOutput(directory, child, spec.maxOutputBytes)
  child.once('error', (error) => {
    if (child.pid === undefined)
      end(directory, { code: null, signal: null, reason: 'not_started', detail: whyNotStarted(spec, error) })
  })
  if (child.pid === undefined) return
  writeWhole(directory, RUN_FILES.started, mark(child.pid))
  watch(directory, child, child.pid, spec)
}

/** The system says ENOENT for a program, its interpreter and its folder alike, and names only the program. */
function whyNotStarted({ argv: [program = ''], cwd }: RunSpec, error: NodeJS.ErrnoException): string {
  if (!existsSync(cwd)) return 'the folder that `cwd` names does not exist'
  const there = program.includes('/') && existsSync(resolve(cwd, program))
  if (error.code === 'ENOENT' && there) return `${program} names a program in its first line that does not exist`
  if (error.code === 'ENOENT') return `there is no program ${program}${program.includes('/') ? '' : ' on PATH'}`
  if (error.code === 'EACCES') return `${program} may not be executed; chmod +x makes a script a program`
  return error.message
}

function watch(directory: string, child: ChildProcess, leader: number, spec: RunSpec): void {
  let reason: RunExit['reason'] = 'ended'
  let ending: NodeJS.Timeout | null = null

  function stop(why: RunExit['reason']): void {
    if (ending !== null) return
    reason = why
    signalGroup(leader, 'SIGTERM')
    ending = setTimeout(() => signalGroup(leader, 'SIGKILL'), spec.killGraceMs)
  }

  const deadline = setTimeout(() => stop('timed_out'), spec.timeoutMs)
  const cancel = setInterval(() => {
    if (existsSync(join(directory, RUN_FILES.cancel))) stop('canceled')
  }, CANCEL_POLL_MS)

  child.once('exit', (code, signal) => {
    clearTimeout(deadline)
    clearInterval(cancel)
    if (ending !== null) clearTimeout(ending)
    // Nothing of a run may outlive it: its lock is about to be given to the next one.
    signalGroup(leader, 'SIGKILL')
    const exit: RunExit = { code, signal, reason, detail: null }
    // `close` comes when the last output was read; a process that left the group may hold the pipes open for ever.
    const late = setTimeout(() => end(directory, exit), OUTPUT_GRACE_MS)
    child.once('close', () => {
      clearTimeout(late)
      end(directory, exit)
    })
  })
}

/** Both streams go into one file up to the cap; the rest is read and dropped, so that the command never blocks on a full pipe. */
function keepOutput(directory: string, child: ChildProcess, maxBytes: number): void {
  const file = openSync(join(directory, RUN_FILES.output), 'a', 0o600)
  let left = maxBytes
  for (const stream of [child.stdout, child.stderr] as (Readable | null)[]) {
    stream?.on('data', (chunk: Buffer) => {
      const kept = chunk.subarray(0, left)
      left -= kept.byteLength
      if (kept.byteLength > 0) writeSync(file, kept)
    })
  }
  child.once('close', () => closeSync(file))
}

function end(directory: string, exit: RunExit): void {
  writeWhole(directory, RUN_FILES.exit, exit)
}

function mark(pid: number): ProcessMark {
  return { pid, identity: processIdentity(pid) ?? 'gone' }
}

const directory = process.argv[2]
if (directory === undefined) throw new Error('usage: supervisor <run directory>')
supervise(directory)

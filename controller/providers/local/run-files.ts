import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The files of one local run, written by the controller (`spec`, `cancel`) and by the supervisor (the rest), each whole or not at all.
 * They are all that the two share, so either may die and the other still tells the truth.
 */
export const RUN_FILES = {
  spec: 'spec.json',
  supervisor: 'supervisor.json',
  started: 'started.json',
  exit: 'exit.json',
  cancel: 'cancel',
  output: 'output.log',
} as const

/** What the supervisor is to run. Comes from the controller's configuration and the trigger; nothing here is from a repository. */
export interface RunSpec {
  selector: string
  argv: readonly string[]
  cwd: string
  env: Readonly<Record<string, string>>
  timeoutMs: number
  /** From the polite signal to the deadly one. */
  killGraceMs: number
  maxOutputBytes: number
  /** The controller's clock, in ms. */
  createdAt: number
}

/** A process that is meant and not another that later got its number. */
export interface ProcessMark {
  pid: number
  identity: string
}

export interface RunExit {
  code: number | null
  signal: string | null
  reason: 'ended' | 'timed_out' | 'canceled' | 'not_started'
  detail: string | null
}

export function writeWhole(directory: string, name: string, value: unknown): void {
  const draft = join(directory, `${name}.draft`)
  writeFileSync(draft, JSON.stringify(value), { mode: 0o600 })
  renameSync(draft, join(directory, name))
}

export function readWhole<T>(directory: string, name: string): T | null {
  try {
    return JSON.parse(readFileSync(join(directory, name), 'utf8')) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/**
 * Boot and start time of a process (Linux, proc(5) `stat` field 22), or null when it is gone or a zombie.
 * Elsewhere only whether a process of that number lives, which is weaker.
 */
export function processIdentity(pid: number): string | null {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives and belongs to somebody else, which a process of ours never does.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return null
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19]}`
  } catch {
    return process.platform === 'linux' ? null : 'unknown'
  }
}

export function isAlive(mark: ProcessMark): boolean {
  return processIdentity(mark.pid) === mark.identity
}

/** True when the signal reached a process of the group. */
export function signalGroup(leader: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-leader, signal)
    return true
  } catch {
    return false
  }
}

import type { ExitCode, Io, StopSignal } from '../../controller/cli/io.ts'
import { runCli } from '../../controller/cli/program.ts'
import type { Clock } from '../../controller/clock.ts'
import { redactor } from '../../controller/secrets/redaction.ts'

/** Saturday 2026-11-21 12:00 in Rome: the production window is closed until Monday. */
export const SATURDAY = Date.parse('2026-11-21T11:00:00Z')

export interface RunOptions {
  cwd?: string
  env?: Readonly<Record<string, string>>
  clock?: Clock
  fetch?: typeof globalThis.fetch
  /** A person at a terminal who answers so. */
  answer?: string
  color?: boolean
}

export interface Ran {
  code: ExitCode
  stdout: string
  stderr: string
}

/** A command line under way: what it wrote so far, and the means to end it as an operator would. */
export interface Running {
  stdout(): string
  stderr(): string
  signal(name: StopSignal): void
  crash(error: unknown): void
  /** Codes with which it ended the process at once. */
  exits: number[]
  ended: Promise<ExitCode>
}

export function start(args: readonly string[], options: RunOptions = {}): Running {
  const written = { stdout: [] as string[], stderr: [] as string[] }
  const handlers = { signal: new Set<(name: StopSignal) => void>(), crash: (_error: unknown) => {} }
  const exits: number[] = []
  const io: Io = {
    stdout: { isTTY: options.color ?? false, write: (text) => void written.stdout.push(text) },
    stderr: { isTTY: false, write: (text) => void written.stderr.push(text) },
    env: options.env ?? {},
    cwd: options.cwd ?? '/',
    clock: options.clock ?? { now: () => SATURDAY, elapsed: () => 0, sleep: async () => {} },
    fetch: options.fetch ?? globalThis.fetch,
    ask: options.answer === undefined ? null : async () => options.answer!,
    onSignal(handler) {
      handlers.signal.add(handler)
      return () => handlers.signal.delete(handler)
    },
    onCrash(handler) {
      handlers.crash = handler
    },
    killWhenStuck: () => () => {},
    redactor: redactor(),
    exit: (code) => void exits.push(code),
  }
  return {
    stdout: () => written.stdout.join(''),
    stderr: () => written.stderr.join(''),
    signal: (name) => {
      for (const handler of handlers.signal) handler(name)
    },
    crash: (error) => handlers.crash(error),
    exits,
    ended: runCli(args, io),
  }
}

/** Runs a command to its end, in this process. */
export async function draven(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const running = start(args, options)
  const code = await running.ended
  return { code, stdout: running.stdout(), stderr: running.stderr() }
}

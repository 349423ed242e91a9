import { createInterface } from 'node:readline/promises'
import { type Clock, systemClock } from '../clock.ts'
import { killWhenStuck } from '../event-loop.ts'
import { type Redactor, redactor } from '../secrets/redaction.ts'
import type { Environment } from '../settings.ts'

/** What a command may touch of the process it runs in, so that tests run commands without one. */
export interface Io {
  stdout: Output
  stderr: Output
  env: Environment
  /** Relative paths start here. */
  cwd: string
  clock: Clock
  fetch: typeof globalThis.fetch
  /** Asks the person at the terminal for one line; null when there is nobody. */
  ask: ((question: string) => Promise<string>) | null
  /** Calls back at SIGTERM and SIGINT instead of ending the process. Gives the way to stop that. */
  onSignal(handler: (signal: StopSignal) => void): () => void
  /** Calls back for errors and rejections that nobody caught. */
  onCrash(handler: (error: unknown) => void): void
  /** Ends the process when its event loop stands still for this long. Gives the way to stop watching. */
  killWhenStuck(limitMs: number): () => void
  /** Knows the secrets that must not be written. */
  redactor: Redactor
  /** Ends the process at once. */
  exit(code: number): void
}

export interface Output {
  write(text: string): void
  isTTY: boolean
}

export type StopSignal = 'SIGTERM' | 'SIGINT'

/** The exit codes of every command; also told by `draven --help`. */
export const EXIT = { ok: 0, findings: 1, usage: 2, unreachable: 3, refused: 4 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export function processIo(): Io {
  // Whoever reads us (`| head`) may leave early; that is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(EXIT.ok)
  })
  return {
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock(),
    fetch: globalThis.fetch,
    ask: process.stdin.isTTY && process.stdout.isTTY ? askAtTerminal : null,
    onSignal(handler) {
      process.on('SIGTERM', handler as NodeJS.SignalsListener)
      process.on('SIGINT', handler as NodeJS.SignalsListener)
      return () => {
        process.off('SIGTERM', handler as NodeJS.SignalsListener)
        process.off('SIGINT', handler as NodeJS.SignalsListener)
      }
    },
    onCrash(handler) {
      process.on('uncaughtException', handler)
      process.on('unhandledRejection', handler)
    },
    killWhenStuck,
    redactor: redactor(),
    exit: (code) => process.exit(code),
  }
}

function output(stream: NodeJS.WriteStream): Output {
  return { write: (text) => void stream.write(text), isTTY: stream.isTTY === true }
}

async function askAtTerminal(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

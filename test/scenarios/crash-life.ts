import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { JobId } from '../../controller/model/names.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** The compiled one, also when this module is itself compiled. */
const PROGRAM = import.meta.url.endsWith('.js')
  ? join(import.meta.dirname, 'crash-child.js')
  : join(ROOT, 'dist/test/scenarios/crash-child.js')

export interface LifeOptions {
  /** Environment variables of the controller; nothing of the test's own reaches it. */
  env: Readonly<Record<string, string>>
  /** Where it kills or stops itself; see crash-child.ts. */
  at?: string
  signal?: 'SIGKILL' | 'SIGSTOP'
  /** What its clock shows more than the machine's. */
  clockOffsetMs: number
}

/** What a living controller says about its jobs. */
export interface Census {
  known: readonly JobId[]
  open: readonly JobId[]
}

/** One life of the controller as a process. */
export interface Life {
  pid: number
  /** Resolves to its address when the controller is up; rejects when it never came up. */
  started: Promise<string>
  /** Resolves to the signal that ended it; null when it ended by itself. */
  ended: Promise<NodeJS.Signals | null>
  isOver(): boolean
  census(): Promise<Census | null>
  /** Makes it stand still. */
  stop(): void
  /** Lets it go on. */
  resume(): void
  /** Asks it to end, as an operator does. */
  end(): void
  /** kill -9. */
  kill(): Promise<NodeJS.Signals | null>
  /** What it wrote, for a person who has to find out why. */
  output(): string
}

/** Fails with what to do when the compiled program is missing or older than its source. */
export function assertCompiled(): void {
  const source = join(ROOT, 'test/scenarios/crash-child.ts')
  if (!existsSync(PROGRAM) || statSync(PROGRAM).mtimeMs < statSync(source).mtimeMs) {
    throw new Error('The controller that is killed is a compiled one: run `npm run build` first.')
  }
}

export function beginLife({ env, at = '', signal = 'SIGKILL', clockOffsetMs }: LifeOptions): Life {
  const child = fork(PROGRAM, {
    env: {
      PATH: process.env['PATH'],
      TZ: 'UTC',
      ...env,
      CRASH_AT: at,
      CRASH_SIGNAL: signal,
      CRASH_CLOCK_OFFSET: String(clockOffsetMs),
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  let over = false
  const ended = new Promise<NodeJS.Signals | null>((resolve) => {
    child.once('exit', (_code, signal) => {
      over = true
      resolve(signal)
    })
  })
  const started = new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve((message as { url: string }).url))
    void ended.then(() => reject(new Error(`the controller never came up:\n${text}`)))
  })
  // A life that ends during its start is no surprise to a test that ends it.
  started.catch(() => {})
  return {
    pid: child.pid!,
    started,
    ended,
    isOver: () => over,
    census: () => started.then(() => ask(child, ended)).catch(() => null),
    end: () => void child.send('end'),
    stop: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill() {
      child.kill('SIGKILL')
      return ended
    },
    output: () => text,
  }
}

/** Null: it died before it could answer. */
function ask(child: ChildProcess, ended: Promise<unknown>): Promise<Census | null> {
  return new Promise((resolve) => {
    const answered = (census: unknown) => resolve(census as Census)
    child.once('message', answered)
    void ended.then(() => {
      child.off('message', answered)
      resolve(null)
    })
    child.send('census', (error) => {
      if (error) resolve(null)
    })
  })
}

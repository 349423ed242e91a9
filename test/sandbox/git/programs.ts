import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** One run of git. */
export interface GitCall {
  args: readonly string[]
  cwd?: string
  /** All of the environment; nothing of the caller's own is added. */
  env: Readonly<Record<string, string>>
  input: Uint8Array
}

export interface GitOutcome {
  /** Null when a signal ended it or it could not be started. */
  code: number | null
  out: Uint8Array
  err: Uint8Array
}

export interface Question extends GitCall {
  id: number
}
export interface Answer extends GitOutcome {
  id: number
}

/** Runs git. */
export interface GitPrograms {
  run(call: GitCall): Promise<GitOutcome>
  close(): void
}

/**
 * Starting a process copies the page tables of the one that starts it: from a test runner of 300 MB that took 20 ms and
 * more on a small virtual machine, from this process of its own about 3 ms. The forge starts thousands.
 */
export function startPrograms(): GitPrograms {
  const waiting = new Map<number, { resolve(outcome: GitOutcome): void; reject(error: Error): void }>()
  let lastId = 0
  let child: ChildProcess | null = null

  function begin(): ChildProcess {
    const program = fileURLToPath(new URL('./programs-process.mjs', import.meta.url))
    const begun = fork(program, { execArgv: [], serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    begun.on('message', (message) => {
      const { id, ...outcome } = message as Answer
      waiting.get(id)?.resolve(outcome)
      waiting.delete(id)
    })
    begun.on('exit', (code, signal) => {
      for (const { reject } of waiting.values()) reject(new Error(`the forge's git process ended (${code ?? signal})`))
      waiting.clear()
      if (child === begun) child = null
    })
    return begun
  }

  return {
    run(call) {
      child ??= begin()
      const id = ++lastId
      const asked = child
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        asked.send({ id, ...call } satisfies Question, (error) => {
          if (error && waiting.delete(id)) reject(error)
        })
      })
    },
    close() {
      child?.disconnect()
      child = null
    },
  }
}

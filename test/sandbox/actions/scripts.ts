import { type ChildProcess, spawn } from 'node:child_process'

/** What a stopped script gets to clean up before it is killed. */
const STOP_GRACE_MS = 500

export interface Script {
  text: string
  /** The folder must be there. */
  cwd: string
  env: NodeJS.ProcessEnv
  /** Everything that it prints, whichever stream. */
  onOutput(text: string): void
}

/** Scripts of runs that really run: each in a process group of its own, so that a stop reaches what it has started, too. */
export interface Scripts<Owner extends object> {
  /** Begins at once. Resolves to whether it ended with 0. */
  run(owner: Owner, script: Script): Promise<boolean>
  /** Asks what this owner runs to stop, and kills it a little later. */
  stop(owner: Owner): void
  kill(owner: Owner): void
  /** Kills all of them; none begins any more. Resolves when they are over. */
  close(): Promise<void>
}

export function scriptProcesses<Owner extends object>(): Scripts<Owner> {
  const children = new Map<Owner, ChildProcess>()
  const over = new Set<Promise<unknown>>()
  let closed = false

  return {
    run(owner, { text, cwd, env, onOutput }) {
      if (closed) return Promise.resolve(false)
      const ended = new Promise<boolean>((resolve) => {
        const child = spawn('bash', ['-e', '-c', text], { cwd, env, detached: true })
        children.set(owner, child)
        child.stdin.end()
        for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', onOutput)
        child.on('error', () => resolve(false))
        child.on('close', (code) => {
          children.delete(owner)
          resolve(code === 0)
        })
      }).finally(() => over.delete(ended))
      over.add(ended)
      return ended
    },
    stop(owner) {
      const child = children.get(owner)
      if (!child) return
      signal(child, 'SIGTERM')
      const timer = setTimeout(() => signal(child, 'SIGKILL'), STOP_GRACE_MS)
      child.on('close', () => clearTimeout(timer))
    },
    kill(owner) {
      const child = children.get(owner)
      if (child) signal(child, 'SIGKILL')
    },
    async close() {
      closed = true
      for (const child of children.values()) signal(child, 'SIGKILL')
      await Promise.all(over)
    },
  }
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name)
  } catch {
    // The group has ended by itself in the meantime.
  }
}

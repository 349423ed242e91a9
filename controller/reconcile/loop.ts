import type { Clock } from '../clock.ts'

export interface Loop {
  /** Look again soon; calls that come while a pass is under way are kept, so none is lost. */
  wake(): void
  /** Resolves when the pass under way has ended and no other will begin. */
  stop(): Promise<void>
}

export interface LoopOptions {
  clock: Clock
  /** Does one pass; resolves to the time after which it wants to run again. Must not reject. */
  pass: () => Promise<number>
  /** Time in which several wake-ups become one. */
  debounceMs: number
}

/** Without a reason of our own each wake-up would make an exception, and collect a stack for nobody. */
const WOKEN = 'woken'

/** Runs `pass` again and again, one at a time. It knows nothing of what a pass does. */
export function startLoop(options: LoopOptions): Loop {
  const { clock, pass, debounceMs } = options
  let stopped = false
  let dirty = false
  let waiting = new AbortController()

  const ended = (async () => {
    while (!stopped) {
      dirty = false
      const againInMs = await pass()
      if (stopped) return
      waiting = new AbortController()
      if (!dirty) await clock.sleep(againInMs, waiting.signal)
      if (dirty && !stopped && debounceMs > 0) await clock.sleep(debounceMs)
    }
  })()

  return {
    wake() {
      dirty = true
      waiting.abort(WOKEN)
    },
    async stop() {
      stopped = true
      waiting.abort(WOKEN)
      await ended
    },
  }
}

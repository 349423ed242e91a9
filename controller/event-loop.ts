import { url as inspectorUrl } from 'node:inspector'
import { Worker } from 'node:worker_threads'
import { SECOND_MS } from './clock.ts'

const BEAT_MS = SECOND_MS / 2
/** A stall is held against the process for this long. */
const MEMORY_MS = 30 * SECOND_MS

export interface EventLoopWatch {
  /** By how much the event loop was late at worst, of late. In milliseconds. */
  lagMs(): number
  stop(): void
}

/** Measures how late a timer comes. By the machine's monotonic clock: a stall is one whatever the calendar says. */
export function watchEventLoop(): EventLoopWatch {
  let last = performance.now()
  let worst = { ms: 0, at: last }
  const timer = setInterval(() => {
    const at = performance.now()
    const ms = Math.max(0, at - last - BEAT_MS)
    last = at
    if (ms >= worst.ms || at - worst.at > MEMORY_MS) worst = { ms, at }
  }, BEAT_MS).unref()
  return { lagMs: () => worst.ms, stop: () => clearInterval(timer) }
}

/**
 * Kills this process when its event loop stands still for `limitMs`, which no handler of its own could: a restart goes on from
 * the store. Not under a debugger, where standing still is what one wants. Gives the way to stop watching.
 */
export function killWhenStuck(limitMs: number): () => void {
  if (inspectorUrl() !== undefined) return () => {}
  const beats = new Int32Array(new SharedArrayBuffer(4))
  const everyMs = Math.min(BEAT_MS, limitMs / 5)
  const timer = setInterval(() => Atomics.add(beats, 0, 1), everyMs).unref()
  const worker = new Worker(WATCHER, { eval: true, execArgv: [], workerData: { beats, limitMs, everyMs } })
  worker.unref()
  return () => {
    clearInterval(timer)
    void worker.terminate()
  }
}

/** Runs in a thread of its own. When it was itself held up, the whole process was paused, and nobody is to blame. */
const WATCHER = `
const { writeSync } = require('node:fs')
const { beats, limitMs, everyMs } = require('node:worker_threads').workerData
let seen = -1
let since = performance.now()
let last = since
setInterval(() => {
  const now = performance.now()
  const beat = Atomics.load(beats, 0)
  if (beat !== seen || now - last > limitMs / 2) since = now
  seen = beat
  last = now
  if (now - since <= limitMs) return
  writeSync(2, JSON.stringify({ level: 60, time: new Date().toISOString(), msg: 'the process stood still and is ended', limitMs }) + '\\n')
  process.kill(process.pid, 'SIGKILL')
}, everyMs)
`

import { spawn } from 'node:child_process'
import { type BatchOptions, merged, type Summary } from './batch.ts'

const PROGRESS_MS = 20_000
/** A history leaves nothing behind: with room for a whole one, the collector of young objects has little to copy. */
const YOUNG_MB = 64

/** The same batch spread over processes; the histories are the same whatever their number is. `progress` hears now and then how many are done. */
export async function runWorkers(
  program: string,
  options: Omit<BatchOptions, 'worker'>,
  progress: (done: number) => void,
): Promise<Summary> {
  const done = Array.from({ length: options.workers }, () => 0)
  const timer = setInterval(() => progress(done.reduce((sum, each) => sum + each, 0)), PROGRESS_MS)
  try {
    const parts = done.map((_, worker) =>
      runWorker(program, { ...options, worker }, (count) => {
        done[worker] = count
      }),
    )
    return merged(await Promise.all(parts))
  } finally {
    clearInterval(timer)
  }
}

function runWorker(program: string, options: BatchOptions, progress: (done: number) => void): Promise<Summary> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`--max-semi-space-size=${YOUNG_MB}`, program, '--batch', JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    let text = ''
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.on('message', (count) => progress(Number(count)))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as Summary)
      else reject(new Error(`a worker of the simulator ended with ${code}`))
    })
  })
}

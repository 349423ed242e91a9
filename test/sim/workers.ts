import { spawn } from 'node:child_process'
import { type BatchOptions, merged, type Summary } from './batch.ts'

/** The same batch spread over processes; the histories are the same whatever their number is. */
export async function runWorkers(program: string, options: Omit<BatchOptions, 'worker'>): Promise<Summary> {
  const parts = Array.from({ length: options.workers }, (_, worker) => runWorker(program, { ...options, worker }))
  return merged(await Promise.all(parts))
}

function runWorker(program: string, options: BatchOptions): Promise<Summary> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, '--batch', JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as Summary)
      else reject(new Error(`a worker of the simulator ended with ${code}`))
    })
  })
}

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BatchOptions, Summary } from './batch.ts'
import { MUTANTS, type Mutant } from './mutants.ts'
import { invariantOf } from './shrink.ts'

const SEED = 7_000_000
const CONTROLLER = fileURLToPath(new URL('../../controller/', import.meta.url))

export interface MutationOptions {
  /** Only mutants whose name contains this. */
  only: string
  workers: number
  /** Of processor time, for each. */
  seconds: number
  write: (line: string) => void
}

/** Plants each bug on its own and lets the simulator look for it, one core and a minute each. 0: all were caught. */
export async function runMutants({ only, workers, seconds: limit, write }: MutationOptions): Promise<number> {
  const chosen = MUTANTS.filter((mutant) => mutant.name.includes(only))
  const rotten = MUTANTS.filter((mutant) => placesOf(mutant) !== 1)
  for (const mutant of rotten) write(`ROTTEN   ${mutant.name}: its text is in ${mutant.file} ${placesOf(mutant)} times, not once`)
  if (rotten.length > 0) return 2
  const times: number[] = []
  const queue = [...chosen]
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const { caught, seconds } = await hunt(mutant, limit)
        if (caught !== null) times.push(seconds)
        write(
          `${caught === null ? 'SURVIVED' : 'caught  '} ${seconds.toFixed(1).padStart(5)} s  ${mutant.name}${caught === null ? '' : `  (${caught})`}`,
        )
      }
    }),
  )
  times.sort((a, b) => a - b)
  const median = times[Math.floor(times.length / 2)] ?? Number.NaN
  write(`${times.length} of ${chosen.length} planted bugs caught, median ${median.toFixed(1)} s`)
  return times.length === chosen.length ? 0 : 1
}

export function placesOf({ file, old }: Mutant): number {
  return readFileSync(`${CONTROLLER}${file}`, 'utf8').split(old).length - 1
}

/** Which invariant the bug broke, within so many seconds of processor time; null: none. */
async function hunt(mutant: Mutant, seconds: number): Promise<{ caught: string | null; seconds: number }> {
  const options: BatchOptions = {
    tier: 'memory',
    seed: SEED,
    worker: 0,
    workers: 1,
    histories: 1_000_000,
    seconds,
    ofProcessor: true,
    controllers: null,
  }
  // A loaded machine gives a process a part of a core only.
  const summary = await batchWith(mutant, options, (seconds * 8 + 20) * 1_000)
  const found = summary?.found[0]
  return { caught: found === undefined ? null : invariantOf(found.violation), seconds: summary?.cpuSeconds ?? seconds }
}

function batchWith(mutant: Mutant, options: BatchOptions, limitMs: number): Promise<Summary | null> {
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      ['--import', file('./mutant-register.js'), file('./main.js'), '--batch', JSON.stringify(options)],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { ...process.env, SIM_MUTANT: JSON.stringify(mutant) },
        timeout: limitMs,
        killSignal: 'SIGKILL',
      },
    )
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.on('close', (code) => resolve(code === 0 ? (JSON.parse(text) as Summary) : null))
  })
}

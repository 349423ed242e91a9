import { drawnChoices } from './choices.ts'
import { runHistory } from './history.ts'
import { type Tier, tierHost } from './tiers.ts'

export interface BatchOptions {
  tier: Tier
  seed: number
  /** This worker takes every `workers`th history, from `worker` on. */
  worker: number
  workers: number
  histories: number
  seconds: number
  /** Are these seconds of processor time, not of the clock on the wall? */
  ofProcessor?: boolean
  controllers: number | null
}

export interface Found {
  seed: number
  violation: string
  choices: readonly number[]
}

export interface Summary {
  histories: number
  steps: number
  runs: number
  virtualMs: number
  /** Trace hash by seed. */
  hashes: [number, string][]
  /** `fault at step` → times. */
  marks: Record<string, number>
  /** Check → times that it looked. */
  looked: Record<string, number>
  found: Found[]
  /** Processor time that it took. */
  cpuSeconds: number
}

export function emptySummary(): Summary {
  return { histories: 0, steps: 0, runs: 0, virtualMs: 0, hashes: [], marks: {}, looked: {}, found: [], cpuSeconds: 0 }
}

const TOLD_EVERY = 20

/** Runs histories by their seeds until there are enough, the time is over, or an invariant broke. */
export async function runBatch(options: BatchOptions, clock: () => number): Promise<Summary> {
  const { tier, seed, worker, workers, histories, seconds, controllers } = options
  const summary = emptySummary()
  const end = clock() + seconds * 1_000
  const mark = (fault: string, label: string) => add(summary.marks, `${fault} at ${label}`, 1)
  const host = await tierHost(tier)
  for (let index = worker; host !== null && index < histories && clock() < end; index += workers) {
    const choices = drawnChoices(seed + index)
    const opened = await host.open()
    const result = await runHistory({ choices, tier: opened, controllers, mark })
    await opened.dispose()
    summary.histories++
    summary.steps += result.steps
    summary.runs += result.runs
    summary.virtualMs += result.virtualMs
    summary.hashes.push([seed + index, result.traceHash])
    for (const [check, times] of result.checks.looked) add(summary.looked, check, times)
    if (result.violation !== null) {
      summary.found.push({ seed: seed + index, violation: result.violation, choices: choices.made })
      break
    }
    if (summary.histories % TOLD_EVERY === 0) await tell(summary.histories)
  }
  process.disconnect?.()
  await host?.close()
  const { user, system } = process.cpuUsage()
  summary.cpuSeconds = (user + system) / 1_000_000
  return summary
}

export function merged(parts: readonly Summary[]): Summary {
  const all = emptySummary()
  for (const part of parts) {
    all.histories += part.histories
    all.steps += part.steps
    all.runs += part.runs
    all.virtualMs += part.virtualMs
    all.hashes.push(...part.hashes)
    all.found.push(...part.found)
    all.cpuSeconds += part.cpuSeconds
    for (const [key, times] of Object.entries(part.marks)) add(all.marks, key, times)
    for (const [key, times] of Object.entries(part.looked)) add(all.looked, key, times)
  }
  all.hashes.sort(([a], [b]) => a - b)
  return all
}

/** Lets the process that waits for us know how far we are, if there is one. */
function tell(done: number): Promise<void> {
  return new Promise((sent) => {
    if (process.send === undefined) setImmediate(sent)
    else process.send(done, () => sent())
  })
}

function add(counts: Record<string, number>, key: string, times: number): void {
  counts[key] = (counts[key] ?? 0) + times
}

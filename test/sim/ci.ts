import { emptySummary } from './batch.ts'
import { uncovered } from './coverage.ts'
import { hashOf, runTier } from './run-tier.ts'
import type { Tier } from './tiers.ts'
import { runWorkers } from './workers.ts'

export interface CiOptions {
  program: string
  seed: number
  workers: number
  /** On memory; null: as many as belong to it. */
  histories: number | null
  /** For everything together; null: what it may take at most. */
  seconds: number | null
  write: (line: string) => void
}

const HISTORIES = 50_000
const SECONDS = 350
/** Each tier's part of the histories (against those on memory) and of the time. */
const PARTS: readonly { tier: Tier; histories: number; time: number }[] = [
  { tier: 'postgres', histories: 1 / 500, time: 0.15 },
  { tier: 'sqlite', histories: 1 / 50, time: 0.35 },
  { tier: 'memory', histories: 1, time: 1 },
]
/** Told again in another process, which must tell the same. */
const TOLD_AGAIN = 100

/** All tiers within a time: the real stores have their part of it, and memory gets what they leave. 0: nothing broke. */
export async function runCi({ program, seed, workers, histories, seconds, write }: CiOptions): Promise<number> {
  const endsAt = performance.now() + (seconds ?? SECONDS) * 1_000
  const leftS = () => (endsAt - performance.now()) / 1_000
  let broken = 0
  let memory = emptySummary()
  for (const part of PARTS) {
    const batch = {
      tier: part.tier,
      seed,
      workers,
      controllers: null,
      histories: Math.max(workers, Math.ceil((histories ?? HISTORIES) * part.histories)),
      seconds: Math.max(1, Math.min(leftS(), (seconds ?? SECONDS) * part.time)),
    }
    memory = await runTier({ program, batch, write })
    broken += memory.found.length
  }
  const batch = {
    tier: 'memory' as const,
    seed,
    workers: 1,
    controllers: null,
    histories: Math.min(TOLD_AGAIN, memory.histories),
    seconds: 60,
  }
  const again = await runWorkers(program, batch, () => {})
  const same = hashOf(again) === hashOf({ hashes: memory.hashes.slice(0, again.hashes.length) })
  write(`trace: ${again.histories} histories told again by another process are ${same ? 'the same' : 'NOT the same'}`)
  const { missing, unlisted, possible } = uncovered(memory.marks)
  write(`coverage: ${possible - missing.length} of ${possible} faults at steps, after ${memory.histories} histories on memory`)
  for (const mark of missing) write(`  never: ${mark}`)
  for (const label of unlisted) write(`  a step that coverage.ts does not list: ${label}`)
  // Fewer histories cannot be blamed for what they did not meet.
  const covered = memory.histories < HISTORIES || missing.length === 0
  return broken === 0 && same && covered && unlisted.length === 0 ? 0 : 1
}

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { BatchOptions, Found, Summary } from './batch.ts'
import { replayedChoices } from './choices.ts'
import { type ChoiceFile, sparse, writeChoiceFile } from './corpus.ts'
import { runHistory } from './history.ts'
import { invariantOf, shrink } from './shrink.ts'
import { tierHost } from './tiers.ts'
import { runWorkers } from './workers.ts'

export interface TierRun {
  program: string
  batch: Omit<BatchOptions, 'worker'>
  write: (line: string) => void
}

const SHRINK_TRIES = 600
const YEAR_MS = 365.25 * 86_400_000

/** Histories of one tier, spread over processes; says what they were and, when one broke an invariant, how to see it again. */
export async function runTier({ program, batch, write }: TierRun): Promise<Summary> {
  const { tier, seed, histories, workers } = batch
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1_000
  const summary = await runWorkers(program, batch, (done) =>
    write(`${tier}: ${done} of ${histories} histories, ${(done / seconds()).toFixed(0)}/s`),
  )
  if (summary.histories === 0) {
    write(`${tier}: there is none here`)
    return summary
  }
  const looks = Object.values(summary.looked).reduce((sum, times) => sum + times, 0)
  const cpuMs = (1_000 * summary.cpuSeconds) / summary.histories
  write(
    `${tier}: ${summary.histories} of ${histories} histories from seed ${seed} in ${seconds().toFixed(0)} s on ${workers} processes ` +
      `(${(summary.histories / seconds()).toFixed(1)}/s, ${cpuMs.toFixed(1)} ms of a processor each), ` +
      `${summary.steps} steps, ${summary.runs} runs, ${(summary.virtualMs / YEAR_MS).toFixed(2)} virtual years, trace ${hashOf(summary)}`,
  )
  write(`${tier}: ${Object.keys(summary.looked).length} invariants looked ${looks} times`)
  for (const found of summary.found) await report(batch, found, write)
  return summary
}

export function hashOf({ hashes }: Pick<Summary, 'hashes'>): string {
  return createHash('sha256').update(JSON.stringify(hashes)).digest('hex').slice(0, 16)
}

/** Shrinks what broke, leaves it as a file, and says how to see it again. */
async function report({ tier, controllers }: TierRun['batch'], found: Found, write: (line: string) => void): Promise<void> {
  write(`\nBROKEN (seed ${found.seed}): ${found.violation}`)
  const host = (await tierHost(tier))!
  const breaks = async (choices: readonly number[]) => {
    const opened = await host.open()
    const result = await runHistory({ choices: replayedChoices(choices), tier: opened, controllers })
    await opened.dispose()
    return result.violation !== null && invariantOf(result.violation) === invariantOf(found.violation)
  }
  const shrunk = await shrink(found.choices, breaks, tier === 'memory' ? SHRINK_TRIES : SHRINK_TRIES / 10)
  await host.close()
  const file: ChoiceFile = {
    violation: found.violation,
    about: `seed ${found.seed}`,
    controllers,
    choices: sparse(shrunk.choices),
  }
  const path = join('sim-failures', `${found.seed}.json`)
  writeChoiceFile(path, file)
  write(
    `shrunk from ${sparse(found.choices).length} to ${file.choices.length} choices that are not plain, in ${shrunk.tries} runs`,
  )
  write(`replay it: npm run sim -- --replay ${path}`)
}

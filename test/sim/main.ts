import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type BatchOptions, type Found, runBatch, type Summary } from './batch.ts'
import { replayedChoices } from './choices.ts'
import { type ChoiceFile, choicesOf, readChoiceFile, sparse, writeChoiceFile } from './corpus.ts'
import { uncovered } from './coverage.ts'
import { runHistory } from './history.ts'
import { runMutants } from './mutate.ts'
import { invariantOf, shrink } from './shrink.ts'
import { openTier, TIERS, type Tier } from './tiers.ts'
import { runWorkers } from './workers.ts'

const USAGE = `npm run sim -- [options]
  --histories N   how many (1000)            --seed S      of the first one (by default another one each day)
  --seconds T     at most so long (600)      --tier T      memory or sqlite (memory)
  --workers W     processes (one a core)     --controllers C  at the same time (1, and 2 in some)
  --replay FILE   one history, told line by line
  --ci            50,000 on memory and 1,000 on SQLite, with all faults at all steps
  --mutants       plant known bugs, one at a time; each must be caught in 60 seconds of processor time
  --only TEXT     only the mutants with this in their name`

const PROGRAM = fileURLToPath(import.meta.url)
const SHRINK_TRIES = 600
const DAY_MS = 86_400_000

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Math.floor(Date.now() / DAY_MS) * 1_000_000) },
    seconds: { type: 'string' },
    tier: { type: 'string', default: 'memory' },
    workers: { type: 'string', default: String(availableParallelism()) },
    controllers: { type: 'string', default: '' },
    replay: { type: 'string' },
    ci: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    batch: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

process.exitCode = await run()

async function run(): Promise<number> {
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  if (values.batch !== undefined) {
    const options = JSON.parse(values.batch) as BatchOptions
    const summary = await runBatch(options, options.ofProcessor ? processorMs : Date.now)
    await new Promise((done) => process.stdout.write(JSON.stringify(summary), done))
    return 0
  }
  if (values.replay !== undefined) return replay(values.replay)
  if (values.mutants)
    return runMutants({
      only: values.only,
      workers: Number(values.workers),
      seconds: Number(values.seconds ?? 60),
      write: console.log,
    })
  if (values.ci) return ci()
  const tier = TIERS.find((name) => name === values.tier)
  if (tier === undefined) {
    console.error(USAGE)
    return 2
  }
  return (await tierOf(tier, Number(values.histories), Number(values.seconds ?? 600))) === null ? 1 : 0
}

function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** Null: each history decides. */
function controllers(): number | null {
  return values.controllers === '' ? null : Number(values.controllers)
}

async function ci(): Promise<number> {
  const memory = await tierOf('memory', 50_000, 150)
  if (memory === null) return 1
  const { missing, possible } = uncovered(memory.marks)
  console.log(`coverage: ${possible - missing.length} of ${possible} faults at steps`)
  for (const mark of missing) console.log(`  never: ${mark}`)
  const sqlite = await tierOf('sqlite', 1_000, 150)
  return sqlite === null || missing.length > 0 ? 1 : 0
}

/** Null when something broke. */
async function tierOf(tier: Tier, histories: number, seconds: number): Promise<Summary | null> {
  const startedAt = performance.now()
  const seed = Number(values.seed)
  const workers = Number(values.workers)
  const summary = await runWorkers(PROGRAM, { tier, seed, histories, seconds, workers, controllers: controllers() })
  const tookS = (performance.now() - startedAt) / 1_000
  const years = summary.virtualMs / (365.25 * DAY_MS)
  const hash = createHash('sha256').update(JSON.stringify(summary.hashes)).digest('hex').slice(0, 16)
  console.log(
    `${tier}: ${summary.histories} histories from seed ${seed} in ${tookS.toFixed(0)} s on ${workers} processes ` +
      `(${(summary.histories / tookS).toFixed(1)}/s), ${summary.steps} steps, ${summary.runs} runs, ${years.toFixed(2)} virtual years, trace ${hash}`,
  )
  const looks = Object.values(summary.looked).reduce((sum, times) => sum + times, 0)
  console.log(`${tier}: ${Object.keys(summary.looked).length} invariants looked ${looks} times`)
  if (summary.found.length === 0) return summary
  for (const found of summary.found) await report(tier, found)
  return null
}

async function report(tier: Tier, found: Found): Promise<void> {
  console.log(`\nBROKEN (seed ${found.seed}): ${found.violation}`)
  const breaks = async (choices: readonly number[]) => {
    const opened = await openTier(tier)
    const result = await runHistory({ choices: replayedChoices(choices), tier: opened, controllers: controllers() })
    await opened.dispose()
    return result.violation !== null && invariantOf(result.violation) === invariantOf(found.violation)
  }
  const shrunk = await shrink(found.choices, breaks, tier === 'memory' ? SHRINK_TRIES : SHRINK_TRIES / 10)
  const file: ChoiceFile = {
    violation: found.violation,
    about: `seed ${found.seed}`,
    controllers: controllers(),
    choices: sparse(shrunk.choices),
  }
  const path = join('sim-failures', `${found.seed}.json`)
  writeChoiceFile(path, file)
  console.log(
    `shrunk from ${sparse(found.choices).length} to ${file.choices.length} choices that are not plain, in ${shrunk.tries} runs`,
  )
  console.log(`replay it: npm run sim -- --replay ${path}`)
}

async function replay(path: string): Promise<number> {
  const file = readChoiceFile(path)
  const tier = await openTier('memory')
  const result = await runHistory({
    tier,
    choices: replayedChoices(choicesOf(file)),
    controllers: file.controllers,
    write: (line) => console.log(line),
  })
  await tier.dispose()
  console.log(
    `${relative('.', resolve(path))}: ${result.violation ?? 'nothing is broken'} (${result.steps} steps, trace ${result.traceHash})`,
  )
  return result.violation === null ? 0 : 1
}

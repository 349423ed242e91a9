import { availableParallelism } from 'node:os'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readOptions } from '../options.ts'
import { type BatchOptions, runBatch } from './batch.ts'
import { replayedChoices } from './choices.ts'
import { runCi } from './ci.ts'
import { choicesOf, readChoiceFile } from './corpus.ts'
import { runHistory } from './history.ts'
import { runMutants } from './mutate.ts'
import { runTier } from './run-tier.ts'
import { memoryTier, TIERS } from './tiers.ts'

/** Whether a change is let in must not depend on the day. */
const CI_SEED = 1

const USAGE = `npm run sim -- [options]
  --histories N   how many (1000)            --seed S      of the first one (another one each day; with --ci always ${CI_SEED})
  --seconds T     at most so long (600)      --tier T      memory, sqlite or postgres (memory)
  --workers W     processes (one a core)     --controllers C  at the same time (1, and 2 in some)
  --replay FILE   one history, told line by line
  --ci            on all tiers: 50,000 on memory, 1,000 on SQLite, 100 on PostgreSQL, in at most 350 seconds;
                  with --histories N another number on memory and as much less on the others, with --seconds T in T seconds
  --mutants       plant known bugs, one at a time; each must be caught in 60 seconds of processor time
  --only TEXT     only the mutants with this in their name
`

const PROGRAM = fileURLToPath(import.meta.url)
const DAY_MS = 86_400_000

const values = readOptions(USAGE, {
  histories: { type: 'string' },
  seed: { type: 'string' },
  seconds: { type: 'string' },
  tier: { type: 'string', default: 'memory' },
  workers: { type: 'string', default: String(availableParallelism()) },
  controllers: { type: 'string', default: '' },
  replay: { type: 'string' },
  ci: { type: 'boolean', default: false },
  mutants: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  batch: { type: 'string' },
})

process.exitCode = await run()

async function run(): Promise<number> {
  if (values.batch !== undefined) return batch(JSON.parse(values.batch) as BatchOptions)
  if (values.replay !== undefined) return replay(values.replay)
  const today = Math.floor(Date.now() / DAY_MS) * 1_000_000
  const seed = Number(values.seed ?? (values.ci ? CI_SEED : today))
  const workers = Number(values.workers)
  const seconds = values.seconds === undefined ? null : Number(values.seconds)
  const histories = values.histories === undefined ? null : Number(values.histories)
  const write = console.log
  if (values.mutants) return runMutants({ only: values.only, workers, seconds: seconds ?? 60, write })
  if (values.ci) return runCi({ program: PROGRAM, seed, workers, histories, seconds, write })
  const tier = TIERS.find((name) => name === values.tier)
  if (tier === undefined) {
    process.stderr.write(USAGE)
    return 2
  }
  const controllers = values.controllers === '' ? null : Number(values.controllers)
  const told = await runTier({
    program: PROGRAM,
    batch: { tier, seed, workers, controllers, histories: histories ?? 1_000, seconds: seconds ?? 600 },
    write,
  })
  return told.found.length > 0 ? 1 : 0
}

async function batch(options: BatchOptions): Promise<number> {
  // Who made an error is told by its message here; collecting stacks would be a tenth of the work.
  Error.stackTraceLimit = 0
  const summary = await runBatch(options, options.ofProcessor ? processorMs : Date.now)
  await new Promise((done) => process.stdout.write(JSON.stringify(summary), done))
  return 0
}

function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

async function replay(path: string): Promise<number> {
  const file = readChoiceFile(path)
  const result = await runHistory({
    choices: replayedChoices(choicesOf(file)),
    tier: memoryTier(),
    controllers: file.controllers,
    write: (line) => console.log(line),
  })
  console.log(
    `${relative('.', resolve(path))}: ${result.violation ?? 'nothing is broken'} (${result.steps} steps, trace ${result.traceHash})`,
  )
  return result.violation === null ? 0 : 1
}

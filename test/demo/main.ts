import { setMaxListeners } from 'node:events'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { systemClock } from '../../controller/clock.ts'
import { castOn, StoryDiffers } from './cast.ts'
import { FORGES } from './forges/table.ts'
import { narrator } from './narrator.ts'
import { backstory } from './scenes/backstory.ts'
import { badFile } from './scenes/bad-file.ts'
import { books } from './scenes/books.ts'
import { failingPipeline } from './scenes/failing-pipeline.ts'
import { lostWebhook } from './scenes/lost-webhook.ts'
import { prodDeploy } from './scenes/prod-deploy.ts'
import { queue } from './scenes/queue.ts'
import { rollback } from './scenes/rollback.ts'
import { stageDeploy } from './scenes/stage-deploy.ts'
import type { Show } from './show.ts'
import { openStage, type Stage } from './stage.ts'
import { farewell, openHouse, welcome } from './visitors.ts'

const DEFAULT_FORGE = 'github'

const USAGE = `The whole product in one minute, on this machine, without any account.

  npm run demo -- [--forge NAME] [--fast] [--keep]

  --forge  on which emulated forge it is played: ${[...FORGES.keys()].join(', ')} (${DEFAULT_FORGE} unless told);
           pipelines of bitbucket need curl
  --fast   no pauses, ends by itself; exit code 1 when anything was not as it should be
  --keep   leaves the folder with the repositories and the database

Environment: DRAVEN_DEMO_BEAT_MS is the pause after each line (700), NO_COLOR=1 leaves colour away.
`

const DEFAULT_BEAT_MS = 700
const MAX_COLUMNS = 120

interface Options {
  forge: string
  fast: boolean
  keep: boolean
  help: boolean
}

function readOptions(args: readonly string[]): Options | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        forge: { type: 'string', default: DEFAULT_FORGE },
        fast: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    return values
  } catch {
    return null
  }
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === null || options.help) {
    process.stdout.write(USAGE)
    return options === null ? 2 : 0
  }
  const startForge = FORGES.get(options.forge)
  if (startForge === undefined) {
    process.stderr.write(`There is no forge ${options.forge} here, only: ${[...FORGES.keys()].join(', ')}\n`)
    return 2
  }
  const interrupted = new AbortController()
  // Many waits end with it, all of them wanted.
  setMaxListeners(0, interrupted.signal)
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort())

  const stage = await openStage(startForge)
  try {
    await play(stage, options, interrupted.signal)
    await stage.close(options)
    if (options.keep) process.stdout.write(`\n  Kept: ${stage.root}\n`)
    return 0
  } catch (error) {
    const wanted = interrupted.signal.aborted
    if (!wanted) process.stdout.write(`\n${failureText(error, stage)}`)
    await stage.close({ keep: options.keep || !wanted })
    return wanted ? 0 : 1
  }
}

async function play(stage: Stage, { fast }: Options, signal: AbortSignal): Promise<void> {
  const out = process.stdout
  const tell = narrator({
    write: (text) => out.write(text),
    color: Boolean(out.isTTY) && !process.env['NO_COLOR'],
    beatMs: fast ? 0 : Number(process.env['DRAVEN_DEMO_BEAT_MS'] ?? DEFAULT_BEAT_MS),
    clock: systemClock(),
    signal,
    columns: Math.min(out.columns || MAX_COLUMNS, MAX_COLUMNS),
  })
  const show: Show = { stage, tell, cast: castOn(stage, signal), requests: [] }
  await welcome(show)
  for (const scene of [backstory, stageDeploy, prodDeploy, queue, badFile, lostWebhook, failingPipeline, rollback, books]) {
    signal.throwIfAborted()
    await scene(show)
  }
  await farewell(show, fast)
  if (!fast) await openHouse(show, signal)
}

function failureText(error: unknown, { logFile }: Stage): string {
  const what = error instanceof StoryDiffers ? error.message : String(error instanceof Error ? error.stack : error)
  return `  ✗ The story went differently: ${what}\n${existsSync(logFile) ? `    The controller's log: ${logFile}\n` : ''}`
}

process.exitCode = await main()

import process from 'node:process'
import { systemClock } from '../../controller/clock.ts'
import type { PipelineProvider } from '../../controller/jobs/executor.ts'
import { type Seams, startController } from '../../controller/main.ts'
import { readSettings } from '../../controller/settings.ts'

/**
 * The real controller as a process of its own, which kills or stops itself at one point. Its environment is the controller's,
 * with CRASH_AT: `before <unit>` (nobody asked the store yet), `in <unit>` (all of the unit's statements were made, none is
 * committed), `after <unit>`, `before start` or `after start` (of the pipeline); empty: never.
 * CRASH_SIGNAL: SIGKILL, or SIGSTOP: once, until somebody sends SIGCONT.
 * CRASH_CLOCK_OFFSET: what to add to the machine's clock, in ms.
 */
const crashAt = process.env['CRASH_AT'] ?? ''
const offset = Number(process.env['CRASH_CLOCK_OFFSET'] ?? 0)

const stops = process.env['CRASH_SIGNAL'] === 'SIGSTOP'
let stoppedBefore = false

/** SIGKILL is as the machine's power going: nothing is flushed, no handler runs, no promise settles. */
async function crash(): Promise<void> {
  if (stops && stoppedBefore) return
  stoppedBefore = true
  process.kill(process.pid, stops ? 'SIGSTOP' : 'SIGKILL')
  if (!stops) await new Promise(() => {})
}

const wrapStore: Seams['wrapStore'] = (store) => ({
  ...store,
  state: {
    async unit(name, work) {
      if (crashAt === `before ${name}`) await crash()
      const result = await store.state.unit(name, async (tx) => {
        const made = await work(tx)
        // A unit that gives null decided to do nothing.
        if (crashAt === `in ${name}` && made !== null) await crash()
        return made
      })
      if (crashAt === `after ${name}` && result !== null) await crash()
      return result
    },
  },
})

function crashing(pipeline: PipelineProvider): PipelineProvider {
  return {
    ...pipeline,
    async start(trigger) {
      if (crashAt === 'before start') await crash()
      const outcome = await pipeline.start(trigger)
      if (crashAt === 'after start') await crash()
      return outcome
    },
  }
}

const real = systemClock()
const settings = readSettings(process.env)
const controller = await startController(settings, {
  clock: { now: () => real.now() + offset, elapsed: real.elapsed, sleep: real.sleep },
  wrapStore,
  wrapProviders: (providers) => ({
    ...providers,
    connections: {
      ...providers.connections,
      pipeline: (project) => crashing(providers.connections.pipeline(project)),
    },
  }),
})

/** The test sends `end` to have it stop as an operator would; anything else asks which jobs there are. */
process.on('message', (message) => {
  if (message === 'end') return void controller.stop().then(() => process.exit(0))
  void controller.store.state
    .unit('test.census', async (tx) => ({
      known: [...(await tx.jobs.known()).keys()],
      open: (await tx.jobs.open()).map(({ id }) => id),
    }))
    .then((census) => process.send?.(census))
})
process.send?.({ url: controller.url })

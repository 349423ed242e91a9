import { verifyChain } from '../../controller/audit/chain.ts'
import { type Instant, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { Nudge } from '../../controller/jobs/state-store.ts'
import type { OpenStore } from '../../controller/store/open-store.ts'
import { type Checks, createChecks } from './checks.ts'
import type { Choices } from './choices.ts'
import { type RunningController, type Surroundings, startController } from './controller.ts'
import { type Fault, swarmRates } from './faults.ts'
import { createForge } from './forge.ts'
import { createPipelines, isLive } from './pipelines.ts'
import { recorded } from './recorder.ts'
import { createRemote } from './remote.ts'
import { whatIsRestless } from './rest.ts'
import { FIRST_RULES } from './rules.ts'
import { createStory, pauseBetween } from './story.ts'
import { type Actor, createWorld } from './world.ts'

export interface HistoryOptions {
  choices: Choices
  store: OpenStore
  /** Controllers that are up at the same time. */
  controllers: number
  mark?: (fault: Fault | 'none' | 'outage', label: string) => void
  write?: (line: string) => void
}

export interface HistoryResult {
  /** What was broken, in one sentence; null: nothing. */
  violation: string | null
  traceHash: string
  steps: number
  virtualMs: number
  checks: Checks
  /** Runs that were started, for a look at whether histories do anything. */
  runs: number
}

/** More steps than any history needs; one that takes them turns in circles. */
const MOST_STEPS = 40_000
const HEAL_MS = 90 * MINUTE_MS

const STARTS: readonly Instant[] = [
  // A Wednesday noon in Rome, a Friday shortly before the window closes, and the night in which summer time ends.
  Date.parse('2026-11-18T10:00:00.250Z'),
  Date.parse('2026-11-20T17:40:00.250Z'),
  Date.parse('2026-10-25T00:20:00.250Z'),
  Date.parse('2026-07-06T06:40:00.250Z'),
]

/** One history: people and faults first, with every invariant checked at every step; then all heals, and everything must come to rest. */
export async function runHistory({ choices, store, controllers, mark, write }: HistoryOptions): Promise<HistoryResult> {
  const startAt = STARTS[choices.pick(STARTS.length, 0.4)]!
  const rates = swarmRates(choices)
  const world = createWorld({ choices, rates, startAt, mark: mark ?? (() => {}), write: write ?? null })
  const remote = createRemote(startAt, FIRST_RULES)
  const forge = createForge(world.now, remote)
  // In a healed world new runs are quick and plain.
  const pipelines = createPipelines(
    world.now,
    { ...choices, pick: (options, odds) => (world.faulty ? choices.pick(options, odds) : 0) },
    (run) => {
      nudge({ kind: 'run', externalId: run.id })
      world.at(run.endsAt, `run ${run.id} may be over`, () => {
        if (!isLive(run, world.now())) nudge({ kind: 'run', externalId: run.id })
      })
    },
  )
  const checks = createChecks({ now: world.now, remote, forge, pipelines })
  const outside: Surroundings = {
    world,
    remote,
    forge,
    pipelines,
    checks,
    state: recorded(store.state, checks.committed),
    inbox: store.inbox,
  }
  const up: RunningController[] = []
  let booted = 0
  let deliveries = 0

  function boot(): void {
    const actor: Actor = { name: `c${++booted}`, dead: false, pausedUntil: 0, skewMs: 0 }
    up.push(startController(outside, actor))
  }
  world.onCrash = (dead) => {
    const index = up.findIndex(({ actor }) => actor === dead)
    if (index === -1) return
    up.splice(index, 1)
    const downMs = [SECOND_MS, 0, MINUTE_MS, 12 * MINUTE_MS, 45 * MINUTE_MS][world.faulty ? choices.pick(5) : 0]!
    world.at(world.now() + downMs, 'a controller starts', boot)
  }

  /** A webhook: on its way for a second, unless it is lost, doubled, late or finds nobody at home. */
  function nudge(what: Nudge): void {
    const fate = world.faulty ? choices.pick(4, rates.webhook) : 0
    if (fate === 1) return
    const delivery = {
      integration: 'github',
      deliveryId: `d${++deliveries}`,
      event: what.kind,
      receivedAt: world.now(),
      nudge: what,
    }
    const arrive = () => {
      const at = up[deliveries % Math.max(1, up.length)]
      void at?.deliver(delivery).catch(() => {})
    }
    world.at(world.now() + (fate === 2 ? 7 * MINUTE_MS : SECOND_MS), `delivery ${delivery.deliveryId}`, arrive)
    if (fate === 3) world.at(world.now() + 2 * SECOND_MS, `delivery ${delivery.deliveryId} again`, arrive)
  }

  const story = createStory({
    world,
    choices,
    remote,
    forge,
    pipelines,
    nudge,
    stopController: () => {
      const controller = up[0]
      if (controller !== undefined) world.crash(controller.actor)
    },
  })

  world.onTrouble = (odds) => {
    if (choices.pick(2, odds) === 1) world.at(world.now() + [0, 3 * SECOND_MS][choices.pick(2)]!, 'meanwhile', story.event)
  }

  for (let count = 0; count < controllers; count++) boot()
  let at = world.now() + 90 * SECOND_MS
  world.at(at, 'the first request', story.request)
  const events = choices.pick(14)
  for (let event = 0; event < events; event++) {
    at += pauseBetween(choices)
    world.at(at, `event ${event}`, story.event)
  }
  await runUntil(at + [3 * MINUTE_MS, 20 * MINUTE_MS][choices.pick(2, 0.2)]!, () => false)

  // Everything heals: what is wrong now stays wrong for ever.
  world.trace('heal')
  world.faulty = false
  world.outageUntil = 0
  for (const { actor } of up) actor.pausedUntil = 0
  for (const run of pipelines.runs) {
    if (!isLive(run, world.now())) continue
    run.blockedUntil = null
    run.endsAt = Math.min(run.endsAt, world.now() + MINUTE_MS)
  }
  const healedAt = world.now()
  let restless: string | null = 'nobody looked yet'
  let lookAt = healedAt + 2 * MINUTE_MS
  await runUntil(healedAt + HEAL_MS, async () => {
    if (world.now() < lookAt) return false
    lookAt = world.now() + MINUTE_MS
    restless =
      up.length < controllers
        ? 'a controller is down'
        : await whatIsRestless({ now: world.now, remote, forge, pipelines }, checks, store)
    return restless === null
  })
  if (checks.violation === null && restless !== null)
    checks.violation = `everything comes to rest: ${HEAL_MS / MINUTE_MS} minutes after all faults ended, ${restless}`
  if (checks.violation === null) {
    const verdict = await verifyChain(store.auditRows())
    if (!verdict.ok) checks.violation = `the audit is one chain: ${verdict.problem}`
  }
  for (const { actor } of [...up]) actor.dead = true
  return {
    violation: checks.violation,
    traceHash: world.traceHash(),
    steps: world.steps(),
    virtualMs: world.now() - startAt,
    checks,
    runs: pipelines.runs.length,
  }

  async function runUntil(end: Instant, done: () => boolean | Promise<boolean>): Promise<void> {
    while (checks.violation === null) {
      if (world.steps() > MOST_STEPS) {
        checks.violation = `everything comes to rest: ${MOST_STEPS} steps and no end`
        return
      }
      if (!(await world.step(end)) || (await done())) return
    }
  }
}

import { verifyChain } from '../../controller/audit/chain.ts'
import { DAY_MS, HOUR_MS, type Instant, MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import type { Nudge } from '../../controller/jobs/state-store.ts'
import { type Checks, createChecks } from './checks.ts'
import type { Choices } from './choices.ts'
import { type Mirror, type RunningController, type Surroundings, startController } from './controller.ts'
import { swarmRates } from './faults.ts'
import { createForge } from './forge.ts'
import { createGates } from './gates.ts'
import { createPipelines, isLive } from './pipelines.ts'
import { createRemote } from './remote.ts'
import { whatIsRestless } from './rest.ts'
import { ASKING_RULES, FIRST_RULES } from './rules.ts'
import { createStory } from './story.ts'
import { THEMES } from './themes.ts'
import type { OpenTier } from './tiers.ts'
import { type Actor, createWorld, type Mark } from './world.ts'

export interface HistoryOptions {
  choices: Choices
  tier: OpenTier
  /** Controllers that are up at the same time; null: as the history wants it. */
  controllers: number | null
  mark?: (fault: Mark, label: string) => void
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
const TAILS_MS = [40 * SECOND_MS, 12 * MINUTE_MS, 150 * SECOND_MS] as const
/** So often, and each time for so long, the world stays faulty for a start that has not come; with so many of its faults. */
const MORE_TIMES = 3
const MORE_MS = 2 * MINUTE_MS
const LAST_FAULTS = 0.25
const DOWN_MS = [SECOND_MS, 0, 20 * SECOND_MS, 3 * MINUTE_MS] as const
const LONG_DOWN_MS = [7 * MINUTE_MS, SECOND_MS, MINUTE_MS, 12 * MINUTE_MS] as const
/** Where a wrong clock stands. */
const SKEWS_MS = [0, 2 * MINUTE_MS, -2 * MINUTE_MS, -3 * SECOND_MS, HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS] as const

/** One history: people and faults first, with every invariant checked at every step; then all heals, and everything must come to rest. */
export async function runHistory({ choices, tier, controllers: wanted, mark, write }: HistoryOptions): Promise<HistoryResult> {
  const theme = THEMES[choices.pick(THEMES.length, 0.9)]!
  const startAt = theme.starts[choices.pick(theme.starts.length, 0.6)]!
  const rates = swarmRates(choices, theme.rates)
  const sends = choices.pick(3) === 0
  const several = choices.pick(2, theme.pairs) === 1 ? 2 : 1
  const controllers = tier.share === null ? 1 : (wanted ?? several)
  const world = createWorld({ choices, settled: tier.settled, rates, startAt, mark: mark ?? (() => {}), write: write ?? null })
  // Where several may share the store, one alone needs the lease as well.
  if (tier.share !== null && (controllers > 1 || tier.store().shared !== null)) tier.share(world.now)
  const remote = createRemote(startAt, theme.asksBack ? ASKING_RULES : FIRST_RULES)
  const forge = createForge(world.now, remote)
  // In a healed world new runs are quick and plain, but for one that was to dawdle before.
  const pipelines = createPipelines(
    world.now,
    { ...choices, pick: (options, odds) => (world.faulty ? choices.pick(options, odds) : 0) },
    theme.long,
    (run) => {
      nudge({ kind: 'run', externalId: run.id })
      if (run.trigger.callback !== null) gates.turnsTo(run)
      world.at(run.endsAt, `run ${run.id} may be over`, () => {
        if (!isLive(run, world.now())) nudge({ kind: 'run', externalId: run.id })
      })
    },
  )
  const checks = createChecks({ now: world.now, healed: () => !world.faulty, remote, forge, pipelines })
  const outside: Surroundings = {
    world,
    remote,
    forge,
    pipelines,
    checks,
    sends,
    pollMs: theme.pollMs,
    newToken: () => `dcb_${++tokens}`,
    store: tier.store,
  }
  const up: RunningController[] = []
  const gates = createGates({ world, choices, pipelines, checks, lost: rates.webhook, door: () => up[choices.pick(up.length)] })
  let booted = 0
  let tokens = 0
  let deliveries = 0

  /** One machine for each of them, with a clock of its own. */
  const skews = Array.from({ length: controllers }, () => (theme.skewed ? SKEWS_MS[choices.pick(SKEWS_MS.length)]! : 0))
  const mirrors = skews.map((): Mirror => new Set())

  function boot(slot: number): void {
    const actor: Actor = { name: `c${++booted}`, dead: false, pausedUntil: 0, slot, skewMs: skews[slot]! }
    up.push(startController(outside, actor, mirrors[slot]!))
  }
  function setClock(slot: number, skewMs: number): void {
    if (skewMs !== skews[slot]!) checks.clockSet(skewMs > skews[slot]!)
    world.trace(`clock ${slot} is set to ${skewMs / SECOND_MS} s`)
    skews[slot] = skewMs
    for (const { actor } of up) if (actor.slot === slot) actor.skewMs = skewMs
  }
  world.onCrash = (dead) => {
    const index = up.findIndex(({ actor }) => actor === dead)
    if (index === -1) return
    up.splice(index, 1)
    const downMs = (theme.long ? LONG_DOWN_MS : DOWN_MS)[world.faulty ? choices.pick(4) : 0]!
    world.at(world.now() + downMs, 'a controller starts', () => boot(dead.slot))
  }

  /** A webhook: on its way for a second, unless it is lost, doubled, late or finds nobody at home. */
  function nudge(what: Nudge): void {
    const fate = world.faulty ? choices.pick(4, rates.webhook) : 0
    if (fate === 1 || (theme.deaf && world.faulty)) return
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
    theme,
    crash: () => {
      const controller = oneOfThem()
      if (controller !== undefined) world.crash(controller.actor)
    },
    // Nobody is left behind: whoever stops gives its lease back, and starts again as after a crash.
    stop: () => {
      const controller = oneOfThem()
      void controller?.stop().then(() => world.crash(controller.actor))
    },
    replaceMachine: () => {
      const controller = oneOfThem()
      if (controller === undefined) return
      mirrors[controller.actor.slot] = new Set()
      world.crash(controller.actor)
    },
    setClock: () => setClock(choices.pick(controllers), SKEWS_MS[choices.pick(SKEWS_MS.length)]!),
    setClockBack() {
      // Of a machine that stands still by nearly as long: so it goes when one is put to sleep and wakes with the time at which it was.
      const actor = up.find(({ actor: { slot, pausedUntil } }) => slot === 0 && pausedUntil > world.now())?.actor
      const byMs = actor === undefined ? 2 * MINUTE_MS : actor.pausedUntil - world.now() - 2 * SECOND_MS
      setClock(0, skews[0]! - byMs)
    },
    loseDatabase: () =>
      world.at(world.now(), 'the database is lost', async () => {
        for (const { actor } of [...up]) world.crash(actor)
        await tier.lose()
        checks.lost()
      }),
  })

  function oneOfThem(): RunningController | undefined {
    return up[choices.pick(Math.max(1, up.length))]
  }

  world.onTrouble = (odds) => {
    if (choices.pick(2, odds) === 0) return
    world.at(
      world.now() + [0, 3 * SECOND_MS][choices.pick(2)]!,
      'meanwhile',
      choices.pick(2) === 0 ? story.undermine : story.event,
    )
  }

  for (let slot = 0; slot < controllers; slot++) boot(slot)
  let at = world.now() + 10 * SECOND_MS
  for (let count = theme.requests[choices.pick(theme.requests.length)]!; count > 0; count--) {
    world.at(at, 'a first request', story.request)
    at += [2 * SECOND_MS, 0, 20 * SECOND_MS][choices.pick(3)]!
  }
  at += [20 * SECOND_MS, 5 * SECOND_MS, 50 * SECOND_MS][choices.pick(3)]!
  const events = choices.pick(9)
  for (let event = 0; event < events; event++) {
    world.at(at, `event ${event}`, story.event)
    at += theme.pausesMs[choices.pick(theme.pausesMs.length)]!
  }
  // What was asked for should mostly meet faults as well, and not only a world that has healed.
  at += TAILS_MS[choices.weighted(theme.long ? [0.5, 0.2] : [0.1, 0.6])]!
  await runUntil(at, () => false)
  if (world.mutedUntil > at) await runUntil(world.mutedUntil, () => false)
  world.faultShare = LAST_FAULTS
  for (let more = 0; more < MORE_TIMES && mayStillStart(); more++) {
    endAbsences()
    await runUntil(world.now() + MORE_MS, () => false)
  }

  // Everything heals: what is wrong now stays wrong for ever.
  world.trace('heal')
  world.faulty = false
  endAbsences()
  world.mutedUntil = 0
  remote.hides = false
  for (let slot = 0; slot < controllers; slot++) setClock(slot, 0)
  for (const run of pipelines.runs) {
    if (!isLive(run, world.now())) continue
    run.blockedUntil = null
    run.endsAt = Math.min(run.endsAt, world.now() + 20 * SECOND_MS)
  }
  const healedAt = world.now()
  let restless: string | null = 'nobody looked yet'
  let lookAt = healedAt + 70 * SECOND_MS
  await runUntil(healedAt + HEAL_MS, async () => {
    if (world.now() < lookAt) return false
    lookAt = world.now() + 20 * SECOND_MS
    restless =
      up.length < controllers
        ? 'a controller is down'
        : await whatIsRestless({ now: world.now, healed: () => true, remote, forge, pipelines }, checks, tier.store(), sends)
    return restless === null
  })
  if (checks.violation === null && restless !== null)
    checks.violation = `everything comes to rest: ${HEAL_MS / MINUTE_MS} minutes after all faults ended, ${restless}`
  if (checks.violation === null && tier.chains) {
    const verdict = await verifyChain(tier.store().auditRows())
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

  function endAbsences(): void {
    world.outageUntil = 0
    world.branchDarkUntil = 0
    world.pullsDarkUntil = 0
    world.runsDarkUntil = 0
    for (const { actor } of up) actor.pausedUntil = 0
  }

  function mayStillStart(): boolean {
    if (checks.shadow.config?.head !== remote.head().id) return true
    return [...checks.shadow.jobs.values()].some((job) => job.status === 'queued' && job.attempt === 0)
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

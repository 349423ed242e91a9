import type { Clock, Instant } from '../../controller/clock.ts'
import { MINUTE_MS, SECOND_MS } from '../../controller/clock.ts'
import { TransientFault } from '../../controller/errors.ts'
import { drawnAims } from './aims.ts'
import type { Choices } from './choices.ts'
import { APPLICABLE, type EffectKind, type Fault, type FaultRates } from './faults.ts'

/** A controller process: what it has under way dies with it. */
export interface Actor {
  name: string
  dead: boolean
  pausedUntil: Instant
  /** Which machine it runs on. */
  slot: number
  /** How far its clock is ahead of the world's. */
  skewMs: number
}

/** The one scheduler: every effect is parked here and happens when its turn has come, in virtual time. */
export interface World {
  now(): Instant
  clockOf(actor: Actor): Clock
  /**
   * Parks an effect of an actor. `perform` does it, all at once; it is told of a fault that only it can act out. The promise
   * settles in the step in which the effect happened, or never when its actor died.
   */
  call<T>(actor: Actor, label: string, kind: EffectKind, perform: (fault: Fault | null) => T | Promise<T>): Promise<T>
  /** Something that happens by itself at a time: people, runs, deliveries. */
  at(time: Instant, label: string, happen: () => void | Promise<void>): void
  /** One thing happens. False: nothing is left to happen before `until`, and it is `until` now. */
  step(until: Instant): Promise<boolean>
  /** Called with each actor that a fault killed. */
  onCrash: (actor: Actor) => void
  crash(actor: Actor): void
  /** Called when a call is held up, or a trigger did not go well: a good moment for something else to change. */
  onTrouble: (odds: number) => void
  /** For whoever acts a fault out: one of so many ways. */
  draw(options: number): number
  trace(text: string): void
  /** A number made of everything that happened, and when. */
  traceHash(): string
  steps(): number
  /** Until then neither forge nor pipelines answer. */
  outageUntil: Instant
  /** Until then the config branch cannot be read. */
  branchDarkUntil: Instant
  /** Until then one forge of two answers nothing: the one with the pull requests. */
  pullsDarkUntil: Instant
  /** Until then no pipeline says anything of its runs. */
  runsDarkUntil: Instant
  /** When something begins that forbids a start: one that comes shortly before is held up until then, if anything is. */
  lastCallAt: Instant
  /** Until then the forge refuses every message. */
  mutedUntil: Instant
  /** Of the faults that a history usually has; those at a start and those that are aimed all come, whatever this is. */
  faultShare: number
  /** While false nothing fails and nothing is late: the world heals. */
  faulty: boolean
}

const OUTSIDE: ReadonlySet<EffectKind> = new Set<EffectKind>(['read', 'list', 'trigger', 'cancel', 'send'])

interface Parked {
  actor: Actor
  label: string
  kind: EffectKind
  readyAt: Instant
  parkedAt: Instant
  order: number
  /** A call is late or held up only once. */
  delayed: boolean
  run(fault: Fault | null): Promise<void>
  fail(error: Error): void
}

interface Happening {
  at: Instant
  order: number
  label: string
  happen: () => void | Promise<void>
}

const START_FACTOR = 8
const LAST_CALLS = 0.7
const BLIND_PAUSES = 0.3
const BLINDING: ReadonlySet<Fault> = new Set<Fault>(['fail', 'busy', 'refused'])

/** Windows open and close, and freezes begin, with a minute: so long that this happens meanwhile. */
const TO_NEXT_MINUTE = 'to the next minute'
const DELAYS_MS = [0, 50, SECOND_MS, 5 * SECOND_MS, 18 * SECOND_MS, TO_NEXT_MINUTE] as const
/** Whoever slept beyond it, because of something else that it did, does not send any more. */
const TRIGGER_DEADLINE_MS = 10 * SECOND_MS
const TRIGGER_DELAYS_MS = [0, 50, SECOND_MS, 9 * SECOND_MS]
const PAUSES_MS = [0, SECOND_MS, 20 * SECOND_MS, 3 * MINUTE_MS, 45 * MINUTE_MS]
/** Odds of all but the first. */
const START_PAUSES = [0.05, 0.2, 0.45, 0.25]

/** A fault that struck an effect, or what else became of it. */
export type Mark = Fault | 'none' | 'outage' | 'muted'

export interface WorldOptions {
  choices: Choices
  /** Everything that follows from a step without waiting has happened when this resolves. */
  settled: () => Promise<void>
  rates: FaultRates
  startAt: Instant
  /** Counts a fault at an effect. */
  mark: (fault: Mark, label: string) => void
  /** Receives every line of the history; null when nobody reads it. */
  write: ((line: string) => void) | null
}

export function createWorld({ choices, settled, rates, startAt, mark, write }: WorldOptions): World {
  let now = startAt
  let order = 0
  let steps = 0
  let hash = 0x811c9dc5
  let hash2 = 0
  let parked: Parked[] = []
  const agenda: Happening[] = []
  const aims = drawnAims(choices)
  /** Since when the config branch could not be read; null: it could when it was last asked for. */
  let blindSince: Instant | null = null

  function trace(text: string): void {
    for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
    hash2 = (Math.imul(hash2, 31) + hash + (now % 0x7fffffff)) | 0
    write?.(`${new Date(now).toISOString()} ${text}`)
  }

  function faultFor(effect: Parked): Fault | null {
    const faults = APPLICABLE[effect.kind]
    if (!world.faulty || faults.length === 0) return null
    const isLook = effect.label === 'git fetch'
    if (isLook) blindSince = null
    if (isOut(effect)) {
      if (isLook) blindSince = now
      mark('outage', effect.label)
      return 'fail'
    }
    if (world.mutedUntil > now && effect.kind === 'send') {
      mark('muted', effect.label)
      return 'refused'
    }
    // What happens seldom is struck more often, else all faults would hit the polling.
    const factor = isStart(effect.label) ? START_FACTOR : world.faultShare
    const odds = faults.map((fault) => (effect.delayed && isDelay(fault) ? 0 : rates[fault] * factor))
    const only = (one: Fault, chance: number) => faults.map((fault) => (fault === one ? chance : 0))
    const drawn = choices.weighted(
      effect.delayed
        ? odds
        : isLastCall(effect)
          ? only('slow', LAST_CALLS)
          : isBlind(effect)
            ? only('pause', BLIND_PAUSES)
            : aims.at(effect.label, faults, odds),
    )
    const fault = drawn === 0 ? null : faults[drawn - 1]!
    if (isLook && fault !== null && BLINDING.has(fault)) blindSince = now
    if (fault !== null) aims.struck(effect.label, fault)
    mark(fault ?? 'none', effect.label)
    return fault
  }

  function isOut({ kind, label }: Parked): boolean {
    if (world.outageUntil > now && OUTSIDE.has(kind)) return true
    if (world.branchDarkUntil > now && label === 'git fetch') return true
    if (world.pullsDarkUntil > now && label === 'forge read pull') return true
    return world.runsDarkUntil > now && (label === 'pipeline find' || label === 'pipeline observe')
  }

  function isLastCall({ label }: Parked): boolean {
    return isStart(label) && now < world.lastCallAt && now > world.lastCallAt - MINUTE_MS / 2
  }

  /** A pass that cannot look at the branch goes on by what is remembered of it, and time may make that old. */
  function isBlind({ label }: Parked): boolean {
    return label === 'store observe' && blindSince !== null && now - blindSince < MINUTE_MS / 2
  }

  /** What a start rests on, or the belief that no run was made, is old after a long one only. */
  function isLongPause(effect: Parked): boolean {
    return isStart(effect.label) || isBlind(effect) || effect.label === 'store run.lookup'
  }

  function crash(actor: Actor): void {
    actor.dead = true
    parked = parked.filter((effect) => effect.actor !== actor)
    world.onCrash(actor)
  }

  /** An effect whose turn has come happens, as it should or as its fault wants it. */
  async function happen(effect: Parked): Promise<void> {
    if (effect.kind === 'trigger' && now > effect.parkedAt + TRIGGER_DEADLINE_MS) {
      trace(`${effect.actor.name} ${effect.label} comes too late`)
      return effect.fail(new TransientFault('simulated: the deadline of the call had passed when its process went on'))
    }
    const fault = faultFor(effect)
    trace(`${effect.actor.name} ${effect.label}${fault === null ? '' : ` !${fault}`}`)
    const back = () => {
      effect.delayed = true
      parked.push(effect)
    }
    if (fault !== null && effect.kind === 'trigger') world.onTrouble(0.6)
    else if (fault === 'slow' || fault === 'pause') world.onTrouble(isStart(effect.label) ? 0.6 : 0.1)
    switch (fault) {
      case 'slow': {
        const delays = effect.kind === 'trigger' ? TRIGGER_DELAYS_MS : DELAYS_MS
        const drawn = isLastCall(effect) ? choices.weighted([0, 0, 0, 0, LAST_CALLS]) : choices.pick(delays.length)
        const delay = delays[drawn]!
        effect.readyAt = delay === TO_NEXT_MINUTE ? now - (now % MINUTE_MS) + MINUTE_MS : now + delay
        return back()
      }
      case 'pause':
        effect.actor.pausedUntil =
          now + PAUSES_MS[isLongPause(effect) ? choices.weighted(START_PAUSES) : choices.pick(PAUSES_MS.length)]!
        return back()
      case 'crash_before':
        return crash(effect.actor)
      case 'crash_after':
        await effect.run(null)
        return crash(effect.actor)
      case 'crash_late':
        // The request was on its way when its sender died: it arrives all the same, before its deadline would have come.
        world.at(now + TRIGGER_DELAYS_MS[choices.pick(TRIGGER_DELAYS_MS.length)]!, `${effect.label} arrives`, () =>
          effect.run(null),
        )
        return crash(effect.actor)
      case 'fail':
        return effect.fail(new TransientFault(`simulated: ${effect.label} failed`))
      case 'busy':
        return effect.fail(new TransientFault(`simulated: ${effect.label} was asked to wait`, 30 * SECOND_MS))
      case 'lost':
        await effect.run('lost')
        return
      default:
        return effect.run(fault)
    }
  }

  const world: World = {
    outageUntil: 0,
    branchDarkUntil: 0,
    pullsDarkUntil: 0,
    runsDarkUntil: 0,
    mutedUntil: 0,
    lastCallAt: 0,
    faultShare: 1,
    faulty: true,
    onCrash: () => {},
    onTrouble: () => {},
    now: () => now,
    draw: (options) => (world.faulty ? choices.pick(options) : 0),
    trace,
    traceHash: () => `${(hash >>> 0).toString(16).padStart(8, '0')}${(hash2 >>> 0).toString(16).padStart(8, '0')}`,
    steps: () => steps,
    crash,

    clockOf: (actor) => ({
      now: () => now + actor.skewMs,
      elapsed: () => now - startAt,
      sleep(durationMs, signal) {
        return new Promise((resolve) => {
          if (actor.dead) return
          if (signal?.aborted) return resolve()
          const effect: Parked = {
            actor,
            label: 'sleep',
            kind: 'sleep',
            readyAt: now + Math.max(0, durationMs),
            parkedAt: now,
            order: order++,
            delayed: false,
            run: async () => resolve(),
            fail: () => resolve(),
          }
          parked.push(effect)
          signal?.addEventListener('abort', () => {
            const place = parked.indexOf(effect)
            if (place !== -1) parked.splice(place, 1)
            resolve()
          })
        })
      },
    }),

    call<T>(actor: Actor, label: string, kind: EffectKind, perform: (fault: Fault | null) => T | Promise<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (actor.dead) return
        const run = async (fault: Fault | null) => {
          try {
            const value = await perform(fault)
            if (fault === 'lost') reject(new TransientFault(`simulated: the answer to ${label} was lost`))
            else resolve(value)
          } catch (error) {
            reject(error)
          }
        }
        parked.push({ actor, label, kind, readyAt: now, parkedAt: now, order: order++, delayed: false, run, fail: reject })
      })
    },

    at(time, label, happening) {
      const entry = { at: Math.max(time, now), order: order++, label, happen: happening }
      const place = agenda.findIndex((other) => other.at > entry.at)
      if (place === -1) agenda.push(entry)
      else agenda.splice(place, 0, entry)
    },

    async step(until) {
      const ready: Parked[] = []
      let next = agenda[0]?.at ?? Number.POSITIVE_INFINITY
      for (const effect of parked) {
        const time = Math.max(effect.readyAt, effect.actor.pausedUntil)
        if (time <= now) ready.push(effect)
        else if (time < next) next = time
      }
      const due = agenda[0] !== undefined && agenda[0].at <= now
      if (ready.length === 0 && !due) {
        if (next > until) {
          now = until
          return false
        }
        now = next
        return true
      }
      steps++
      const options = ready.length + (due ? 1 : 0)
      const index = options > 1 && world.faulty ? choices.pick(options, rates.reorder) : 0
      if (index < ready.length) {
        const effect = ready[index]!
        parked.splice(parked.indexOf(effect), 1)
        await happen(effect)
      } else {
        const happening = agenda.shift()!
        trace(happening.label)
        await happening.happen()
      }
      await settled()
      return true
    },
  }
  return world
}

/** Between what a start rests on and the start is when something else matters most. */
const STARTS: ReadonlySet<string> = new Set(['store job.start', 'store job.successes', 'store job.retry', 'store job.read'])

function isStart(label: string): boolean {
  return STARTS.has(label)
}

function isDelay(fault: Fault): boolean {
  return fault === 'slow' || fault === 'pause'
}

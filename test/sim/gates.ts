import { SECOND_MS } from '../../controller/clock.ts'
import type { CallbackAnswer, CallbackMessage } from '../../controller/jobs/callback.ts'
import type { CommitSha } from '../../controller/model/names.ts'
import type { Checks } from './checks.ts'
import type { Choices } from './choices.ts'
import type { RunningController } from './controller.ts'
import { isLive, type Pipelines, type SimRun } from './pipelines.ts'
import type { World } from './world.ts'

/** What a run does that asks before it acts, as example-config/pipelines/draven-gate.sh does, with its patience. */
export interface Gates {
  /** When its turn comes it asks, and acts when it is told to go on. Each attempt does so once, however often it is spoken of. */
  turnsTo(run: SimRun): void
}

export interface GateOptions {
  world: World
  choices: Choices
  pipelines: Pipelines
  checks: Checks
  /** How often a question or its answer is lost. */
  lost: number
  /** Any controller that is up: a pipeline does not know which one leads. */
  door: () => RunningController | undefined
}

const NO_ANSWER_MS = 20 * SECOND_MS
const PAUSES_MS = [SECOND_MS, 2 * SECOND_MS, 4 * SECOND_MS, 8 * SECOND_MS]
/** Seldom, to save steps. */
const BEAT_MS = 40 * SECOND_MS

export function createGates({ world, choices, pipelines, checks, lost, door }: GateOptions): Gates {
  /** Null: nobody answered, whatever became of the question. */
  function ask({ trigger }: SimRun, message: CallbackMessage, heard: (answer: CallbackAnswer | null) => void): void {
    let over = false
    const hear = (answer: CallbackAnswer | null) => {
      if (over) return
      over = true
      heard(answer)
    }
    const fate = world.faulty ? choices.pick(3, lost) : 0
    if (fate !== 2) {
      const answered = door()?.answer(trigger.jobId, trigger.callback!.token, message)
      answered?.then(
        (answer) => (fate === 0 ? hear(answer) : undefined),
        () => hear(null),
      )
    }
    world.at(world.now() + NO_ANSWER_MS, 'a pipeline waits no longer', () => hear(null))
  }

  const known = new Set<string>()

  function turnsTo(run: SimRun): void {
    const { attempt } = run
    const name = `${run.id}/${attempt}`
    if (known.has(name)) return
    known.add(name)
    const isOver = () => run.attempt !== attempt || !isLive(run, world.now())
    const sha = checkedOut(run)

    function claim(tries: number): void {
      if (isOver()) return
      ask(run, { type: 'claim', run: name, sha }, (answer) => {
        if (isOver()) return
        if (answer?.kind === 'accepted') act()
        else if (answer === null && tries < PAUSES_MS.length)
          world.at(world.now() + PAUSES_MS[tries]!, `run ${run.id} asks again`, () => claim(tries + 1))
        else stop(answer !== null)
      })
    }

    function act(): void {
      checks.runActs(run, sha)
      world.at(run.endsAt - SECOND_MS, `run ${run.id} tells how it ended`, () => {
        if (!isOver()) tell(run.conclusion === 'success' ? 'succeeded' : 'failed')
      })
      beatLater()
    }

    /** While nobody answers it goes on. */
    function beatLater(): void {
      world.at(world.now() + BEAT_MS, `run ${run.id} is still there`, () => {
        if (isOver()) return
        ask(run, { type: 'log', run: name, lines: [] }, (answer) => {
          if (isOver()) return
          if (answer === null || answer.kind === 'accepted') beatLater()
          else stop(true)
        })
      })
    }

    function stop(wasTold: boolean): void {
      if (wasTold) tell('canceled')
      pipelines.fails(run)
    }

    function tell(result: 'succeeded' | 'failed' | 'canceled'): void {
      ask(run, { type: 'result', run: name, result, text: null }, () => {})
    }

    world.at(Math.max(run.beginsAt, run.blockedUntil ?? 0), `run ${name} begins`, () => claim(0))
  }

  /** Mostly what was asked for; now and then it does not say, or something else stands there. */
  function checkedOut({ trigger }: SimRun): CommitSha | null {
    const answers = [trigger.sha, null, 'f'.repeat(40) as CommitSha]
    return world.faulty ? answers[choices.pick(3, 0.3)]! : trigger.sha
  }

  return { turnsTo }
}

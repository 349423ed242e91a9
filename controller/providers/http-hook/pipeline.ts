import { type Clock, type Instant, MINUTE_MS, toIso } from '../../clock.ts'
import { RefusedFault, TransientFault } from '../../errors.ts'
import type { Callback, CallbackReader } from '../../jobs/callback.ts'
import type { PipelineProvider, RunHandle, RunObservation, StartOutcome, Trigger } from '../../jobs/executor.ts'
import { beforeTheCall } from '../json-calls.ts'
import { startWithin } from '../start-outcome.ts'
import { webUrl } from '../text.ts'
import type { Receiver, ToldRun } from './receiver.ts'

export interface HookPipelineOptions {
  receiver: Receiver
  callbacks: CallbackReader
  /** Of all the project's pipelines: a run is asked to stop by its job alone. */
  selectors: readonly string[]
  clock: Clock
  triggerTimeoutMs: number
}

const JOB_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** A run that only tells by callbacks, and has not done so for this long, is out of reach. */
const SILENCE_MS = 15 * MINUTE_MS

/**
 * Runs of a service that is told by a signed POST. A job has one run there, named by the job. How the run goes, its callbacks tell,
 * and the receiver, where it offers to; a start without either is not made, because nobody could follow it.
 */
export function hookPipeline({ receiver, callbacks, selectors, clock, triggerTimeoutMs }: HookPipelineOptions): PipelineProvider {
  let tells = false

  async function statusOf(selector: string, jobId: string, signal?: AbortSignal): Promise<ToldRun | null | 'not offered'> {
    const told = await receiver.status(selector, jobId, signal)
    tells ||= told !== 'not offered'
    return told
  }

  async function canBeFollowed(trigger: Trigger, signal: AbortSignal): Promise<boolean> {
    if (trigger.callback !== null || tells) return true
    return (await statusOf(trigger.selector.selector, trigger.jobId, signal)) !== 'not offered'
  }

  async function dispatch(trigger: Trigger, signal: AbortSignal): Promise<StartOutcome> {
    const followed = await canBeFollowed(trigger, signal).catch((error: unknown) => {
      throw beforeTheCall(error)
    })
    if (!followed) {
      throw new RefusedFault('The receiver tells nothing about its runs and the project has no callbacks; set callbacks: true.')
    }
    const { url } = await receiver.start(trigger, signal)
    return { kind: 'started', run: handle(trigger.jobId, webUrl(url)) }
  }

  return {
    start: (trigger) => startWithin({ clock, timeoutMs: triggerTimeoutMs }, (signal) => dispatch(trigger, signal)),

    async find({ jobId, selector }) {
      const spoke = (await callbacks.of(jobId)).some((callback) => callback.heardAt !== null)
      if (spoke) return [handle(jobId, null)]
      const told = await statusOf(selector.selector, jobId)
      return told === null || told === 'not offered' ? [] : [handle(jobId, webUrl(told.url))]
    },

    async doubt({ jobId, selector }) {
      return (await statusOf(selector.selector, jobId)) === 'not offered' ? 'the receiver tells nothing about its runs' : null
    },

    async observe({ externalId, selector }) {
      if (!JOB_ID.test(externalId)) throw new RefusedFault(`${JSON.stringify(externalId)} is not a job id.`)
      const last = (await callbacks.of(externalId)).at(-1) ?? null
      if (last !== null && last.result !== null) {
        return observation(RESULTS[last.result], last.detail)
      }
      const told = await statusOf(selector.selector, externalId)
      // A receiver that forgot a run does not end it: its pipeline spoke to us.
      const forgotten = told === null && last !== null && last.heardAt !== null
      if (told === 'not offered' || forgotten) return byCallbacks(last, clock.now())
      return told === null ? observation('vanished', 'the receiver has no run of this job') : observed(told)
    },

    async cancel({ externalId }) {
      // Which of them has it, only they know; to the others it is a job that never was.
      let refusal: unknown = null
      for (const selector of selectors) {
        await receiver.stop(selector, externalId).catch((error: unknown) => {
          if (!(error instanceof RefusedFault)) throw error
          refusal = error
        })
      }
      if (refusal !== null) throw refusal
    },
  }
}

const RESULTS = { succeeded: 'success', failed: 'failed', canceled: 'canceled' } as const

/** Of a run that nobody else tells about. */
function byCallbacks(last: Callback | null, now: Instant): RunObservation {
  if (last === null) return observation('vanished', 'it has no callback, and the receiver tells nothing about its runs')
  const since = last.heardAt ?? last.createdAt
  if (now - since > SILENCE_MS) throw new TransientFault(`nothing was heard of it since ${toIso(since)}`)
  return last.claimedBy === null ? observation('queued', null) : observation('active', null)
}

/** The receiver's words. One that we do not know never means that it is over. */
const STATES = new Map<string, RunObservation['state']>([
  ['queued', 'queued'],
  ['running', 'active'],
  ['waiting', 'blocked'],
  ['succeeded', 'success'],
  ['failed', 'failed'],
  ['canceled', 'canceled'],
  ['timed_out', 'timed_out'],
])

function observed(told: ToldRun): RunObservation {
  const known = STATES.get(told.state)
  const detail = typeof told.detail === 'string' ? told.detail : known === undefined ? told.state : null
  const [startedAt, endedAt] = [instantOf(told.started_at), instantOf(told.ended_at)]
  return {
    ...observation(known ?? 'active', detail),
    url: webUrl(told.url),
    ...(startedAt === null ? {} : { startedAt }),
    ...(endedAt === null ? {} : { endedAt }),
  }
}

function instantOf(text: unknown): Instant | null {
  const instant = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return Number.isNaN(instant) ? null : instant
}

function observation(state: RunObservation['state'], detail: string | null): RunObservation {
  return { state, externalAttempt: 1, url: null, detail }
}

function handle(jobId: string, url: string | null): RunHandle {
  return { externalId: jobId, externalAttempt: 1, url }
}

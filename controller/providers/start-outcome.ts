import { type Clock, SECOND_MS } from '../clock.ts'
import { ConfigFault, messageOf, RefusedFault, TransientFault } from '../errors.ts'
import type { StartOutcome } from '../jobs/executor.ts'
import { callFailure } from './http.ts'

/** When a call that certainly did nothing may be made again. */
const UNREACHABLE_RETRY_MS = 10 * SECOND_MS

/** One attempt to start a run, credentials and last byte included in the deadline; whatever is thrown becomes an outcome. */
export async function startWithin(
  { clock, timeoutMs }: { clock: Clock; timeoutMs: number },
  dispatch: (signal: AbortSignal) => Promise<StartOutcome>,
): Promise<StartOutcome> {
  const finished = new AbortController()
  const stop = new AbortController()
  void clock.sleep(timeoutMs, finished.signal).then(() => stop.abort())
  try {
    return await dispatch(stop.signal)
  } catch (error) {
    return outcomeOf(error)
  } finally {
    finished.abort()
  }
}

/**
 * What a failed dispatch says about the run. `refused` needs proof: an answer that denies it, or that nothing was sent.
 * Everything else may have started one.
 */
function outcomeOf(error: unknown): StartOutcome {
  if (error instanceof RefusedFault) return { kind: 'refused', why: error.message, retryAfterMs: null, unreachable: false }
  if (error instanceof ConfigFault)
    return { kind: 'refused', why: `${error.message} ${error.fix}`, retryAfterMs: null, unreachable: false }
  const failure = callFailure(error)
  if (error instanceof TransientFault && failure !== null) {
    if (!failure.sent) {
      return {
        kind: 'refused',
        why: error.message,
        retryAfterMs: Math.max(error.retryAfterMs, UNREACHABLE_RETRY_MS),
        unreachable: true,
      }
    }
    if (failure.status === 429 || failure.status === 403) {
      return { kind: 'refused', why: error.message, retryAfterMs: error.retryAfterMs, unreachable: false }
    }
  }
  return { kind: 'unknown', why: messageOf(error) }
}

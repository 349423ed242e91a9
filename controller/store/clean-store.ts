import type { StateTx } from '../jobs/state-store.ts'
import type { OpenStore } from './open-store.ts'

type Redact = (text: string) => string

/**
 * A store that is told no secret. What is written down is shown on pages and sent to pull requests, and words of others may quote
 * what they were sent, in whatever way an adapter did not think of.
 */
export function withoutSecrets(store: OpenStore, redact: Redact): OpenStore {
  return { ...store, state: { unit: (name, work) => store.state.unit(name, (tx) => work(cleanTx(tx, redact))) } }
}

function cleanTx(tx: StateTx, redact: Redact): StateTx {
  const clean = <T>(value: T): T => cleanWords(value, redact)
  const { config, jobs, runs, outbox, callbacks, audit } = tx
  return {
    ...tx,
    config: { ...config, write: (state) => config.write(clean(state)) },
    jobs: {
      ...jobs,
      insert: (job) => jobs.insert(clean(job)),
      update: (before, change) => jobs.update(before, clean(change)),
    },
    runs: { ...runs, insert: (run) => runs.insert(clean(run)), update: (before, change) => runs.update(before, clean(change)) },
    outbox: {
      ...outbox,
      put: (message, at) => outbox.put(clean(message), at),
      failed: (row, error, retryAt) => outbox.failed(row, redact(error), retryAt),
    },
    callbacks: { ...callbacks, update: (of, change) => callbacks.update(of, clean(change)) },
    audit: (event) => audit(clean(event)),
  }
}

/** Names of values that are words for people. Ids, keys and states are compared, and nobody's words get into them. */
const WORDS: ReadonlySet<string> = new Set([
  ...['text', 'detail', 'url', 'saw', 'wanted', 'why', 'requestReason'],
  ...['title', 'summary', 'message', 'body', 'description', 'logUrl'],
])

/** Most of what is written has no secret in it, and is seen to have none in one go. */
function cleanWords<T>(value: T, redact: Redact): T {
  const whole = JSON.stringify(value)
  return whole === undefined || redact(whole) === whole ? value : (withWords(value, redact) as T)
}

function withWords(value: unknown, redact: Redact): unknown {
  if (Array.isArray(value)) return value.map((each) => withWords(each, redact))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      typeof each === 'string' ? (WORDS.has(name) ? redact(each) : each) : withWords(each, redact),
    ]),
  )
}

import { RefusedFault } from '../../errors.ts'
import type { Trigger } from '../../jobs/executor.ts'
import type { Fetch } from '../http.ts'
import { type JsonCall, jsonCalls, notUnderstood, tokenOf } from '../json-calls.ts'
import type { ProviderOptions } from '../provider.ts'
import { signed } from './signature.ts'

/** What a receiver tells of a job's run. */
export interface ToldRun {
  state: string
  url?: unknown
  detail?: unknown
  started_at?: unknown
  ended_at?: unknown
}

/** Somebody's own service that runs a project's deploys: one address a pipeline, three verbs, of which it must know the first. */
export interface Receiver {
  /** Starts a run. What it answers is only looked at for a `url`. */
  start(trigger: Trigger, signal: AbortSignal): Promise<{ url?: unknown }>
  /** Null: it has none for this job. `not offered`: it does not tell. */
  status(selector: string, jobId: string, signal?: AbortSignal): Promise<ToldRun | null | 'not offered'>
  /** Asks a run to stop; RefusedFault where that is not offered. */
  stop(selector: string, jobId: string): Promise<void>
}

export interface ReceiverOptions extends Pick<ProviderOptions, 'secrets' | 'redactor' | 'clock'> {
  /** Without a slash at the end. */
  baseUrl: string
  secretRef: string
  fetch: Fetch
}

/** What servers answer to a method or a path that they do not have. */
const NOT_OFFERED: readonly (number | null)[] = [404, 405, 501]

export function receiver(options: ReceiverOptions): Receiver {
  const { secrets, redactor, clock, fetch, baseUrl, secretRef } = options
  const name = `The receiver on ${new URL(baseUrl).host}`

  /** `id` names the call and its repetitions, of which there are none by us; `proved` is what is signed. */
  function send(id: string, proved: string, call: Omit<JsonCall, 'label'>) {
    async function credential(): Promise<Record<string, string>> {
      return signed(id, proved, await tokenOf({ secrets, tokenRef: secretRef, redactor }), clock.now())
    }
    const label = `${call.method} ${new URL(call.url).pathname}`
    return jsonCalls({ name, credential, fetch, redactor })<unknown>({ ...call, label, mayBeWordless: true })
  }

  function ask(method: 'GET' | 'DELETE', selector: string, jobId: string, signal?: AbortSignal) {
    const url = new URL(`${addressOf(baseUrl, selector)}?job_id=${encodeURIComponent(jobId)}`)
    const id = `${jobId}-${method.toLowerCase()}-${clock.now()}`
    return send(id, `${method} ${url.pathname}${url.search}`, { method, url: url.href, signal })
  }

  return {
    async start(trigger, signal) {
      const url = addressOf(baseUrl, trigger.selector.selector)
      const text = JSON.stringify(bodyOf(trigger))
      const call = { method: 'POST', url, content: { type: 'application/json', text }, signal } as const
      const { data } = await send(`${trigger.jobId}-${trigger.attempt}`, text, call)
      return typeof data === 'object' && data !== null ? data : {}
    },

    async status(selector, jobId, signal) {
      try {
        const { data, status } = await ask('GET', selector, jobId, signal)
        const run = typeof data === 'object' && data !== null && 'run' in data ? data.run : undefined
        if (run === null) return null
        if (typeof run === 'object' && 'state' in run && typeof run.state === 'string') return run as ToldRun
        throw notUnderstood(name, `GET ${selector}`, status)
      } catch (error) {
        if (error instanceof RefusedFault && NOT_OFFERED.includes(error.status)) return 'not offered'
        throw error
      }
    },

    async stop(selector, jobId) {
      try {
        await ask('DELETE', selector, jobId)
      } catch (error) {
        if (!(error instanceof RefusedFault && NOT_OFFERED.includes(error.status))) throw error
        throw new RefusedFault(`${name} cannot stop a run; its pipeline is told to when it next speaks.`, error.status)
      }
    },
  }
}

function bodyOf({ jobId, environment, ref, sha, type, attempt, callback }: Trigger) {
  const told = { job_id: jobId, env: environment, ref, sha, type, attempt }
  return { ...told, callback_url: callback?.url ?? null, callback_token: callback?.token ?? null }
}

/** The selector is a path below the receiver's address. */
function addressOf(baseUrl: string, selector: string): string {
  const plain = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/
  if (!selector.split('/').every((part) => plain.test(part))) {
    throw new RefusedFault(`${JSON.stringify(selector)} is not a path of a receiver; name it like deploy or shop/deploy.`)
  }
  return `${baseUrl}/${selector}`
}

import { ConfigFault, RefusedFault } from '../../errors.ts'
import type { Fetch } from '../http.ts'
import { type JsonAnswer, jsonCalls, notUnderstood, tokenOf } from '../json-calls.ts'
import type { ProviderOptions } from '../provider.ts'

const HOST = 'Jenkins'

/** Calls on one Jenkins. Every call is one HTTP request and throws only TransientFault, RefusedFault or ConfigFault. */
export interface JenkinsClient {
  /** Without a slash at the end: `https://jenkins.acme.example`, or with a path below. */
  baseUrl: string
  /** `tree` names what is asked for: without it Jenkins tells everything it has. */
  get<Data>(path: string, tree: string, signal?: AbortSignal): Promise<Data>
  /** A redirect is a RefusedFault with its status: several answers of Jenkins are one. */
  post(path: string, form: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<JsonAnswer<unknown>>
}

export interface JenkinsClientOptions extends Pick<ProviderOptions, 'secrets' | 'redactor' | 'clock'> {
  baseUrl: string
  /** Of a secret `user:token`. */
  credentialRef: string
  fetch: Fetch
}

/**
 * Plain fetch: the `jenkins` package is no longer maintained, has no types and fetches a crumb before every POST, which an API
 * token does not need (jenkinsci/jenkins, ApiCrumbExclusion).
 */
export function jenkinsClient(options: JenkinsClientOptions): JenkinsClient {
  const { baseUrl, secrets, redactor, fetch, credentialRef } = options
  const perform = jsonCalls({ name: HOST, credential, fetch, redactor })

  async function credential(): Promise<Record<string, string>> {
    const pair = await tokenOf({ secrets, tokenRef: credentialRef, redactor })
    if (!/^[^:]+:.+$/.test(pair)) {
      throw new ConfigFault(
        'The credential of Jenkins is not of the form user:token.',
        'Store the user, a colon and an API token.',
      )
    }
    redactor.learn(pair.slice(pair.indexOf(':') + 1))
    return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
  }

  return {
    baseUrl,

    async get<Data>(path: string, tree: string, signal?: AbortSignal) {
      const url = `${baseUrl}${path}/api/json?tree=${encodeURIComponent(tree)}`
      const { data, status } = await perform<Data>({ method: 'GET', url, label: `GET ${path}`, signal })
      if (typeof data !== 'object' || data === null) throw notUnderstood(HOST, `GET ${path}`, status)
      return data
    },

    post(path, form, signal) {
      const content = { type: 'application/x-www-form-urlencoded', text: new URLSearchParams(form).toString() }
      return perform({ method: 'POST', url: `${baseUrl}${path}`, label: `POST ${path}`, content, mayBeWordless: true, signal })
    },
  }
}

/** `folder/deploy` → `/job/folder/job/deploy`, checked, because it becomes part of a path. */
export function jobPath(selector: string): string {
  const names = selector.split('/')
  if (!names.every((name) => /^(?!\.{1,2}$)[A-Za-z0-9_.][A-Za-z0-9_.@ -]{0,254}$/.test(name))) {
    throw new RefusedFault(`${JSON.stringify(selector)} is not a Jenkins job; name it like deploy or folder/deploy.`)
  }
  return names.map((name) => `/job/${encodeURIComponent(name)}`).join('')
}

/** The job in an address that Jenkins made. Its host is as somebody once configured it, and need not be ours. */
export function jobOf(url: string): string | null {
  const path = URL.canParse(url) ? new URL(url).pathname : url
  const names = /\/job\/(.+?)\/?(?:\/\d+\/?)?$/.exec(path)?.[1]
  try {
    return names === undefined ? null : names.split('/job/').map(decodeURIComponent).join('/')
  } catch {
    return null
  }
}

import { RefusedFault } from '../../errors.ts'
import { allowedApiUrl, guardedFetch } from '../http.ts'
import { noCode } from '../no-code.ts'
import type { Provider, ProviderOptions } from '../provider.ts'
import { hookPipeline } from './pipeline.ts'
import { type Receiver, receiver } from './receiver.ts'

/** A service of one's own that takes a signed POST for a pipeline. Its code is elsewhere. */
export function httpHookProvider(options: ProviderOptions): Provider {
  const { clock, callbacks } = options
  return {
    project({ integration }) {
      const url = allowedApiUrl(integration.apiUrl ?? '', options.allowedOrigins)
      const secretRef = integration.credentialRef
      if (secretRef === null) throw new RefusedFault('A receiver needs a secret that signs what it is told (credential_ref).')
      const guard = { fetch: options.fetch, redact: options.redactor.redact, clock, timeoutMs: options.timeouts.callMs }
      const fetch = guardedFetch({ ...guard, origin: url.origin })
      const at = receiver({ ...options, baseUrl: url.href.replace(/\/+$/, ''), secretRef, fetch })
      const selectors = [...new Set([...integration.pipelines.values()].map(({ selector }) => selector))]
      return {
        refs: noCode('A receiver of webhooks'),
        pipeline: hookPipeline({ receiver: at, callbacks, selectors, clock, triggerTimeoutMs: options.timeouts.triggerMs }),
        deployments: null,
        describeAccess: async () => ({
          provider: 'http',
          repository: integration.repoFullName,
          auth: 'token',
          missing: [],
          rateLimit: null,
          clockSkewMs: null,
          notes: await notesOf(at, selectors, integration.callbacks),
        }),
      }
    },
    config: null,
  }
}

/** No job has this id. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

async function notesOf(at: Receiver, selectors: readonly string[], callbacks: boolean): Promise<readonly string[]> {
  const notes: string[] = []
  for (const selector of selectors) {
    if ((await at.status(selector, NOBODY)) !== 'not offered') continue
    const follow = callbacks ? 'only its callbacks tell how a run goes' : 'without callbacks: true its runs cannot be followed'
    notes.push(`The receiver tells nothing about runs of ${selector}; ${follow}.`)
  }
  return notes
}

import { RefusedFault } from '../../errors.ts'
import type { AccessReport } from '../access.ts'
import { allowedApiUrl, guardedFetch } from '../http.ts'
import { unlessMissing } from '../json-calls.ts'
import { noCode } from '../no-code.ts'
import type { Provider, ProviderOptions } from '../provider.ts'
import { readJob, undeclared } from './builds.ts'
import { type JenkinsClient, jenkinsClient } from './client.ts'
import { jenkinsPipeline } from './pipeline.ts'

/** A Jenkins of one's own. It runs pipelines; the code is elsewhere. */
export function jenkinsProvider(options: ProviderOptions): Provider {
  const { clock } = options
  return {
    project({ integration }) {
      const url = allowedApiUrl(integration.apiUrl ?? '', options.allowedOrigins)
      const { credentialRef, callbacks } = integration
      if (credentialRef === null) throw new RefusedFault('Jenkins needs a user and an API token of its own (credential_ref).')
      const guard = { fetch: options.fetch, redact: options.redactor.redact, clock, timeoutMs: options.timeouts.callMs }
      const fetch = guardedFetch({ ...guard, origin: url.origin })
      const client = jenkinsClient({ ...options, baseUrl: url.href.replace(/\/+$/, ''), credentialRef, fetch })
      const selectors = [...new Set([...integration.pipelines.values()].map(({ selector }) => selector))]
      return {
        refs: noCode('Jenkins'),
        pipeline: jenkinsPipeline({ client, selectors, clock, triggerTimeoutMs: options.timeouts.triggerMs }),
        deployments: null,
        describeAccess: () => describeAccess(client, selectors, callbacks, integration.repoFullName),
      }
    },
    config: null,
  }
}

const AGREED = ['JOB_ID', 'ENV', 'REF', 'TYPE', 'SHA']
const ASKING_BACK = ['CALLBACK_URL', 'CALLBACK_TOKEN']

async function describeAccess(
  client: JenkinsClient,
  selectors: readonly string[],
  callbacks: boolean,
  repository: string,
): Promise<AccessReport> {
  const missing: string[] = []
  const notes = ['Jenkins does not tell whether the account may build and cancel.']
  for (const selector of selectors) {
    const job = await unlessMissing(() => readJob(client, selector))
    if (job === null) {
      missing.push(`Job/Read of ${selector}`)
      continue
    }
    const absent = undeclared(job, callbacks ? [...AGREED, ...ASKING_BACK] : AGREED)
    if (absent.length > 0) missing.push(`the parameters ${absent.join(', ')} of ${selector}`)
    if (!job.buildable) notes.push(`The job ${selector} is disabled.`)
  }
  return { provider: 'jenkins', repository, auth: 'token', missing, rateLimit: null, clockSkewMs: null, notes }
}

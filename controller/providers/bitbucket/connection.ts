import { RefusedFault } from '../../errors.ts'
import type { Project } from '../../model/desired-state.ts'
import type { CommitSha } from '../../model/names.ts'
import { allowedApiUrl, guardedFetch } from '../http.ts'
import type { Provider, ProviderOptions } from '../provider.ts'
import { bitbucketAccess } from './access.ts'
import { memberReader } from './accounts.ts'
import { type CallBudget, callBudget } from './budget.ts'
import { type BitbucketClient, bitbucketClient, repositoryName, webRoot } from './client.ts'
import { type CredentialSource, credentialOf, gitAuthorization } from './credential.ts'
import { bitbucketPipeline } from './pipeline.ts'
import { bitbucketRefs } from './refs.ts'
import { bitbucketReviews } from './reviews.ts'
import { runLists } from './runs.ts'
import { bitbucketVoice } from './voice.ts'

export const BITBUCKET_API_URL = 'https://api.bitbucket.org/2.0'

interface Connected {
  client: BitbucketClient
  source: CredentialSource
  budget: CallBudget
}

/** Bitbucket Cloud, on every plan: nothing here rests on the host's own merge checks. */
export function bitbucketProvider(options: ProviderOptions): Provider {
  const { clock, bitbucket } = options
  /** Bitbucket counts calls by token, so connections that share one share what is left of it. */
  const budgets = new Map<string, CallBudget>()

  function connect(apiUrl: string | null, fullName: string, ref: string | null): Connected {
    const url = allowedApiUrl(apiUrl ?? bitbucket?.apiUrl ?? BITBUCKET_API_URL, originsOf(options))
    const tokenRef = ref ?? ownTokenRef(options, url)
    const key = `${url.origin} ${tokenRef}`
    const budget = budgets.get(key) ?? callBudget(clock)
    budgets.set(key, budget)
    const guard = { fetch: options.fetch, redact: options.redactor.redact, clock, timeoutMs: options.timeouts.callMs }
    const source = { ...options, tokenRef, email: bitbucket?.email ?? null }
    const client = bitbucketClient({
      ...options,
      budget,
      baseUrl: url.href.replace(/\/+$/, ''),
      fullName: repositoryName(fullName),
      credential: () => credentialOf(source),
      fetch: guardedFetch({ ...guard, origin: url.origin, mayFollow: isDiffstat }),
    })
    return { client, source, budget }
  }

  return {
    project({ integration }: Project) {
      const { client, budget } = connect(integration.apiUrl, integration.repoFullName, integration.credentialRef)
      const { defaultBranch, ci } = integration
      const lists = runLists({ client, budget, clock })
      return {
        refs: bitbucketRefs(client, { defaultBranch, ci }),
        pipeline: bitbucketPipeline({ client, defaultBranch, lists, clock, triggerTimeoutMs: options.timeouts.triggerMs }),
        // Bitbucket's list of deployments is written by its own pipelines alone.
        deployments: null,
        describeAccess: () => bitbucketAccess({ client, budget, purpose: 'project', clock }),
      }
    },
    config(fullName) {
      const { client, source, budget } = connect(null, fullName, null)
      const members = memberReader(client, clock)
      const branches = new Map<CommitSha, string>()
      const reviews = bitbucketReviews({ client, members, branches, clock })
      return {
        host: { provider: 'bitbucket', reviews, voice: bitbucketVoice(client, branches) },
        gitHosts: [new URL(webRoot(bitbucket?.apiUrl ?? BITBUCKET_API_URL)).host],
        gitAuthorization: async () => gitAuthorization(await credentialOf(source)),
        describeAccess: () => bitbucketAccess({ client, budget, purpose: 'config', clock }),
      }
    },
  }
}

/** What a pull request changes is answered by pointing at its two commits; any other redirect means that something was renamed. */
function isDiffstat(from: URL, to: URL): boolean {
  return /\/pullrequests\/\d+\/diffstat$/.test(from.pathname) && /\/diffstat\/[^/]/.test(to.pathname)
}

function originsOf({ bitbucket, allowedOrigins }: ProviderOptions): readonly string[] {
  return bitbucket === null ? allowedOrigins : [new URL(bitbucket.apiUrl).origin, ...allowedOrigins]
}

/** The controller's token goes to the host it was configured for and to no other. */
function ownTokenRef({ bitbucket }: ProviderOptions, url: URL): string {
  if (bitbucket === null) throw new RefusedFault('This controller has no Bitbucket token, and the project names none.')
  if (new URL(bitbucket.apiUrl).origin !== url.origin) {
    throw new RefusedFault(
      `The controller's Bitbucket token is not for ${url.host}; the project must name its own (credential_ref).`,
    )
  }
  return bitbucket.tokenRef
}

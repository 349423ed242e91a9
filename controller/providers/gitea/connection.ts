import { RefusedFault } from '../../errors.ts'
import type { Project } from '../../model/desired-state.ts'
import { allowedApiUrl, guardedFetch } from '../http.ts'
import { tokenOf } from '../json-calls.ts'
import type { GiteaSettings, Provider, ProviderOptions } from '../provider.ts'
import { giteaAccess } from './access.ts'
import { type GiteaClient, giteaClient } from './client.ts'
import { DIALECTS, type Dialect } from './dialect.ts'
import { giteaPipeline } from './pipeline.ts'
import { giteaRefs } from './refs.ts'
import { giteaReviews } from './reviews.ts'
import { giteaVoice } from './voice.ts'

export function giteaProvider(options: ProviderOptions): Provider {
  return familyProvider(options, DIALECTS.gitea, options.gitea)
}

export function forgejoProvider(options: ProviderOptions): Provider {
  return familyProvider(options, DIALECTS.forgejo, options.forgejo)
}

/** Both have no address of their own: `own` says where the operator's is, null that there is none. */
function familyProvider(options: ProviderOptions, dialect: Dialect, own: GiteaSettings | null): Provider {
  const { clock } = options

  function connect(apiUrl: string | null, fullName: string, ref: string | null): { client: GiteaClient; tokenRef: string } {
    const address = apiUrl ?? own?.apiUrl
    if (address === undefined)
      throw new RefusedFault(`This controller knows no ${dialect.name}; set DRAVEN_${dialect.provider.toUpperCase()}_API_URL.`)
    const origins = own === null ? options.allowedOrigins : [new URL(own.apiUrl).origin, ...options.allowedOrigins]
    const url = allowedApiUrl(address, origins)
    const tokenRef = ref ?? ownTokenRef(dialect, own, url)
    const guard = { fetch: options.fetch, redact: options.redactor.redact, clock, timeoutMs: options.timeouts.callMs }
    const fetch = guardedFetch({ ...guard, origin: url.origin })
    const baseUrl = url.href.replace(/\/+$/, '')
    return { client: giteaClient({ ...options, dialect, baseUrl, fullName, tokenRef, fetch }), tokenRef }
  }

  return {
    project({ integration }: Project) {
      const { client } = connect(integration.apiUrl, integration.repoFullName, integration.credentialRef)
      const { defaultBranch } = integration
      return {
        refs: giteaRefs(client, { defaultBranch }),
        pipeline: giteaPipeline({ client, defaultBranch, clock, triggerTimeoutMs: options.timeouts.triggerMs }),
        deployments: null,
        describeAccess: () => giteaAccess({ client, purpose: 'project', clock }),
      }
    },
    config(fullName) {
      const { client, tokenRef } = connect(null, fullName, null)
      return {
        host: { provider: dialect.provider, reviews: giteaReviews(client, clock), voice: giteaVoice(client) },
        gitHosts: own === null ? [] : [new URL(own.apiUrl).host],
        // Any user name will do with a token as the password (services/auth/basic.go).
        gitAuthorization: async () =>
          `Basic ${Buffer.from(`oauth2:${await tokenOf({ ...options, tokenRef })}`).toString('base64')}`,
        describeAccess: () => giteaAccess({ client, purpose: 'config', clock }),
      }
    },
  }
}

/** The controller's token goes to the host it was configured for and to no other. */
function ownTokenRef({ name }: Dialect, own: GiteaSettings | null, url: URL): string {
  if (own === null) throw new RefusedFault(`This controller has no token for ${name}, and the project names none.`)
  if (new URL(own.apiUrl).origin !== url.origin) {
    throw new RefusedFault(
      `The controller's ${name} token is not for ${url.host}; the project must name its own (credential_ref).`,
    )
  }
  return own.tokenRef
}

import { RefusedFault } from '../../errors.ts'
import type { Project } from '../../model/desired-state.ts'
import { allowedApiUrl, guardedFetch } from '../http.ts'
import { tokenOf } from '../json-calls.ts'
import type { Provider, ProviderOptions } from '../provider.ts'
import { gitlabAccess } from './access.ts'
import { type GitlabClient, gitlabClient, projectName } from './client.ts'
import { gitlabDeployments } from './deployments.ts'
import { gitlabPipeline } from './pipeline.ts'
import { gitlabRefs } from './refs.ts'
import { gitlabReviews } from './reviews.ts'
import { gitlabVoice } from './voice.ts'

export const GITLAB_API_URL = 'https://gitlab.com/api/v4'

/** GitLab.com and self-managed GitLab, on every plan: nothing here rests on the host's own approval rules. */
export function gitlabProvider(options: ProviderOptions): Provider {
  const { clock, gitlab } = options

  function connect(apiUrl: string | null, fullName: string, ref: string | null): { client: GitlabClient; tokenRef: string } {
    const url = allowedApiUrl(apiUrl ?? gitlab?.apiUrl ?? GITLAB_API_URL, originsOf(options))
    const tokenRef = ref ?? ownTokenRef(options, url)
    const guard = { fetch: options.fetch, redact: options.redactor.redact, clock, timeoutMs: options.timeouts.callMs }
    const fetch = guardedFetch({ ...guard, origin: url.origin })
    const baseUrl = url.href.replace(/\/+$/, '')
    return { client: gitlabClient({ ...options, baseUrl, fullName: projectName(fullName), tokenRef, fetch }), tokenRef }
  }

  return {
    project({ integration }: Project) {
      const { client } = connect(integration.apiUrl, integration.repoFullName, integration.credentialRef)
      const { defaultBranch } = integration
      const usesVariables = [...integration.pipelines.values()].some(({ selector }) => selector === 'variables')
      return {
        refs: gitlabRefs(client, { defaultBranch }),
        pipeline: gitlabPipeline({ client, defaultBranch, clock, triggerTimeoutMs: options.timeouts.triggerMs }),
        deployments: gitlabDeployments(client),
        describeAccess: () => gitlabAccess({ client, purpose: 'project', usesVariables, clock }),
      }
    },
    config(fullName) {
      const { client, tokenRef } = connect(null, fullName, null)
      return {
        host: { provider: 'gitlab', reviews: gitlabReviews(client, clock), voice: gitlabVoice(client) },
        gitHosts: [new URL(gitlab?.apiUrl ?? GITLAB_API_URL).host],
        // Any user name will do with a token as the password (GitLab Docs, "Personal access tokens").
        gitAuthorization: async () =>
          `Basic ${Buffer.from(`oauth2:${await tokenOf({ ...options, tokenRef })}`).toString('base64')}`,
        describeAccess: () => gitlabAccess({ client, purpose: 'config', usesVariables: false, clock }),
      }
    },
  }
}

function originsOf({ gitlab, allowedOrigins }: ProviderOptions): readonly string[] {
  return gitlab === null ? allowedOrigins : [new URL(gitlab.apiUrl).origin, ...allowedOrigins]
}

/** The controller's token goes to the host it was configured for and to no other. */
function ownTokenRef({ gitlab }: ProviderOptions, url: URL): string {
  if (gitlab === null) throw new RefusedFault('This controller has no GitLab token, and the project names none.')
  if (new URL(gitlab.apiUrl).origin !== url.origin) {
    throw new RefusedFault(
      `The controller's GitLab token is not for ${url.host}; the project must name its own (credential_ref).`,
    )
  }
  return gitlab.tokenRef
}

import { RefusedFault } from '../../errors.ts'
import type { Project } from '../../model/desired-state.ts'
import { allowedApiUrl, guardedFetch } from '../http.ts'
import type { Provider, ProviderOptions } from '../provider.ts'
import { githubAccess } from './access.ts'
import { type GithubClient, githubClient, repositoryName } from './client.ts'
import { appCredential, type GithubAuth, type GithubCredential, tokenCredential } from './credential.ts'
import { githubDeployments } from './deployments.ts'
import { githubPipeline } from './pipeline.ts'
import { githubRefs } from './refs.ts'
import { githubReviews } from './reviews.ts'
import { githubVoice } from './voice.ts'

export const GITHUB_API_URL = 'https://api.github.com'

interface Connection {
  client: GithubClient
  credential: GithubCredential
}

/** GitHub and GitHub Enterprise Server. Connections are shared by API root, repository and credential, so that tokens are minted once. */
export function githubProvider(options: ProviderOptions): Provider {
  const { clock } = options
  const connections = new Map<string, Connection>()

  function connect(apiUrl: string | null, fullName: string, ref: string | null): Connection {
    const { owner, repo } = repositoryName(fullName)
    const url = allowedApiUrl(apiUrl ?? options.github?.apiUrl ?? GITHUB_API_URL, originsOf(options))
    const auth = authFor(options, url, ref)
    const key = JSON.stringify([url.href, owner.toLowerCase(), repo.toLowerCase(), auth])
    const known = connections.get(key)
    if (known !== undefined) return known
    const guard = { fetch: options.fetch, redact: options.redactor.redact, clock, timeoutMs: options.timeouts.callMs }
    const fetch = guardedFetch({ ...guard, origin: url.origin })
    const place = { ...options, baseUrl: url.href.replace(/\/+$/, ''), fetch, owner, repo }
    const credential = auth.kind === 'app' ? appCredential(auth, place) : tokenCredential(auth, options)
    const made = { client: githubClient({ ...place, credential }), credential }
    connections.set(key, made)
    return made
  }

  return {
    project({ integration }: Project) {
      const { client, credential } = connect(integration.apiUrl, integration.repoFullName, integration.credentialRef)
      const { defaultBranch } = integration
      const selectors = [...integration.pipelines.values()].map((pipeline) => pipeline.selector)
      return {
        refs: githubRefs(client, { selectors, appId: credential.appId, defaultBranch }),
        pipeline: githubPipeline({ client, defaultBranch, clock, triggerTimeoutMs: options.timeouts.triggerMs }),
        deployments: githubDeployments(client),
        describeAccess: () => githubAccess({ client, credential, defaultBranch, purpose: 'project', clock }),
      }
    },
    config(fullName) {
      const { client, credential } = connect(null, fullName, null)
      return {
        host: { provider: 'github', reviews: githubReviews(client, clock), voice: githubVoice(client, credential) },
        gitHosts: gitHostsOf(options.github?.apiUrl ?? GITHUB_API_URL),
        gitAuthorization: () => gitAuthorization(credential),
        describeAccess: () => githubAccess({ client, credential, defaultBranch: null, purpose: 'config', clock }),
      }
    },
  }
}

function originsOf({ github, allowedOrigins }: ProviderOptions): readonly string[] {
  return github === null ? allowedOrigins : [new URL(github.apiUrl).origin, ...allowedOrigins]
}

/** A project's own token, or the controller's credential; the latter goes to the host it was configured for and to no other. */
function authFor({ github }: ProviderOptions, url: URL, ref: string | null): GithubAuth {
  if (ref !== null) return { kind: 'token', ref }
  if (github === null) throw new RefusedFault('This controller has no GitHub credentials, and the project names none.')
  if (new URL(github.apiUrl).origin !== url.origin) {
    throw new RefusedFault(
      `The controller's GitHub credentials are not for ${url.host}; the project must name its own (credential_ref).`,
    )
  }
  return github.auth
}

/** github.com belongs to api.github.com, a server to itself. */
function gitHostsOf(apiUrl: string): string[] {
  const { host } = new URL(apiUrl)
  return host === 'api.github.com' ? [host, 'github.com'] : [host]
}

/** Git over https takes the API's token as the password of this user, for personal and installation tokens alike (GitHub Docs, "Authenticating as an installation"). */
async function gitAuthorization(credential: GithubCredential): Promise<string> {
  const token = (await credential.authorization()).replace(/^Bearer /, '')
  return `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`
}

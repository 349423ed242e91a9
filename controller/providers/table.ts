import { RefusedFault } from '../errors.ts'
import type { Project } from '../model/desired-state.ts'
import type { ConfigHost, Connections } from '../reconcile/ports.ts'
import type { AccessReport } from './access.ts'
import { atCode } from './at-code.ts'
import { bitbucketProvider } from './bitbucket/connection.ts'
import { forgejoProvider, giteaProvider } from './gitea/connection.ts'
import { githubProvider } from './github/connection.ts'
import { gitlabProvider } from './gitlab/connection.ts'
import { httpHookProvider } from './http-hook/connection.ts'
import { jenkinsProvider } from './jenkins/connection.ts'
import { localProvider } from './local/connection.ts'
import type { ConfigConnection, ProjectConnection, Provider, ProviderOptions } from './provider.ts'

/** Every provider, by the name that documents use. A new one is a folder and a row. */
export const PROVIDERS: Readonly<Record<string, (options: ProviderOptions) => Provider>> = {
  bitbucket: bitbucketProvider,
  forgejo: forgejoProvider,
  gitea: giteaProvider,
  github: githubProvider,
  gitlab: gitlabProvider,
  http: httpHookProvider,
  jenkins: jenkinsProvider,
  local: localProvider,
}

export interface ConnectOptions extends ProviderOptions {
  /** The repository that holds the configuration; null for a plain directory. */
  configRepo: { provider: string; fullName: string } | null
}

export interface ConnectedProviders {
  connections: Connections
  configHost: ConfigHost | null
  /** For git over http(s) at this address; null when the config repository's credential is not for its host. */
  gitAuthorization(gitUrl: string): (() => Promise<string>) | null
  /** What the credentials may do: on the config repository (null when it has no host), or on a project's. */
  describeAccess(target: 'config' | Project): Promise<AccessReport | null>
}

/** Calls nobody. Using a project whose integration may not be used throws RefusedFault. */
export function connectProviders(options: ConnectOptions): ConnectedProviders {
  const made = new Map<string, Provider>()

  function provider(name: string): Provider {
    const known = made.get(name)
    if (known !== undefined) return known
    const make = Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined
    if (make === undefined) throw new RefusedFault(`${name} is not supported yet by this controller.`)
    const provider = make(options)
    made.set(name, provider)
    return provider
  }

  const connected = new Map<string, ProjectConnection>()

  /** By everything the connection is made of, so that an edited integration gets a new one. */
  function connection(project: Project): ProjectConnection {
    const { integration } = project
    const key = JSON.stringify([{ ...integration, pipelines: [...integration.pipelines] }])
    const known = connected.get(key)
    if (known !== undefined) return known
    const fresh = provider(integration.provider).project(project)
    connected.set(key, fresh)
    return fresh
  }

  function configOf({ provider: name, fullName }: NonNullable<ConnectOptions['configRepo']>): ConfigConnection {
    const { config } = provider(name)
    if (config === null) throw new RefusedFault(`${name} has no pull requests, so it cannot hold the config repository.`)
    return config(fullName)
  }

  const { configRepo } = options
  const config = configRepo === null ? null : configOf(configRepo)
  return {
    connections: {
      refs: (project) => connection(atCode(project)).refs,
      pipeline: (project) => connection(project).pipeline,
      deployments: (project) => connection(atCode(project)).deployments,
    },
    configHost: config?.host ?? null,
    gitAuthorization: (gitUrl) => (config !== null && isOneOf(config.gitHosts, gitUrl) ? config.gitAuthorization : null),
    describeAccess: async (target) =>
      target === 'config' ? (config?.describeAccess() ?? null) : connection(target).describeAccess(),
  }
}

/** The API's credential goes to the same host over git, and to no other. */
function isOneOf(hosts: readonly string[], gitUrl: string): boolean {
  return /^https?:/.test(gitUrl) && URL.canParse(gitUrl) && hosts.includes(new URL(gitUrl).host)
}

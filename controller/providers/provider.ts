import type { Clock } from '../clock.ts'
import type { CallbackReader } from '../jobs/callback.ts'
import type { RefHost } from '../jobs/evidence.ts'
import type { PipelineProvider } from '../jobs/executor.ts'
import type { Logger } from '../log.ts'
import type { Project } from '../model/desired-state.ts'
import type { DeploymentMirror } from '../notify/publisher.ts'
import type { ConfigHost } from '../reconcile/ports.ts'
import type { Redactor } from '../secrets/redaction.ts'
import type { SecretReader } from '../secrets/references.ts'
import type { AccessReport } from './access.ts'
import type { GithubAuth } from './github/credential.ts'
import type { Fetch } from './http.ts'
import type { LocalCommand } from './local/pipeline.ts'

/** What a provider can do for one project. */
export interface ProjectConnection {
  refs: RefHost
  pipeline: PipelineProvider
  /** Null: this provider has no list of deployments. */
  deployments: DeploymentMirror | null
  describeAccess(): Promise<AccessReport>
}

export interface ConfigConnection {
  host: ConfigHost
  /** Hosts (with port) that the credential may be shown to by git: those of the API it is for. */
  gitHosts: readonly string[]
  /** Value of the `Authorization` header for git over https, with the same credential as the API. */
  gitAuthorization(): Promise<string>
  describeAccess(): Promise<AccessReport>
}

/** One row of the table of providers. Making a connection calls nobody; RefusedFault when the integration may not be used. */
export interface Provider {
  project(project: Project): ProjectConnection
  /** Null: this provider has no pull requests. */
  config: ((fullName: string) => ConfigConnection) | null
}

export interface GithubSettings {
  /** `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server. */
  apiUrl: string
  auth: GithubAuth
}

export interface GitlabSettings {
  /** `https://gitlab.com/api/v4`, or the same of a server of your own. */
  apiUrl: string
  /** Where the token is found. */
  tokenRef: string
}

export interface BitbucketSettings {
  /** `https://api.bitbucket.org/2.0`. */
  apiUrl: string
  /** Where the token is found. */
  tokenRef: string
  /** E-mail of the account of an API token; null for an access token. */
  email: string | null
}

/** A Gitea or a Forgejo: neither has an address of its own. */
export interface GiteaSettings {
  /** `https://HOST/api/v1`. */
  apiUrl: string
  /** Where the token is found. */
  tokenRef: string
}

export interface LocalSettings {
  commands: Readonly<Record<string, LocalCommand>>
  /** Paths by the `repo_full_name` under which projects name them. */
  repositories: Readonly<Record<string, string>>
  dataDirectory: string
  /** Path of the compiled supervisor, where it is not beside the code. */
  supervisor?: string
}

export interface ProviderOptions {
  /** Null: this controller has no GitHub credentials of its own. */
  github: GithubSettings | null
  /** Null: this controller has no GitLab token of its own. */
  gitlab: GitlabSettings | null
  /** Null: this controller has no Bitbucket token of its own. */
  bitbucket: BitbucketSettings | null
  /** Null: this controller knows no Gitea of its own. */
  gitea: GiteaSettings | null
  /** Null: this controller knows no Forgejo of its own. */
  forgejo: GiteaSettings | null
  /** Null: this controller runs no commands. */
  local: LocalSettings | null
  /** Origins that a project's `api_url` may name besides those of the settings above. */
  allowedOrigins: readonly string[]
  /** What pipelines told us themselves. */
  callbacks: CallbackReader
  secrets: SecretReader
  redactor: Redactor
  fetch: Fetch
  clock: Clock
  log: Logger
  timeouts: { callMs: number; triggerMs: number }
}

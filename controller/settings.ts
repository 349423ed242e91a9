import { ConfigFault } from './errors.ts'
import { type CommitSha, isCommitSha } from './model/names.ts'

/** One environment variable of the controller. The README's table and `draven doctor` are made from this list. */
interface Setting {
  name: string
  fallback: string | null
  meaning: string
}

export const SETTINGS = [
  {
    name: 'DRAVEN_CONFIG_REPO_URL',
    fallback: null,
    meaning: 'Git URL of the config repository (https or ssh); this or DRAVEN_CONFIG_DIR.',
  },
  {
    name: 'DRAVEN_CONFIG_DIR',
    fallback: null,
    meaning: 'A git repository on this machine instead; it is watched, and nobody can review there.',
  },
  { name: 'DRAVEN_CONFIG_BRANCH', fallback: 'main', meaning: 'Branch of the config repository that is in force.' },
  { name: 'DRAVEN_CONFIG_PROVIDER', fallback: 'github', meaning: 'Forge of the config repository.' },
  {
    name: 'DRAVEN_CONFIG_REPO',
    fallback: null,
    meaning: 'Its full name there, e.g. acme/deploy-config; needed with DRAVEN_CONFIG_REPO_URL.',
  },
  {
    name: 'DRAVEN_GITHUB_API_URL',
    fallback: 'https://api.github.com',
    meaning: 'API root; https://HOST/api/v3 for GitHub Enterprise Server.',
  },
  { name: 'DRAVEN_GITHUB_TOKEN_REF', fallback: 'env:DRAVEN_SECRET_GITHUB_TOKEN', meaning: 'Where the GitHub token is found.' },
  {
    name: 'DRAVEN_GITHUB_LOGIN',
    fallback: null,
    meaning: 'Account of that token; with it our own comments are recognised even after the database was lost.',
  },
  { name: 'DRAVEN_GITHUB_APP_ID', fallback: null, meaning: 'Id of a GitHub App to use instead of a token.' },
  { name: 'DRAVEN_GITHUB_APP_KEY_REF', fallback: 'file:github-app.pem', meaning: 'Where the private key of that app is found.' },
  {
    name: 'DRAVEN_GITLAB_API_URL',
    fallback: 'https://gitlab.com/api/v4',
    meaning: 'API root; https://HOST/api/v4 for a GitLab of your own.',
  },
  { name: 'DRAVEN_GITLAB_TOKEN_REF', fallback: 'env:DRAVEN_SECRET_GITLAB_TOKEN', meaning: 'Where the GitLab token is found.' },
  { name: 'DRAVEN_BITBUCKET_API_URL', fallback: 'https://api.bitbucket.org/2.0', meaning: 'API root of Bitbucket Cloud.' },
  {
    name: 'DRAVEN_BITBUCKET_TOKEN_REF',
    fallback: 'env:DRAVEN_SECRET_BITBUCKET_TOKEN',
    meaning: 'Where the Bitbucket token is found: an access token of repository, project or workspace, or an API token.',
  },
  { name: 'DRAVEN_BITBUCKET_EMAIL', fallback: null, meaning: 'E-mail of the account of an API token; not for access tokens.' },
  { name: 'DRAVEN_GITEA_API_URL', fallback: null, meaning: 'API root of a Gitea: https://HOST/api/v1.' },
  { name: 'DRAVEN_GITEA_TOKEN_REF', fallback: 'env:DRAVEN_SECRET_GITEA_TOKEN', meaning: 'Where the Gitea token is found.' },
  { name: 'DRAVEN_FORGEJO_API_URL', fallback: null, meaning: 'API root of a Forgejo: https://HOST/api/v1.' },
  { name: 'DRAVEN_FORGEJO_TOKEN_REF', fallback: 'env:DRAVEN_SECRET_FORGEJO_TOKEN', meaning: 'Where the Forgejo token is found.' },
  {
    name: 'DRAVEN_WEBHOOK_SECRET_REF',
    fallback: null,
    meaning:
      'Secret of the webhooks at /webhooks/<DRAVEN_CONFIG_PROVIDER>; without it the route does not exist and polling does the work.',
  },
  { name: 'DRAVEN_WEBHOOK_SECRET_PREVIOUS_REF', fallback: null, meaning: 'The secret before, accepted too while it is rotated.' },
  { name: 'DRAVEN_SECRETS_DIR', fallback: null, meaning: 'Folder of `file:` secrets.' },
  { name: 'DRAVEN_DATA_DIR', fallback: '.draven', meaning: 'Folder of the database, the git mirror and local runs.' },
  {
    name: 'DATABASE_URL',
    fallback: 'sqlite:',
    meaning:
      'Where jobs, locks and the audit are kept: `sqlite:` is a file in the data folder; postgres://… may serve several replicas.',
  },
  {
    name: 'DRAVEN_LEASE_SECONDS',
    fallback: '30',
    meaning: 'With several replicas: another one leads at the latest this long after the leader was last heard of.',
  },
  { name: 'DRAVEN_LISTEN', fallback: '127.0.0.1:8080', meaning: 'Address and port of the status page and webhooks.' },
  {
    name: 'DRAVEN_PUBLIC_URL',
    fallback: null,
    meaning:
      'Address under which people reach the page; used in links, and its host is the only name answered (plain IP addresses are too).',
  },
  { name: 'DRAVEN_POLL_SECONDS', fallback: '20', meaning: 'The config repository and waiting jobs are looked at this often.' },
  { name: 'DRAVEN_RUN_POLL_SECONDS', fallback: '15', meaning: 'Active runs are looked at this often.' },
  {
    name: 'DRAVEN_TRIGGER_LOOKUP_MINUTES',
    fallback: '10',
    meaning: 'How long a trigger with unknown outcome is searched for before its job fails.',
  },
  {
    name: 'DRAVEN_ALLOWED_ORIGINS',
    fallback: '',
    meaning: 'Further API origins (comma separated) that projects may name in api_url.',
  },
  { name: 'DRAVEN_ALLOW_LOOPBACK', fallback: 'false', meaning: 'Allow plain http to this machine, for trying things out.' },
  {
    name: 'DRAVEN_LOCAL_PIPELINES',
    fallback: null,
    meaning: 'File with the commands and repositories of `local` pipelines; docs/local.md has one.',
  },
  { name: 'DRAVEN_GIT_SSH_COMMAND', fallback: null, meaning: 'ssh command for git over ssh.' },
  {
    name: 'DRAVEN_ACCEPT_HISTORY',
    fallback: null,
    meaning:
      "A commit to accept although the history of the config branch was rewritten. Its rules still need an admin's approval, unless the old ones can be had from nowhere: then it is taken on trust.",
  },
  { name: 'DRAVEN_LOG_LEVEL', fallback: 'info', meaning: 'debug, info, warn or error.' },
] as const satisfies readonly Setting[]

type SettingName = (typeof SETTINGS)[number]['name']
export type Environment = Readonly<Record<string, string | undefined>>

export interface Settings {
  config:
    | { kind: 'remote'; url: string; branch: string; provider: string; repoFullName: string }
    | { kind: 'directory'; directory: string; branch: string }
  /** The controller's own credentials, one entry a forge. */
  forges: {
    github: {
      apiUrl: string
      auth: { kind: 'token'; ref: string; login?: string } | { kind: 'app'; appId: number; privateKeyRef: string }
    }
    gitlab: { apiUrl: string; tokenRef: string }
    bitbucket: { apiUrl: string; tokenRef: string; email: string | null }
    /** Null without an address: these have none of their own. */
    gitea: { apiUrl: string; tokenRef: string } | null
    forgejo: { apiUrl: string; tokenRef: string } | null
  }
  /** Forge of the config repository, whose webhooks arrive under its name. */
  configForge: string
  webhookSecretRefs: readonly string[]
  secretsDirectory: string | null
  dataDirectory: string
  database: { kind: 'sqlite' } | { kind: 'postgres'; url: string }
  leaseMs: number
  listen: { host: string; port: number }
  publicUrl: string | null
  timing: { pollMs: number; runPollMs: number; triggerLookupMs: number }
  allowedOrigins: readonly string[]
  allowLoopback: boolean
  localPipelinesFile: string | null
  gitSshCommand: string | null
  acceptHistory: CommitSha | null
  logLevel: string
}

/** Reads the controller's settings. ConfigFault names the variable and what it takes. */
export function readSettings(env: Environment): Settings {
  const read = (name: SettingName): string | null => {
    const value = env[name]?.trim()
    if (value) return value
    return SETTINGS.find((setting) => setting.name === name)!.fallback
  }
  const webhookSecretRefs = [read('DRAVEN_WEBHOOK_SECRET_REF'), read('DRAVEN_WEBHOOK_SECRET_PREVIOUS_REF')].filter(
    (ref) => ref !== null,
  )
  const appId = read('DRAVEN_GITHUB_APP_ID')
  const login = read('DRAVEN_GITHUB_LOGIN')
  return {
    config: configSource(read),
    forges: {
      github: {
        apiUrl: url('DRAVEN_GITHUB_API_URL', read('DRAVEN_GITHUB_API_URL')!),
        auth:
          appId === null
            ? { kind: 'token', ref: read('DRAVEN_GITHUB_TOKEN_REF')!, ...(login === null ? {} : { login }) }
            : { kind: 'app', appId: number('DRAVEN_GITHUB_APP_ID', appId), privateKeyRef: read('DRAVEN_GITHUB_APP_KEY_REF')! },
      },
      gitlab: {
        apiUrl: url('DRAVEN_GITLAB_API_URL', read('DRAVEN_GITLAB_API_URL')!),
        tokenRef: read('DRAVEN_GITLAB_TOKEN_REF')!,
      },
      bitbucket: {
        apiUrl: url('DRAVEN_BITBUCKET_API_URL', read('DRAVEN_BITBUCKET_API_URL')!),
        tokenRef: read('DRAVEN_BITBUCKET_TOKEN_REF')!,
        email: read('DRAVEN_BITBUCKET_EMAIL'),
      },
      gitea: ownServer(read, 'DRAVEN_GITEA_API_URL', 'DRAVEN_GITEA_TOKEN_REF'),
      forgejo: ownServer(read, 'DRAVEN_FORGEJO_API_URL', 'DRAVEN_FORGEJO_TOKEN_REF'),
    },
    configForge: read('DRAVEN_CONFIG_PROVIDER')!,
    webhookSecretRefs,
    secretsDirectory: read('DRAVEN_SECRETS_DIR'),
    dataDirectory: read('DRAVEN_DATA_DIR')!,
    database: readDatabase(env),
    leaseMs: number('DRAVEN_LEASE_SECONDS', read('DRAVEN_LEASE_SECONDS')!) * 1_000,
    listen: address('DRAVEN_LISTEN', read('DRAVEN_LISTEN')!),
    publicUrl: read('DRAVEN_PUBLIC_URL') === null ? null : url('DRAVEN_PUBLIC_URL', read('DRAVEN_PUBLIC_URL')!),
    timing: {
      pollMs: number('DRAVEN_POLL_SECONDS', read('DRAVEN_POLL_SECONDS')!) * 1_000,
      runPollMs: number('DRAVEN_RUN_POLL_SECONDS', read('DRAVEN_RUN_POLL_SECONDS')!) * 1_000,
      triggerLookupMs: number('DRAVEN_TRIGGER_LOOKUP_MINUTES', read('DRAVEN_TRIGGER_LOOKUP_MINUTES')!) * 60_000,
    },
    allowedOrigins: read('DRAVEN_ALLOWED_ORIGINS')!
      .split(',')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ''),
    allowLoopback: flag('DRAVEN_ALLOW_LOOPBACK', read('DRAVEN_ALLOW_LOOPBACK')!),
    localPipelinesFile: read('DRAVEN_LOCAL_PIPELINES'),
    gitSshCommand: read('DRAVEN_GIT_SSH_COMMAND'),
    acceptHistory: commit('DRAVEN_ACCEPT_HISTORY', read('DRAVEN_ACCEPT_HISTORY')),
    logLevel: oneOf('DRAVEN_LOG_LEVEL', read('DRAVEN_LOG_LEVEL')!, ['debug', 'info', 'warn', 'error']),
  }
}

function configSource(read: (name: SettingName) => string | null): Settings['config'] {
  const [remote, directory, branch] = [read('DRAVEN_CONFIG_REPO_URL'), read('DRAVEN_CONFIG_DIR'), read('DRAVEN_CONFIG_BRANCH')!]
  if ((remote === null) === (directory === null)) {
    throw new ConfigFault(
      'Exactly one of DRAVEN_CONFIG_REPO_URL and DRAVEN_CONFIG_DIR is needed.',
      'Set the Git URL of your config repository, or the path of one on this machine.',
    )
  }
  if (directory !== null) return { kind: 'directory', directory, branch }
  const repoFullName = read('DRAVEN_CONFIG_REPO')
  if (repoFullName === null)
    throw new ConfigFault(
      'DRAVEN_CONFIG_REPO is not set.',
      'Set it to the full name of the config repository, e.g. acme/deploy-config.',
    )
  return { kind: 'remote', url: remote!, branch, provider: read('DRAVEN_CONFIG_PROVIDER')!, repoFullName }
}

/** A forge that everybody runs on their own: without an address there is none. */
function ownServer(read: (name: SettingName) => string | null, address: SettingName, token: SettingName) {
  const apiUrl = read(address)
  return apiUrl === null ? null : { apiUrl: url(address, apiUrl), tokenRef: read(token)! }
}

/** Which database to use, for commands that need no other setting. The fault never repeats the value: it may hold a password. */
export function readDatabase(env: Environment): Settings['database'] {
  const text = env['DATABASE_URL']?.trim() || 'sqlite:'
  if (text === 'sqlite:') return { kind: 'sqlite' }
  if (/^postgres(ql)?:\/\/./.test(text) && URL.canParse(text)) return { kind: 'postgres', url: text }
  throw new ConfigFault('DATABASE_URL names no database.', 'Set it to postgres://USER:PASSWORD@HOST:5432/NAME, or leave it out.')
}

function commit(name: SettingName, text: string | null): CommitSha | null {
  if (text === null || isCommitSha(text)) return text
  throw new ConfigFault(`${name} is ${JSON.stringify(text)}.`, 'Set it to the full id of a commit, 40 hexadecimal digits.')
}

/** Every spelling of a password in DATABASE_URL that an error could quote: as written and as meant, in the address or beside it. */
export function databasePasswords(env: Environment): readonly string[] {
  const text = env['DATABASE_URL']?.trim() ?? ''
  // Also of what is no address, as when a password holds a character that should be written otherwise.
  const written = /^[a-z]+:\/\/[^:@/]*:(.*)@/i.exec(text)?.[1] ?? ''
  const beside = URL.canParse(text) ? new URL(text).searchParams.getAll('password') : []
  return [written, decoded(written), ...beside].filter((password) => password !== '')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function number(name: SettingName, text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0)
    throw new ConfigFault(`${name} is ${JSON.stringify(text)}.`, 'Set it to a number greater than 0.')
  return value
}

function flag(name: SettingName, text: string): boolean {
  return oneOf(name, text, ['true', 'false']) === 'true'
}

function oneOf(name: SettingName, text: string, allowed: readonly string[]): string {
  if (!allowed.includes(text))
    throw new ConfigFault(`${name} is ${JSON.stringify(text)}.`, `Set it to one of: ${allowed.join(', ')}.`)
  return text
}

function url(name: SettingName, text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text))
    throw new ConfigFault(`${name} is ${JSON.stringify(text)}.`, 'Set it to an http(s) URL.')
  return text.replace(/\/+$/, '')
}

function address(name: SettingName, text: string): { host: string; port: number } {
  const match = /^(.*):(\d{1,5})$/.exec(text)
  if (match === null || Number(match[2]) > 65_535)
    throw new ConfigFault(`${name} is ${JSON.stringify(text)}.`, 'Set it to HOST:PORT, e.g. 127.0.0.1:8080.')
  return { host: match[1]!.replace(/^\[|\]$/g, '') || '0.0.0.0', port: Number(match[2]) }
}

/** How remotes may be reached; also the words of `GIT_ALLOW_PROTOCOL`. */
export type GitProtocol = 'https' | 'ssh' | 'http' | 'file'

/** Where Git works and what it may talk to. Everything else about its surroundings is fixed below. */
export interface GitSurroundings {
  /** Absolute path of the git directory itself; Git never searches for one. */
  gitDir: string
  /** Empty for a repository that is only read: then not even a promised object can make Git open a connection. */
  protocols: readonly GitProtocol[]
  /** The operator's own ssh command line; null for the strict default. */
  sshCommand: string | null
  /** Wall clock for one command, or for one read of blobs. */
  timeoutMs: number
}

/** An HTTP Authorization value and the one origin (`https://host[:port]`) that may see it. */
export interface AuthorizationHeader {
  origin: string
  value: string
}

/** Git is told its directory by GIT_DIR and has no work tree, so no folder of ours needs to exist for it to stand in. */
export const WORKING_DIRECTORY = '/'

/** Unknown hosts are refused and nobody is asked anything: there is no one at the terminal. */
const STRICT_SSH = 'ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20 -o ServerAliveInterval=15'

/**
 * Settings that win over whatever a repository's own config says.
 * The keys that could start a program (hooks, fsmonitor, credential helper, signature check) are off even where
 * the commands we use would not read them: the list must still hold when a command is added.
 */
const HARDENING = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.symlinks=false',
  'core.protectNTFS=true',
  'core.protectHFS=true',
  'core.attributesFile=/dev/null',
  'protocol.allow=never',
  'transfer.fsckObjects=true',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'http.followRedirects=false',
  'http.lowSpeedLimit=1000',
  'credential.helper=',
  'log.showSignature=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'safe.bareRepository=explicit',
] as const

/** A transfer below 1,000 bytes a second for this long is given up. */
const STALL_SECONDS = 30

/** The `-c` settings of every command, protocols included. */
export function gitSettings({ protocols, timeoutMs }: GitSurroundings): readonly string[] {
  // Git's transport helper outlives a killed Git; a stall limit within the wall clock makes it end by itself.
  const stallSeconds = Math.max(1, Math.min(STALL_SECONDS, Math.floor(timeoutMs / 1000)))
  const allowed = protocols.map((protocol) => `protocol.${protocol}.allow=always`)
  return [...HARDENING, `http.lowSpeedTime=${stallSeconds}`, ...allowed]
}

/**
 * The whole environment of a Git process. Only PATH is inherited.
 * The authorization travels here and not among the arguments, which every user of the machine can list.
 */
export function gitEnvironment(surroundings: GitSurroundings, authorization: AuthorizationHeader | null): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: '/nonexistent',
    // Messages are told apart by their English text.
    LC_ALL: 'C',
    GIT_DIR: surroundings.gitDir,
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    SSH_ASKPASS: '/bin/false',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_GRAFT_FILE: '/dev/null',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_ALLOW_PROTOCOL: surroundings.protocols.join(':'),
    GIT_SSH_COMMAND: surroundings.sshCommand ?? STRICT_SSH,
    // Without it Git runs an unknown command once with -G to find out what it is.
    GIT_SSH_VARIANT: 'ssh',
  }
  if (authorization === null) return environment
  return {
    ...environment,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${authorization.origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: ${authorization.value}`,
  }
}

import { isIP } from 'node:net'
import { ConfigFault } from '../errors.ts'
import type { GitProtocol } from './git-environment.ts'

export interface RemoteUrl {
  /** As handed to Git. */
  text: string
  protocol: GitProtocol
  /** `https://host[:port]` for HTTP remotes, which alone can carry an Authorization header; else null. */
  origin: string | null
}

/** `git@host:path`. The host cannot start with a dash, and `::` (a remote helper such as `ext::`) never fits. */
const SCP_FORM = /^[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?![-:])[A-Za-z0-9._~/+-]+$/
const FIX = 'Give the address as https://host/path.git, ssh://git@host/path.git or git@host:path.git.'

/**
 * Checks the address of the config repository.
 * @throws ConfigFault when the scheme is not allowed, or when the address carries a password (it would show in process lists and errors)
 */
export function parseRemoteUrl(text: string, allowed: { file: boolean; loopbackHttp: boolean }): RemoteUrl {
  if (SCP_FORM.test(text)) return { text, protocol: 'ssh', origin: null }
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || text.startsWith('-') || /[\s\x00-\x1f\x7f\\]/.test(text)) {
    throw new ConfigFault('The address of the config repository is not one Git can use.', FIX)
  }
  const sshUser = url.protocol === 'ssh:' && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(url.username)
  if (url.password !== '' || (url.username !== '' && !sshUser)) {
    throw new ConfigFault(
      'The address of the config repository contains a user name or a password.',
      'Take it out of the address and give the credential by reference.',
    )
  }
  return { text, ...schemeOf(url, allowed) }
}

function schemeOf(url: URL, allowed: { file: boolean; loopbackHttp: boolean }): Omit<RemoteUrl, 'text'> {
  if (url.protocol === 'https:') return { protocol: 'https', origin: url.origin }
  if (url.protocol === 'ssh:' && /^[A-Za-z0-9[]/.test(url.hostname)) return { protocol: 'ssh', origin: null }
  if (url.protocol === 'file:' && url.host === '' && allowed.file) return { protocol: 'file', origin: null }
  if (url.protocol === 'http:' && allowed.loopbackHttp && isLoopback(url.hostname))
    return { protocol: 'http', origin: url.origin }
  throw new ConfigFault(`Config repositories are not read over ${url.protocol}// from ${url.hostname || 'this machine'}.`, FIX)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'))
}

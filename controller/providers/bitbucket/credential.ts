import { ConfigFault } from '../../errors.ts'
import type { Redactor } from '../../secrets/redaction.ts'
import type { SecretReader } from '../../secrets/references.ts'

/** A token, and the e-mail of its account where it is a person's. */
export interface BitbucketCredential {
  token: string
  email: string | null
}

export interface CredentialSource {
  tokenRef: string
  /** E-mail that goes with an API token; the secret may bring its own as `email:token`. */
  email: string | null
  secrets: SecretReader
  redactor: Redactor
}

/** How Atlassian's tokens begin (support.atlassian.com, "API tokens", "Access tokens", "App passwords"). */
const ACCESS_TOKEN = /^ATCTT/
const API_TOKEN = /^ATATT/
const APP_PASSWORD = /^ATBB/

/** Read anew for each call, so that a rotated token needs no restart. ConfigFault for one that Bitbucket no longer takes. */
export async function credentialOf({ tokenRef, email, secrets, redactor }: CredentialSource): Promise<BitbucketCredential> {
  const secret = await secrets.read(tokenRef)
  redactor.learn(secret)
  const [, ownName = null, token = secret] = /^([^\s:]+):(\S+)$/.exec(secret) ?? []
  redactor.learn(token)
  if (APP_PASSWORD.test(token)) {
    throw new ConfigFault(
      `The Bitbucket token at ${tokenRef} is an app password, and Bitbucket took the last of these on 9 June 2026.`,
      'Make an access token of the repository, project or workspace, or an API token, and store that.',
    )
  }
  if (ACCESS_TOKEN.test(token)) return { token, email: null }
  const account = ownName ?? email
  if (API_TOKEN.test(token) && (account === null || !account.includes('@'))) {
    throw new ConfigFault(
      `The Bitbucket token at ${tokenRef} is an API token, and the e-mail of its account is not known.`,
      'Set DRAVEN_BITBUCKET_EMAIL, or store the secret as email:token.',
    )
  }
  return { token, email: account }
}

/** An API token is the password of its account; an access token stands for itself. */
export function apiAuthorization({ token, email }: BitbucketCredential): string {
  return email === null ? `Bearer ${token}` : basic(email, token)
}

/** Git takes neither an e-mail nor Bearer, but one fixed user name for each kind of token (support.atlassian.com, "Using API tokens"). */
export function gitAuthorization({ token, email }: BitbucketCredential): string {
  return basic(email === null ? 'x-token-auth' : 'x-bitbucket-api-token-auth', token)
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

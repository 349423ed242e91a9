import { sign } from 'node:crypto'
import { type Clock, MINUTE_MS, SECOND_MS } from '../../clock.ts'
import { ConfigFault } from '../../errors.ts'
import type { Redactor } from '../../secrets/redaction.ts'
import type { SecretReader } from '../../secrets/references.ts'
import { bareOctokit, type OctokitOptions } from './octokit.ts'

/** How the controller shows itself to GitHub. */
export type GithubAuth =
  /** `login`: whose token it is; with it the controller recognises its own comment even when it lost the id. */
  { kind: 'token'; ref: string; login?: string } | { kind: 'app'; appId: number; privateKeyRef: string }

export interface GithubCredential {
  kind: 'token' | 'app'
  /** The app's id; null for a token. */
  appId: number | null
  /** The account of a token, when the operator told us. */
  login: string | null
  /** Value of the `authorization` header. ConfigFault without a usable secret; faults of the calls that mint a token. */
  authorization(): Promise<string>
  /** The host refused this value of `authorization`. True when the next one will be another, so that the call is worth repeating. */
  forget(refused: string): boolean
  /** Permissions of the installation on this repository; null for a token, which does not say. */
  permissions(): Promise<Readonly<Record<string, string>> | null>
}

export interface SecretAccess {
  secrets: SecretReader
  redactor: Redactor
}

/** Read anew for each call, so that a rotated token needs no restart. */
export function tokenCredential(auth: { ref: string; login?: string }, { secrets, redactor }: SecretAccess): GithubCredential {
  return {
    kind: 'token',
    appId: null,
    login: auth.login ?? null,
    async authorization() {
      const token = await secrets.read(auth.ref)
      redactor.learn(token)
      return `Bearer ${token}`
    },
    forget: () => false,
    permissions: async () => null,
  }
}

interface InstallationToken {
  token: string
  mintedAt: number
  usableUntil: number
  permissions: Readonly<Record<string, string>>
}

/**
 * Installation tokens (one hour) for exactly one repository.
 * Not by @octokit/auth-app: its pending tokens are shared by all hosts of the process, its hook sends a call again after a 401,
 * and it reads the machine's clock.
 */
export function appCredential(
  auth: { appId: number; privateKeyRef: string },
  place: OctokitOptions & SecretAccess & { owner: string; repo: string },
): GithubCredential {
  const { owner, repo, clock, redactor } = place
  const octokit = bareOctokit(place)
  let minted: Promise<InstallationToken> | null = null
  let newest: InstallationToken | null = null

  async function mint(): Promise<InstallationToken> {
    const jwt = await signedAppToken(auth, place)
    const headers = { authorization: `Bearer ${jwt}` }
    const installation = await octokit.rest.apps.getRepoInstallation({ owner, repo, headers })
    const { data } = await octokit.rest.apps.createInstallationAccessToken({
      installation_id: installation.data.id,
      repositories: [repo],
      headers,
    })
    redactor.learn(data.token)
    const usableUntil = Date.parse(data.expires_at) - 5 * MINUTE_MS
    newest = { token: data.token, mintedAt: clock.now(), usableUntil, permissions: { ...data.permissions } }
    return newest
  }

  async function current(): Promise<InstallationToken> {
    const known = minted
    if (known !== null) {
      const token = await known.catch(() => null)
      if (token !== null && token.usableUntil > clock.now()) return token
      if (minted === known) minted = null
    }
    // Callers that come at the same time share one minting.
    minted ??= mint()
    return minted
  }

  return {
    kind: 'app',
    appId: auth.appId,
    login: null,
    authorization: async () => `Bearer ${(await current()).token}`,
    forget(refused) {
      if (newest === null || refused !== `Bearer ${newest.token}`) return true
      // A token that is refused as soon as it was made is no matter of age: another one would be refused as well.
      const hasAged = clock.now() - newest.mintedAt > MINUTE_MS
      minted = null
      newest = null
      return hasAged
    },
    permissions: async () => (await current()).permissions,
  }
}

/**
 * The app's own proof of identity: a JSON Web Token (RS256). Signed here, because it has to follow our clock;
 * it begins a minute ago, so that a host whose clock is behind ours still takes it, and lives for less than GitHub's ten minutes.
 */
async function signedAppToken(
  auth: { appId: number; privateKeyRef: string },
  place: SecretAccess & { clock: Clock },
): Promise<string> {
  const privateKey = await place.secrets.readPrivateKey(auth.privateKeyRef)
  place.redactor.learn(privateKey)
  const now = Math.floor(place.clock.now() / SECOND_MS)
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const unsigned = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({ iat: now - 60, exp: now + 8 * 60, iss: auth.appId })}`
  const token = `${unsigned}.${signature(unsigned, privateKey, auth.privateKeyRef)}`
  place.redactor.learn(token)
  return token
}

function signature(text: string, privateKey: string, ref: string): string {
  try {
    return sign('sha256', Buffer.from(text), privateKey).toString('base64url')
  } catch {
    // The library's message is left out: it may hold a piece of the key.
    throw new ConfigFault(
      `The private key ${ref} cannot sign for the GitHub App.`,
      'Store the .pem file that GitHub made for this app.',
    )
  }
}

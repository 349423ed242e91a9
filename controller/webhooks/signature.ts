import { createHmac, timingSafeEqual } from 'node:crypto'

/** The documented form and no other: an empty or shortened digest never reaches the comparison. */
const GITHUB_FORM = /^sha256=([0-9a-f]{64})$/
const GITEA_FORM = /^([0-9a-f]{64})$/

/**
 * Is `header` (`X-Hub-Signature-256`) the HMAC-SHA256 of exactly these bytes under one of the secrets?
 * Made with node:crypto, not with @octokit/webhooks: that verifies text (decoding changes bytes that are not UTF-8),
 * throws on an empty body or signature, and WebCrypto is slower. Every secret is tried, so time says nothing about which one fits.
 */
export function isSignedByGitHub(body: Uint8Array, header: string | undefined, secrets: readonly string[]): boolean {
  return hasDigest(body, GITHUB_FORM.exec(header ?? '')?.[1], secrets)
}

/** The same digest as Gitea and Forgejo send it (`X-Gitea-Signature`, `X-Forgejo-Signature`): bare, and empty without a secret. */
export function isSignedByGitea(body: Uint8Array, header: string | undefined, secrets: readonly string[]): boolean {
  return hasDigest(body, GITEA_FORM.exec(header ?? '')?.[1], secrets)
}

function hasDigest(body: Uint8Array, digest: string | undefined, secrets: readonly string[]): boolean {
  if (digest === undefined) return false
  const claimed = Buffer.from(digest, 'hex')
  let matched = false
  for (const secret of secrets) {
    if (secret === '') continue
    const expected = createHmac('sha256', secret).update(body).digest()
    matched = timingSafeEqual(expected, claimed) || matched
  }
  return matched
}

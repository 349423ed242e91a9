import type { Instant } from '../clock.ts'

/** What one connection may do and how much is left of it, for `draven doctor` and the set-up guide. */
export interface AccessReport {
  provider: string
  /** `owner/name`. */
  repository: string
  auth: 'token' | 'app' | 'none'
  /** Rights that are certainly missing, in the provider's own words. Empty does not prove that nothing is missing: see `notes`. */
  missing: readonly string[]
  rateLimit: { limit: number; remaining: number; resetAt: Instant } | null
  /** The host's clock minus ours; null when the host did not say. */
  clockSkewMs: number | null
  /** What could not be found out, or what is odd, one sentence each. */
  notes: readonly string[]
}

/** `config`: read and comment pull requests. `project`: read refs and CI, start runs, mirror deployments. */
export type AccessPurpose = 'config' | 'project'

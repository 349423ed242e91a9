import type { Instant } from '../clock.ts'
import type { Reason } from '../model/reason.ts'

/** The gates in the order in which they are asked: cheap and pure first, so that a request learns of its own mistakes before anybody is asked to approve it. */
export const GATES = ['request', 'role', 'ref', 'order', 'ci', 'approval', 'window', 'freeze', 'lock'] as const
export type GateName = (typeof GATES)[number]

export type Verdict = 'allow' | 'wait' | 'deny'

/** One gate's answer. `saw` and `wanted` are what the page prints: nobody writes a second explanation. */
export interface GateResult {
  gate: GateName
  verdict: Verdict
  /** Null only when the verdict is allow. */
  reason: Reason | null
  saw: string
  wanted: string
  /** True when a force skipped this gate: verdict is then allow, and saw/wanted tell what was skipped. */
  forced: boolean
}

/** All gates of one request at one moment. The verdict is the first non-allow in order, with deny before wait. */
export interface Decision {
  verdict: Verdict
  reason: Reason | null
  gates: readonly GateResult[]
  at: Instant
}

/** A fact read from outside, or why it could not be read. A fact that is not known never allows anything. */
export type Fact<T> = { known: true; value: T; at: Instant } | { known: false; why: string; at: Instant }

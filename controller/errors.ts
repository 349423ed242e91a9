/**
 * Operating faults: things that go wrong outside of us. Three kinds, because there are three things to do about them.
 * Users' mistakes are never thrown: they are Findings (values, see model/finding.ts). Programmers' errors are plain `Error`s.
 */

/** Wrong set-up of the controller itself: a person must act, retrying is useless. `fix` says what to do. */
export class ConfigFault extends Error {
  override readonly name = 'ConfigFault'
  readonly fix: string
  constructor(message: string, fix: string) {
    super(message)
    this.fix = fix
  }
}

/** Something outside is unreachable or busy: try again later, not before `retryAfterMs`. */
export class TransientFault extends Error {
  override readonly name = 'TransientFault'
  readonly retryAfterMs: number
  constructor(message: string, retryAfterMs = 0, options?: ErrorOptions) {
    super(message, options)
    this.retryAfterMs = retryAfterMs
  }
}

/** The other side said no for good: retrying the same call cannot help. */
export class RefusedFault extends Error {
  override readonly name = 'RefusedFault'
  readonly status: number | null
  constructor(message: string, status: number | null = null, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Is this trouble outside of us (to be waited out or told to a person), rather than a bug of ours? */
export function isOperatingFault(error: unknown): boolean {
  return error instanceof TransientFault || error instanceof RefusedFault || error instanceof ConfigFault
}

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

const FILE_FAULTS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'its file system is read-only',
  EEXIST: 'it is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  ENOTDIR: 'a part of its path is a file, not a folder',
  ENOENT: 'a folder on the way there does not exist',
}

/** Why something cannot be written, in plain words; null when it is none of the troubles that a person causes by set-up. */
export function fileFault(error: unknown): string | null {
  return FILE_FAULTS[(error as NodeJS.ErrnoException | null)?.code ?? ''] ?? null
}

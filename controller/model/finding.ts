/** A place in a document. Lines and columns start at 1; the end is exclusive and on the same line. */
export interface Place {
  file: string
  line: number
  column: number
  endColumn: number
}

/**
 * A defect in a document, worded for the person who wrote it.
 * `code` is stable (`DRV1203`), is listed in model/finding-codes.ts and never changes its meaning.
 */
export interface Finding {
  code: string
  severity: 'error' | 'warning'
  /** One sentence: what was found. */
  message: string
  place: Place
  /** The source line at `place`, for the excerpt; null when the file has no text to show (a symlink, a tree too large). */
  excerpt: string | null
  /** Shown under the caret: what is allowed here. */
  allowed: string | null
  /** A second place that explains the first, e.g. the policy key that refuses a ref. */
  related: { label: string; place: Place } | null
  /** What to do. */
  help: string | null
}

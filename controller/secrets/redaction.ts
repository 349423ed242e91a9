/** Takes secrets out of text before it leaves the process: log lines, error messages, audit data. */
export interface Redactor {
  /** From now on this value, in any of its usual spellings, is replaced. Learning again keeps it fresh. */
  learn(secret: string): void
  redact(text: string): string
}

const MASK = '***'
/** Shorter values would scrub ordinary words. */
const MIN_LENGTH = 4
/** Short-lived tokens are learnt by the hour; the ones not seen for longest are forgotten first. */
const MAX_SECRETS = 1_000

/** Shapes of credentials that nobody taught us. `ghs_` tokens grew to about 520 characters with dots in 2026. */
const KNOWN_SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\bghs_[A-Za-z0-9._-]{36,}/g, MASK],
  [/\bgh[pour]_[A-Za-z0-9]{16,}/g, MASK],
  [/\bAT(?:ATT|CTT|BB)[A-Za-z0-9_-]{20,}(?:=[0-9A-F]{8})?/g, MASK],
  [/\bgithub_pat_[A-Za-z0-9_]{16,}/g, MASK],
  [/\bdcb_[A-Za-z0-9_-]{43}/g, MASK],
  // The same in base64, at each of the three places where `dcb_` can stand in a group: these are too many to be learnt.
  [/(?:ZGNiX|RjYl[89+/_-]|kY2Jf)[A-Za-z0-9+/_-]{50,}={0,2}/g, MASK],
  [/\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g, MASK],
  [/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[\s\S]*?-----END (?:[A-Z]+ )*PRIVATE KEY-----/g, MASK],
  [/\b(Bearer|Basic|token)(\s+)[A-Za-z0-9._~+/=-]{16,}/gi, `$1$2${MASK}`],
]

interface Spellings {
  plain: readonly string[]
  base64: readonly string[]
}

export function redactor(): Redactor {
  const known = new Map<string, Spellings>()
  return {
    learn(secret) {
      if (secret.length < MIN_LENGTH) return
      const spellings = known.get(secret) ?? spellingsOf(secret)
      known.delete(secret)
      known.set(secret, spellings)
      const oldest = known.keys().next()
      if (known.size > MAX_SECRETS && !oldest.done) known.delete(oldest.value)
    },
    redact(text) {
      let clean = text
      for (const spellings of known.values()) {
        for (const plain of spellings.plain) clean = clean.replaceAll(plain, MASK)
        for (const core of spellings.base64) clean = withoutBase64(clean, core)
      }
      for (const [shape, mask] of KNOWN_SHAPES) clean = clean.replace(shape, mask)
      return clean
    },
  }
}

function spellingsOf(secret: string): Spellings {
  const encoded = encodeURIComponent(secret)
  const plain = [secret, encoded, encoded.replaceAll('%20', '+'), encoded.toLowerCase(), JSON.stringify(secret).slice(1, -1)]
  const base64 = [0, 1, 2].flatMap((offset) => base64Core(secret, offset)).filter((core) => core.length >= MIN_LENGTH)
  return {
    // Longest first, so that no spelling is broken up by a shorter one inside it.
    plain: [...new Set(plain)].sort((a, b) => b.length - a.length),
    base64: [...new Set(base64)],
  }
}

/**
 * The part of a base64 text that the secret alone decides when it stands `offset` bytes (mod 3) into the encoded value.
 * The three offsets together find it in `user:secret` for every user.
 */
function base64Core(secret: string, offset: number): string[] {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)])
  const wholeGroups = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64')
  const core = wholeGroups.slice(offset === 0 ? 0 : 4)
  return [core, core.replaceAll('+', '-').replaceAll('/', '_')]
}

/** Replaces the whole run of base64 letters around each find: its edges hold the secret's first and last bytes. */
function withoutBase64(text: string, core: string): string {
  let clean = text
  for (let at = clean.indexOf(core); at !== -1; at = clean.indexOf(core, at)) {
    let from = at
    let to = at + core.length
    while (from > 0 && isBase64(clean.charCodeAt(from - 1))) from--
    while (to < clean.length && isBase64(clean.charCodeAt(to))) to++
    clean = clean.slice(0, from) + MASK + clean.slice(to)
    at = from + MASK.length
  }
  return clean
}

function isBase64(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a) ||
    code === 0x2b || // +
    code === 0x2d || // -
    code === 0x2f || // /
    code === 0x3d || // =
    code === 0x5f // _
  )
}

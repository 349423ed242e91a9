/**
 * Characters that make text look different from what it is: C0 and C1 controls except tab and line feed, direction marks,
 * zero-width characters, line separators, tag characters, lone surrogates. Joiners inside words (U+200C, U+200D) are letters to some scripts.
 */
const DECEPTIVE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Cs}/u

const EACH_DECEPTIVE = new RegExp(DECEPTIVE.source, 'gu')

/** Index of the first deceptive character, or -1. */
export function deceptiveAt(text: string): number {
  return text.search(DECEPTIVE)
}

/** `U+202E`: the name under which a character can be looked up. */
export function codePointName(text: string, index: number): string {
  return `U+${(text.codePointAt(index) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}

/** A source line for an excerpt: every deceptive character becomes one visible sign, so columns stay true. */
export function visibleLine(line: string): string {
  return line.replace(EACH_DECEPTIVE, (found) => '\ufffd'.repeat(found.length))
}

const LONGEST_QUOTE = 60

/** What somebody wrote, in backquotes, on one line, cropped and free of surprises: fit for messages, logs and terminals. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  const line = visibleLine(text.slice(0, LONGEST_QUOTE + 1).replace(/[\n\t]/g, ' '))
  return `\`${line.length > LONGEST_QUOTE ? `${line.slice(0, LONGEST_QUOTE - 1)}…` : line}\``
}

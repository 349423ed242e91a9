/**
 * Values that come from a repository or a person, made harmless for each place where they are shown.
 * Two ways only: names (refs, paths, people) stand in code, where no forge looks for mentions, links or HTML;
 * sentences are escaped text. Nothing else may carry such a value into Markdown.
 */

const LINE_BREAKS = /[\t\n\v\f\r\u0085\u2028\u2029]+/g
/** Control and format characters (bidi overrides, zero widths, tag characters) and lone surrogates: they hide or reorder what is read. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}]/gu

/** A zero-width space. */
const BREAK = '\u200B'
/** Characters of one value in Markdown: enough to recognise it, too few to fill a comment. */
const MAX_LENGTH = 500

/** One line of plain text, for places that render no Markdown (titles, annotations, descriptions). */
export function plainText(value: string): string {
  return value.replace(LINE_BREAKS, ' ').replace(UNSEEN, '').trim()
}

/** A code span that survives backticks of its own. Not for table cells: see `cellCode`. */
export function code(value: string): string {
  const text = shorten(plainText(value))
  if (text === '') return '(empty)'
  const fence = '`'.repeat(longestBacktickRun(text) + 1)
  const pad = text.startsWith('`') || text.endsWith('`') ? ' ' : ''
  return fence + pad + text + pad + fence
}

/**
 * Code inside a table cell. A pipe would end the cell, and renderers disagree about `\|` after another backslash,
 * so text with a pipe becomes an HTML element in which every special character is a character reference.
 */
export function cellCode(value: string): string {
  return value.includes('|') ? `<code>${shorten(plainText(value)).replace(/[^\p{L}\p{N} ]/gu, reference)}</code>` : code(value)
}

/**
 * A sentence as Markdown that renders as itself, also in a table cell: no markup, HTML, link, mention or reference to an issue.
 * Forges look for mentions and references in the rendered text, where escapes are gone; a zero-width space breaks those.
 */
export function text(value: string): string {
  return broken(shorten(plainText(value)))
    .replace(/[\\`*_[\]~]/g, '\\$&')
    .replace(/[<>&|]/g, reference)
    .replace(/^\d+(?=[.)])/, '$&\\')
    .replace(/^[#+=-]/, '\\$&')
    .replaceAll(BREAK, '&#8203;')
}

/** Puts a break into whatever a forge would make a link of. `plainText` has removed every break that was there. */
function broken(line: string): string {
  return line
    .replace(/[@#!$%^&~](?=[\p{L}\p{N}_"])/gu, `$&${BREAK}`)
    .replace(/:(?=\/\/)/g, `:${BREAK}`)
    .replace(/(?:www|mailto|xmpp)(?=[.:])/gi, `$&${BREAK}`)
    .replace(/GH-(?=\d)/gi, `$&${BREAK}`)
}

/** A fenced block. Lines are kept; the fence is longer than any in the content. */
export function fenced(language: string, lines: readonly string[]): string {
  const content = lines.map((line) => line.replace(LINE_BREAKS, ' ').replace(UNSEEN, ''))
  const fence = '`'.repeat(Math.max(3, longestBacktickRun(content.join('\n')) + 1))
  return [fence + language, ...content, fence].join('\n')
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/**
 * A link whose label is our own word and whose address is one that a browser may be sent to: https, or http to this very
 * machine (demo, local forge), and no user name in it. Any other address leaves the label alone.
 */
export function link(label: string, address: string | null): string {
  if (address === null || !URL.canParse(address)) return label
  const url = new URL(address)
  const allowed = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))
  if (!allowed || url.username !== '' || url.password !== '') return label
  return `[${label}](${url.href.replace(/[()<>[\]\\|`'"*_~\s]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)})`
}

function shorten(value: string): string {
  if (value.length <= MAX_LENGTH) return value
  return `${[...value.slice(0, MAX_LENGTH)].slice(0, -1).join('')}…`
}

function reference(char: string): string {
  const named: Record<string, string> = { '<': '&lt;', '>': '&gt;', '&': '&amp;' }
  return named[char] ?? `&#${char.codePointAt(0)};`
}

function longestBacktickRun(value: string): number {
  return Math.max(0, ...(value.match(/`+/g) ?? []).map((run) => run.length))
}

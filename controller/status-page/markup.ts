import { html as escapedHtml, raw } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'

/** HTML that is safe to send: made only by `html` from constant text and escaped values. */
export type Markup = HtmlEscapedString

type Piece = Markup | string | number | null | undefined | false | readonly Piece[]

/**
 * Characters that can lie about the text around them: C0 and C1 controls (but tab and newline), soft hyphen, bidirectional and
 * zero-width marks, line separators, tag characters, lone surrogates.
 */
const DECEIVING =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\ud800-\udfff]/gu

/** The text with every deceiving character written as `\u{202e}`. */
export function visible(text: string): string {
  return text.replace(DECEIVING, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/**
 * Tagged template for pages. Every plain string is made visible and escaped here, in one place,
 * so that no page can forget it. Only results of `html` itself pass through as they are.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Piece[]): Markup {
  return escapedHtml(strings, ...values.map(shown)) as Markup
}

function shown(value: Piece): unknown {
  if (typeof value === 'string') return visible(value)
  if (Array.isArray(value)) return value.map(shown)
  return value
}

/** Constant markup of our own (icons, the doctype). Never call it with a value from outside. */
export function constantMarkup(text: string): Markup {
  return raw(text) as Markup
}

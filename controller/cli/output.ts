import type { Io } from './io.ts'

/** Colour for a person at a terminal who does not mind; see https://no-color.org. */
export function wantsColor({ stdout, env }: Io): boolean {
  return stdout.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

const CODES = { good: '32', bad: '31', warn: '33', strong: '1', faint: '2' } as const
export type Paint = (style: keyof typeof CODES, text: string) => string

/** Colour never carries meaning alone: the text is the same without it. */
export function painter(io: Io): Paint {
  return wantsColor(io) ? (style, text) => `\u001b[${CODES[style]}m${text}\u001b[0m` : (_style, text) => text
}

export function writeJson(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** Left-aligned columns, two spaces apart; the last one may be as long as it likes. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  const lines = rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '))
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}

/** `1 project`, `5 projects`. */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

/** Text of others on one line: control characters, which could move the cursor or hide text, become spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ').trim()
}

/** `2026-11-18 10:00 UTC` of an ISO instant. */
export function minuteText(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`
}

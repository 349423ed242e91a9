import type { Finding } from '../model/finding.ts'
import { cellCode, plainText, text } from './escape.ts'
import type { CheckAnnotation } from './publisher.ts'

/** More than this is a list nobody reads; the rest is a count. */
const MAX_SHOWN = 20
/** Characters of the table: hosts refuse a comment or summary of more than 65,535. */
const MAX_LENGTH = 30_000

/** Markdown table of findings: where, what was found, what is allowed, the fix. Empty when there are none. */
export function findingsTable(findings: readonly Finding[], truncated: number): string {
  if (findings.length === 0) return ''
  const rows: string[] = []
  let length = 0
  for (const finding of findings.slice(0, MAX_SHOWN)) {
    const row = findingRow(finding)
    length += row.length
    if (length > MAX_LENGTH) break
    rows.push(row)
  }
  const hidden = findings.length - rows.length + truncated
  const more = hidden > 0 ? ['', `… and ${hidden} more. \`draven validate\` lists all of them.`] : []
  return ['| where | found | allowed | fix |', '|---|---|---|---|', ...rows, ...more].join('\n')
}

function findingRow(finding: Finding): string {
  const { place, code, severity, message, allowed, help } = finding
  const where = cellCode(`${place.file}:${place.line}:${place.column}`)
  const found = `${severity === 'warning' ? 'warning ' : ''}${cellCode(code)} ${text(message)}${rule(finding)}`
  return `| ${where} | ${found} | ${allowed === null ? '' : cellCode(allowed)} | ${help === null ? '' : text(help)} |`
}

/** The rule that refused, so that nobody has to look for it. */
function rule({ related }: Finding): string {
  if (related === null) return ''
  const { file, line, column } = related.place
  return `<br>${text(related.label)}: ${cellCode(`${file}:${line}:${column}`)}`
}

/** Annotations are plain text on the line itself. */
export function annotationsOf(findings: readonly Finding[]): readonly CheckAnnotation[] {
  return findings.map(({ code, severity, message, place, allowed, help }) => ({
    path: place.file,
    line: place.line,
    column: place.column,
    endColumn: place.endColumn,
    severity,
    title: plainText(`${code} ${firstWords(message)}`),
    message: [message, allowed === null ? null : `allowed: ${allowed}`, help === null ? null : `help: ${help}`]
      .filter((line) => line !== null)
      .map(plainText)
      .join('\n'),
  }))
}

const TITLE_LENGTH = 80

function firstWords(message: string): string {
  const letters = [...plainText(message)]
  return letters.length <= TITLE_LENGTH ? letters.join('') : `${letters.slice(0, TITLE_LENGTH - 1).join('')}…`
}

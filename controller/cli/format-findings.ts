import type { Finding, Place } from '../model/finding.ts'

export interface FindingFormat {
  color: boolean
  /** At most so many are shown; the rest are counted. */
  max: number
}

type Style = 'error' | 'warning' | 'strong' | 'frame' | 'none'

/** ECMA-48 colour codes; colour is never the only sign of anything. */
const STYLE_CODES: Readonly<Record<Style, string>> = { error: '1;31', warning: '1;33', strong: '1', frame: '1;34', none: '' }

/** Findings for a terminal, as compilers show them: what, where, the line with a caret, what is allowed, what to do. Ends with a count. */
export function formatFindings(findings: readonly Finding[], format: FindingFormat): string {
  const paint = (style: Style, text: string) =>
    format.color && STYLE_CODES[style] ? `\u001b[${STYLE_CODES[style]}m${text}\u001b[0m` : text
  const shown = findings.slice(0, Math.max(0, format.max))
  const blocks = shown.map((finding) => formatFinding(finding, paint))
  return [...blocks, summary(findings, findings.length - shown.length)].join('\n\n').concat('\n')
}

function formatFinding(finding: Finding, paint: (style: Style, text: string) => string): string {
  const { place, severity } = finding
  const gutter = ' '.repeat(finding.excerpt === null ? 1 : String(place.line).length)
  const lines = [
    `${paint(severity, `${severity}[${finding.code}]`)}${paint('strong', `: ${finding.message}`)}`,
    `${gutter} ${paint('frame', '-->')} ${placeText(place)}`,
  ]
  if (finding.excerpt === null) {
    if (finding.allowed) lines.push(`${gutter} ${paint('frame', '=')} allowed: ${finding.allowed}`)
  } else {
    lines.push(...excerptLines(finding, finding.excerpt, gutter, paint))
  }
  if (finding.related)
    lines.push(`${gutter} ${paint('frame', '=')} ${finding.related.label}: ${placeText(finding.related.place)}`)
  if (finding.help) lines.push(`${gutter} ${paint('frame', '=')} help: ${finding.help}`)
  return lines.join('\n')
}

const LONGEST_LINE = 120

function excerptLines(
  finding: Finding,
  excerpt: string,
  gutter: string,
  paint: (style: Style, text: string) => string,
): string[] {
  const { place, allowed } = finding
  // A long line is shown from a little before the place, so that the caret stays on the screen.
  const skipped = place.column > LONGEST_LINE - 20 ? place.column - 21 : 0
  const visible = excerpt.replaceAll('\t', ' ').slice(skipped, skipped + LONGEST_LINE)
  const indent = place.column - 1 - skipped
  const width = Math.max(1, Math.min(place.endColumn - place.column, LONGEST_LINE - indent))
  const hint = allowed ? ` allowed: ${allowed}` : ''
  return [
    `${gutter} ${paint('frame', '|')}`,
    `${paint('frame', `${place.line} |`)} ${visible}`,
    `${gutter} ${paint('frame', '|')} ${' '.repeat(indent)}${paint(finding.severity, `${'^'.repeat(width)}${hint}`)}`,
  ]
}

function placeText(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`
}

function summary(findings: readonly Finding[], hidden: number): string {
  const errors = findings.filter((finding) => finding.severity === 'error').length
  const warnings = findings.length - errors
  const count = [errors > 0 ? plural(errors, 'error') : '', warnings > 0 ? plural(warnings, 'warning') : '']
    .filter(Boolean)
    .join(' and ')
  if (findings.length === 0) return 'no findings'
  return hidden > 0 ? `… and ${hidden} more not shown; ${count} in all` : count
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

/** The same findings for programs: one JSON array, keys as in the Finding type. */
export function formatFindingsJson(findings: readonly Finding[]): string {
  return `${JSON.stringify(findings, null, 2)}\n`
}

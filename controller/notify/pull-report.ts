import { code, plainText, text } from './escape.ts'
import { annotationsOf, findingsTable } from './findings-table.ts'
import type { CheckMessage } from './publisher.ts'
import type { PullReport, RequestReport } from './report.ts'
import { jobUrl, requestSection } from './request-section.ts'
import { type Standing, standingOf } from './standing.ts'

export type { JobOnShow, PullReport, RequestReport } from './report.ts'

/** The two checks of a pull request's head, in the order of CHECK_NAMES. */
export function checkMessages(report: PullReport): readonly CheckMessage[] {
  return [validateCheck(report), gateCheck(report)]
}

/** GitHub takes 65,536 characters; the adapter's marker and other hosts need room. */
const MAX_COMMENT_LENGTH = 60_000

/** The one comment of a pull request, edited in place. The same report with a later `asOf` gives the same text. */
export function pullComment(report: PullReport): string {
  const parts = ['### DRAVEN', rulesNote(report), findingsPart(report)].filter((part) => part !== '')
  let length = parts.join('\n\n').length
  let shown = 0
  for (const request of report.requests) {
    const section = requestSection(request, report)
    if (length + section.length > MAX_COMMENT_LENGTH) break
    parts.push(shown > 0 ? `---\n\n${section}` : section)
    length += section.length + 10
    shown++
  }
  const hidden = report.requests.length - shown
  if (hidden > 0) parts.push(`---\n\n… and ${counted(hidden, 'more request')}, too long to show here.`)
  if (parts.length === 1) parts.push('No request in this pull request.')
  return `${parts.join('\n\n')}\n`
}

/** Are the documents sound? May be a required check. */
function validateCheck(report: PullReport): CheckMessage {
  const { findings, truncated, headSha, statusUrl } = report
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const warnings = findings.length - errors
  const failed = errors + truncated > 0
  const counts = [
    errors + truncated > 0 ? counted(errors + truncated, 'error') : null,
    warnings > 0 ? counted(warnings, 'warning') : null,
  ]
  const first = findings.find(({ severity }) => severity === 'error') ?? findings[0]
  const title = counts.filter((count) => count !== null).join(', ')
  return {
    sha: headSha,
    name: 'draven/validate',
    state: failed ? 'failure' : 'success',
    title: first ? plainText(`${title}: ${first.code} ${first.message}`) : title || 'all documents are valid',
    summary: findingsTable(findings, truncated) || 'Every document of this pull request is valid.',
    annotations: annotationsOf(findings),
    detailsUrl: statusUrl,
  }
}

/** Of a check's summary; the comment has more room for each. */
const MAX_SUMMARY_LINES = 30

/** Worst first: what one check says when a pull request holds more than one request. */
const URGENCY: readonly CheckMessage['state'][] = ['failure', 'canceled', 'pending', 'success']

/** May the requests go, and how far are they? Missing approvals only wait; only a denial or a bad end fails. */
function gateCheck(report: PullReport): CheckMessage {
  const standings = report.requests.map((request) => ({ request, standing: standingOf(request, report.asOf) }))
  const [worst] = standings.toSorted((a, b) => URGENCY.indexOf(a.standing.state) - URGENCY.indexOf(b.standing.state))
  const rules = rulesStanding(report)
  const shown = worst && !(worst.standing.state === 'success' && rules.state !== 'success') ? worst.standing : rules
  const others = shown === worst?.standing ? standings.length - 1 : standings.length
  return {
    sha: report.headSha,
    name: 'draven/gate',
    state: shown.state,
    title:
      shown === worst?.standing && others > 0 ? `${labelOf(worst.request)}: ${shown.title} (and ${others} more)` : shown.title,
    summary:
      standings
        .slice(0, MAX_SUMMARY_LINES)
        .map(({ request, standing }) => `- ${code(labelOf(request))}: ${text(standing.title)}`)
        .join('\n') || text(shown.title),
    annotations: [],
    detailsUrl: detailsUrl(report, worst?.request),
  }
}

/** How a pull request without (open) requests stands. Nobody can approve nothing, so no rules and no requests is fine. */
function rulesStanding({ rulesChanged, rulesReason }: PullReport): Standing {
  if (!rulesChanged) return { state: 'success', title: 'no request in this pull request', reason: null }
  if (rulesReason) return { state: 'pending', title: plainText(rulesReason.text), reason: rulesReason }
  return { state: 'success', title: 'changes rules; they take effect after the merge', reason: null }
}

function labelOf({ project, environment, path }: RequestReport): string {
  return plainText(project !== null && environment !== null ? `${project}/${environment}` : path)
}

function detailsUrl({ statusUrl }: PullReport, request: RequestReport | undefined): string | null {
  return statusUrl !== null && request?.job ? jobUrl(request.job.id, statusUrl) : statusUrl
}

function rulesNote({ rulesChanged, rulesReason, requests }: PullReport): string {
  if (!rulesChanged) return ''
  const note = 'This pull request changes rules. They take effect after the merge, and only with the approval of an admin.'
  const judged = requests.length > 0 ? ' Its requests are judged by the rules of the base branch.' : ''
  return `> ${note}${judged}${rulesReason ? `\n>\n> ⏳ ${text(rulesReason.text)}` : ''}`
}

function findingsPart({ findings, truncated }: PullReport): string {
  const table = findingsTable(findings, truncated)
  return table === '' ? '' : `**Findings**\n\n${table}`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

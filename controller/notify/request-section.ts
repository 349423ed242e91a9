import type { TalliedReview } from '../approvals/tally.ts'
import type { Instant } from '../clock.ts'
import { isTerminal } from '../jobs/job.ts'
import type { Ref } from '../model/desired-state.ts'
import { shortJobId } from '../model/names.ts'
import type { GateResult } from '../policy/decision.ts'
import { cellCode, code, fenced, link, plainText, text } from './escape.ts'
import type { RequestReport } from './report.ts'
import { ordinal, type Standing, standingOf } from './standing.ts'
import { duration, when } from './when.ts'

/** What a section needs beyond its request. */
export interface SectionContext {
  statusUrl: string | null
  asOf: Instant
}

const MARKS: Record<Standing['state'], string> = { pending: '⏳', success: '✅', failure: '❌', canceled: '⏹️' }

/** Everything about one request as Markdown: where it stands, the facts, the gates, the reviews, the next step. */
export function requestSection(request: RequestReport, context: SectionContext): string {
  const standing = standingOf(request, context.asOf)
  const target =
    request.project !== null && request.environment !== null ? `${request.project}/${request.environment}` : request.path
  return [
    `${MARKS[standing.state]} **${code(target)}** — ${text(standing.title)}`,
    factsTable(request, context),
    gatesTable(request),
    approvals(request),
    nextStep(request, standing, context),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function factsTable(request: RequestReport, { statusUrl, asOf }: SectionContext): string {
  const { path, project, environment, type, ref, sha, from, policy, job, run } = request
  const rows: [string, string | null][] = [
    ['request', cellCode(path)],
    ['project', project === null ? null : cellCode(project)],
    ['environment', environment === null ? null : cellCode(environment)],
    ['type', type === null ? null : `${cellCode(type)}${job?.forced ? ', forced' : ''}`],
    ['from → to', type === null ? null : `${from ? version(from.ref, from.sha) : 'nothing yet'} → ${version(ref, sha)}`],
    ['policy', policy === null ? null : cellCode(policy)],
    ['lock', lockHolder(request, { statusUrl, asOf })],
    ['queue', queueCell(request, statusUrl)],
    ['job', job === null ? null : jobLink(job.id, statusUrl)],
    ['run', run === null ? null : `${link('pipeline', run.url)}, attempt ${run.attempt}`],
    ['started', job?.startedAt == null ? null : when(job.startedAt, request.timeZone, asOf)],
    ['took', job?.startedAt == null || job.endedAt === null ? null : duration(job.endedAt - job.startedAt)],
  ]
  return ['| | |', '|---|---|', ...rows.filter((row) => row[1] !== null).map(([name, value]) => `| ${name} | ${value} |`)].join(
    '\n',
  )
}

function version(ref: Ref | null, sha: string | null): string {
  const commit = sha === null ? null : cellCode(sha.slice(0, 12))
  if (ref === null) return commit ?? 'the last good version'
  if (ref.type === 'sha') return cellCode(ref.name.slice(0, 12))
  return `${ref.type} ${cellCode(ref.name)}${commit === null ? '' : ` (${commit})`}`
}

function jobLink(id: string, statusUrl: string | null): string {
  return `${cellCode(id)}${statusUrl === null ? '' : ` ${link('details', jobUrl(id, statusUrl))}`}`
}

/** Address of a job on the status page. */
export function jobUrl(id: string, statusUrl: string): string {
  return `${statusUrl.replace(/\/+$/, '')}/jobs/${encodeURIComponent(plainText(id))}`
}

/** Who has the lock and since when: the only wait whose beginning is a fact of its own and not of our looking. */
function lockHolder({ job, decision, timeZone }: RequestReport, { statusUrl, asOf }: SectionContext): string | null {
  const gate = (job ? job.gates : decision?.gates)?.find(({ gate }) => gate === 'lock')?.reason ?? null
  // A job's own reason is as old as its waiting; the gate's is as old as the lock.
  const reason = job && (job.reason.code !== 'lock_held' || gate?.code !== 'lock_held') ? job.reason : gate
  const holder = reason?.code === 'lock_held' ? reason.waitingFor.find((one) => one.kind === 'lock' && !one.done) : undefined
  return reason && holder ? `held by job ${jobLink(holder.ref, statusUrl)} since ${when(reason.since, timeZone, asOf)}` : null
}

function queueCell({ queue, job }: RequestReport, statusUrl: string | null): string | null {
  if (queue === null || (job && (isTerminal(job.status) || job.status === 'running'))) return null
  return `${ordinal(queue.position)}${queue.behind === null ? '' : `, behind job ${jobLink(queue.behind, statusUrl)}`}`
}

const VERDICTS: Record<GateResult['verdict'], string> = { allow: '✅ allow', wait: '⏳ wait', deny: '❌ deny' }

function gatesTable({ job, decision }: RequestReport): string {
  const gates = job && job.gates.length > 0 ? job.gates : (decision?.gates ?? [])
  if (gates.length === 0) return ''
  const rows = gates.map(({ gate, verdict, saw, wanted, forced }) => {
    return `| ${gate} | ${forced ? '⚠️ skipped by force' : VERDICTS[verdict]} | ${text(timeless(saw))} | ${text(wanted)} |`
  })
  return ['| gate | verdict | saw | wanted |', '|---|---|---|---|', ...rows].join('\n')
}

/** The window gate tells what time it was when it looked; with that in it, the comment would be edited at every look. */
function timeless(saw: string): string {
  return saw.replace(/ at [A-Z][a-z]{2} \d{4}-\d{2}-\d{2} \d{2}:\d{2} [\w/+-]+/, '')
}

function approvals({ tally, job }: RequestReport): string {
  const reviews = tally?.reviews ?? job?.approvals ?? []
  const ended = job !== null && job.status !== 'queued' && job.status !== 'waiting_approval'
  const missing = tally === null || ended ? 0 : Math.max(0, tally.needed - tally.approvers.length)
  const able = tally === null ? [] : tally.eligible.filter((person) => !tally.approvers.includes(person))
  const lines = reviews.map(reviewLine)
  if (missing > 0)
    lines.push(
      `- ${missing} more needed; ${able.length === 0 ? 'nobody can approve any more' : `can approve: ${able.map(code).join(', ')}`}`,
    )
  return lines.length === 0 ? '' : ['**Reviews**', '', ...lines].join('\n')
}

const STANCES: Record<TalliedReview['state'], string> = {
  approved: 'approved',
  changes_requested: 'requested changes',
  dismissed: 'dismissed',
  commented: 'commented',
  pending: 'not submitted',
}

function reviewLine({ account, person, state, counted, text: why, url }: TalliedReview): string {
  const verdict = counted ? 'counts' : `does not count: ${text(why)}`
  return `- ${counted ? '✅' : '➖'} ${code(person ?? account)} ${link(STANCES[state], url)} — ${verdict}`
}

/** What a person can do now. */
function nextStep(request: RequestReport, { reason }: Standing, { statusUrl }: SectionContext): string {
  const { job, type } = request
  if (job?.status === 'success') return type === 'dry_run' ? '' : rollbackStep(request, job.id)
  const lines: string[] = []
  if (reason?.action) {
    const { text: what, command, url } = reason.action
    lines.push(`**Next:** ${text(what)}${url === null ? '' : ` ${link('open', url)}`}`)
    if (command !== null) lines.push('', fenced('sh', [command]))
  }
  if (job && isTerminal(job.status)) {
    lines.push(`${lines.length > 0 ? '\n' : ''}**To try again:** add a new request file; this path is never used twice.`)
    if (statusUrl !== null) lines.push('', link('What happened, step by step', jobUrl(job.id, statusUrl)))
  }
  return lines.join('\n')
}

/** A file to add, ready to copy; it holds nothing that anybody wrote. */
function rollbackStep({ path, type }: RequestReport, jobId: string): string {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const file = `${folder}rollback-${shortJobId(jobId)}.yaml`
  const yaml = ['apiVersion: draven/v1', 'kind: DeployRequest', 'type: rollback', `reason: Undo job ${jobId}`]
  const what = type === 'rollback' ? 'To go back once more' : 'To roll back'
  return `**${what}:** add ${code(file)} in a new pull request.\n\n${fenced('yaml', yaml)}`
}

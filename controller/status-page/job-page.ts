import { auditDetail } from './audit-detail.ts'
import type { JobFacts } from './facts.ts'
import type { GateFacts, JobPageFacts, LineFacts, RunFacts } from './job-facts.ts'
import { page } from './layout.ts'
import { external } from './links.ts'
import type { AuditFact } from './list-facts.ts'
import { html, type Markup } from './markup.ts'
import { absoluteText, ago, dayText, durationText, type Iso, moment } from './moments.ts'
import {
  badge,
  filePre,
  forcedTag,
  placeLink,
  reasonBlock,
  refCode,
  refName,
  shaCode,
  statusBadge,
  took,
  typeWord,
  who,
} from './parts.ts'
import { AUDIT_WORDS, DISMISSAL_WORDS, GATE_WORDS, RUN_WORDS, STATUS_WORDS, type StateWords, VERDICT_WORDS } from './words.ts'

export function jobPage(facts: JobPageFacts): Markup {
  const { job, frame } = facts
  const open = job.endedAt === null
  const body = html`
<p class="crumbs"><a href="/jobs">Jobs</a> <span class="faint">/</span> ${placeLink(job)}</p>
<div class="title"><h1>${typeWord(job)} ${refCode(job)} <span class="to">to ${job.environment}</span></h1>${statusBadge(job)}${forcedTag(job)}</div>
${reasonBlock(job.reason, frame.at, STATUS_WORDS[job.status].tone)}
<div class="columns"><div class="main-column">
${gatesSection(facts.gates)}
${approvalsSection(facts, frame.at)}
${runsSection(facts.runs, frame.at)}
${linesSection(facts.lines)}
${timelineSection(facts.timeline)}
</div><aside class="side-column">
${aboutSection(facts)}
${facts.rollback !== null && rollbackSection(facts.rollback)}
</aside></div>`
  return page({ frame, heading: `${refName(job)} to ${job.project}/${job.environment}`, section: '/jobs', refresh: open, body })
}

function gatesSection(gates: readonly GateFacts[]): Markup {
  if (gates.length === 0) return html``
  return html`<section><h2>Gates</h2><p class="lead">All must allow. They are asked in this order, with fresh facts, again right before the start.</p>
<div class="scroll" role="region" aria-label="Gates" tabindex="0"><table class="list gates">
<thead><tr><th scope="col">Gate</th><th scope="col">Verdict</th><th scope="col">Saw</th><th scope="col">Wanted</th></tr></thead>
<tbody>${gates.map(
    (
      gate,
    ) => html`<tr class="${gate.verdict}"><th scope="row">${GATE_WORDS[gate.gate]}</th><td>${verdictBadge(gate)}</td><td>${gate.saw}</td><td>${gate.wanted}</td></tr>
${gate.reason !== null && gate.verdict !== 'allow' && html`<tr class="${gate.verdict} gate-reason"><td></td><td colspan="3">${gate.reason.text}</td></tr>`}`,
  )}</tbody></table></div></section>`
}

function verdictBadge(gate: GateFacts): Markup {
  return gate.forced ? badge({ word: 'Skipped by force', icon: 'bolt', tone: 'wait' }) : badge(VERDICT_WORDS[gate.verdict])
}

function approvalsSection({ approvals }: JobPageFacts, now: Iso): Markup {
  if (approvals.length === 0) return html``
  return html`<section><h2>Approvals</h2><p class="lead">Every review that was seen. People count, not accounts.</p><ul class="reviews">${approvals.map(
    (review) => html`<li><div class="review-head">${badge(
      review.counted
        ? { word: 'Counts', icon: 'check', tone: 'ok' }
        : { word: 'Does not count', icon: 'slash', tone: review.why === 'changes_requested' ? 'bad' : 'idle' },
    )}<b>${review.name}</b><span class="faint">${review.state.replace('_', ' ')} ${ago(review.submittedAt, now)}${review.why !== null && html` · ${DISMISSAL_WORDS[review.why]}`}</span></div>
<p>${review.text} ${external(review.url, 'See the review')}</p></li>`,
  )}</ul></section>`
}

function runsSection(runs: readonly RunFacts[], now: Iso): Markup {
  if (runs.length === 0) return html``
  return html`<section><h2>Runs</h2><ul class="runs">${runs.map(
    (
      run,
    ) => html`<li><div class="review-head">${badge(runWords(run))}<b>Attempt ${run.attempt}</b><span class="faint">${run.provider} · ${run.repoFullName} · ${run.selector}</span></div>
<p>${run.url === null ? html`<span class="faint">No link from the provider.</span>` : external(run.url, `Open run ${run.externalId ?? ''}`)} <span class="faint">Intended ${ago(run.intendedAt, now)}${run.startedAt !== null && html`, started ${ago(run.startedAt, now)}`}${run.startedAt !== null && run.endedAt !== null && `, took ${durationText(Date.parse(run.endedAt) - Date.parse(run.startedAt))}`}${run.fence !== null && `, fence ${run.fence}`}${run.claimedAt !== null && html`, told to go on ${ago(run.claimedAt, now)}`}${run.checkedOutSha !== null && html`, with <code>${run.checkedOutSha.slice(0, 12)}</code> checked out`}</span></p>
${run.detail !== null && html`<p class="detail">${run.detail}</p>`}</li>`,
  )}</ul></section>`
}

function linesSection(lines: readonly LineFacts[]): Markup {
  const first = lines[0]
  if (first === undefined) return html``
  return html`<section><h2>Log</h2><p class="lead">What the pipeline told us${first.seq > 1 && `, from line ${first.seq}`}; the whole log is at the provider.</p>
<div class="scroll" role="region" aria-label="Log" tabindex="0"><ol class="log">${lines.map(
    (line) =>
      html`<li class="${line.stream}"><time datetime="${line.at}" title="${absoluteText(line.at)}">${line.at.slice(11, 19)}</time>${line.stream === 'stderr' && html`<span class="stream">stderr</span>`} <code>${line.text}</code></li>`,
  )}</ol></div></section>`
}

const OUTCOME_WORDS: Readonly<Record<NonNullable<RunFacts['outcome']>, StateWords>> = {
  success: STATUS_WORDS.success,
  failed: STATUS_WORDS.failed,
  canceled: STATUS_WORDS.canceled,
  timed_out: { word: 'Timed out', icon: 'hourglass', tone: 'bad' },
  vanished: { word: 'Vanished at the provider', icon: 'warning', tone: 'bad' },
  unknown: { word: 'Outcome unknown', icon: 'warning', tone: 'bad' },
  refused: RUN_WORDS.refused,
}

function runWords(run: RunFacts): StateWords {
  return run.outcome === null ? RUN_WORDS[run.state] : OUTCOME_WORDS[run.outcome]
}

function timelineSection(rows: readonly AuditFact[]): Markup {
  if (rows.length === 0) return html``
  return html`<section><h2>Timeline</h2><ol class="timeline">${rows.map((row, index) => timelineRow(row, rows[index - 1]))}</ol></section>`
}

/** One step with its time of day, the wait since the step before, and the date where a new day begins. */
function timelineRow(row: AuditFact, previous: AuditFact | undefined): Markup {
  const gap = previous ? Date.parse(row.at) - Date.parse(previous.at) : 0
  const newDay = previous?.at.slice(0, 10) !== row.at.slice(0, 10)
  return html`${newDay && html`<li class="day">${dayText(row.at)}</li>`}<li><span class="when"><time datetime="${row.at}" title="${absoluteText(row.at)}">${row.at.slice(11, 19)}</time>${gap >= 1000 && html`<span class="gap">+${durationText(gap)}</span>`}</span>
<span class="what"><b>${AUDIT_WORDS[row.action]}</b>${row.actor.id !== 'controller' && html` by ${row.actor.name}`}${auditDetail(row)}</span></li>`
}

function aboutSection({ job, frame, queuePosition, lockFence }: JobPageFacts): Markup {
  const row = (name: string, value: Markup | string | null) =>
    value !== null && html`<div><dt>${name}</dt><dd>${value}</dd></div>`
  const time = (at: Iso | null) => (at === null ? null : moment(at, frame.at))
  return html`<section class="card"><h2>About</h2><dl>
${row('Where', placeLink(job))}
${row('Ref', refText(job))}
${row('Commit', job.sha === null ? 'not resolved yet' : html`<code class="wrap">${job.sha}</code>`)}
${row('Why', job.requestReason)}
${row('Asked by', who(job))}
${row('Pull request', job.pullRequest && external(job.pullRequest.url, `#${job.pullRequest.number}`))}
${row('Request file', html`<code class="wrap">${job.requestPath}</code>`)}
${row('Queue', queuePosition === null ? null : queuePosition === 1 ? 'next' : `place ${queuePosition}`)}
${row('Lock', lockFence === null ? null : html`held, fence ${lockFence}`)}
${row('Asked', time(job.createdAt))}
${row('Started', time(job.startedAt))}
${row('Ended', time(job.endedAt))}
${row('Took', job.startedAt === null ? null : html`${took(job, frame.at)}`)}
${row('Cancel asked', time(job.cancelRequestedAt))}
${row('Job id', html`<code class="wrap">${job.id}</code>`)}
</dl></section>`
}

function refText(job: JobFacts): Markup {
  return html`${job.ref === null ? 'none named: ' : `${job.ref.type} `}${refCode(job)} ${shaCode(job)}`
}

function rollbackSection(rollback: NonNullable<JobPageFacts['rollback']>): Markup {
  return html`<section class="card"><h2>${rollback.purpose === 'undo' ? 'Take it back' : 'Return to this'}</h2>
<p>${rollback.purpose === 'undo' ? 'This is live. To go back to what ran before, open a pull request that adds:' : 'To run exactly this again, open a pull request that adds:'}</p>
${filePre(rollback)}</section>`
}

import type { Ref } from '../model/desired-state.ts'
import type { ExampleRequest } from './example-request.ts'
import type { JobFacts, ReasonFacts } from './facts.ts'
import { type IconName, icon } from './icons.ts'
import { environmentPath, external, jobPath } from './links.ts'
import { html, type Markup } from './markup.ts'
import type { CellFacts, StopFacts } from './matrix-facts.ts'
import { absoluteText, ago, distanceText, durationText, type Iso, moment } from './moments.ts'
import { STATUS_WORDS, type StateWords, type Tone } from './words.ts'

/** Glyph, word and colour of a state, always the three together. */
export function badge({ word, icon: glyph, tone }: StateWords): Markup {
  return html`<span class="badge ${tone}">${icon(glyph)}${word}</span>`
}

export function statusBadge(job: Pick<JobFacts, 'status'>): Markup {
  return badge(STATUS_WORDS[job.status])
}

/** A small mark beside a state: lock, queue, window, stop. */
export function mark(glyph: IconName, text: string, title: string, tone: Tone = 'idle'): Markup {
  return html`<span class="mark ${tone}" title="${title}">${icon(glyph)}${text}</span>`
}

export function shortSha(sha: string): string {
  return sha.slice(0, 8)
}

/** What a job is about, in one word: the ref's name, or the commit that a rollback without ref goes back to. */
export function refName(job: { ref: Ref | null; sha: string | null; type: string }): string {
  if (job.ref !== null && job.ref.type !== 'sha') return job.ref.name
  const sha = job.ref?.name ?? job.sha
  if (sha !== null) return shortSha(sha)
  return job.type === 'rollback' ? 'the one before' : 'not resolved'
}

export function refCode(job: JobFacts): Markup {
  return html`<code class="ref">${refName(job)}</code>`
}

export function shaCode(job: JobFacts): Markup | null {
  return job.sha === null || job.ref === null || job.ref.type === 'sha'
    ? null
    : html`<code class="sha" title="${job.sha}">${shortSha(job.sha)}</code>`
}

export function who(job: JobFacts): string {
  return job.requester?.name ?? 'unknown'
}

/** `shop → prod`, each job's address in words. */
export function placeLink(place: { project: string; environment: string }): Markup {
  return html`<a href="${environmentPath(place.project, place.environment)}">${place.project} <span class="faint">/</span> ${place.environment}</a>`
}

const TYPE_WORDS = { deploy: 'Deploy', rollback: 'Rollback', dry_run: 'Dry run' } as const

export function typeWord(job: Pick<JobFacts, 'type'>): string {
  return TYPE_WORDS[job.type]
}

/** Tags that change how a job must be read: not an ordinary deploy, or gates were skipped. */
export function jobTags(job: JobFacts): Markup {
  return html`${job.type !== 'deploy' && html`<span class="tag">${typeWord(job)}</span>`}${forcedTag(job)}`
}

export function forcedTag(job: JobFacts): Markup | null {
  return job.forced ? html`<span class="tag loud">${icon('bolt')}Forced</span>` : null
}

/** The whole reason: what, since and until when, for whom it waits, and what to do about it. */
export function reasonBlock(reason: ReasonFacts, now: Iso, tone: Tone, zone = 'UTC'): Markup {
  const waiting = reason.waitingFor.filter((one) => !one.done)
  return html`<div class="reason ${tone}">
<p class="reason-text">${reason.text}</p>
<p class="reason-meta">
<span>since ${ago(reason.since, now)}</span>
${reason.until !== null && html`<span>until ${moment(reason.until, now, zone)} <span class="faint">(${distanceText(reason.until, now)})</span></span>`}
${waiting.length > 0 && html`<span>waiting for ${waiting.map((one, index) => html`${index > 0 && ', '}<b>${one.label}</b>`)}</span>`}
<code>${reason.code}</code>
</p>
${
  reason.action &&
  html`<p class="reason-action">${icon('next')}<span><b>What to do:</b> ${reason.action.text}${
    reason.action.url !== null && html` ${external(reason.action.url, reason.action.url)}`
  }</span></p>${reason.action.command !== null && html`<pre class="command">${reason.action.command}</pre>`}`
}
</div>`
}

/** Text of a freeze or hold in force. */
export function stopText(stop: StopFacts): string {
  const until = stop.until === null ? 'until its file is deleted' : `until ${absoluteText(stop.until, stop.zone)}`
  return `${stop.kind === 'hold' ? 'Held' : 'Frozen'} (${stop.name}) ${until}: ${stop.reason}`
}

export function cellMarks(cell: CellFacts): Markup {
  return html`${cell.lock !== null && mark('lock', 'Locked', `Lock held since ${absoluteText(cell.lock.since)}`, 'run')}${
    cell.alsoOpen > 0 && mark('queue', `${cell.alsoOpen} more in line`, 'Open jobs behind the one shown', 'idle')
  }`
}

/** Jobs as a table, newest first; the same on every page. */
export function jobTable(jobs: readonly JobFacts[], now: Iso, options: { place: boolean; position?: boolean }): Markup {
  return html`<div class="scroll" role="region" aria-label="Jobs" tabindex="0"><table class="list jobs">
<thead><tr>${options.position && html`<th scope="col" class="narrow">Place</th>`}<th scope="col">Status</th>${options.place && html`<th scope="col">Where</th>`}<th scope="col">What</th><th scope="col">Reason</th><th scope="col">Who</th><th scope="col" class="num">Asked</th><th scope="col" class="num">Took</th></tr></thead>
<tbody>${jobs.map(
    (job, index) => html`<tr>
${options.position && html`<td class="narrow num">${job.status === 'running' ? 'now' : index + (jobs[0]?.status === 'running' ? 0 : 1)}</td>`}
<td>${statusBadge(job)}</td>
${options.place && html`<td class="nowrap">${placeLink(job)}</td>`}
<td class="what"><a class="subject" href="${jobPath(job.id)}">${refCode(job)}</a> ${shaCode(job)} ${jobTags(job)}</td>
<td class="why">${job.status === 'success' ? html`<span class="faint">${job.requestReason}</span>` : job.reason.text}</td>
<td class="nowrap">${who(job)}</td>
<td class="num nowrap">${ago(job.createdAt, now)}</td>
<td class="num nowrap">${took(job, now)}</td>
</tr>`,
  )}</tbody></table></div>`
}

/** Time from start to end, or so far. A dash when it never ran. */
export function took(job: JobFacts, now: Iso): Markup | string {
  if (job.startedAt === null) return html`<span class="faint">not run</span>`
  const end = job.endedAt ?? now
  const text = durationText(Date.parse(end) - Date.parse(job.startedAt))
  return job.endedAt === null ? html`${text} <span class="faint">so far</span>` : text
}

export function emptyState(title: string, body: Markup): Markup {
  return html`<div class="empty"><p class="empty-title">${title}</p>${body}</div>`
}

/** The first thing to do in an installation without jobs, ready to copy. */
export function noJobs(example: ExampleRequest | null): Markup {
  return emptyState(
    'No jobs yet: add a request file',
    html`<p>Open a pull request to the config repository that adds ${example === null ? 'a file under requests/' : 'this file'}. Reviewers approve the pull request, and the merge asks for the deploy.</p>
${example !== null && filePre(example)}`,
  )
}

/** A file to add, its path above its text. Selecting the block takes the text alone. */
export function filePre(file: { path: string; yaml: string }): Markup {
  return html`<pre><span class="file">${file.path}</span>${file.yaml}</pre>`
}

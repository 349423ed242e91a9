import type { JobFacts } from './facts.ts'
import { type IconName, icon } from './icons.ts'
import { findingsBanner, page } from './layout.ts'
import { environmentPath, jobPath, withQuery } from './links.ts'
import { html, type Markup } from './markup.ts'
import type { CellFacts, MatrixFacts } from './matrix-facts.ts'
import { ago, type Iso } from './moments.ts'
import { badge, cellMarks, emptyState, jobTags, noJobs, refCode, shaCode, statusBadge, stopText, who } from './parts.ts'
import { STATUS_WORDS, type Tone } from './words.ts'

export function matrixPage(facts: MatrixFacts): Markup {
  const body = html`
<h1 class="visually-hidden">What runs where, and what waits</h1>
${findingsBanner(facts.frame)}
${attentionStrip(facts)}
${facts.projects.length === 0 ? noProjects() : matrix(facts)}
${facts.projects.length > 0 && facts.example !== null && noJobs(facts.example)}`
  return page({ frame: facts.frame, heading: 'Matrix', section: '/', refresh: facts.open > 0, body })
}

function attentionStrip({ attention, frame }: MatrixFacts): Markup {
  return html`<section class="strip" aria-label="Attention">
${tile('Waiting for people', 'people', 'wait', attention.people, frame.at, '/jobs?status=waiting_approval')}
${tile('Blocked', 'hand', 'wait', attention.blocked, frame.at, '/jobs')}
${tile('Failed in 24 h', 'cross', 'bad', attention.failed, frame.at, '/jobs?status=failed')}
${tile('Running', 'play', 'run', attention.running, frame.at, '/jobs?status=running')}
</section>`
}

const TILE_LINES = 3

function tile(name: string, glyph: IconName, tone: Tone, jobs: readonly JobFacts[], now: Iso, all: string): Markup {
  const rest = jobs.length - TILE_LINES
  return html`<div class="tile ${jobs.length > 0 ? tone : 'calm'}">
<h2>${icon(glyph)}<span>${name}</span><span class="tile-count">${jobs.length}</span></h2>
${jobs.length === 0 ? html`<p class="faint">None</p>` : html`<ul>${jobs.slice(0, TILE_LINES).map((job) => tileLine(job, now))}</ul>`}
${rest > 0 && html`<p class="more"><a href="${all}">${rest} more</a></p>`}
</div>`
}

function tileLine(job: JobFacts, now: Iso): Markup {
  const since = job.endedAt ?? job.reason.since
  return html`<li><a href="${jobPath(job.id)}" title="${job.reason.text}"><span class="tile-where">${job.project} / ${job.environment}</span> ${refCode(job)}</a> <span class="faint">${ago(since, now)}</span></li>`
}

function matrix({ environments, projects, frame }: MatrixFacts): Markup {
  return html`<div class="scroll matrix-frame" role="region" aria-label="Projects by environment" tabindex="0"><table class="matrix">
<thead><tr><th scope="col">Project</th>${environments.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${projects.map(
    (
      project,
    ) => html`<tr><th scope="row"><a href="${withQuery('/jobs', { project: project.name })}">${project.name}</a>${!project.active && html`<span class="tag">not active</span>`}<span class="description">${project.description}</span></th>
${project.cells.map((cell) => (cell === null ? html`<td class="none"><span class="visually-hidden">No such environment</span></td>` : matrixCell(cell, frame.at)))}</tr>`,
  )}</tbody></table></div>`
}

function matrixCell(cell: CellFacts, now: Iso): Markup {
  const { current, news } = cell
  return html`<td data-environment="${cell.environment}"><div class="cell">
<a class="cell-link" href="${environmentPath(cell.project, cell.environment)}" aria-label="${cell.project} ${cell.environment}"></a>
${current === null ? html`<p class="cell-empty faint">Nothing deployed yet</p>` : currentLines(current, now)}
${news !== null && newsBlock(news)}
<div class="marks">${cellMarks(cell)}</div>
${cell.stop !== null && html`<p class="cell-note wait">${icon(cell.stop.kind === 'hold' ? 'hand' : 'snow')}<span>${stopText(cell.stop)}</span></p>`}
${cell.closed !== null && html`<p class="cell-note">${icon('slash')}${cell.closed}</p>`}
</div></td>`
}

function currentLines(job: JobFacts, now: Iso): Markup {
  return html`<p class="cell-current"><a href="${jobPath(job.id)}">${refCode(job)}</a> ${shaCode(job)} ${jobTags(job)}</p>
<p class="cell-meta">${statusBadge(job)}<span>${ago(job.endedAt ?? job.createdAt, now)} by ${who(job)}</span></p>`
}

function newsBlock(job: JobFacts): Markup {
  const words = STATUS_WORDS[job.status]
  return html`<div class="news ${words.tone}">
<p class="news-head">${badge(words)}<a href="${jobPath(job.id)}">${refCode(job)}</a> ${jobTags(job)}</p>
<p class="news-text">${job.reason.text}</p>
</div>`
}

function noProjects(): Markup {
  return emptyState(
    'No projects yet',
    html`<p>A project is a file in the config repository. Open a pull request that adds one:</p>
<pre><span class="file">projects/shop/project.yaml</span>apiVersion: draven/v1
kind: Project
name: shop
description: The web shop
owner: web-team</pre>
<p>then one file per environment beside it, such as <code>projects/shop/environments/prod.yaml</code>.</p>`,
  )
}

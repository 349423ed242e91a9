import { shortJobId } from '../model/names.ts'
import type { EnvironmentFacts } from './environment-facts.ts'
import { icon } from './icons.ts'
import { page } from './layout.ts'
import { external, jobPath, withQuery } from './links.ts'
import { html, type Markup } from './markup.ts'
import { ago } from './moments.ts'
import { jobTable, jobTags, noJobs, refCode, shaCode, statusBadge, stopText, who } from './parts.ts'

export function environmentPage(facts: EnvironmentFacts): Markup {
  const { frame, open, history, project, environment } = facts
  const body = html`
<p class="crumbs"><a href="/">Matrix</a> <span class="faint">/</span> <a href="${withQuery('/jobs', { project })}">${project}</a></p>
<div class="title"><h1>${project} <span class="faint">/</span> ${environment}</h1>${facts.url !== null && external(facts.url, facts.url)}</div>
${facts.description !== '' && html`<p class="lead">${facts.description}</p>`}
${facts.closed !== null && html`<section class="banner wait">${icon('slash')}<div><p><b>${facts.closed}.</b></p></div></section>`}
${facts.stop !== null && html`<section class="banner wait">${icon(facts.stop.kind === 'hold' ? 'hand' : 'snow')}<div><p>${stopText(facts.stop)}</p></div></section>`}
<div class="columns"><div class="main-column">
<section><h2>Here now</h2>${currentBlock(facts)}</section>
${open.length > 0 && html`<section><h2>In line</h2>${jobTable(open, frame.at, { place: false, position: true })}</section>`}
<section><h2>History</h2>${
    history.length === 0
      ? open.length > 0
        ? html`<p class="faint">No job has ended here yet.</p>`
        : noJobs(facts.example)
      : html`${jobTable(history, frame.at, { place: false })}<p class="pager"><a href="${withQuery('/jobs', { project, environment })}">All jobs of this environment</a></p>`
  }</section>
</div><aside class="side-column">
${facts.rules.length > 0 && html`<section class="card"><h2>Rules</h2><ul class="rules">${facts.rules.map((rule) => html`<li>${rule}</li>`)}</ul>${facts.policy !== null && html`<p class="faint">Policy <code>policies/${facts.policy}.yaml</code></p>`}</section>`}
<section class="card"><h2>Who may approve</h2>${
    facts.approvers.length === 0
      ? html`<p class="faint">Nobody may approve here: no role in access.yaml says so.</p>`
      : html`<ul class="people">${facts.approvers.map((person) => html`<li>${person.name}</li>`)}</ul>`
  }</section>
</aside></div>`
  return page({ frame, heading: `${project}/${environment}`, section: '/', refresh: open.length > 0, body })
}

function currentBlock({ current, lock, frame }: EnvironmentFacts): Markup {
  const locked =
    lock !== null &&
    html`<p class="lock-line">${icon('lock')}<span>Locked by <a href="${jobPath(lock.jobId)}">job ${shortJobId(lock.jobId)}</a> since ${ago(lock.since, frame.at)} (fence ${lock.fence})</span></p>`
  if (current === null) return html`<p class="faint">Nothing deployed yet.</p>${locked}`
  return html`<div class="now"><p class="now-ref"><a href="${jobPath(current.id)}">${refCode(current)}</a> ${shaCode(current)} ${jobTags(current)}</p>
<p class="cell-meta">${statusBadge(current)}<span>${ago(current.endedAt ?? current.createdAt, frame.at)} by ${who(current)}</span></p>
<p class="faint">${current.requestReason}</p></div>${locked}`
}

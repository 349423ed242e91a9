import { shortJobId } from '../model/names.ts'
import { auditDetail } from './audit-detail.ts'
import { page } from './layout.ts'
import { jobPath, withQuery } from './links.ts'
import type { AuditFacts } from './list-facts.ts'
import { html, type Markup } from './markup.ts'
import { moment } from './moments.ts'
import { emptyState, shortSha } from './parts.ts'
import { AUDIT_WORDS } from './words.ts'

export function auditPage(facts: AuditFacts): Markup {
  const { rows, frame } = facts
  const body = html`<h1>Audit</h1>
<p class="lead">Every row carries the hash of the one before it; a changed or missing row breaks the chain.</p>
${rows.length === 0 ? emptyState('No rows yet', html`<p>The first row is written when the controller starts.</p>`) : table(facts)}
<nav class="pager" aria-label="Pages of audit rows">
${facts.before !== null && html`<a rel="first" href="/audit">Newest</a>`}
${facts.nextBefore !== null && html`<a rel="next" href="${withQuery('/audit', { before: facts.nextBefore })}">Older</a>`}
</nav>`
  return page({ frame, heading: 'Audit', section: '/audit', refresh: false, body })
}

function table({ rows, frame }: AuditFacts): Markup {
  return html`<div class="scroll" role="region" aria-label="Audit rows" tabindex="0"><table class="list audit">
<thead><tr><th scope="col" class="num">No.</th><th scope="col">When</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">Environment</th><th scope="col">Job</th><th scope="col">Hash</th></tr></thead>
<tbody>${rows.map(
    (row) => html`<tr><td class="num">${row.seq}</td><td class="nowrap">${moment(row.at, frame.at)}</td>
<td class="what"><b>${AUDIT_WORDS[row.action]}</b>${auditDetail(row)}</td><td>${row.actor.name}</td><td class="nowrap">${row.environment}</td>
<td>${row.jobId !== null && html`<a href="${jobPath(row.jobId)}"><code>${shortJobId(row.jobId)}</code></a>`}</td><td><code class="sha" title="${row.hash}">${shortSha(row.hash)}</code></td></tr>`,
  )}</tbody></table></div>`
}

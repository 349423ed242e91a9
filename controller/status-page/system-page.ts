import { JOB_STATUSES } from '../jobs/job.ts'
import { icon } from './icons.ts'
import { page } from './layout.ts'
import { html, type Markup } from './markup.ts'
import { ago, durationText, type Iso } from './moments.ts'
import { badge } from './parts.ts'
import type { SystemFacts } from './system-facts.ts'
import { STATUS_WORDS } from './words.ts'

const CHECK_WORDS = { store: 'Store', config: 'Config repository', tick: 'Loop', process: 'Process' } as const

export function systemPage(facts: SystemFacts): Markup {
  const { frame, counts } = facts
  const { leader } = facts.readiness
  const at = (iso: Iso | null) => (iso === null ? html`<span class="faint">never</span>` : ago(iso, frame.at))
  const row = (name: string, value: Markup | string | number) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`
  const body = html`<div class="title"><h1>System</h1>${badge(facts.readiness.ready ? { word: 'Ready', icon: 'check', tone: 'ok' } : { word: 'Not ready', icon: 'cross', tone: 'bad' })}</div>
${facts.error !== null && html`<section class="banner bad">${icon('warning')}<div><p><b>The last pass of the loop failed.</b> ${facts.error}</p></div></section>`}
<div class="cards">
<section class="card tall"><h2>Jobs</h2><dl>
${JOB_STATUSES.map((status) => html`<div><dt><a href="/jobs?status=${status}">${badge(STATUS_WORDS[status])}</a></dt><dd>${counts.jobsByStatus[status]}</dd></div>`)}
</dl></section>
<section class="card"><h2>Health</h2><dl>
${facts.readiness.checks.map((check) => row(CHECK_WORDS[check.name], html`${badge(check.ok ? { word: 'Fine', icon: 'check', tone: 'ok' } : { word: 'Not fine', icon: 'cross', tone: 'bad' })} ${check.detail}`))}
</dl></section>
<section class="card"><h2>Freshness</h2><dl>
${row('Config seen', at(frame.config.seenAt))}
${row('Last pass', html`${at(facts.lastTickAt)}${facts.lastTickMs !== null && html` <span class="faint">took ${durationText(facts.lastTickMs)}</span>`}`)}
${row('Last webhook', at(facts.lastWebhookAt))}
${row('Looks by itself', `every ${durationText(facts.pollMs)}`)}
</dl></section>
<section class="card"><h2>Queues</h2><dl>
${row('Locks held', counts.locks)}
${row('Deliveries to handle', counts.inboxPending)}
${row('Messages to send', counts.outboxPending)}
${row('Deliveries stored', counts.deliveries)}
</dl></section>
<section class="card"><h2>Versions and machines</h2><dl>
${row('Draven', frame.version)}
${row('Node.js', facts.nodeVersion)}
${row('Started', at(facts.startedAt))}
${leader !== null && row('This controller', leader.replica)}
${leader !== null && row('Leads', leader.here ? badge({ word: 'This one', icon: 'check', tone: 'ok' }) : (leader.name ?? 'nobody at the moment'))}
</dl><ul class="rules">
<li><a href="/livez">/livez</a> and <a href="/readyz">/readyz</a>: probes</li>
<li><a href="/metrics">/metrics</a>: Prometheus</li>
<li><a href="/api/v1/matrix">/api/v1/…</a>: every page as JSON</li>
</ul></section>
</div>`
  return page({ frame, heading: 'System', section: '/system', refresh: false, body })
}

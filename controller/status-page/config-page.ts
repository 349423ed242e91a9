import type { Finding } from '../model/finding.ts'
import { icon } from './icons.ts'
import { countText, page } from './layout.ts'
import { html, type Markup } from './markup.ts'
import { moment } from './moments.ts'
import { emptyState, shortSha } from './parts.ts'
import type { FindingsFacts } from './system-facts.ts'

export function configPage(facts: FindingsFacts): Markup {
  const { frame, findings, inForce } = facts
  const body = html`<h1>Config</h1>
${inForce !== null && html`<p class="lead">In force: commit <code title="${inForce.head}">${shortSha(inForce.head)}</code>, accepted ${moment(inForce.acceptedAt, frame.at)}${inForce.rulesCommit !== inForce.head && html`; rules of <code title="${inForce.rulesCommit}">${shortSha(inForce.rulesCommit)}</code>`}. ${countText(facts.requests, 'request file')}.</p>`}
${
  findings.length === 0
    ? emptyState(
        frame.config.read ? 'Every file is valid' : 'Not read yet',
        html`<p>${frame.config.read ? 'Nothing to fix.' : 'The config repository was not read yet.'}</p>`,
      )
    : html`<p class="lead">${countText(frame.config.errors, 'error')}, ${countText(frame.config.warnings, 'warning')}. What is valid stays in force; a file with an error is left out.</p><div class="findings">${findings.map(findingBlock)}</div>`
}`
  return page({ frame, heading: 'Config', section: '/config', refresh: false, body })
}

function findingBlock(finding: Finding): Markup {
  const { place, related } = finding
  const tone = finding.severity === 'error' ? 'bad' : 'wait'
  return html`<article class="finding ${tone}">
<h2><span class="badge ${tone}">${icon(finding.severity === 'error' ? 'cross' : 'warning')}${finding.severity === 'error' ? 'Error' : 'Warning'}</span> ${finding.message}</h2>
<p class="finding-place"><code class="wrap">${place.file}:${place.line}:${place.column}</code> <code class="faint">${finding.code}</code></p>
${finding.excerpt !== null && excerpt(finding, finding.excerpt)}
${related !== null && html`<p>${icon('info')}<span>${related.label}: <code class="wrap">${related.place.file}:${related.place.line}:${related.place.column}</code></span></p>`}
${finding.help !== null && html`<p>${icon('next')}<span><b>Fix:</b> ${finding.help}</span></p>`}
</article>`
}

/** The source line with carets under the place, as a compiler shows it. */
function excerpt({ place, allowed }: Finding, line: string): Markup {
  const number = String(place.line)
  const gutter = ' '.repeat(number.length)
  const width = Math.max(1, Math.min(place.endColumn - place.column, line.length - place.column + 1))
  const carets = `${' '.repeat(Math.max(0, place.column - 1))}${'^'.repeat(width)}`
  return html`<pre><span class="faint">${number} | </span>${line}
<span class="faint">${gutter} | </span><span class="caret">${carets}${allowed !== null && ` allowed: ${allowed}`}</span></pre>`
}

import { JOB_STATUSES } from '../jobs/job.ts'
import { icon } from './icons.ts'
import { page } from './layout.ts'
import { withQuery } from './links.ts'
import { isFiltered, type JobsFacts, type JobsQuery } from './list-facts.ts'
import { constantMarkup, html, type Markup } from './markup.ts'
import { emptyState, jobTable, noJobs } from './parts.ts'
import { STATUS_WORDS } from './words.ts'

export function jobsPage(facts: JobsFacts): Markup {
  const { filter, frame, jobs } = facts
  const body = html`
<h1>Jobs</h1>
<nav class="filters" aria-label="Filters">
${choices('Status', 'status', JOB_STATUSES, filter, (status) => html`${icon(STATUS_WORDS[status].icon)}${STATUS_WORDS[status].word}`)}
${facts.environments.length > 0 && choices('Environment', 'environment', facts.environments, filter, (name) => html`${name}`)}
${facts.projects.length > 0 && choices('Project', 'project', facts.projects, filter, (name) => html`${name}`)}
</nav>
${jobs.length === 0 ? nothing(facts) : jobTable(jobs, frame.at, { place: true })}
<nav class="pager" aria-label="Pages of jobs">
${filter.before !== null && html`<a rel="first" href="${address({ ...filter, before: null })}">Newest</a>`}
${facts.nextBefore !== null && html`<a rel="next" href="${address({ ...filter, before: facts.nextBefore })}">Older</a>`}
</nav>`
  return page({ frame, heading: 'Jobs', section: '/jobs', refresh: facts.open && filter.before === null, body })
}

/** One line of links; the chosen one leads back to "all". Links, because the page allows no forms. */
function choices<Value extends string>(
  name: string,
  key: keyof JobsQuery,
  values: readonly Value[],
  filter: JobsQuery,
  label: (value: Value) => Markup,
): Markup {
  const link = (value: Value | null, text: Markup, current: boolean) =>
    html`<a href="${address({ ...filter, before: null, [key]: value })}"${current && constantMarkup(' aria-current="true"')}>${text}</a>`
  return html`<div class="filter"><span class="filter-name">${name}</span>${link(null, html`All`, filter[key] === null)}${values.map(
    (value) => link(value, label(value), filter[key] === value),
  )}</div>`
}

function address(filter: JobsQuery): string {
  return withQuery('/jobs', { ...filter })
}

function nothing({ filter, example }: JobsFacts): Markup {
  if (!isFiltered(filter)) return noJobs(example)
  return emptyState('No job matches', html`<p>No job has all that was chosen above. <a href="/jobs">Show all jobs</a></p>`)
}

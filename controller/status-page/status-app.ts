import { type Context, Hono } from 'hono'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { JOB_STATUSES, type JobStatus } from '../jobs/job.ts'
import { type Logger, silentLogger } from '../log.ts'
import { auditPage } from './audit-page.ts'
import { configPage } from './config-page.ts'
import { environmentFacts } from './environment-facts.ts'
import { environmentPage } from './environment-page.ts'
import { withoutEmails } from './facts.ts'
import type { FrameFacts, Sources } from './frame-facts.ts'
import { headers, hostCheck, readOnly, refusal } from './guard.ts'
import { FAVICON } from './icons.ts'
import { jobPageFacts } from './job-facts.ts'
import { jobPage } from './job-page.ts'
import { jobsPage } from './jobs-page.ts'
import { auditFacts, type JobsQuery, jobsFacts } from './list-facts.ts'
import type { Markup } from './markup.ts'
import { matrixFacts } from './matrix-facts.ts'
import { matrixPage } from './matrix-page.ts'
import type { MetricsRegistry } from './metrics.ts'
import { sharedReadiness } from './readiness.ts'
import { STYLE } from './style.ts'
import { findingsFacts, systemFacts } from './system-facts.ts'
import { systemPage } from './system-page.ts'
import type { LiveView, StoreViews } from './views.ts'

export interface StatusAppOptions {
  views: StoreViews
  live: LiveView
  clock: Clock
  /** Shown until the config repository tells its own. */
  title: string
  /** Names under which this is served, `host` or `host:port`; null: any. */
  allowedHosts: readonly string[] | null
  metrics: MetricsRegistry
  /** By how many milliseconds the event loop was late at worst, of late. */
  lagMs?: () => number
  log?: Logger
}

/**
 * The read-only face of the controller: pages for people, the same facts as JSON, probes and metrics.
 * A fetch-style app without sockets. It answers every path, so mount it after everything else.
 */
export function statusApp(options: StatusAppOptions): Hono {
  const log = options.log ?? silentLogger
  const app = new Hono()
  app.use(headers(), hostCheck(options.allowedHosts), readOnly())
  pages(app, options)
  machines(app, options)
  assets(app)
  app.all('*', (c) => refusal(c, 404))
  app.onError((error, c) => {
    if (error instanceof BadQuery) return refusal(c, 400, error.message)
    log.error('a status page could not be made', { path: c.req.path, error: messageOf(error) })
    return refusal(c, 500)
  })
  return app
}

function pages(app: Hono, sources: Sources): void {
  twin(app, ['/', '/api/v1/matrix'], () => matrixFacts(sources), matrixPage)
  twin(app, ['/jobs', '/api/v1/jobs'], (c) => jobsFacts(sources, jobsQuery(c)), jobsPage)
  twin(app, ['/jobs/:id', '/api/v1/jobs/:id'], (c) => jobPageFacts(sources, param(c, 'id')), jobPage)
  twin(
    app,
    ['/projects/:project/:environment', '/api/v1/environments/:project/:environment'],
    (c) => environmentFacts(sources, param(c, 'project'), param(c, 'environment')),
    environmentPage,
  )
  twin(app, ['/audit', '/api/v1/audit'], (c) => auditFacts(sources, beforeQuery(c)), auditPage)
  twin(app, ['/config', '/api/v1/findings'], () => findingsFacts(sources), configPage)
  twin(app, ['/system', '/api/v1/system'], () => systemFacts(sources, process.version), systemPage)
}

/** A page and its JSON: one function gathers the facts of both, so they cannot tell different things. */
function twin<Facts extends { frame: FrameFacts }>(
  app: Hono,
  [pagePath, apiPath]: readonly [string, string],
  gather: (c: Context) => Promise<Facts | null>,
  render: (facts: Facts) => Markup,
): void {
  app.get(pagePath, async (c) => {
    const facts = await gather(c)
    return facts === null ? refusal(c, 404) : c.html(render(withoutEmails(facts)))
  })
  app.get(apiPath, async (c) => {
    const facts = await gather(c)
    return facts === null ? refusal(c, 404) : c.json(withoutEmails(facts) as object)
  })
}

function machines(app: Hono, options: StatusAppOptions): void {
  const { views, live, clock, metrics } = options
  const ready = sharedReadiness(options)
  app.get('/livez', (c) => c.text('ok\n'))
  app.get('/readyz', async (c) => {
    const answer = await ready()
    return c.json(answer, answer.ready ? 200 : 503)
  })
  app.get('/version', (c) => c.json({ version: live.health().version }))
  app.get('/metrics', async (c) => {
    const [environments, counts] = await Promise.all([views.environments(), views.counts()])
    const findings = live.desired()?.findings ?? []
    const text = await metrics.scrape({ now: clock.now(), health: live.health(), findings, environments, counts })
    return c.body(text, 200, { 'Content-Type': metrics.registry.contentType })
  })
}

/** Both files are part of the program: no folder is served, so no path can lead out of one. */
function assets(app: Hono): void {
  const forever = 'public, max-age=31536000, immutable'
  app.get('/assets/style.css', (c) => c.body(STYLE, 200, { 'Content-Type': 'text/css; charset=utf-8', 'Cache-Control': forever }))
  app.get('/assets/icon.svg', (c) =>
    c.body(FAVICON, 200, { 'Content-Type': 'image/svg+xml', 'Cache-Control': 'public, max-age=86400' }),
  )
}

/** A query that means nothing: the reader's mistake, answered with 400 and told. */
class BadQuery extends Error {}

function jobsQuery(c: Context): JobsQuery {
  const status = filled(c.req.query('status'))
  if (status !== null && !isStatus(status)) throw new BadQuery(`status must be one of ${JOB_STATUSES.join(', ')}`)
  return {
    project: filled(c.req.query('project')),
    environment: filled(c.req.query('environment')),
    status,
    before: beforeQuery(c),
  }
}

function beforeQuery(c: Context): number | null {
  const before = filled(c.req.query('before'))
  if (before !== null && !/^\d{1,15}$/.test(before)) throw new BadQuery('before must be a whole number')
  return before === null ? null : Number(before)
}

function filled(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text
}

function isStatus(text: string): text is JobStatus {
  return (JOB_STATUSES as readonly string[]).includes(text)
}

function param(c: Context, name: string): string {
  return c.req.param(name) ?? ''
}

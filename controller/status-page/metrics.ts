import { Gauge, Registry } from 'prom-client'
import { type Instant, SECOND_MS } from '../clock.ts'
import type { Finding } from '../model/finding.ts'
import type { EnvironmentView, LoopHealth, StoreViews } from './views.ts'

/** Our own registry (never prom-client's global one) and the way to fill it. */
export interface MetricsRegistry {
  registry: Registry
  /** Sets every gauge from the facts of this moment and writes them out in Prometheus' text format. */
  scrape(facts: MetricFacts): Promise<string>
}

export interface MetricFacts {
  now: Instant
  health: LoopHealth
  findings: readonly Finding[]
  environments: readonly EnvironmentView[]
  counts: Awaited<ReturnType<StoreViews['counts']>>
}

/**
 * Gauges only, read from the store at scrape time: a restart loses nothing and two controllers agree.
 * Labels are project, environment, status and severity; never a job id, ref or person, whose number grows without end.
 */
export function createMetrics(): MetricsRegistry {
  const registry = new Registry()
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge<Label>({ name, help, labelNames, registers: [registry] })

  const jobs = gauge('draven_jobs', 'Jobs in the store by status', ['status'])
  const locked = gauge('draven_environment_locked', '1 while a job holds the lock of the environment', ['project', 'environment'])
  const lockAge = gauge('draven_lock_age_seconds', 'For how long the lock has been held', ['project', 'environment'])
  const lastTick = gauge(
    'draven_reconcile_last_success_timestamp_seconds',
    'Unix time of the last pass of the loop without error',
  )
  const tickDuration = gauge('draven_reconcile_duration_seconds', 'How long the last pass of the loop took')
  const sourceLag = gauge('draven_source_lag_seconds', 'Time since the config repository was last reached')
  const findings = gauge('draven_config_findings', 'Defects in the config repository', ['severity'])
  const deliveries = gauge('draven_webhook_deliveries', 'Webhook deliveries in the store')
  const inbox = gauge('draven_inbox_pending', 'Webhook deliveries not yet handled')
  const outbox = gauge('draven_outbox_pending', 'Messages not yet delivered')
  const build = gauge('draven_build_info', 'Always 1; the label tells the version', ['version'])

  // Remembered across scrapes: while passes fail, the time of the last good one must stand still, which is what an alert looks at.
  let lastSuccess = 0

  function set(facts: MetricFacts): void {
    const { health, counts } = facts
    // An environment that left the config must leave the metrics too.
    for (const labelled of [jobs, locked, lockAge, build]) labelled.reset()
    for (const [status, count] of Object.entries(counts.jobsByStatus)) jobs.set({ status }, count)
    for (const { key, lock } of facts.environments) {
      const [project = '', environment = ''] = key.split('/')
      locked.set({ project, environment }, lock === null ? 0 : 1)
      if (lock !== null) lockAge.set({ project, environment }, (facts.now - lock.acquiredAt) / SECOND_MS)
    }
    if (health.lastTickAt !== null && health.error === null) lastSuccess = health.lastTickAt / SECOND_MS
    lastTick.set(lastSuccess)
    tickDuration.set((health.lastTickMs ?? 0) / SECOND_MS)
    sourceLag.set((facts.now - (health.sourceSeenAt ?? health.startedAt)) / SECOND_MS)
    for (const severity of ['error', 'warning'] as const) {
      findings.set({ severity }, facts.findings.filter((one) => one.severity === severity).length)
    }
    deliveries.set(counts.deliveries)
    inbox.set(counts.inboxPending)
    outbox.set(counts.outboxPending)
    build.set({ version: health.version }, 1)
  }

  return {
    registry,
    scrape(facts) {
      set(facts)
      return registry.metrics()
    },
  }
}

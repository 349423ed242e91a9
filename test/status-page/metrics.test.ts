import { expect, test } from 'vitest'
import { createMetrics } from '../../controller/status-page/metrics.ts'
import { statusApp } from '../../controller/status-page/status-app.ts'
import { fixedClock, health, liveOf, NOW, richWorld, viewsOf, type World } from './fixture.ts'

const NAMES = [
  'draven_jobs',
  'draven_environment_locked',
  'draven_lock_age_seconds',
  'draven_reconcile_last_success_timestamp_seconds',
  'draven_reconcile_duration_seconds',
  'draven_source_lag_seconds',
  'draven_config_findings',
  'draven_webhook_deliveries',
  'draven_inbox_pending',
  'draven_outbox_pending',
  'draven_build_info',
]

async function scrape(world: World, metrics = createMetrics()): Promise<string> {
  const options = { views: viewsOf(world), live: liveOf(world), clock: fixedClock(), title: 't', allowedHosts: null, metrics }
  const answer = await statusApp(options).request('/metrics')
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain/)
  return answer.text()
}

test('each metric has help, a type and at least one sample, and there is no other', async () => {
  const text = await scrape(richWorld())
  const told = (kind: string) => [...text.matchAll(new RegExp(`^# ${kind} (\\S+) .+$`, 'gm'))].map(([, name]) => name)
  expect(told('HELP')).toEqual(NAMES)
  expect(told('TYPE')).toEqual(NAMES)
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  for (const line of samples)
    expect(line).toMatch(/^draven_[a-z_]+(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? -?\d+(?:\.\d+)?(?:e[+-]\d+)?$/)
  for (const name of NAMES)
    expect(
      samples.some((line) => line.startsWith(name)),
      name,
    ).toBe(true)
})

test('labels are few and never name a job, a ref or a person', async () => {
  const text = await scrape(richWorld())
  const labels = new Set([...text.matchAll(/[{,]([a-z_]+)="/g)].map(([, name]) => name))
  expect([...labels].sort()).toEqual(['environment', 'project', 'severity', 'status', 'version'])
})

test('values say what the store holds', async () => {
  const text = await scrape(richWorld())
  expect(text).toContain('draven_jobs{status="queued"} 4\n')
  expect(text).toContain('draven_environment_locked{project="mobile-api",environment="demo"} 1\n')
  expect(text).toContain('draven_environment_locked{project="shop",environment="prod"} 0\n')
  expect(text).toContain('draven_lock_age_seconds{project="mobile-api",environment="demo"} 180\n')
  expect(text).toContain('draven_source_lag_seconds 12\n')
  expect(text).toContain('draven_config_findings{severity="error"} 2\n')
  expect(text).toContain(`draven_reconcile_last_success_timestamp_seconds ${(NOW - 4000) / 1000}\n`)
})

test('while passes fail, the time of the last good pass stands still', async () => {
  const metrics = createMetrics()
  await scrape({ ...richWorld(), health: health({ lastTickAt: NOW - 60_000 }) }, metrics)
  const text = await scrape({ ...richWorld(), health: health({ lastTickAt: NOW, error: 'store is busy' }) }, metrics)
  expect(text).toContain(`draven_reconcile_last_success_timestamp_seconds ${(NOW - 60_000) / 1000}\n`)
})

test('a released lock leaves its age behind no longer', async () => {
  const metrics = createMetrics()
  await scrape(richWorld(), metrics)
  const text = await scrape({ ...richWorld(), locks: [] }, metrics)
  expect(text).not.toMatch(/^draven_lock_age_seconds\{/m)
  expect(text).toContain('draven_environment_locked{project="mobile-api",environment="demo"} 0\n')
})

import { toIso } from '../clock.ts'
import type { JobStatus } from '../jobs/job.ts'
import type { Finding } from '../model/finding.ts'
import { type FrameFacts, frameFacts, type Sources } from './frame-facts.ts'
import { type Iso, isoOrNull } from './moments.ts'
import { type Readiness, readiness } from './readiness.ts'

export interface FindingsFacts {
  frame: FrameFacts
  /** What of the config repository is in force; null before the first reading. */
  inForce: { head: string; rulesCommit: string; acceptedAt: Iso } | null
  findings: readonly Finding[]
  requests: number
}

export interface SystemFacts {
  frame: FrameFacts
  readiness: Readiness
  startedAt: Iso
  lastTickAt: Iso | null
  lastTickMs: number | null
  lastWebhookAt: Iso | null
  pollMs: number
  /** Last failure of the loop; null when the last pass was fine. */
  error: string | null
  nodeVersion: string
  counts: {
    jobsByStatus: Readonly<Record<JobStatus, number>>
    locks: number
    inboxPending: number
    outboxPending: number
    deliveries: number
  }
}

export async function findingsFacts(sources: Sources): Promise<FindingsFacts> {
  const [frame, config] = await Promise.all([frameFacts(sources), sources.views.config()])
  const desired = sources.live.desired()
  return {
    frame,
    inForce: config && { head: config.head, rulesCommit: config.rulesCommit, acceptedAt: toIso(config.acceptedAt) },
    findings: desired?.findings ?? [],
    requests: (desired?.requests.size ?? 0) + (desired?.unusableRequests.size ?? 0),
  }
}

export async function systemFacts(sources: Sources, nodeVersion: string): Promise<SystemFacts> {
  const [frame, counts, ready] = await Promise.all([frameFacts(sources), sources.views.counts(), readiness(sources)])
  const health = sources.live.health()
  return {
    frame,
    readiness: ready,
    startedAt: toIso(health.startedAt),
    lastTickAt: isoOrNull(health.lastTickAt),
    lastTickMs: health.lastTickMs,
    lastWebhookAt: isoOrNull(health.lastWebhookAt),
    pollMs: health.pollMs,
    error: health.error,
    nodeVersion,
    counts,
  }
}

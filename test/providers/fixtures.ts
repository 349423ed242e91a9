import { type Clock, systemClock } from '../../controller/clock.ts'
import type { Trigger } from '../../controller/jobs/executor.ts'
import type { Logger } from '../../controller/log.ts'
import type { Project } from '../../controller/model/desired-state.ts'
import { type CommitSha, commitSha, type JobId } from '../../controller/model/names.ts'
import { type ConnectOptions, connectProviders } from '../../controller/providers/table.ts'
import { redactor } from '../../controller/secrets/redaction.ts'
import { secretReader } from '../../controller/secrets/references.ts'

export const CANARY_TOKEN = 'canary-7c9e6679f9b14a1d8e5e'
export const TOKEN_REF = 'env:DRAVEN_SECRET_FORGE'
export const JOB = '3f2504e0-4f89-51d3-9a0c-0305e82c3301' as JobId
export const SHA = commitSha('a'.repeat(40))

/** Collects what would be logged, so that a test can look for secrets in it. */
export function collectingLog(): Logger & { lines: string[] } {
  const lines: string[] = []
  const write = (message: string, facts?: Record<string, unknown>) => void lines.push(JSON.stringify({ message, ...facts }))
  return { lines, debug: write, info: write, warn: write, error: write }
}

export function connectOptions(
  overrides: Partial<ConnectOptions> & { env?: Record<string, string>; apiUrl?: string },
): ConnectOptions {
  const { env, apiUrl, ...rest } = overrides
  return {
    github: { apiUrl: apiUrl ?? 'https://api.github.com', auth: { kind: 'token', ref: TOKEN_REF } },
    gitlab: null,
    bitbucket: null,
    gitea: null,
    forgejo: null,
    local: null,
    allowedOrigins: [],
    callbacks: { of: async () => [] },
    secrets: secretReader({
      env: { DRAVEN_SECRET_FORGE: CANARY_TOKEN, ...env },
      envPrefix: 'DRAVEN_SECRET_',
      secretsDirectory: null,
    }),
    redactor: redactor(),
    fetch: globalThis.fetch,
    clock: systemClock(),
    log: collectingLog(),
    timeouts: { callMs: 5_000, triggerMs: 5_000 },
    configRepo: null,
    ...rest,
  }
}

export function connect(overrides: Parameters<typeof connectOptions>[0]) {
  return connectProviders(connectOptions(overrides))
}

export function project(integration: Partial<Project['integration']> = {}): Project {
  return {
    name: 'shop',
    description: 'A shop',
    active: true,
    owner: 'team-shop',
    integration: {
      provider: 'github',
      apiUrl: null,
      repoFullName: 'acme/shop',
      defaultBranch: 'main',
      pipelines: new Map([['prod', { selector: 'deploy.yml', workflowRef: null }]]),
      credentialRef: null,
      webhookSecretRef: null,
      callbacks: false,
      code: null,
      ci: { requiredChecks: ['build'], apps: ['github-actions'] },
      ...integration,
    },
    place: { file: 'projects/shop/project.yaml', line: 1, column: 1, endColumn: 2 },
  }
}

export function trigger(overrides: Partial<Trigger> = {}): Trigger {
  return {
    jobId: JOB,
    attempt: 1,
    environment: 'prod',
    ref: 'v1.4.2',
    refType: 'tag',
    sha: SHA as CommitSha,
    type: 'deploy',
    selector: { selector: 'deploy.yml', workflowRef: null },
    intendedAt: Date.now(),
    callback: null,
    ...overrides,
  }
}

/** Time that moves only when told; sleepers wake when it passes them. */
export function manualClock(start = Date.parse('2026-11-21T09:00:00Z')): Clock & { advance(ms: number): void } {
  let now = start
  const sleepers = new Set<{ until: number; wake: () => void }>()
  return {
    now: () => now,
    elapsed: () => now - start,
    sleep(durationMs, signal) {
      return new Promise((resolve) => {
        const sleeper = { until: now + durationMs, wake: resolve }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          resolve()
        })
      })
    },
    advance(ms) {
      now += ms
      for (const sleeper of sleepers) {
        if (sleeper.until > now) continue
        sleepers.delete(sleeper)
        sleeper.wake()
      }
    },
  }
}

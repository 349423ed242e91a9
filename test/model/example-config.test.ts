import { expect, test } from 'vitest'
import { EXAMPLE_CONFIG, load, readDirectory } from './snapshot-directory.ts'

test('the example repository loads without a single finding', async () => {
  const desired = await load(readDirectory(EXAMPLE_CONFIG))
  expect(desired.findings).toEqual([])
  expect(desired.closed).toEqual([])
  expect(desired.unusableEnvironments.size).toBe(0)
  expect(desired.unusableRequests.size).toBe(0)
})

test('the example repository shows every kind of document and every common provider', async () => {
  const desired = await load(readDirectory(EXAMPLE_CONFIG))
  expect(desired.repository).toMatchObject({ id: 'acme-deploys', approvalExpiryMs: 604_800_000, queueExpiryMs: 86_400_000 })
  expect(desired.people.size).toBeGreaterThanOrEqual(6)
  expect([...desired.projects.values()].map((project) => project.integration.provider).sort()).toEqual([
    'bitbucket',
    'github',
    'github',
    'gitlab',
    'local',
  ])
  expect(desired.environments.size).toBe(15)
  expect(desired.freezes.map((freeze) => freeze.name)).toEqual(['2026-christmas'])
  expect(desired.holds.map((hold) => hold.name)).toEqual(['billing-prod'])
  expect(new Set([...desired.requests.values()].map((request) => request.type))).toEqual(
    new Set(['deploy', 'rollback', 'dry_run']),
  )
})

test('the three baseline policies say what the design says', async () => {
  const desired = await load(readDirectory(EXAMPLE_CONFIG))
  const policyOf = (environment: string) => desired.environments.get(`shop/${environment}` as never)!.policy
  const branches = (environment: string) => policyOf(environment).allowedBranches.map((pattern) => pattern.source)
  expect(branches('stage')).toEqual(['develop', 'feature/.*', 'bugfix/.*'])
  expect(policyOf('stage')).toMatchObject({
    allowedRefTypes: ['branch'],
    requireApproval: false,
    approvalsRequired: 0,
    requireCiSuccess: true,
  })
  expect(branches('demo')).toEqual(['main', 'release/.*'])
  expect(policyOf('demo')).toMatchObject({
    requireApproval: true,
    approvalsRequired: 1,
    requireCiSuccess: true,
    allowForceDeploy: false,
  })
  expect(policyOf('prod')).toMatchObject({
    allowedRefTypes: ['tag'],
    approvalsRequired: 2,
    requireCiSuccess: true,
    allowForceDeploy: false,
  })
  expect(policyOf('prod').window).toMatchObject({
    tz: 'Europe/Rome',
    days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri'],
    fromMinute: 540,
    toMinute: 1140,
  })
  const [tags] = policyOf('prod').allowedTags
  expect(['v1.4.2', 'v10.0.11'].map((tag) => tags!.matches(tag))).toEqual([true, true])
  expect(['evil-v1.2.3-x', 'v1.2', 'v1.2.3\n', '1.2.3'].map((tag) => tags!.matches(tag))).toEqual([false, false, false, false])
})

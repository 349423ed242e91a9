import { RE2JS } from 're2js'
import type { Tally } from '../../controller/approvals/tally.ts'
import { DAY_MS, HOUR_MS, type Instant } from '../../controller/clock.ts'
import type {
  DeployRequest,
  DeployWindow,
  DesiredState,
  Environment,
  Freeze,
  Hold,
  Pattern,
  Person,
  Policy,
  Project,
  RoleBinding,
  Scope,
} from '../../controller/model/desired-state.ts'
import type { Finding, Place } from '../../controller/model/finding.ts'
import { blobId, commitSha, environmentKey, type PersonId, personId } from '../../controller/model/names.ts'
import type { Fact } from '../../controller/policy/decision.ts'
import type { CiEvidence, CiResult, PolicyFacts, ResolvedRef, Success } from '../../controller/policy/facts.ts'

/**
 * Builders of small, sound values. Each takes what differs from the plain case and nothing else, so that a test shows
 * exactly what it is about. The plain case: alice (operator) asks to deploy tag v1.4.2 of shop to prod, and may at NOW.
 */

/** Wednesday 2026-11-18 11:00 in Rome: inside the window of the prod policy. */
export const NOW: Instant = Date.UTC(2026, 10, 18, 10)
/** The same day, 20:00 in Rome. */
export const EVENING: Instant = NOW + 9 * HOUR_MS

export const SHA = commitSha('a'.repeat(40))
export const OTHER_SHA = commitSha('b'.repeat(40))
export const BLOB = blobId('1'.repeat(40))
export const OTHER_BLOB = blobId('2'.repeat(40))

export const ALICE = personId('alice')
export const BOB = personId('bob')
export const CAROL = personId('carol')
export const DAVE = personId('dave')
export const ERIN = personId('erin')

export function place(file: string): Place {
  return { file, line: 1, column: 1, endColumn: 2 }
}

export function finding(file: string, message = 'it cannot be read'): Finding {
  return {
    code: 'DRV0000',
    severity: 'error',
    message,
    place: place(file),
    excerpt: null,
    allowed: null,
    related: null,
    help: null,
  }
}

export function pattern(source: string): Pattern {
  const compiled = RE2JS.compile(source)
  return { source, place: place('policies/x.yaml'), matches: (text) => compiled.matches(text) }
}

/** Mon–Fri 09:00–19:00 Europe/Rome. */
export function deployWindow(overrides: Partial<DeployWindow> = {}): DeployWindow {
  return {
    tz: 'Europe/Rome',
    days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri'],
    fromMinute: 9 * 60,
    toMinute: 19 * 60,
    place: place('policies/prod.yaml'),
    ...overrides,
  }
}

export const WHOLE_DAY = { fromMinute: 0, toMinute: 24 * 60 }
/** What windows look like. */
export const WINDOW_SHAPES: Record<string, Partial<DeployWindow>> = {
  'the prod window': {},
  'an overnight window': { days: ['Fri', 'Sat', 'Sun'], fromMinute: 22 * 60, toMinute: 6 * 60 },
  'a whole-day window': { ...WHOLE_DAY, days: ['Tue', 'Sun'] },
}

/** A policy that allows every ref and asks for nothing. */
export function policy(overrides: Partial<Policy> = {}): Policy {
  const name = overrides.name ?? 'open'
  const plain: Policy = {
    name,
    allowedRefTypes: ['branch', 'tag', 'sha'],
    allowedBranches: [pattern('.*')],
    allowedTags: [pattern('.*')],
    requireApproval: false,
    approvalsRequired: 0,
    requireCiSuccess: false,
    allowRollback: true,
    allowForceDeploy: false,
    window: null,
    approvalValidMs: DAY_MS,
    rollbackToAnyCommit: false,
    rollbackIgnoresWindow: false,
    canonical: '',
    places: new Map(),
    place: place(`policies/${name}.yaml`),
    ...overrides,
  }
  return { ...plain, canonical: overrides.canonical ?? canonical(plain) }
}

export function stagePolicy(overrides: Partial<Policy> = {}): Policy {
  return policy({
    name: 'stage',
    allowedRefTypes: ['branch'],
    allowedBranches: ['develop', 'feature/.*', 'bugfix/.*'].map(pattern),
    allowedTags: [],
    requireCiSuccess: true,
    allowForceDeploy: true,
    ...overrides,
  })
}

export function demoPolicy(overrides: Partial<Policy> = {}): Policy {
  return policy({
    name: 'demo',
    allowedRefTypes: ['branch'],
    allowedBranches: ['main', 'release/.*'].map(pattern),
    allowedTags: [],
    requireApproval: true,
    approvalsRequired: 1,
    requireCiSuccess: true,
    ...overrides,
  })
}

export function prodPolicy(overrides: Partial<Policy> = {}): Policy {
  return policy({
    name: 'prod',
    allowedRefTypes: ['tag'],
    allowedBranches: [],
    allowedTags: [pattern('v[0-9]+\\.[0-9]+\\.[0-9]+')],
    requireApproval: true,
    approvalsRequired: 2,
    requireCiSuccess: true,
    window: deployWindow(),
    ...overrides,
  })
}

export function environment(overrides: Partial<Environment> = {}): Environment {
  const { project = 'shop', name = 'prod' } = overrides
  const plain: Environment = {
    key: environmentKey(project, name),
    project,
    name,
    policy: prodPolicy(),
    enabled: true,
    lockStrategy: 'exclusive',
    maxRunMs: HOUR_MS,
    promoteFrom: null,
    url: null,
    canonical: '',
    place: place(`projects/${project}/environments/${name}.yaml`),
    ...overrides,
  }
  return { ...plain, canonical: overrides.canonical ?? canonical({ ...plain, policy: plain.policy.name }) }
}

export function project(
  overrides: Partial<Omit<Project, 'integration'>> & { integration?: Partial<Project['integration']> } = {},
): Project {
  const { integration, ...rest } = overrides
  const name = rest.name ?? 'shop'
  return {
    name,
    description: '',
    active: true,
    owner: 'team-shop',
    place: place(`projects/${name}/project.yaml`),
    ...rest,
    integration: {
      provider: 'github',
      apiUrl: null,
      repoFullName: `acme/${name}`,
      defaultBranch: 'main',
      pipelines: new Map([['prod', { selector: 'deploy.yaml', workflowRef: null }]]),
      credentialRef: null,
      webhookSecretRef: null,
      callbacks: false,
      code: null,
      ci: { requiredChecks: ['build'], apps: ['github-actions'] },
      ...integration,
    },
  }
}

/** A person with one account at GitHub, `<id>`, whose numeric id is made of the letters of the name. */
export function person(id: PersonId, overrides: Partial<Person> = {}): Person {
  return {
    id,
    name: id,
    accounts: new Map([['github', { login: id, id: accountId(id) }]]),
    emails: [`${id}@acme.test`],
    ...overrides,
  }
}

export function accountId(login: string): string {
  return [...login.toLowerCase()].map((letter) => letter.charCodeAt(0)).join('')
}

export function binding(
  role: RoleBinding['role'],
  people: readonly PersonId[],
  overrides: Partial<RoleBinding> = {},
): RoleBinding {
  return { role, people, projects: null, environments: null, ...overrides }
}

/** alice: operator; bob, carol and dave: approvers; erin: admin. One project, one environment. */
export function desiredState(overrides: Partial<DesiredState> = {}): DesiredState {
  return {
    commit: commitSha('c'.repeat(40)),
    repository: {
      id: '5f0c0f0a-0000-4000-8000-000000000001',
      title: 'acme',
      approvalExpiryMs: 7 * DAY_MS,
      queueExpiryMs: DAY_MS,
    },
    people: new Map([ALICE, BOB, CAROL, DAVE, ERIN].map((id) => [id, person(id)])),
    bindings: [binding('operator', [ALICE]), binding('approver', [BOB, CAROL, DAVE]), binding('admin', [ERIN])],
    projects: byName([project()]),
    unusableProjects: new Set(),
    environments: new Map([environment()].map((one) => [one.key, one])),
    unusableEnvironments: new Map(),
    freezes: [],
    holds: [],
    requests: new Map(),
    unusableRequests: new Map(),
    findings: [],
    closed: [],
    ...overrides,
  }
}

export const EVERYWHERE: Scope = { projects: null, environments: null }

/** A freeze around NOW: from an hour before to a day after. */
export function freeze(overrides: Partial<Freeze> = {}): Freeze {
  const name = overrides.name ?? 'christmas'
  return {
    name,
    reason: 'Nobody is at work.',
    fromAt: NOW - HOUR_MS,
    toAt: NOW + DAY_MS,
    tz: 'Europe/Rome',
    scope: EVERYWHERE,
    place: place(`freezes/${name}.yaml`),
    ...overrides,
  }
}

export function hold(overrides: Partial<Hold> = {}): Hold {
  const name = overrides.name ?? 'shop-prod'
  return {
    name,
    reason: 'The database is being mended.',
    untilAt: null,
    scope: EVERYWHERE,
    place: place(`holds/${name}.yaml`),
    ...overrides,
  }
}

export function deployRequest(overrides: Partial<DeployRequest> = {}): DeployRequest {
  const { project: projectName = 'shop', environment: environmentName = 'prod' } = overrides
  const path = overrides.path ?? `requests/${projectName}/${environmentName}/2026-11-18-v1.4.2.yaml`
  const plain: DeployRequest = {
    path,
    blob: BLOB,
    type: 'deploy',
    project: projectName,
    environment: environmentName,
    key: environmentKey(projectName, environmentName),
    ref: { type: 'tag', name: 'v1.4.2' },
    reason: 'November release',
    force: null,
    canonical: '',
    places: new Map(),
    place: place(path),
    ...overrides,
  }
  return { ...plain, canonical: overrides.canonical ?? canonical(plain) }
}

export function known<T>(value: T, at: Instant = NOW): Fact<T> {
  return { known: true, value, at }
}

export function unknown(why = 'the host does not answer'): Fact<never> {
  return { known: false, why, at: NOW }
}

export function resolved(overrides: Partial<Extract<ResolvedRef, { found: true }>> = {}): Fact<ResolvedRef> {
  return known({ found: true, sha: SHA, reachable: true, ...overrides })
}

export function ciResult(overrides: Partial<CiResult> = {}): CiResult {
  return { name: 'build', app: 'github-actions', state: 'success', url: null, ...overrides }
}

export function ciEvidence(results: readonly CiResult[] = [ciResult()], overrides: Partial<CiEvidence> = {}): Fact<CiEvidence> {
  return known({ sha: SHA, results, ignored: [], ...overrides })
}

export function tally(overrides: Partial<Tally> = {}): Fact<Tally> {
  return known({ needed: 2, approvers: [BOB, CAROL], objectors: [], eligible: [DAVE], reviews: [], ...overrides })
}

export function success(overrides: Partial<Success> = {}): Success {
  return { jobId: 'job-before', sha: SHA, ref: { type: 'tag', name: 'v1.4.2' }, endedAt: NOW - DAY_MS, ...overrides }
}

/** What `policyFacts` can vary: any fact, and the documents it is made of in short form. */
export interface FactsOverrides extends Partial<Omit<PolicyFacts, 'request' | 'project' | 'environment' | 'desired'>> {
  request?: Partial<DeployRequest>
  project?: Parameters<typeof project>[0]
  environment?: Partial<Environment>
  policy?: Policy
  desired?: Partial<DesiredState>
}

/** Facts under which the plain request is allowed. `target` follows the request's ref. */
export function policyFacts(overrides: FactsOverrides = {}): PolicyFacts {
  const { request, project: projectOverrides, environment: environmentOverrides, policy: rules, desired, ...rest } = overrides
  const theRequest = deployRequest(request)
  const theProject = project(projectOverrides)
  const theEnvironment = environment({ ...(rules ? { policy: rules } : {}), ...environmentOverrides })
  return {
    now: NOW,
    request: theRequest,
    project: theProject,
    environment: theEnvironment,
    desired: desiredState({
      projects: byName([theProject]),
      environments: new Map([[theEnvironment.key, theEnvironment]]),
      ...desired,
    }),
    requester: { person: ALICE, label: 'github:alice' },
    target: theRequest.ref,
    ref: resolved(),
    ci: ciEvidence(),
    tally: tally(),
    reviewsClosed: false,
    successes: [],
    promoted: null,
    lock: { holder: null, aheadInQueue: [] },
    ...rest,
  }
}

function byName(projects: readonly Project[]): Map<string, Project> {
  return new Map(projects.map((one) => [one.name, one]))
}

/** Plain data with sorted keys, as the loader makes it; where something stands in its file is not part of it. */
function canonical(document: object): string {
  return JSON.stringify(document, (key, value: unknown) => {
    if (key === 'place' || key === 'places' || key === 'canonical' || key === 'blob') return undefined
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
  })
}

import type { Finding, Place } from './finding.ts'
import type { BlobId, CommitSha, EnvironmentKey, PersonId } from './names.ts'

/**
 * What the config repository asks for: documents after parsing, checking and resolving references.
 * Every value here was checked; nothing downstream re-checks shapes. Raw YAML types are in documents.ts (generated from schemas/).
 */
export interface DesiredState {
  /** Commit that the requests were taken from. */
  commit: CommitSha
  repository: Repository
  people: ReadonlyMap<PersonId, Person>
  bindings: readonly RoleBinding[]
  /** Usable projects only. */
  projects: ReadonlyMap<string, Project>
  /** Projects that exist as files but cannot be used. */
  unusableProjects: ReadonlySet<string>
  /** Usable environments only: their project and policy exist and are valid. */
  environments: ReadonlyMap<EnvironmentKey, Environment>
  /** Environments that exist as files but cannot be used, and why. Requests for them are denied, never allowed by default. */
  unusableEnvironments: ReadonlyMap<EnvironmentKey, readonly Finding[]>
  freezes: readonly Freeze[]
  holds: readonly Hold[]
  /** By file path. */
  requests: ReadonlyMap<string, DeployRequest>
  /** Request files that cannot be used, and why: each becomes a failed job with these findings. */
  unusableRequests: ReadonlyMap<string, UnusableRequest>
  /** Every finding, in file order. */
  findings: readonly Finding[]
  /**
   * True when a file that could only ever take rights away (freeze, hold, access) is itself unreadable:
   * nothing new may start until it is mended, because we cannot know what it forbids.
   */
  closed: readonly Finding[]
}

export interface Repository {
  /**
   * Stable id of the config repository, the namespace of job ids. Renaming the repository does not change it.
   * Empty when draven.yaml cannot be read (`closed` then says why): no job can be named, so none may be created or
   * canceled from this state.
   */
  id: string
  title: string
  /** A job that waits for approval longer than this expires. */
  approvalExpiryMs: number
  /** A job that waits for anything else longer than this expires. */
  queueExpiryMs: number
}

export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const
export type Role = (typeof ROLES)[number]

export interface Person {
  id: PersonId
  name: string
  /** Accounts by provider (`github`, `gitlab`, …). An id, when given, must match too: logins can be re-registered by strangers. */
  accounts: ReadonlyMap<string, { login: string; id: string | null }>
  /** E-mail addresses, lower case; used to recognise commit authors, never to grant anything. */
  emails: readonly string[]
}

export interface RoleBinding {
  role: Role
  people: readonly PersonId[]
  /** null: every project / every environment. */
  projects: readonly string[] | null
  environments: readonly string[] | null
}

export interface Project {
  name: string
  description: string
  active: boolean
  owner: string
  integration: ProjectIntegration
  place: Place
}

export interface ProjectIntegration {
  /** Row of providers/table.ts: `github`, `local`, … */
  provider: string
  /** API root, when not the vendor's own; its host must be on the controller's allow list. */
  apiUrl: string | null
  repoFullName: string
  defaultBranch: string
  /** By environment name. */
  pipelines: ReadonlyMap<string, PipelineSelector>
  /** Name under which a secret is found (`env:…`, `file:…`), never the secret. */
  credentialRef: string | null
  webhookSecretRef: string | null
  /** The pipeline is told how to reach us. */
  callbacks: boolean
  /** Where the repository is; null: at the provider. */
  code: CodeHost | null
  ci: CiExpectation
}

/** A provider that holds the code of a project whose pipelines run elsewhere. */
export interface CodeHost {
  provider: string
  apiUrl: string | null
  credentialRef: string | null
}

export interface PipelineSelector {
  /** Workflow file (GitHub), command name (local) … */
  selector: string
  /** Branch or tag whose pipeline definition runs; null: the default branch. */
  workflowRef: string | null
}

/** Which CI results count as proof. Bare commit statuses count only from a listed app: anyone with push can post one. */
export interface CiExpectation {
  /** Names that must all be successful. */
  requiredChecks: readonly string[]
  /** App slugs whose results are believed, e.g. `github-actions`. */
  apps: readonly string[]
}

export const REF_TYPES = ['branch', 'tag', 'sha'] as const
export type RefType = (typeof REF_TYPES)[number]

export interface Ref {
  type: RefType
  name: string
}

/** A policy's pattern: full match, linear time (re2js). */
export interface Pattern {
  source: string
  place: Place
  matches(text: string): boolean
}

export const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
export type Weekday = (typeof WEEKDAYS)[number]

/** Local times in which jobs may start. `to` ≤ `from` means overnight; the night belongs to the day on which it begins. */
export interface DeployWindow {
  /** IANA `Area/City`. */
  tz: string
  days: readonly Weekday[]
  /** Minutes after local midnight. */
  fromMinute: number
  toMinute: number
  place: Place
}

export interface Policy {
  name: string
  allowedRefTypes: readonly RefType[]
  allowedBranches: readonly Pattern[]
  allowedTags: readonly Pattern[]
  requireApproval: boolean
  approvalsRequired: number
  requireCiSuccess: boolean
  allowRollback: boolean
  allowForceDeploy: boolean
  window: DeployWindow | null
  /** An approval older than this no longer counts. */
  approvalValidMs: number
  /** A rollback may go to a commit that never succeeded in this environment. */
  rollbackToAnyCommit: boolean
  /** A rollback may start while the window is closed. */
  rollbackIgnoresWindow: boolean
  /** The policy document as plain data with sorted keys: part of the approved subject. */
  canonical: string
  /** Where each key stands, for findings and reasons that point at the rule. */
  places: ReadonlyMap<string, Place>
  place: Place
}

export type LockStrategy = 'none' | 'exclusive'

export interface Environment {
  key: EnvironmentKey
  project: string
  name: string
  policy: Policy
  enabled: boolean
  lockStrategy: LockStrategy
  /** A run that is still alive after this long is canceled and the job fails. */
  maxRunMs: number
  /** Environment of the same project in which the same commit must have succeeded first; null: none. */
  promoteFrom: string | null
  url: string | null
  /** The environment document as plain data with sorted keys: part of the approved subject. */
  canonical: string
  place: Place
}

/** Where a freeze or hold applies; null means everywhere. A scope that names something unknown is widened to null: it may be a slip for anything. */
export interface Scope {
  projects: readonly string[] | null
  environments: readonly string[] | null
}

/** A planned time in which no job may start. */
export interface Freeze {
  name: string
  reason: string
  fromAt: number
  toAt: number
  tz: string
  scope: Scope
  place: Place
}

/** A human stop with a reason; lasts until the file is deleted or `untilAt`. */
export interface Hold {
  name: string
  reason: string
  untilAt: number | null
  scope: Scope
  place: Place
}

export const REQUEST_TYPES = ['deploy', 'rollback', 'dry_run'] as const
export type RequestType = (typeof REQUEST_TYPES)[number]

/** Gates that a force may skip. Approvals, roles and ref rules are not among them. */
export const FORCEABLE_GATES = ['order', 'ci', 'window', 'freeze'] as const
export type ForceableGate = (typeof FORCEABLE_GATES)[number]

export interface DeployRequest {
  path: string
  blob: BlobId
  type: RequestType
  project: string
  environment: string
  key: EnvironmentKey
  /** null only for a rollback: the last success before the present one. */
  ref: Ref | null
  reason: string
  force: { skip: readonly ForceableGate[]; reason: string } | null
  /** The request document as plain data with sorted keys: part of the approved subject. */
  canonical: string
  places: ReadonlyMap<string, Place>
  place: Place
}

export interface UnusableRequest {
  path: string
  blob: BlobId
  /** From the path, when the path itself is well formed. */
  project: string | null
  environment: string | null
  findings: readonly Finding[]
}

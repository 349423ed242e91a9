import { createHash, type KeyObject } from 'node:crypto'
import type { Clock, Instant } from '../../controller/clock.ts'
import type { Logger } from '../../controller/log.ts'
import type { Workflow } from './actions/workflow-file.ts'
import type { Contract } from './contract.ts'
import type { Faults } from './faults.ts'
import type { GitPrograms } from './git/programs.ts'
import type { CommitFacts, GitRepository } from './git/repository.ts'

/** Everything the emulated forge knows. Only this folder changes it; the git repositories themselves are on disk. */
export interface World {
  clock: Clock
  log: Logger
  /** Folder of the bare repositories and of the runners' work folders. */
  root: string
  programs: GitPrograms
  /** `http://127.0.0.1:<port>`, set once the server listens. */
  origin: string
  accounts: Map<string, Account>
  apps: Map<string, App>
  tokens: Map<string, Token>
  repositories: Map<string, Repository>
  faults: Faults
  contract: Contract
  runner: Runner
  /** REST calls that a token may make in an hour. */
  hourlyBudget: number
  /** False for servers that never say which run a dispatch made. */
  returnsRunDetails: boolean
  /** Work under way that no caller waits for (deliveries, runs); `settle` waits for it. */
  pending: Set<Promise<void>>
  nextId: () => number
}

export interface Account {
  id: number
  login: string
  type: 'User' | 'Bot'
  name: string
  email: string
  suspended: boolean
  deleted: boolean
}

export interface App {
  id: number
  slug: string
  installationId: number
  bot: Account
  createdAt: Instant
  /** Made on first use: a key pair costs a noticeable part of a second. */
  keys: { privateKey: string; publicKey: KeyObject } | null
}

export interface Token {
  text: string
  account: Account
  /** Set for installation tokens: only these may write check runs. */
  app: App | null
  scopes: readonly TokenScope[]
  expiresAt: Instant | null
  used: number
  /** The hour (counted since 1970) that `used` belongs to. */
  hour: number
}

export type TokenScope = 'read' | 'write'

/** From least to most: each role may do what the ones before it may. */
export const ROLES = ['none', 'read', 'triage', 'write', 'maintain', 'admin'] as const
export type Role = (typeof ROLES)[number]

export interface Repository {
  id: number
  owner: Account
  name: string
  fullName: string
  git: GitRepository
  defaultBranch: string
  private: boolean
  forkOf: Repository | null
  createdAt: Instant
  pushedAt: Instant
  roles: Map<Account, Role>
  /** Pull requests and issues share one sequence. */
  nextNumber: number
  pulls: Pull[]
  activities: Activity[]
  suites: CheckSuite[]
  checks: CheckRun[]
  statuses: CommitStatus[]
  comments: Comment[]
  deployments: Deployment[]
  hooks: Hook[]
  workflowIds: Map<string, number>
  runs: WorkflowRun[]
}

export interface Pull {
  id: number
  number: number
  title: string
  author: Account
  state: 'open' | 'closed'
  draft: boolean
  headRepository: Repository
  headRef: string
  headSha: string
  baseRef: string
  baseSha: string
  /** Where the pull request's own commits begin; frozen when it ends. */
  mergeBase: string
  /** While open the test merge, as on GitHub; after the merge the commit on the base branch. */
  mergeCommitSha: string | null
  mergeable: boolean
  mergedBy: Account | null
  createdAt: Instant
  updatedAt: Instant
  closedAt: Instant | null
  mergedAt: Instant | null
  reviews: Review[]
}

export const REVIEW_STATES = ['APPROVED', 'CHANGES_REQUESTED', 'COMMENTED', 'DISMISSED', 'PENDING'] as const
export type ReviewState = (typeof REVIEW_STATES)[number]

export interface Review {
  id: number
  reviewer: Account
  state: ReviewState
  commit: string | null
  body: string
  submittedAt: Instant
}

export const ACTIVITY_TYPES = ['push', 'force_push', 'branch_creation', 'branch_deletion', 'pr_merge'] as const
export type ActivityType = (typeof ACTIVITY_TYPES)[number]

export interface Activity {
  id: number
  before: string
  after: string
  ref: string
  at: Instant
  type: ActivityType
  actor: Account
}

export const CONCLUSIONS = ['success', 'failure', 'neutral', 'cancelled', 'skipped', 'timed_out', 'action_required'] as const
export type Conclusion = (typeof CONCLUSIONS)[number]
export type CheckStatus = 'queued' | 'in_progress' | 'completed'

export interface CheckSuite {
  id: number
  app: App
  sha: string
  branch: string | null
  createdAt: Instant
}

export interface CheckRun {
  id: number
  suite: CheckSuite
  name: string
  status: CheckStatus
  conclusion: Conclusion | null
  externalId: string | null
  detailsUrl: string | null
  output: CheckOutput
  startedAt: Instant | null
  completedAt: Instant | null
}

export interface CheckOutput {
  title: string | null
  summary: string | null
  text: string | null
  annotations: readonly unknown[]
}

export type StatusState = 'error' | 'failure' | 'pending' | 'success'

export interface CommitStatus {
  id: number
  sha: string
  context: string
  state: StatusState
  description: string | null
  targetUrl: string | null
  creator: Account
  createdAt: Instant
}

export interface Comment {
  id: number
  issue: number
  author: Account
  app: App | null
  body: string
  createdAt: Instant
  updatedAt: Instant
}

export interface Deployment {
  id: number
  sha: string
  ref: string
  task: string
  payload: Record<string, unknown> | string
  environment: string
  description: string | null
  creator: Account
  transient: boolean
  production: boolean
  createdAt: Instant
  statuses: DeploymentStatus[]
}

export interface DeploymentStatus {
  id: number
  state: 'error' | 'failure' | 'inactive' | 'pending' | 'success' | 'queued' | 'in_progress'
  creator: Account
  description: string
  environment: string
  environmentUrl: string
  logUrl: string
  createdAt: Instant
}

export interface Hook {
  id: number
  url: string
  secret: string | null
  /** Event names, or `*`. */
  events: readonly string[]
  active: boolean
  createdAt: Instant
  deliveries: HookDelivery[]
  /** Deliveries of one hook leave one after the other. */
  queue: Promise<void>
  /** Held back by the `reordered` fault until the next one has left. */
  heldBack: (() => Promise<void>) | null
}

export interface HookDelivery {
  id: number
  guid: string
  event: string
  action: string | null
  body: string
  deliveredAt: Instant
  redelivery: boolean
  durationSeconds: number
  /** 0 when there was no answer. */
  statusCode: number
  status: string
}

export interface WorkflowRun {
  id: number
  number: number
  attempt: number
  repository: Repository
  path: string
  workflowName: string
  title: string
  event: 'workflow_dispatch'
  ref: string
  branch: string
  /** The commit that the ref held at the dispatch. */
  head: CommitFacts
  inputs: Readonly<Record<string, string>>
  actor: Account
  suite: CheckSuite
  workflow: Workflow
  /** Runs of one group go one at a time; null for runs without. */
  concurrencyGroup: string | null
  cancelAsked: boolean
  status: 'queued' | 'pending' | 'in_progress' | 'completed'
  conclusion: Conclusion | 'startup_failure' | null
  createdAt: Instant
  startedAt: Instant
  updatedAt: Instant
  /** One entry per attempt, oldest first. */
  attempts: RunAttempt[]
  jobs: RunJob[]
}

/** When one attempt of a run existed, for checking that two never overlapped. */
export interface RunAttempt {
  attempt: number
  createdAt: Instant
  startedAt: Instant | null
  endedAt: Instant | null
}

export interface RunJob {
  id: number
  attempt: number
  name: string
  status: CheckStatus
  conclusion: Conclusion | null
  check: CheckRun
  createdAt: Instant
  startedAt: Instant
  completedAt: Instant | null
  steps: RunStep[]
  log: string
}

export interface RunStep {
  name: string
  number: number
  status: CheckStatus
  conclusion: Conclusion | null
  startedAt: Instant | null
  completedAt: Instant | null
}

/** How runs move on after they were queued. */
export interface Runner {
  /** Called once per attempt, when the run was announced and its turn has come. Must return at once. */
  begin(run: WorkflowRun): void
  cancel(run: WorkflowRun, force: boolean): void
  close(): Promise<void>
}

export function accountOf(world: World, login: string): Account {
  const account = world.accounts.get(login.toLowerCase())
  if (!account || account.deleted) throw new Error(`the forge has no account ${login}`)
  return account
}

/** The account whose address this is; null when the forge cannot match it. */
export function accountByEmail(world: World, email: string): Account | null {
  const wanted = email.toLowerCase()
  for (const account of world.accounts.values()) if (!account.deleted && account.email.toLowerCase() === wanted) return account
  return null
}

export function repositoryOf(world: World, fullName: string): Repository {
  const repository = world.repositories.get(fullName.toLowerCase())
  if (!repository) throw new Error(`the forge has no repository ${fullName}`)
  return repository
}

export function pullOf(repository: Repository, number: number): Pull {
  const pull = repository.pulls.find((each) => each.number === number)
  if (!pull) throw new Error(`${repository.fullName} has no pull request ${number}`)
  return pull
}

/** Role in force now: nothing for suspended and deleted accounts; anyone may read a public repository. */
export function roleOf(repository: Repository, account: Account): Role {
  if (account.suspended || account.deleted) return 'none'
  if (repository.owner === account) return 'admin'
  return repository.roles.get(account) ?? (repository.private ? 'none' : 'read')
}

export function hasRole(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least)
}

/** Opaque but stable, like GitHub's global ids. */
export function nodeId(kind: string, id: number | string): string {
  return Buffer.from(`${kind}:${id}`).toString('base64url')
}

/** A number of 48 bits derived from text, so that the same set-up gives the same ids. */
export function stableId(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 4)
}

/** Lets `settle` wait for work that nobody else awaits; its failure is logged, never lost. */
export function inBackground(world: World, what: string, work: Promise<void>): void {
  const tracked = work
    .catch((error: unknown) => world.log.error('background work of the emulated forge failed', { what, error: String(error) }))
    .finally(() => world.pending.delete(tracked))
  world.pending.add(tracked)
}

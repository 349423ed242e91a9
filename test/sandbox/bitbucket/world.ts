import { createHash } from 'node:crypto'
import type { Clock, Instant } from '../../../controller/clock.ts'
import type { Scripts } from '../actions/scripts.ts'
import type { Contract } from '../contract.ts'
import type { Faults } from '../faults.ts'
import type { GitPrograms } from '../git/programs.ts'
import type { GitRepository } from '../git/repository.ts'

/** Everything the emulated Bitbucket knows. Only this folder changes it; the git repositories themselves are on disk. */
export interface World {
  clock: Clock
  root: string
  programs: GitPrograms
  /** `http://127.0.0.1:<port>`, set once the server listens. */
  origin: string
  users: Map<string, User>
  tokens: Map<string, Token>
  repositories: Map<string, Repository>
  faults: Faults
  contract: Contract
  pending: Set<Promise<void>>
  runs: 'manual' | 'instant' | 'process'
  scripts: Scripts<Pipeline>
  /** Bitbucket's description has the variables of a pipeline in its answers; people report that they are not there. */
  tellsVariables: boolean
  /** Pipelines say whose they are as soon as they are made; otherwise their own scripts do, or nobody. */
  claims: boolean
  /** What answers say of the calls allowed in an hour; null: nothing. */
  limit: number | null
  /** Calls answered, of whatever kind. */
  calls: number
  nextId: () => number
}

export interface User {
  uuid: string
  accountId: string
  nickname: string
  email: string
  type: 'user' | 'app_user'
}

/** An API token is the password of a person; an access token is an account of its own. */
export interface Token {
  text: string
  user: User
  kind: 'api' | 'access'
  scopes: string
}

export type Permission = 'read' | 'write' | 'admin'

export interface Repository {
  uuid: string
  fullName: string
  git: GitRepository
  defaultBranch: string
  members: Map<User, Permission>
  pulls: PullRequest[]
  pipelines: Pipeline[]
  statuses: Map<string, Status[]>
  reports: Map<string, Report>
  hooks: Hook[]
}

export interface Stance {
  state: 'approved' | 'changes_requested' | null
  at: Instant
}

export type Activity =
  | { kind: 'update'; at: Instant; by: User; state: PullRequest['state']; sha: string }
  | { kind: 'approval' | 'changes_requested' | 'comment'; at: Instant; by: User }

export interface PullRequest {
  id: number
  title: string
  author: User
  source: Repository
  sourceBranch: string
  targetBranch: string
  sha: string
  /** Head of the target when the pull request was opened, or merged. */
  base: string
  mergeBase: string
  state: 'OPEN' | 'MERGED' | 'DECLINED'
  draft: boolean
  createdAt: Instant
  updatedAt: Instant
  mergeCommit: string | null
  participants: Map<User, Stance>
  /** Oldest first. */
  activity: Activity[]
  comments: Comment[]
}

export interface Comment {
  id: number
  author: User
  raw: string
  deleted: boolean
  createdAt: Instant
  updatedAt: Instant
}

export const PIPELINE_WORDS = [
  'PENDING',
  'PARSING',
  'RUNNING',
  'PAUSED',
  'HALTED',
  'SUCCESSFUL',
  'FAILED',
  'ERROR',
  'STOPPED',
  'EXPIRED',
] as const
export type PipelineWord = (typeof PIPELINE_WORDS)[number]

export const ENDED: readonly PipelineWord[] = ['SUCCESSFUL', 'FAILED', 'ERROR', 'STOPPED', 'EXPIRED']

export interface Target {
  type: 'pipeline_ref_target' | 'pipeline_commit_target' | 'pipeline_pullrequest_target'
  refType: 'branch' | 'tag' | null
  refName: string | null
  commit: string
  selector: { type: string; pattern: string | null }
}

export interface Pipeline {
  uuid: string
  number: number
  run: number
  target: Target
  trigger: 'push' | 'manual' | 'schedule'
  variables: Readonly<Record<string, string>>
  /** Keys of those whose values are never told. */
  secured: ReadonlySet<string>
  creator: User
  word: PipelineWord
  steps: Step[]
  createdAt: Instant
  completedAt: Instant | null
}

export interface Step {
  uuid: string
  name: string
  script: readonly string[]
  word: PipelineWord
  log: string
}

export const STATUS_STATES = ['SUCCESSFUL', 'FAILED', 'INPROGRESS', 'STOPPED'] as const
export type StatusState = (typeof STATUS_STATES)[number]

export interface Status {
  key: string
  name: string
  refname: string | null
  state: StatusState
  description: string
  url: string
  createdAt: Instant
  updatedAt: Instant
}

export interface Report {
  body: Readonly<Record<string, unknown>>
  annotations: Map<string, Readonly<Record<string, unknown>>>
}

export interface Hook {
  uuid: string
  url: string
  secret: string | null
  active: boolean
  /** Deliveries that were too large to be sent. */
  unsent: number
  queue: Promise<void>
}

/** The same for the same name in every run, without braces. */
export function uuidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export function addUser(world: World, nickname: string, more: Partial<User> = {}): User {
  const known = world.users.get(nickname)
  if (known) return known
  const user: User = {
    uuid: `{${uuidOf(`bitbucket user ${nickname}`)}}`,
    accountId: `557058:${uuidOf(`atlassian account ${nickname}`)}`,
    nickname,
    email: `${nickname}@example.test`,
    type: 'user',
    ...more,
  }
  world.users.set(nickname, user)
  return user
}

export function userOf(world: World, nickname: string): User {
  const known = world.users.get(nickname)
  if (!known) throw new Error(`the Bitbucket has no user ${nickname}`)
  return known
}

export function repositoryOf(world: World, fullName: string): Repository {
  const repository = world.repositories.get(fullName.toLowerCase())
  if (!repository) throw new Error(`the Bitbucket has no repository ${fullName}`)
  return repository
}

export function pullOf(repository: Repository, id: number): PullRequest {
  const pull = repository.pulls.find((each) => each.id === id)
  if (!pull) throw new Error(`${repository.fullName} has no pull request ${id}`)
  return pull
}

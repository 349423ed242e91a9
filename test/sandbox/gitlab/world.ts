import type { Clock, Instant } from '../../../controller/clock.ts'
import type { Scripts } from '../actions/scripts.ts'
import type { Faults } from '../faults.ts'
import type { GitPrograms } from '../git/programs.ts'
import type { GitRepository } from '../git/repository.ts'
import type { NameContract } from '../name-contract.ts'
import { stableId } from '../world.ts'

/** Everything the emulated GitLab knows. Only this folder changes it; the git repositories themselves are on disk. */
export interface World {
  clock: Clock
  root: string
  programs: GitPrograms
  /** `http://127.0.0.1:<port>`, set once the server listens. */
  origin: string
  users: Map<string, User>
  /** Users by the text of their tokens. */
  tokens: Map<string, User>
  projects: Map<string, Project>
  faults: Faults
  contract: NameContract
  pending: Set<Promise<void>>
  /** How pipelines that the API made go on by themselves. */
  runs: 'manual' | 'instant' | 'process'
  scripts: Scripts<Pipeline>
  nextId: () => number
}

export interface User {
  id: number
  username: string
  email: string
  bot: boolean
  state: 'active' | 'blocked'
}

export const GUEST = 10
export const REPORTER = 20
export const DEVELOPER = 30
export const MAINTAINER = 40

export interface Project {
  id: number
  fullName: string
  git: GitRepository
  defaultBranch: string
  members: Map<User, number>
  /** `no_one_allowed` is what new groups start with. */
  variablesRole: 'developer' | 'no_one_allowed'
  createdAt: Instant
  requests: MergeRequest[]
  pipelines: Pipeline[]
  statuses: Status[]
  deployments: Deployment[]
  pushes: Push[]
  hooks: Hook[]
}

export interface Push {
  at: Instant
  author: User
  action: 'created' | 'pushed' | 'removed'
  kind: 'branch' | 'tag'
  /** Null: several refs in one push, summed up. */
  ref: string | null
  before: string
  after: string
}

export interface MergeRequest {
  id: number
  iid: number
  title: string
  author: User
  source: Project
  sourceBranch: string
  targetBranch: string
  sha: string
  mergeBase: string
  state: 'opened' | 'closed' | 'merged'
  draft: boolean
  createdAt: Instant
  updatedAt: Instant
  mergedAt: Instant | null
  mergeCommit: string | null
  squashCommit: string | null
  versions: { id: number; sha: string; base: string; at: Instant }[]
  approvals: { user: User; at: Instant }[]
  reviewers: Map<User, 'unreviewed' | 'requested_changes' | 'approved'>
  notes: Note[]
}

export interface Note {
  id: number
  author: User
  body: string
  system: boolean
  createdAt: Instant
  updatedAt: Instant
}

export const PIPELINE_STATES = [
  'created',
  'waiting_for_resource',
  'preparing',
  'waiting_for_callback',
  'pending',
  'running',
  'scheduled',
  'manual',
  'canceling',
  'success',
  'failed',
  'canceled',
  'skipped',
] as const
export type PipelineState = (typeof PIPELINE_STATES)[number]

export interface Pipeline {
  id: number
  iid: number
  ref: string
  tag: boolean
  sha: string
  source: string
  name: string | null
  /** The state told by hand; jobs and statuses decide while it is null. */
  forced: PipelineState | null
  variables: Readonly<Record<string, string>>
  inputs: Readonly<Record<string, string>>
  jobs: Job[]
  user: User
  createdAt: Instant
  updatedAt: Instant
  /** Null until it was brought to an end. */
  endedAt: Instant | null
}

export interface Job {
  id: number
  name: string
  status: PipelineState
  allowFailure: boolean
  retried: boolean
  log: string
}

/** A status posted from outside; it belongs to a pipeline and has a say in its state. */
export interface Status {
  id: number
  pipeline: Pipeline
  sha: string
  name: string
  status: PipelineState
  description: string | null
  targetUrl: string | null
  author: User
  createdAt: Instant
  retried: boolean
}

export interface Deployment {
  id: number
  environment: string
  sha: string
  ref: string
  tag: boolean
  status: string
  createdAt: Instant
  updatedAt: Instant
}

export interface Hook {
  id: number
  url: string
  /** `X-Gitlab-Token`. */
  token: string | null
  /** `whsec_…`; with it deliveries are signed. */
  signingToken: string | null
  failures: number
  /** GitLab stops calling a hook after four failures in a row. */
  disabledUntil: Instant | null
  queue: Promise<void>
}

export function userOf(world: World, username: string): User {
  const known = world.users.get(username.toLowerCase())
  if (!known) throw new Error(`the GitLab has no user ${username}`)
  return known
}

export function addUser(world: World, username: string, more: Partial<User> = {}): User {
  const known = world.users.get(username.toLowerCase())
  if (known) return known
  const user: User = {
    id: stableId(`gitlab user ${username}`),
    username,
    email: `${username}@example.test`,
    bot: false,
    state: 'active',
    ...more,
  }
  world.users.set(username.toLowerCase(), user)
  return user
}

export function projectOf(world: World, fullName: string): Project {
  const project = world.projects.get(fullName.toLowerCase())
  if (!project) throw new Error(`the GitLab has no project ${fullName}`)
  return project
}

export function requestOf(project: Project, iid: number): MergeRequest {
  const request = project.requests.find((each) => each.iid === iid)
  if (!request) throw new Error(`${project.fullName} has no merge request ${iid}`)
  return request
}

/** By jobs and by statuses posted from outside, as GitLab does: a status can make or break a pipeline. */
export function stateOf(project: Project, pipeline: Pipeline): PipelineState {
  if (pipeline.forced !== null) return pipeline.forced
  const parts = [
    ...pipeline.jobs.filter((job) => !job.retried && !(job.allowFailure && job.status === 'failed')),
    ...project.statuses.filter((status) => status.pipeline === pipeline && !status.retried),
  ].map((part) => part.status)
  if (parts.length === 0) return 'skipped'
  if (parts.every((state) => state === 'created' || state === 'pending')) return 'pending'
  const unfinished = parts.some((state) => ['created', 'pending', 'running'].includes(state))
  if (unfinished) return 'running'
  if (parts.includes('failed')) return 'failed'
  return parts.includes('canceled') ? 'canceled' : 'success'
}

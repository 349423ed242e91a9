import type { Clock, Instant } from '../../../controller/clock.ts'
import type { Scripts } from '../actions/scripts.ts'
import type { Workflow } from '../actions/workflow-file.ts'
import type { Faults } from '../faults.ts'
import type { GitPrograms } from '../git/programs.ts'
import type { GitRepository } from '../git/repository.ts'
import type { NameContract } from '../name-contract.ts'
import { stableId } from '../world.ts'

export type Server = 'gitea' | 'forgejo'

/** Everything the emulated server knows. Only this folder changes it; the git repositories themselves are on disk. */
export interface World {
  server: Server
  clock: Clock
  root: string
  programs: GitPrograms
  /** `http://127.0.0.1:<port>`, set once the server listens. */
  origin: string
  users: Map<string, User>
  /** Users by the text of their tokens. */
  tokens: Map<string, User>
  repositories: Map<string, Repository>
  faults: Faults
  contract: NameContract
  pending: Set<Promise<void>>
  /** How runs go on by themselves. */
  runs: 'manual' | 'instant' | 'process'
  scripts: Scripts<Run>
  /** What the server says of itself. */
  version: string
  /** False for versions that answer a dispatch without its run. */
  namesRun: boolean
  /** The longest page that the operator allows. */
  maxPage: number
  nextId: () => number
}

export interface User {
  id: number
  login: string
  email: string
  /** "Hide the activity from the profile page": leaves the feeds of repositories as well. */
  hidesActivity: boolean
}

export const ROLES = ['none', 'read', 'write', 'admin'] as const
export type Role = (typeof ROLES)[number]

export interface Repository {
  id: number
  fullName: string
  git: GitRepository
  defaultBranch: string
  roles: Map<User, Role>
  hasActions: boolean
  /** Pull requests and issues share one sequence. */
  pulls: Pull[]
  statuses: Status[]
  activities: Activity[]
  runs: Run[]
  hooks: Hook[]
}

/** An entry of the feed. A new branch makes two: one for its commits, one, without content, for itself. */
export interface Activity {
  id: number
  at: Instant
  user: User
  kind: 'commit_repo' | 'push_tag' | 'delete_branch' | 'delete_tag'
  ref: string
  content: string
}

export interface Pull {
  id: number
  number: number
  title: string
  author: User
  /** Null when the fork is gone. */
  source: Repository | null
  branch: string
  base: string
  /** What `refs/pull/<number>/head` holds: stays behind when the branch moves on after the merge. */
  headSha: string
  mergeBase: string
  state: 'open' | 'closed'
  draft: boolean
  createdAt: Instant
  updatedAt: Instant
  merge: { commit: string; at: Instant; by: User } | null
  reviews: Review[]
  comments: Comment[]
  /** Pushes while it was open; a forced one takes away those before it. */
  pushes: { id: number; user: User; at: Instant }[]
}

export type ReviewState = 'APPROVED' | 'REQUEST_CHANGES' | 'COMMENT' | 'PENDING' | 'REQUEST_REVIEW'

export interface Review {
  id: number
  user: User
  state: ReviewState
  commit: string
  dismissed: boolean
  stale: boolean
  official: boolean
  at: Instant
}

export interface Comment {
  id: number
  author: User
  body: string
  createdAt: Instant
  updatedAt: Instant
}

export type StatusState = 'pending' | 'success' | 'error' | 'failure' | 'warning' | 'skipped'

export interface Status {
  id: number
  sha: string
  context: string
  state: StatusState
  description: string
  targetUrl: string
  creator: User
  createdAt: Instant
}

/** The servers' own words inside; what the API says differs (`bodies.ts`). */
export const RUN_STATES = ['waiting', 'blocked', 'running', 'cancelling', 'success', 'failure', 'cancelled', 'skipped'] as const
export type RunState = (typeof RUN_STATES)[number]

export interface Run {
  id: number
  /** Counts within the repository. */
  number: number
  /** Name of the workflow file. */
  file: string
  workflow: Workflow
  /** In full. */
  ref: string
  sha: string
  event: string
  title: string
  inputs: Readonly<Record<string, string>>
  user: User
  state: RunState
  attempt: number
  createdAt: Instant
  startedAt: Instant | null
  endedAt: Instant | null
  log: string
}

export interface Hook {
  id: number
  url: string
  /** Null: deliveries carry empty signatures. */
  secret: string | null
  queue: Promise<void>
}

/** The server's own users have ids that no account has. */
export function actionsUser(world: World): User {
  return { id: -2, login: `${world.server}-actions`, email: 'teabot@gitea.io', hidesActivity: false }
}

export function userOf(world: World, login: string): User {
  const known = world.users.get(login.toLowerCase())
  if (!known) throw new Error(`the server has no user ${login}`)
  return known
}

export function addUser(world: World, login: string, more: Partial<User> = {}): User {
  const known = world.users.get(login.toLowerCase())
  if (known) return Object.assign(known, more)
  const id = stableId(`${world.server} user ${login}`)
  const user: User = { id, login, email: `${login}@example.test`, hidesActivity: false, ...more }
  world.users.set(login.toLowerCase(), user)
  return user
}

/** The account whose address this is, the hidden one included. */
export function userByEmail(world: World, email: string): User | null {
  const wanted = email.toLowerCase()
  for (const user of world.users.values()) {
    if (user.email.toLowerCase() === wanted || privateEmail(user.login) === wanted) return user
  }
  return null
}

/** NO_REPLY_ADDRESS of a server at `git.example.test`. */
export function privateEmail(login: string): string {
  return `${login.toLowerCase()}@noreply.git.example.test`
}

export function repositoryOf(world: World, fullName: string): Repository {
  const repository = world.repositories.get(fullName.toLowerCase())
  if (!repository) throw new Error(`the server has no repository ${fullName}`)
  return repository
}

export function pullOf(repository: Repository, number: number): Pull {
  const pull = repository.pulls.find((each) => each.number === number)
  if (!pull) throw new Error(`${repository.fullName} has no pull request ${number}`)
  return pull
}

export function mayDo(repository: Repository, user: User, role: Role): boolean {
  return ROLES.indexOf(repository.roles.get(user) ?? 'none') >= ROLES.indexOf(role)
}

export function isOver(state: RunState): boolean {
  return ['success', 'failure', 'cancelled', 'skipped'].includes(state)
}

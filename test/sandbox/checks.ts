import { emit } from './hooks.ts'
import { checkBody } from './rest/check-bodies.ts'
import type {
  Account,
  App,
  CheckOutput,
  CheckRun,
  CheckStatus,
  CheckSuite,
  CommitStatus,
  Conclusion,
  Repository,
  StatusState,
  World,
} from './world.ts'

export interface CheckChange {
  status: CheckStatus
  conclusion: Conclusion | null
  name?: string
  externalId?: string
  detailsUrl?: string
  output?: CheckOutput
}

export interface NewCheck extends CheckChange {
  app: App
  sha: string
  name: string
  /** The suite it belongs to; the app's own suite of this commit unless told. */
  suite?: CheckSuite
}

const NO_OUTPUT: CheckOutput = { title: null, summary: null, text: null, annotations: [] }

export function newSuite(world: World, repository: Repository, app: App, sha: string, branch: string | null): CheckSuite {
  const suite: CheckSuite = { id: world.nextId(), app, sha, branch, createdAt: world.clock.now() }
  repository.suites.push(suite)
  return suite
}

/** Adds a check run to a commit and tells the hooks. */
export function postCheck(world: World, repository: Repository, wanted: NewCheck): CheckRun {
  const { app, sha, name } = wanted
  const own = repository.suites.find((suite) => suite.app === app && suite.sha === sha)
  const check: CheckRun = {
    id: world.nextId(),
    suite: wanted.suite ?? own ?? newSuite(world, repository, app, sha, null),
    name,
    status: 'queued',
    conclusion: null,
    externalId: null,
    detailsUrl: null,
    output: NO_OUTPUT,
    startedAt: world.clock.now(),
    completedAt: null,
  }
  repository.checks.push(check)
  applyChange(world, check, wanted)
  emitCheck(world, repository, check, 'created')
  if (check.status === 'completed') emitCheck(world, repository, check, 'completed')
  return check
}

export function updateCheck(world: World, repository: Repository, check: CheckRun, change: CheckChange): void {
  const before = check.status
  applyChange(world, check, change)
  if (check.status === 'completed' && before !== 'completed') emitCheck(world, repository, check, 'completed')
}

function applyChange(world: World, check: CheckRun, change: CheckChange): void {
  check.status = change.status
  check.conclusion = change.conclusion
  check.completedAt = change.status === 'completed' ? world.clock.now() : null
  check.name = change.name ?? check.name
  check.externalId = change.externalId ?? check.externalId
  check.detailsUrl = change.detailsUrl ?? check.detailsUrl
  check.output = change.output ?? check.output
}

function emitCheck(world: World, repository: Repository, check: CheckRun, action: string): void {
  const payload = { check_run: checkBody(world, repository, check) }
  emit(world, repository, { name: 'check_run', action, payload, sender: check.suite.app.bot })
}

export interface NewStatus {
  sha: string
  context: string
  state: StatusState
  description: string | null
  targetUrl: string | null
  creator: Account
}

/** Adds a commit status; an older one of the same context stays, but no longer counts. */
export function postStatus(world: World, repository: Repository, wanted: NewStatus): CommitStatus {
  const status = { ...wanted, id: world.nextId(), createdAt: world.clock.now() }
  repository.statuses.push(status)
  const { id, sha, context, state, description, targetUrl } = status
  const payload = { id, sha, context, state, description, target_url: targetUrl }
  emit(world, repository, { name: 'status', payload, sender: wanted.creator })
  return status
}

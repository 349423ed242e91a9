import { readCommit } from '../git/repository.ts'
import { type CheckRun, type CheckSuite, nodeId, type Repository, type World } from '../world.ts'
import { simpleCommitBody } from './commits.ts'
import { pullsWithHead } from './pulls.ts'
import { minimalRepositoryBody } from './repositories.ts'
import { repositoryApiUrl, repositoryWebUrl, timestamp, timestampOrNull } from './urls.ts'
import { appBody } from './users.ts'

/** `check-run`. */
export function checkBody(world: World, repository: Repository, check: CheckRun) {
  const url = repositoryApiUrl(world, repository, `/check-runs/${check.id}`)
  const html = repositoryWebUrl(world, repository, `/runs/${check.id}`)
  const { title, summary, text, annotations } = check.output
  return {
    id: check.id,
    head_sha: check.suite.sha,
    node_id: nodeId('CheckRun', check.id),
    external_id: check.externalId,
    url,
    html_url: html,
    details_url: check.detailsUrl ?? html,
    status: check.status,
    conclusion: check.conclusion,
    started_at: timestampOrNull(check.startedAt),
    completed_at: timestampOrNull(check.completedAt),
    output: { title, summary, text, annotations_count: annotations.length, annotations_url: `${url}/annotations` },
    name: check.name,
    check_suite: { id: check.suite.id },
    app: appBody(world, check.suite.app),
    pull_requests: pullsWithHead(world, repository, check.suite.sha),
  }
}

/** `check-suite`: its state is the sum of its newest checks. */
export async function suiteBody(world: World, repository: Repository, suite: CheckSuite) {
  const checks = latestChecks(repository.checks.filter((check) => check.suite === suite))
  const url = repositoryApiUrl(world, repository, `/check-suites/${suite.id}`)
  const open = checks.find((check) => check.status !== 'completed')
  const bad = checks.find((check) => !['success', 'neutral', 'skipped'].includes(check.conclusion ?? ''))
  return {
    id: suite.id,
    node_id: nodeId('CheckSuite', suite.id),
    head_branch: suite.branch,
    head_sha: suite.sha,
    status: checks.length === 0 ? 'queued' : (open?.status ?? 'completed'),
    conclusion: checks.length === 0 || open ? null : (bad?.conclusion ?? 'success'),
    url,
    before: null,
    after: suite.sha,
    pull_requests: pullsWithHead(world, repository, suite.sha),
    app: appBody(world, suite.app),
    repository: minimalRepositoryBody(world, repository),
    created_at: timestamp(suite.createdAt),
    updated_at: timestamp(suite.createdAt),
    head_commit: simpleCommitBody(await readCommit(repository.git, suite.sha)),
    latest_check_runs_count: checks.length,
    check_runs_url: `${url}/check-runs`,
  }
}

/** The newest check of each name within its suite. */
export function latestChecks(checks: readonly CheckRun[]): CheckRun[] {
  return [...new Map(checks.map((check) => [`${check.suite.id} ${check.name}`, check])).values()]
}

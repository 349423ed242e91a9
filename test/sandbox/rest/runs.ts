import { type Conclusion, nodeId, type RunJob, type WorkflowRun, type World } from '../world.ts'
import { simpleCommitBody } from './commits.ts'
import { pullsWithHead } from './pulls.ts'
import { minimalRepositoryBody } from './repositories.ts'
import { repositoryApiUrl, repositoryWebUrl, timestamp, timestampOrNull } from './urls.ts'
import { userBody } from './users.ts'

/** `workflow-run`. */
export function runBody(world: World, run: WorkflowRun) {
  const { repository } = run
  const url = repositoryApiUrl(world, repository, `/actions/runs/${run.id}`)
  const suiteUrl = repositoryApiUrl(world, repository, `/check-suites/${run.suite.id}`)
  const workflowId = workflowIdOf(world, run)
  return {
    id: run.id,
    name: run.workflowName,
    node_id: nodeId('WorkflowRun', run.id),
    check_suite_id: run.suite.id,
    check_suite_node_id: nodeId('CheckSuite', run.suite.id),
    head_branch: run.branch,
    head_sha: run.head.sha,
    path: run.path,
    display_title: run.title,
    run_number: run.number,
    run_attempt: run.attempt,
    event: run.event,
    status: run.status,
    conclusion: run.conclusion,
    workflow_id: workflowId,
    url,
    html_url: repositoryWebUrl(world, repository, `/actions/runs/${run.id}`),
    pull_requests: pullsWithHead(world, repository, run.head.sha),
    created_at: timestamp(run.createdAt),
    updated_at: timestamp(run.updatedAt),
    run_started_at: timestamp(run.startedAt),
    actor: userBody(world, run.actor),
    triggering_actor: userBody(world, run.actor),
    previous_attempt_url: run.attempt > 1 ? `${url}/attempts/${run.attempt - 1}` : null,
    jobs_url: `${url}/jobs`,
    logs_url: `${url}/logs`,
    check_suite_url: suiteUrl,
    artifacts_url: `${url}/artifacts`,
    cancel_url: `${url}/cancel`,
    rerun_url: `${url}/rerun`,
    workflow_url: repositoryApiUrl(world, repository, `/actions/workflows/${workflowId}`),
    head_commit: simpleCommitBody(run.head),
    repository: minimalRepositoryBody(world, repository),
    head_repository: minimalRepositoryBody(world, repository),
  }
}

/** A workflow keeps one id as long as its path stays the same. */
export function workflowIdOf(world: World, { repository, path }: Pick<WorkflowRun, 'repository' | 'path'>): number {
  const id = repository.workflowIds.get(path) ?? world.nextId()
  repository.workflowIds.set(path, id)
  return id
}

/** `job`. */
export function jobBody(world: World, run: WorkflowRun, job: RunJob) {
  const { repository } = run
  return {
    id: job.id,
    run_id: run.id,
    run_url: repositoryApiUrl(world, repository, `/actions/runs/${run.id}`),
    run_attempt: job.attempt,
    node_id: nodeId('CheckRun', job.id),
    head_sha: run.head.sha,
    head_branch: run.branch,
    url: repositoryApiUrl(world, repository, `/actions/jobs/${job.id}`),
    html_url: repositoryWebUrl(world, repository, `/actions/runs/${run.id}/job/${job.id}`),
    status: job.status,
    conclusion: job.conclusion as Conclusion | null,
    created_at: timestamp(job.createdAt),
    started_at: timestamp(job.startedAt),
    completed_at: timestampOrNull(job.completedAt),
    name: job.name,
    workflow_name: run.workflowName,
    steps: job.steps.map((step) => ({
      name: step.name,
      status: step.status,
      conclusion: step.conclusion,
      number: step.number,
      started_at: timestampOrNull(step.startedAt),
      completed_at: timestampOrNull(step.completedAt),
    })),
    check_run_url: repositoryApiUrl(world, repository, `/check-runs/${job.check.id}`),
    labels: ['ubuntu-latest'],
    runner_id: 1,
    runner_name: 'sandbox',
    runner_group_id: 1,
    runner_group_name: 'Default',
  }
}

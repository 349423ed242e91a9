import type { Query } from '../json-calls.ts'
import { type GiteaClient, pages } from './client.ts'
import type { RunJob, WorkflowRun } from './dialect.ts'

/** Runs of the repository, the newest first, page by page. */
export async function* runPages(client: GiteaClient, query: Query): AsyncGenerator<WorkflowRun[]> {
  const inAnswer = (data: unknown) => (data as { workflow_runs?: unknown }).workflow_runs
  for await (const page of pages<unknown>(client, `${client.repo}/actions/runs`, query, inAnswer))
    yield page.map(client.dialect.run)
}

/** Jobs of the newest attempt of a run. Gitea lists them in an answer and by pages, Forgejo as they are. */
export async function jobsOf(client: GiteaClient, run: number): Promise<RunJob[]> {
  const jobs: RunJob[] = []
  const inAnswer = (data: unknown) => (Array.isArray(data) ? data : (data as { jobs?: unknown }).jobs)
  for await (const page of pages<unknown>(client, `${client.repo}/actions/runs/${run}/jobs`, {}, inAnswer))
    jobs.push(...page.map(client.dialect.job))
  return jobs
}

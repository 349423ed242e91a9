import type { RestEndpointMethodTypes } from '@octokit/rest'
import type { CommitSha } from '../../model/names.ts'
import type { CiEvidence, CiResult } from '../../policy/facts.ts'
import { webUrl } from '../text.ts'
import { type GithubClient, pages } from './client.ts'
import { runsWorkflow, workflowFile } from './workflow.ts'

type CheckRun = RestEndpointMethodTypes['checks']['listForRef']['response']['data']['check_runs'][number]

/** How our own doings on a commit are recognised: they must never prove that CI succeeded. */
export interface OwnRuns {
  /** Selectors of all pipelines of the project. */
  selectors: readonly string[]
  /** Our own app, when we are one. */
  appId: number | null
}

const OWN_PREFIX = 'draven/'

/**
 * Check runs and commit statuses of exactly this commit. No results are no results:
 * the combined state is not used, because it says `pending` where nothing ever reported.
 */
export async function githubCiEvidence(client: GithubClient, sha: CommitSha, own: OwnRuns): Promise<CiEvidence> {
  const results: CiResult[] = []
  const ignored: CiEvidence['ignored'][number][] = []
  const ownSuites = await suitesOfOwnRuns(client, sha, own)
  for (const run of await checkRuns(client, sha)) {
    const why = whyOwn(run, own, ownSuites)
    if (why !== null) ignored.push({ name: run.name, why })
    else
      results.push({
        name: run.name,
        app: run.app?.slug ?? null,
        state: checkState(run.status, run.conclusion),
        url: webUrl(run.html_url),
      })
  }
  for (const status of await statuses(client, sha)) {
    if (isOwnName(status.context)) ignored.push({ name: status.context, why: 'a status of this controller' })
    else results.push({ name: status.context, app: null, state: statusState(status.state), url: webUrl(status.target_url) })
  }
  return { sha, results, ignored }
}

async function checkRuns({ octokit, owner, repo }: GithubClient, sha: CommitSha): Promise<CheckRun[]> {
  const runs: CheckRun[] = []
  const listed = { owner, repo, ref: sha, filter: 'latest', per_page: 100 } as const
  for await (const page of pages((page) => octokit.rest.checks.listForRef({ ...listed, page }))) runs.push(...page.check_runs)
  return runs.filter((run) => run.head_sha === sha)
}

async function statuses({ octokit, owner, repo }: GithubClient, sha: CommitSha) {
  const found: RestEndpointMethodTypes['repos']['getCombinedStatusForRef']['response']['data']['statuses'] = []
  for await (const page of pages((page) =>
    octokit.rest.repos.getCombinedStatusForRef({ owner, repo, ref: sha, per_page: 100, page }),
  )) {
    if (page.total_count > 0 && page.sha === sha) found.push(...page.statuses)
  }
  return found
}

/** The jobs of a deploy run are check runs on the commit it ran from. A run that somebody started by hand counts no more than ours. */
async function suitesOfOwnRuns(
  { octokit, owner, repo }: GithubClient,
  sha: CommitSha,
  own: OwnRuns,
): Promise<ReadonlySet<string>> {
  const suites = new Set<string>()
  const paths = own.selectors.map((selector) => workflowFile(selector).path)
  const listed = { owner, repo, head_sha: sha, event: 'workflow_dispatch', per_page: 100 }
  for await (const page of pages((page) => octokit.rest.actions.listWorkflowRunsForRepo({ ...listed, page }))) {
    for (const run of page.workflow_runs) {
      const ours = run.event === 'workflow_dispatch' && paths.some((path) => runsWorkflow(run.path, path))
      if (ours && run.check_suite_id !== undefined) suites.add(String(run.check_suite_id))
    }
  }
  return suites
}

function whyOwn(run: CheckRun, own: OwnRuns, ownSuites: ReadonlySet<string>): string | null {
  if (isOwnName(run.name)) return 'a check of this controller'
  if (own.appId !== null && run.app?.id === own.appId) return "a check of this controller's app"
  if (run.check_suite !== null && ownSuites.has(String(run.check_suite.id))) return 'a job of a deploy run'
  return null
}

/** GitHub compares status contexts without regard to case. */
function isOwnName(name: string): boolean {
  return name.toLowerCase().startsWith(OWN_PREFIX)
}

const PASSING = new Set(['success', 'neutral', 'skipped'])

export function checkState(status: string, conclusion: string | null): CiResult['state'] {
  if (status !== 'completed' || conclusion === null) return 'pending'
  return PASSING.has(conclusion) ? 'success' : 'failed'
}

export function statusState(state: string): CiResult['state'] {
  if (state === 'success' || state === 'pending') return state
  return 'failed'
}

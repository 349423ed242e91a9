import { RefusedFault } from '../../errors.ts'
import type { DeploymentMessage, DeploymentMirror } from '../../notify/publisher.ts'
import { cut } from '../text.ts'
import type { GithubClient } from './client.ts'

const MAX_DESCRIPTION = 140

/** The Deployments list of a project's repository: one deployment a job, one status a change. */
export function githubDeployments({ octokit, owner, repo }: GithubClient): DeploymentMirror {
  async function create(message: DeploymentMessage): Promise<number> {
    const { data, status } = await octokit.rest.repos.createDeployment({
      owner,
      repo,
      // The commit that runs, whatever its branch or tag has moved to since.
      ref: message.sha,
      task: 'deploy',
      // With GitHub's defaults this call merges the default branch into the ref, or waits for every status on it.
      auto_merge: false,
      required_contexts: [],
      environment: message.environment,
      production_environment: message.production,
      description: cut(message.description, MAX_DESCRIPTION),
      payload: { job_id: message.jobId, ref: message.ref },
    })
    if (status !== 201 || !('id' in data)) throw new RefusedFault(`GitHub made no deployment for job ${message.jobId}.`, status)
    return data.id
  }

  async function report(deployment: number, message: DeploymentMessage): Promise<void> {
    await octokit.rest.repos.createDeploymentStatus({
      owner,
      repo,
      deployment_id: deployment,
      state: message.state,
      description: cut(message.description, MAX_DESCRIPTION),
      ...(message.logUrl === null ? {} : { log_url: message.logUrl }),
      ...(message.environmentUrl === null ? {} : { environment_url: message.environmentUrl }),
    })
  }

  return {
    async mirror(message, known) {
      if (known !== null && /^\d{1,15}$/.test(known)) {
        try {
          await report(Number(known), message)
          return known
        } catch (error) {
          // Somebody deleted it: make it anew.
          if (!(error instanceof RefusedFault && error.status === 404)) throw error
        }
      }
      const deployment = await create(message)
      await report(deployment, message)
      return String(deployment)
    },
  }
}

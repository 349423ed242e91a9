import { RefusedFault } from '../../errors.ts'
import type { DeploymentMessage, DeploymentMirror } from '../../notify/publisher.ts'
import { unlessMissing } from '../json-calls.ts'
import type { GitlabClient } from './client.ts'

interface Deployment {
  id: number
  status: string
}

/** GitLab takes four states from outside, none of which means "not yet". */
const STATES = {
  queued: null,
  in_progress: 'running',
  success: 'success',
  failure: 'failed',
  inactive: 'canceled',
} as const satisfies Record<DeploymentMessage['state'], string | null>

/** The Deployments list of a project: one deployment a job, moved on as the job moves. */
export function gitlabDeployments(client: GitlabClient): DeploymentMirror {
  const list = `${client.project}/deployments`

  async function create(message: DeploymentMessage, status: string): Promise<string> {
    const tag = await unlessMissing(() => client.get(`${client.project}/repository/tags/${encodeURIComponent(message.ref)}`))
    const { environment, sha, ref } = message
    const { data } = await client.send<Deployment>('POST', list, { environment, sha, ref, tag: tag !== null, status })
    return String(data.id)
  }

  return {
    async mirror(message, known) {
      const status = STATES[message.state]
      if (status === null) return known ?? ''
      if (known === null || !/^\d{1,15}$/.test(known)) return create(message, status)
      const present = await unlessMissing(() => client.get<Deployment>(`${list}/${known}`))
      if (present === null) return create(message, status)
      if (present.data.status === status) return known
      try {
        await client.send('PUT', `${list}/${known}`, { status })
        return known
      } catch (error) {
        // What is over cannot start again there: the next attempt is a deployment of its own.
        if (!(error instanceof RefusedFault && error.status === 400)) throw error
        return create(message, status)
      }
    },
  }
}

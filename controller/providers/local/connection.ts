import { RefusedFault } from '../../errors.ts'
import type { RefHost } from '../../jobs/evidence.ts'
import type { Project } from '../../model/desired-state.ts'
import { noCode } from '../no-code.ts'
import type { LocalSettings, Provider, ProviderOptions } from '../provider.ts'
import { localPipeline, supervisorProgram } from './pipeline.ts'
import { localRefs } from './refs.ts'

/** Commands and repositories of the controller's own machine. */
export function localProvider({ local, clock }: ProviderOptions): Provider {
  if (local === null) throw new RefusedFault('This controller runs no local commands.')
  const { commands, repositories, dataDirectory } = local
  return {
    project({ integration }) {
      const { repoFullName } = integration
      return {
        // Code that is at a forge needs no repository here.
        refs: integration.code === null ? refsOf(repositories, integration) : noCode('This machine'),
        pipeline: localPipeline({ commands, dataDirectory, clock, supervisor: local.supervisor ?? supervisorProgram() }),
        deployments: null,
        describeAccess: async () => ({
          provider: 'local',
          repository: repoFullName,
          auth: 'none',
          missing: [],
          rateLimit: null,
          clockSkewMs: 0,
          notes: [],
        }),
      }
    },
    config: null,
  }
}

function refsOf(repositories: LocalSettings['repositories'], { repoFullName, defaultBranch }: Project['integration']): RefHost {
  const repository = Object.hasOwn(repositories, repoFullName) ? repositories[repoFullName] : undefined
  if (repository === undefined)
    throw new RefusedFault(`The controller has no local repository named ${JSON.stringify(repoFullName)}.`)
  return localRefs({ repository, defaultBranch })
}

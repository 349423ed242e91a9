import { type ConfigFile, findingAt } from './config-file.ts'
import type { DesiredState, Environment } from './desired-state.ts'
import type { Finding } from './finding.ts'
import { environmentKey } from './names.ts'
import { may } from './roles.ts'

/**
 * Environments whose policy asks for more approvals than there are people who may give one. A warning: the people may come
 * later, and until then every request waits and says for whom.
 */
export function approverFindings(
  files: readonly ConfigFile<'Environment'>[],
  desired: Pick<DesiredState, 'environments' | 'people' | 'bindings'>,
): Finding[] {
  return files.flatMap((file) => {
    const environment = desired.environments.get(environmentKey(file.names[0]!, file.names[1]!))
    if (environment === undefined || !environment.policy.requireApproval) return []
    const needed = environment.policy.approvalsRequired
    const some = peopleWhoApprove(desired, environment, needed)
    if (some.length >= needed) return []
    const who = some.length === 0 ? 'nobody may' : `only ${some.join(', ')} may`
    return [
      findingAt(file, 'DRV1312', '/policy', {
        severity: 'warning',
        message: `the policy needs ${needed} ${needed === 1 ? 'approval' : 'approvals'}, and ${who} approve here`,
        allowed: `at least ${needed} people with the role approver or admin here, besides whoever asks`,
        help: 'add them to a binding in access.yaml',
      }),
    ]
  })
}

/** Ids of the first people who may; with `atMost` of them the search ends. */
function peopleWhoApprove(
  desired: Pick<DesiredState, 'people' | 'bindings'>,
  { project, name }: Environment,
  atMost: number,
): readonly string[] {
  const found: string[] = []
  for (const person of desired.people.keys()) {
    if (may(desired, person, 'approve', { project, environment: name })) found.push(person)
    if (found.length === atMost) break
  }
  return found
}

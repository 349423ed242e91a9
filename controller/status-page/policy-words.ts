import type { Environment, Pattern, Policy } from '../model/desired-state.ts'
import { describeWindow } from '../policy/window.ts'
import { durationText } from './moments.ts'

/** The rules of an environment in plain sentences, in the order in which the gates ask. */
export function environmentRules(environment: Environment): string[] {
  const { policy } = environment
  return [
    ...refRules(policy),
    ...(environment.promoteFrom === null ? [] : [`The same commit must have succeeded in ${environment.promoteFrom} first.`]),
    policy.requireCiSuccess ? 'CI must be green on exactly the commit that runs.' : 'No CI result is asked for.',
    approvalRule(policy),
    policy.window === null ? 'Jobs may start at any time.' : `Jobs may start ${describeWindow(policy.window)}.`,
    rollbackRule(policy),
    policy.allowForceDeploy ? 'Force may skip gates, with a role and a reason.' : 'Force is not allowed.',
    environment.lockStrategy === 'exclusive' ? 'One job at a time; the others queue in order.' : 'Jobs may run side by side.',
    `A run may take ${durationText(environment.maxRunMs)} at most.`,
  ]
}

function refRules(policy: Policy): string[] {
  const rules: string[] = []
  for (const type of policy.allowedRefTypes) {
    if (type === 'branch') rules.push(`Branches may be deployed when their name matches ${patterns(policy.allowedBranches)}.`)
    if (type === 'tag') rules.push(`Tags may be deployed when their name matches ${patterns(policy.allowedTags)}.`)
    if (type === 'sha') rules.push('Full commit ids on the default branch may be deployed.')
  }
  return rules.length === 0 ? ['No kind of ref may be deployed.'] : rules
}

function patterns(all: readonly Pattern[]): string {
  return all.length === 0 ? 'a pattern, but none is listed' : all.map((one) => `“${one.source}”`).join(' or ')
}

function approvalRule(policy: Policy): string {
  if (!policy.requireApproval) return 'No approval is asked for.'
  const count = policy.approvalsRequired
  return `${count} ${count === 1 ? 'approver' : 'different approvers'} must approve; an approval counts for ${durationText(policy.approvalValidMs)}.`
}

function rollbackRule(policy: Policy): string {
  if (!policy.allowRollback) return 'Rollbacks are not allowed.'
  const target = policy.rollbackToAnyCommit ? 'to any commit' : 'to a commit that succeeded here before'
  return `Rollbacks are allowed ${target}${policy.rollbackIgnoresWindow ? ', also while the window is closed' : ''}.`
}

import { type Instant, MINUTE_MS } from '../../controller/clock.ts'
import type { Choices } from './choices.ts'
import { type Rules, wholeMinute } from './rules.ts'
import type { Target } from './themes.ts'

/** One change of the rules, as somebody may want it. */
export function changedRules(rules: Rules, choices: Choices, targets: readonly Target[]): Rules {
  const key = targets[choices.pick(targets.length)]!
  const environment = rules.environments[key]!
  const policy = rules.policies[environment.policy]!
  const withPolicy = (change: Partial<typeof policy>): Rules => ({
    ...rules,
    policies: { ...rules.policies, [environment.policy]: { ...policy, ...change } },
  })
  const withEnvironment = (change: Partial<typeof environment>): Rules => ({
    ...rules,
    environments: { ...rules.environments, [key]: { ...environment, ...change } },
  })
  const without = (names: readonly string[], name: string) =>
    names.includes(name) ? names.filter((each) => each !== name) : [name, ...names]
  switch (choices.pick(11)) {
    case 0:
      return withPolicy({ approvals: policy.approvals === 0 ? 1 : 0 })
    case 1:
      return withPolicy({ window: !policy.window })
    case 2:
      return withPolicy({ ci: !policy.ci })
    case 3:
      return withPolicy({ force: !policy.force })
    case 4:
      return withEnvironment({ enabled: !environment.enabled })
    case 5:
      return withEnvironment({ promoteFrom: environment.promoteFrom === null && key === 'shop/demo' ? 'stage' : null })
    case 6:
      return { ...rules, approvers: without(rules.approvers, 'bob') }
    case 7:
      return { ...rules, operators: without(rules.operators, 'alice') }
    case 8:
      return {
        ...rules,
        approvers: [...new Set([...rules.approvers, 'mallory'])],
        operators: [...new Set([...rules.operators, 'mallory'])],
      }
    case 9:
      return { ...rules, admins: without(rules.admins, 'frank') }
    default:
      return { ...rules, active: rules.active.includes('shop') ? ['blog'] : ['shop', 'blog'] }
  }
}

/** A new hold or freeze, or an end of all of them. */
export function stoppedOrGone(rules: Rules, choices: Choices, name: string, now: Instant, lengthMs: number): Rules {
  if (choices.pick(2, 0.3) === 1) return { ...rules, holds: {}, freezes: {} }
  if (choices.pick(2) === 0) {
    const environment = (['stage', 'demo', 'prod'] as const)[choices.pick(3)]!
    return { ...rules, holds: { ...rules.holds, [name]: { environment } } }
  }
  // It begins with a minute: mostly with one that is still to come.
  const from = wholeMinute(now) + [MINUTE_MS, 0, 2 * MINUTE_MS][choices.pick(3)]!
  return { ...rules, freezes: { ...rules.freezes, [name]: { from, to: from + lengthMs } } }
}

import { type Answer, allow, unavailable, wait } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { isProvenRollback } from './ref-rollback.ts'

/**
 * `promote_from`: the commit must have succeeded in an earlier environment first. It may yet do so, hence a wait.
 * Going back to what worked here before is never held up by order: that is when people are in a hurry.
 */
export function orderRule(facts: PolicyFacts): Answer {
  const { environment, promoted, ref } = facts
  const { promoteFrom } = environment
  if (promoteFrom === null) return allow({ saw: 'no order', wanted: 'no earlier environment' })
  const wanted = `a success of the same commit in ${promoteFrom}`
  if (isProvenRollback(facts)) return allow({ saw: 'a rollback to a commit that succeeded here before', wanted })
  if (!ref.known || promoted === null) return unavailable(facts, wanted, `Whether the commit succeeded in ${promoteFrom}`, ref)
  if (promoted) return allow({ saw: `succeeded in ${promoteFrom}`, wanted })
  return wait(
    facts,
    { saw: `no success in ${promoteFrom}`, wanted },
    {
      code: 'not_promoted',
      text: `The commit has not succeeded in ${promoteFrom} yet, and ${environment.key} takes only what has.`,
      waitingFor: [{ kind: 'job', ref: `${environment.project}/${promoteFrom}`, done: false }],
      action: `Deploy the same commit to ${promoteFrom} first.`,
    },
  )
}

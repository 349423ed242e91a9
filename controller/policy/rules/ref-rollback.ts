import { type Answer, allow, deny } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { refLabel, shaLabel } from '../wording.ts'

/** `allow_rollback` and `rollback_to_any_commit`: a rollback goes back to what has already worked here. */
export function rollbackRule(facts: PolicyFacts): Answer {
  const { request, target, ref, environment } = facts
  const { policy } = environment
  if (request.type !== 'rollback') return allow({ saw: '', wanted: '' })
  if (!policy.allowRollback) {
    return deny(
      facts,
      { saw: 'a rollback', wanted: 'no rollback' },
      {
        code: 'rollback_not_allowed',
        text: `The policy ${policy.name} does not allow a rollback of ${environment.key}.`,
        action: 'Request a deploy of the older ref instead.',
      },
    )
  }
  const wanted = policy.rollbackToAnyCommit ? 'any commit' : `a commit that succeeded in ${environment.key} before`
  if (target === null) {
    return deny(
      facts,
      { saw: 'no earlier success', wanted },
      {
        code: 'rollback_no_target',
        text: `There is nothing to roll back to: ${environment.key} has no success before the present one.`,
        action: 'Name the ref to go back to in a new request.',
      },
    )
  }
  if (policy.rollbackToAnyCommit) return allow({ saw: refLabel(target), wanted })
  // A ref that is unknown or missing is the business of the part that asks whether it exists.
  if (!ref.known || !ref.value.found) return allow({ saw: refLabel(target), wanted })
  if (isProvenRollback(facts)) return allow({ saw: `${shaLabel(ref.value.sha)} succeeded before`, wanted })
  return deny(
    facts,
    { saw: `${refLabel(target)} at ${shaLabel(ref.value.sha)}, which never succeeded here`, wanted },
    {
      code: 'rollback_not_proven',
      text: `${refLabel(target)} never succeeded in ${environment.key}, so going there is no rollback.`,
      action: 'Name a ref that succeeded here before, or request a deploy.',
    },
  )
}

/** Does the request go back to a commit that has succeeded in this environment? False while that is not known. */
export function isProvenRollback({ request, ref, successes }: PolicyFacts): boolean {
  if (request.type !== 'rollback' || !ref.known || !ref.value.found) return false
  const { sha } = ref.value
  return successes.some((success) => success.sha === sha)
}

import { type Answer, allow, deny } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { anyOf, refLabel } from '../wording.ts'

/** `allowed_ref_types`. A rollback to "the one before" names no ref: its target was deployed here already and is not asked. */
export function refTypeRule(facts: PolicyFacts): Answer {
  const { target, request, environment } = facts
  const { allowedRefTypes, name } = environment.policy
  const wanted = `ref type ${anyOf(allowedRefTypes)}`
  if (target === null || request.ref === null) return allow({ saw: 'no ref was named', wanted: '' })
  if (allowedRefTypes.includes(target.type)) return allow({ saw: refLabel(target), wanted })
  return deny(
    facts,
    { saw: refLabel(target), wanted },
    {
      code: 'ref_type_not_allowed',
      text: `${environment.key} takes ${anyOf(allowedRefTypes)}, and the request names a ${target.type === 'sha' ? 'commit' : target.type}.`,
      action: `Name a ref that the policy ${name} allows (allowed_ref_types) in a new request.`,
    },
  )
}

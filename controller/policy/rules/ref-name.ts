import type { Pattern } from '../../model/desired-state.ts'
import { type Answer, allow, deny } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { anyOf, refLabel } from '../wording.ts'
import { isProvenRollback } from './ref-rollback.ts'

/**
 * A branch's or tag's name matches one of the policy's patterns from its first to its last character.
 * A rollback to a commit that succeeded here before may come by any name.
 */
export function refNameRule(facts: PolicyFacts, type: 'branch' | 'tag', patterns: readonly Pattern[], key: string): Answer {
  const { target, environment } = facts
  if (target?.type !== type) return allow({ saw: '', wanted: '' })
  const wanted = `${type} ${anyOf(patterns.map(({ source }) => source))}`
  if (isProvenRollback(facts)) return allow({ saw: `${refLabel(target)}, proven here before`, wanted: '' })
  if (patterns.some((pattern) => pattern.matches(target.name))) return allow({ saw: refLabel(target), wanted })
  const undecided = facts.request.type === 'rollback' && !facts.ref.known
  // Whether the rollback's commit is proven shows only when the ref is read; the gate waits for that anyway.
  if (undecided) return allow({ saw: refLabel(target), wanted })
  return deny(
    facts,
    { saw: refLabel(target), wanted },
    {
      code: 'ref_not_allowed',
      text: `${environment.key} takes ${wanted}, and ${refLabel(target)} does not match.`,
      action: `Name a ref that the policy ${environment.policy.name} allows (${key}) in a new request.`,
    },
  )
}

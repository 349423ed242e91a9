import type { Answer } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { refNameRule } from './ref-name.ts'

/** `allowed_tags`. */
export function tagRule(facts: PolicyFacts): Answer {
  return refNameRule(facts, 'tag', facts.environment.policy.allowedTags, 'allowed_tags')
}

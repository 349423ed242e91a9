import type { Answer } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { refNameRule } from './ref-name.ts'

/** `allowed_branches`. */
export function branchRule(facts: PolicyFacts): Answer {
  return refNameRule(facts, 'branch', facts.environment.policy.allowedBranches, 'allowed_branches')
}

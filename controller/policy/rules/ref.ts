import { type Answer, allow, deny, type Rule, unavailable } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { refLabel, shaLabel } from '../wording.ts'
import { branchRule } from './ref-branch.ts'
import { isProvenRollback, rollbackRule } from './ref-rollback.ts'
import { tagRule } from './ref-tag.ts'
import { refTypeRule } from './ref-type.ts'

/** Each asks one thing of the ref, and only of the refs that it is about. The one that may have to wait for the host is the last. */
const PARTS: readonly Rule[] = [refTypeRule, rollbackRule, branchRule, tagRule, refExistsRule]

/** May this ref go there? The first part that refuses speaks for the gate; a wrong name is told before the host is asked. */
export function refRule(facts: PolicyFacts): Answer {
  const answers = PARTS.map((part) => part(facts))
  const refusal = answers.find(({ verdict }) => verdict !== 'allow')
  if (refusal) return refusal
  const wanted = answers.map((answer) => answer.wanted).filter((text) => text !== '')
  return allow({ saw: answers[answers.length - 1]!.saw, wanted: wanted.join('; ') })
}

/**
 * The ref exists under exactly this name, and a commit id is one of this repository's own history. A commit that succeeded
 * here before has shown that: it may have come by a tag that never was on the default branch.
 */
function refExistsRule(facts: PolicyFacts): Answer {
  const { target, ref, project } = facts
  const wanted = `a ref of ${project.integration.repoFullName}`
  if (target === null) return missing(facts, wanted)
  if (!ref.known) return unavailable(facts, wanted, `Where ${refLabel(target)} points`, ref)
  if (!ref.value.found) {
    return deny(
      facts,
      { saw: `no ${refLabel(target)}`, wanted },
      {
        code: 'ref_missing',
        text: `${project.integration.repoFullName} has no ${refLabel(target)}.`,
        action: 'Push the ref first, or correct its name in a new request.',
      },
    )
  }
  if (!ref.value.reachable && !isProvenRollback(facts)) {
    const { defaultBranch } = project.integration
    return deny(
      facts,
      { saw: `${refLabel(target)}, which is not on ${defaultBranch}`, wanted },
      {
        code: 'ref_not_reachable',
        text: `${refLabel(target)} is not part of the history of ${defaultBranch}, so it may come from anywhere.`,
        action: `Merge it into ${defaultBranch}, or deploy a branch or tag.`,
      },
    )
  }
  return allow({ saw: `${refLabel(target)} at ${shaLabel(ref.value.sha)}`, wanted })
}

/** A rollback without a target was refused before. */
function missing(facts: PolicyFacts, wanted: string): Answer {
  return deny(
    facts,
    { saw: 'no ref', wanted },
    {
      code: 'ref_missing',
      text: 'The request has no ref to run.',
      action: 'Name a branch, tag or full commit id in a new request.',
    },
  )
}

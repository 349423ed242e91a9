import type { PullRequestFacts } from '../approvals/evidence.ts'
import { approversOfRules, type RulesReview } from '../approvals/rules-change.ts'
import { messageOf } from '../errors.ts'
import type { ConfigState } from '../jobs/state-store.ts'
import type { DesiredState } from '../model/desired-state.ts'
import type { CommitSha, PersonId } from '../model/names.ts'
import type { PathChange } from './config-change.ts'
import type { Engine } from './engine.ts'
import { reviewedContent } from './gather.ts'
import type { TickFacts } from './tick-facts.ts'

export interface RulesVerdict {
  approved: boolean
  by: readonly PersonId[]
  /** Changed files that no admin approved as they now are. */
  missing: readonly string[]
}

interface RulesChange {
  before: ConfigState
  head: CommitSha
  changes: readonly PathChange[]
  /** The rules in force: who is an admin is told by them, never by the change itself. */
  rulesBefore: () => Promise<DesiredState>
}

/**
 * Is each changed rules file, as it now is, approved by an admin who had no hand in it? Pull requests in the range are
 * matched by content, so merge method and order do not matter; what cannot be read is not approved.
 */
export async function judgeRulesChange(engine: Engine, facts: TickFacts, change: RulesChange): Promise<RulesVerdict> {
  if (change.changes.length === 0) return { approved: true, by: [], missing: [] }
  // Whoever can write to a local directory is its administrator: there is nobody else to ask.
  if (engine.host === null) return { approved: true, by: [], missing: [] }
  try {
    const pulls = await pullsInRange(engine, facts, change)
    const rulesBefore = await change.rulesBefore()
    const by = new Set<PersonId>()
    const missing: string[] = []
    for (const { path, after } of change.changes) {
      const reviews: RulesReview[] = []
      for (const pull of pulls) {
        if (!pull.files.some((file) => file.path === path)) continue
        reviews.push({ pull, content: await reviewedContent(engine, pull, path) })
      }
      const approvers = approversOfRules({
        desired: rulesBefore,
        provider: engine.host.provider,
        after,
        reviews,
        configBranch: engine.config.branch,
      })
      if (approvers.length === 0) missing.push(path)
      for (const person of approvers) by.add(person)
    }
    return { approved: missing.length === 0, by: [...by].sort(), missing }
  } catch (error) {
    engine.log.warn('a change of rules could not be judged', { error: messageOf(error) })
    return { approved: false, by: [], missing: change.changes.map((each) => each.path) }
  }
}

async function pullsInRange(engine: Engine, facts: TickFacts, change: RulesChange): Promise<readonly PullRequestFacts[]> {
  const { history } = engine.source
  const pulls: PullRequestFacts[] = []
  // A day of slack: the forge's clock and ours need not agree, and the range check below is what decides.
  for (const summary of (await facts.pullsSince(change.before.acceptedAt - 86_400_000)).value) {
    const { state, mergeCommit, number, baseRef } = summary
    if (state !== 'merged' || mergeCommit === null || baseRef !== engine.config.branch) continue
    if (
      !(await history.isAncestor(mergeCommit, change.head)) ||
      (await history.isAncestor(mergeCommit, change.before.rulesCommit))
    )
      continue
    pulls.push((await facts.pull(number, { fresh: true })).value)
  }
  return pulls
}

import type { ForceableGate } from '../model/desired-state.ts'
import type { GateName } from './decision.ts'
import type { PolicyFacts } from './facts.ts'

/**
 * Which gates a request does not have to pass.
 *
 * A dry run starts nothing that lasts, so it needs nobody's approval, no open window, no lock, no promotion and no green CI,
 * and neither freeze nor hold stops it. It still has to be a sound request of somebody who may ask, for a ref that the
 * policy allows: TYPE=dry_run is only a promise that the pipeline keeps, and the pipeline runs the code of that ref.
 *
 * A force skips exactly the gates it names, whatever they would have said. Whether it may is asked by the role gate.
 *
 * While a file that takes rights away is unreadable, nothing skips the freeze gate: we cannot know what the file forbids.
 */
const DRY_RUN_SKIPS: ReadonlySet<GateName> = new Set<GateName>(['order', 'ci', 'approval', 'window', 'freeze', 'lock'])

export function skippedBy(gate: GateName, facts: PolicyFacts): 'dry_run' | 'force' | null {
  if (gate === 'freeze' && facts.desired.closed.length > 0) return null
  const { type, force } = facts.request
  if (type === 'dry_run' && DRY_RUN_SKIPS.has(gate)) return 'dry_run'
  if (force && isForceable(gate) && force.skip.includes(gate)) return 'force'
  return null
}

function isForceable(gate: GateName): gate is ForceableGate {
  return gate === 'order' || gate === 'ci' || gate === 'window' || gate === 'freeze'
}

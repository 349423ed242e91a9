import type { Instant } from '../clock.ts'
import { type Answer, allow, type Rule } from './answer.ts'
import { type Decision, GATES, type GateName, type GateResult } from './decision.ts'
import type { PolicyFacts } from './facts.ts'
import { approvalRule } from './rules/approval.ts'
import { ciRule } from './rules/ci.ts'
import { freezeRule } from './rules/freeze.ts'
import { lockRule } from './rules/lock.ts'
import { orderRule } from './rules/order.ts'
import { refRule } from './rules/ref.ts'
import { requestRule } from './rules/request.ts'
import { roleRule } from './rules/role.ts'
import { windowRule } from './rules/window.ts'
import { skippedBy } from './skips.ts'

const RULES: Readonly<Record<GateName, Rule>> = {
  request: requestRule,
  role: roleRule,
  ref: refRule,
  order: orderRule,
  ci: ciRule,
  approval: approvalRule,
  window: windowRule,
  freeze: freezeRule,
  lock: lockRule,
}

/** May this request run now? Every gate is asked, also behind a refusal, because the page shows them all. */
export function evaluate(facts: PolicyFacts): Decision {
  const mayForce = facts.request.force !== null && roleRule(facts).verdict === 'allow'
  return foldGates(
    GATES.map((gate) => ask(gate, facts, mayForce)),
    facts.now,
  )
}

/** The first deny in order is the verdict, else the first wait, else allow. No gates at all allow nothing. */
export function foldGates(gates: readonly GateResult[], at: Instant): Decision {
  if (gates.length === 0) throw new Error('a decision without gates')
  const decisive = gates.find(({ verdict }) => verdict === 'deny') ?? gates.find(({ verdict }) => verdict !== 'allow')
  return { verdict: decisive?.verdict ?? 'allow', reason: decisive?.reason ?? null, gates, at }
}

/** A force that the role gate refuses skips nothing, so that the page does not show as forced what was only asked for. */
function ask(gate: GateName, facts: PolicyFacts, mayForce: boolean): GateResult {
  const skip = skippedBy(gate, facts)
  if (skip === 'dry_run') return named(gate, allow({ saw: 'dry run', wanted: 'not asked of a dry run' }), false)
  return named(gate, RULES[gate](facts), skip === 'force' && mayForce)
}

/** Written out, because spreading nine answers costs more than finding them. */
function named(gate: GateName, { verdict, reason, saw, wanted }: Answer, forced: boolean): GateResult {
  return forced ? { gate, verdict: 'allow', reason: null, saw, wanted, forced } : { gate, verdict, reason, saw, wanted, forced }
}

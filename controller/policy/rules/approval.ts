import type { Tally } from '../../approvals/tally.ts'
import type { PersonId } from '../../model/names.ts'
import type { WaitingFor } from '../../model/reason.ts'
import { type Answer, allow, deny, type Sight, unavailable, wait } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { allOf, anyOf, counted } from '../wording.ts'

/** `require_approval` and `approvals_required`: enough different people said yes, and none of them says no. */
export function approvalRule(facts: PolicyFacts): Answer {
  const { environment, tally } = facts
  const { policy } = environment
  if (!policy.requireApproval) return allow({ saw: 'not asked for', wanted: 'no approval' })
  const needed = policy.approvalsRequired
  const wanted = counted(needed, 'approval')
  if (!Number.isInteger(needed) || needed < 1) {
    return deny(
      facts,
      { saw: `approvals_required: ${needed}`, wanted: 'at least 1 approval' },
      {
        code: 'approval_impossible',
        text: `The policy ${policy.name} asks for approval by ${needed} people, which nobody can give.`,
        action: `Set approvals_required to 1 or more in ${policy.place.file}, or require_approval to false.`,
      },
    )
  }
  if (!tally?.known) return unavailable(facts, wanted, 'The approvals', tally)
  return judge(facts, needed, tally.value)
}

function judge(facts: PolicyFacts, needed: number, tally: Tally): Answer {
  const approvers = [...new Set(tally.approvers)].filter((person) => !tally.objectors.includes(person))
  const sight = { saw: seen(approvers, tally.objectors), wanted: counted(needed, 'approval') }
  // An objector may still come round.
  const possible = new Set([...approvers, ...tally.eligible, ...tally.objectors]).size
  if (possible < needed) return impossible(facts, sight, needed, possible)
  const closed = facts.reviewsClosed && 'the pull request is merged and takes no review any more'
  if (tally.objectors.length > 0) {
    return wait(facts, sight, {
      code: 'approval_missing',
      text: `${allOf(tally.objectors)} asked for changes${closed ? `; ${closed}` : ''}.`,
      waitingFor: tally.objectors.map(undone),
      action: closed ? ASK_ANEW : `Settle it with ${allOf(tally.objectors)}, who can approve or have the review dismissed.`,
    })
  }
  if (approvers.length >= needed) return allow(sight)
  const others = tally.eligible.filter((person) => !approvers.includes(person))
  return wait(facts, sight, {
    code: 'approval_missing',
    text: `${approvers.length} of ${counted(needed, 'approval')}; ${closed || `${anyOf(others)} can approve`}.`,
    waitingFor: [...approvers.map((ref): WaitingFor => ({ kind: 'person', ref, done: true })), ...others.map(undone)],
    action: closed ? ASK_ANEW : `Ask ${anyOf(others)} to review the pull request.`,
  })
}

const ASK_ANEW = 'Delete this request and add a new one, and have it approved before it is merged.'

function impossible(facts: PolicyFacts, sight: Sight, needed: number, possible: number): Answer {
  const defect = facts.desired.closed[0]
  if (defect) {
    return wait(facts, sight, {
      code: 'config_unreadable',
      text: `Who may approve cannot be judged while ${defect.place.file} is unreadable: ${defect.message}`,
      action: `Mend ${defect.place.file}.`,
    })
  }
  return deny(facts, sight, {
    code: 'approval_impossible',
    text: `${counted(needed, 'approval')} can never come together: ${possible === 0 ? 'nobody' : `only ${possible}`} who did not take part may approve ${facts.environment.key}.`,
    action: `Bind more people to the approver role on ${facts.environment.key}, or let somebody else make the request.`,
  })
}

function undone(person: PersonId): WaitingFor {
  return { kind: 'person', ref: person, done: false }
}

function seen(approvers: readonly PersonId[], objectors: readonly PersonId[]): string {
  const approved = approvers.length === 0 ? 'no approval' : `${counted(approvers.length, 'approval')} (${allOf(approvers)})`
  return objectors.length === 0 ? approved : `${approved}; changes requested by ${allOf(objectors)}`
}

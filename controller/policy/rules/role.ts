import { may } from '../../model/roles.ts'
import { type Answer, allow, deny, type Sight, type Why, wait } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { allOf } from '../wording.ts'

/** May this person ask for this, here and now? Roles are those of the desired state in force, not of the day of the request. */
export function roleRule(facts: PolicyFacts): Answer {
  const { desired, request, environment, requester } = facts
  const { force } = request
  const { policy } = environment
  const where = { project: request.project, environment: request.environment }
  const wanted = force ? `somebody who may deploy to ${request.key} and may force` : `somebody who may deploy to ${request.key}`
  const person = requester.person
  const sight = { saw: person ?? requester.label ?? 'nobody known', wanted }

  if (person === null || !desired.people.has(person)) {
    return refuse(facts, sight, {
      code: 'requester_unknown',
      text: requester.label
        ? `${requester.label} asks, but that account belongs to nobody in access.yaml.`
        : 'Nobody knows who asks for this: the request did not come by a pull request of a known person.',
      action: 'Let a person listed in access.yaml open the pull request.',
    })
  }
  if (!may(desired, person, 'request', where)) {
    return refuse(facts, sight, {
      code: 'requester_not_allowed',
      text: `${person} may not ask for a deploy to ${request.key}.`,
      action: `Ask an admin for the operator role on ${request.key}, or let an operator open the request.`,
    })
  }
  if (!force) return allow(sight)

  const skips = `skip ${allOf(force.skip)}`
  if (!policy.allowForceDeploy) {
    return refuse(
      facts,
      { saw: `${person}, to ${skips}`, wanted: `no force: policy ${policy.name} does not allow it` },
      {
        code: 'force_not_allowed',
        text: `The policy ${policy.name} does not allow a force, so this request may not ${skips}.`,
        action: 'Remove `force` from the request.',
      },
    )
  }
  if (!may(desired, person, 'force', where)) {
    return refuse(
      facts,
      { ...sight, saw: `${person}, to ${skips}` },
      {
        code: 'force_not_admin',
        text: `${person} may not force a deploy to ${request.key}.`,
        action: 'Remove `force` from the request, or let an admin open it.',
      },
    )
  }
  return allow({ ...sight, saw: `${person}, to ${skips}: ${force.reason}` })
}

/** When access.yaml itself is unreadable nobody can be shown to lack a right, so the request waits instead of ending. */
function refuse(facts: PolicyFacts, sight: Sight, why: Why): Answer {
  const defect = facts.desired.closed[0]
  if (!defect) return deny(facts, sight, why)
  return wait(facts, sight, {
    code: 'config_unreadable',
    text: `Roles cannot be judged while ${defect.place.file} is unreadable: ${defect.message}`,
    action: `Mend ${defect.place.file}.`,
  })
}

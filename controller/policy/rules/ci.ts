import type { CiExpectation } from '../../model/desired-state.ts'
import type { WaitingFor } from '../../model/reason.ts'
import { type Answer, allow, deny, unavailable, wait } from '../answer.ts'
import type { CiEvidence, PolicyFacts } from '../facts.ts'
import { allOf, anyOf, shaLabel } from '../wording.ts'

type CheckState = 'success' | 'pending' | 'missing' | 'failed'

/**
 * `require_ci_success`: every check that the project names is green on exactly the commit that would run, as told by an app
 * that the project believes. No named check, no believed app or no result is no proof. A failed check ends the request:
 * whoever re-runs it asks again, so that a red build can never go live by patience.
 */
export function ciRule(facts: PolicyFacts): Answer {
  const { environment, project, ci, ref } = facts
  if (!environment.policy.requireCiSuccess) return allow({ saw: 'not asked for', wanted: 'no CI result' })
  const { requiredChecks, apps } = project.integration.ci
  const wanted = `${allOf(requiredChecks)} green by ${anyOf(apps)}`
  if (requiredChecks.length === 0 || apps.length === 0) return unnamed(facts, wanted)
  if (!ci?.known) return unavailable(facts, wanted, 'The CI results', ci)
  if (!ref.known || !ref.value.found)
    return unavailable(facts, wanted, 'The commit whose CI results count', ref.known ? null : ref)
  if (ci.value.sha !== ref.value.sha) {
    return wait(
      facts,
      { saw: `results of ${shaLabel(ci.value.sha)}`, wanted: `${wanted} on ${shaLabel(ref.value.sha)}` },
      {
        code: 'evidence_stale',
        text: `The CI results at hand belong to ${shaLabel(ci.value.sha)}, not to ${shaLabel(ref.value.sha)}.`,
      },
    )
  }
  return judge(facts, wanted, ci.value)
}

function judge(facts: PolicyFacts, wanted: string, evidence: CiEvidence): Answer {
  const { requiredChecks, apps } = facts.project.integration.ci
  const states = requiredChecks.map((name) => ({ name, state: checkState(name, apps, evidence) }))
  const named = (wantedState: CheckState) => states.filter(({ state }) => state === wantedState).map(({ name }) => name)
  const sight = { saw: states.map(({ name, state }) => `${name} ${state}`).join(', '), wanted }
  const [failed, missing, pending] = [named('failed'), named('missing'), named('pending')]
  const commit = shaLabel(evidence.sha)
  if (failed.length > 0) {
    return deny(facts, sight, {
      code: 'ci_failed',
      text: `CI failed on ${commit}: ${allOf(failed)}.`,
      action: 'Mend the build, then request the mended commit.',
    })
  }
  if (missing.length > 0) {
    return wait(facts, sight, {
      code: 'ci_missing',
      text: `There is no result of ${allOf(missing)} on ${commit}${hearsay(missing, apps, evidence)}.`,
      waitingFor: waitingFor(states),
      action: 'Start the CI on this commit, or correct `ci` in the project if the check has another name.',
    })
  }
  if (pending.length > 0) {
    return wait(facts, sight, {
      code: 'ci_pending',
      text: `CI is still running on ${commit}: ${allOf(pending)}.`,
      waitingFor: waitingFor(states),
    })
  }
  return allow(sight)
}

/** The worst of the believed results of one name: a matrix or a second workflow may report the same name more than once. */
function checkState(name: string, apps: CiExpectation['apps'], { results }: CiEvidence): CheckState {
  let worst: CheckState = 'missing'
  for (const result of results) {
    if (result.name !== name || result.app === null || !apps.includes(result.app)) continue
    if (result.state === 'failed') return 'failed'
    if (result.state !== 'success') worst = 'pending'
    else if (worst === 'missing') worst = 'success'
  }
  return worst
}

/** Says why a result that everybody can see on the host does not count. */
function hearsay(missing: readonly string[], apps: readonly string[], { results, ignored }: CiEvidence): string {
  const heard = results.find((result) => missing.includes(result.name))
  if (heard) return `; ${heard.name} by ${heard.app ?? 'a bare commit status'} does not count, only ${anyOf(apps)}`
  const own = ignored.find(({ name }) => missing.includes(name))
  return own ? `; ${own.name} does not count: ${own.why}` : ''
}

function waitingFor(states: readonly { name: string; state: CheckState }[]): WaitingFor[] {
  return states.map(({ name, state }) => ({ kind: 'ci', ref: name, done: state === 'success' }))
}

function unnamed(facts: PolicyFacts, wanted: string): Answer {
  const { project, environment } = facts
  const { ci } = project.integration
  const lack = ci.requiredChecks.length === 0 ? 'names no required check' : 'names no app whose checks are believed'
  return wait(
    facts,
    { saw: `${project.name} ${lack}`, wanted },
    {
      code: 'ci_missing',
      text: `The policy ${environment.policy.name} asks for a green CI, but the project ${project.name} ${lack}.`,
      action: `Complete \`ci\` in ${project.place.file}.`,
    },
  )
}

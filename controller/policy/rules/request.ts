import { type Answer, allow, deny } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { counted } from '../wording.ts'

const WANTED = 'an active project and an enabled environment'

/** Is there still something to deploy to? Looked up in the desired state, so that a deleted environment does not linger. */
export function requestRule(facts: PolicyFacts): Answer {
  const { desired, request, project, environment } = facts
  if (!desired.projects.has(request.project)) {
    return deny(facts, sight('no such project'), {
      code: 'project_unknown',
      text: `There is no project ${request.project}.`,
      action: `Add projects/${request.project}/project.yaml, or correct the folder of the request.`,
    })
  }
  const defects = desired.unusableEnvironments.get(request.key)
  if (defects) {
    return deny(facts, sight(`${request.key} has ${counted(defects.length, 'finding')}`), {
      code: 'environment_unusable',
      text: `The environment ${request.key} cannot be used: ${defects[0]?.message ?? 'its files are not valid'}`,
      action: 'Mend the environment or its policy, then make a new request.',
    })
  }
  if (!desired.environments.has(request.key)) {
    return deny(facts, sight('no such environment'), {
      code: 'environment_unknown',
      text: `The project ${request.project} has no environment ${request.environment}.`,
      action: `Add projects/${request.project}/environments/${request.environment}.yaml, or correct the folder of the request.`,
    })
  }
  if (!project.active) {
    return deny(facts, sight(`${project.name} is not active`), {
      code: 'project_inactive',
      text: `The project ${project.name} is not active.`,
      action: `Set \`active: true\` in ${project.place.file}.`,
    })
  }
  if (!environment.enabled) {
    return deny(facts, sight(`${environment.key} is disabled`), {
      code: 'environment_disabled',
      text: `The environment ${environment.key} is disabled.`,
      action: `Set \`enabled: true\` in ${environment.place.file}.`,
    })
  }
  return allow(sight(`${environment.key} is active and enabled`))
}

function sight(saw: string) {
  return { saw, wanted: WANTED }
}

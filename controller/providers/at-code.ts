import type { Project } from '../model/desired-state.ts'

/** The project as the provider that holds its code sees it: it runs none of its pipelines. */
export function atCode(project: Project): Project {
  const { code } = project.integration
  return code === null
    ? project
    : { ...project, integration: { ...project.integration, ...code, code: null, pipelines: new Map() } }
}

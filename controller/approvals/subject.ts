import { createHash } from 'node:crypto'
import type { DeployRequest, Environment, Project } from '../model/desired-state.ts'
import type { CommitSha, SubjectDigest } from '../model/names.ts'

export interface Subject {
  request: DeployRequest
  /** What the request's ref points at. */
  sha: CommitSha
  environment: Environment
  project: Project
}

/**
 * sha256 (hex) over exactly what is approved: the request, the commit it resolves to, the rules it is judged by and the
 * place where it runs. Anything else may change without asking the reviewers again; a change of any of these asks again.
 */
export function subjectDigest({ request, sha, environment, project }: Subject): SubjectDigest {
  const { integration } = project
  const pipeline = integration.pipelines.get(environment.name)
  // Keys in alphabetical order, written out: the text must be the same for the same subject, in every version of this file.
  const canonical = JSON.stringify({
    apiUrl: integration.apiUrl,
    // Left out where there is none, as before there could be one.
    code: integration.code === null ? undefined : { apiUrl: integration.code.apiUrl, provider: integration.code.provider },
    environment: environment.canonical,
    path: request.path,
    policy: environment.policy.canonical,
    provider: integration.provider,
    repoFullName: integration.repoFullName,
    request: request.canonical,
    selector: pipeline ? { selector: pipeline.selector, workflowRef: pipeline.workflowRef } : null,
    sha,
    type: request.type,
  })
  return createHash('sha256').update(canonical).digest('hex') as SubjectDigest
}

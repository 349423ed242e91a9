import { type ConfigFile, canonicalOf, contentOf, findingAt, ownFindings, placeAt, placesOf } from './config-file.ts'
import type { DeployRequest, Ref, UnusableRequest } from './desired-state.ts'
import type { DocumentCache } from './document-cache.ts'
import type { DeployRequestDocument } from './documents.ts'
import type { Finding } from './finding.ts'
import { type EnvironmentKey, environmentKey } from './names.ts'
import { quoted } from './printable.ts'
import { contradiction } from './resolve-projects.ts'
import { didYouMean } from './suggest.ts'

export interface ResolvedRequests {
  requests: ReadonlyMap<string, DeployRequest>
  unusable: ReadonlyMap<string, UnusableRequest>
  findings: readonly Finding[]
}

/** `environments`: keys of all environment files, usable or not. */
export function resolveRequests(
  files: readonly ConfigFile<'DeployRequest'>[],
  environments: ReadonlySet<EnvironmentKey>,
  cache: DocumentCache,
): ResolvedRequests {
  const requests = new Map<string, DeployRequest>()
  const unusable = new Map<string, UnusableRequest>()
  const findings: Finding[] = []
  for (const file of files) {
    const { request, errors } = cache.derived(file.document, file.path, () => resolveRequest(file))
    if (request) {
      requests.set(file.path, request)
      if (!environments.has(request.key)) findings.push(nowhere(file, request, environments))
    } else {
      const [project = null, environment = null] = file.names
      unusable.set(file.path, { path: file.path, blob: file.blob, project, environment, findings: errors })
      findings.push(...errors)
    }
  }
  return { requests, unusable, findings }
}

function resolveRequest(file: ConfigFile<'DeployRequest'>): { request: DeployRequest | null; errors: readonly Finding[] } {
  const content = contentOf(file)
  if (!content) return { request: null, errors: ownFindings(file) }
  const [project, environment] = file.names as [string, string]
  const errors = [
    ...(content.project === undefined || content.project === project
      ? []
      : [contradiction(file, '/project', content.project, project)]),
    ...(content.environment === undefined || content.environment === environment
      ? []
      : [contradiction(file, '/environment', content.environment, environment)]),
  ]
  if (errors.length > 0) return { request: null, errors }
  const request: DeployRequest = {
    path: file.path,
    blob: file.blob,
    type: content.type,
    project,
    environment,
    key: environmentKey(project, environment),
    ref: refOf(content.ref),
    reason: content.reason,
    force: content.force ?? null,
    canonical: canonicalOf(file),
    places: placesOf(file),
    place: placeAt(file, ''),
  }
  return { request, errors }
}

function refOf(ref: DeployRequestDocument['ref']): Ref | null {
  if (ref?.branch !== undefined) return { type: 'branch', name: ref.branch }
  if (ref?.tag !== undefined) return { type: 'tag', name: ref.tag }
  if (ref?.sha !== undefined) return { type: 'sha', name: ref.sha }
  return null
}

/** Only a warning: requests outlive their environments, and the job itself is refused by its own gate. */
function nowhere(file: ConfigFile, request: DeployRequest, environments: ReadonlySet<EnvironmentKey>): Finding {
  const known = [...environments]
  const projects = [...new Set(known.map((key) => key.slice(0, key.indexOf('/'))))]
  const isKnownProject = projects.includes(request.project)
  const names = known.filter((key) => key.startsWith(`${request.project}/`)).map((key) => key.slice(request.project.length + 1))
  return findingAt(file, 'DRV1308', '/kind', {
    severity: 'warning',
    message: isKnownProject
      ? `the project ${quoted(request.project)} has no environment ${quoted(request.environment)}`
      : `there is no project ${quoted(request.project)} with environments`,
    allowed: isKnownProject ? names.join(', ') : projects.join(', ') || null,
    help:
      (isKnownProject ? didYouMean(request.environment, names) : didYouMean(request.project, projects)) ??
      'move the file to the folder of an environment that exists',
  })
}

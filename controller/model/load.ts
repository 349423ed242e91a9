import { HOUR_MS } from '../clock.ts'
import { approverFindings } from './approvers.ts'
import { type ConfigFile, type ConfigFiles, contentOf, hasErrors, missingFile, ownFindings } from './config-file.ts'
import { findingFrom } from './defect.ts'
import type { DesiredState, Repository, UnusableRequest } from './desired-state.ts'
import { parseDocument, refused } from './document.ts'
import type { DocumentCache } from './document-cache.ts'
import type { Finding } from './finding.ts'
import { groupBy } from './group-by.ts'
import { environmentKey } from './names.ts'
import { type KnownNames, type ResolvedAccess, resolveAccess } from './resolve-access.ts'
import { resolvePolicies } from './resolve-policies.ts'
import { resolveEnvironments, resolveProjects } from './resolve-projects.ts'
import { resolveRequests } from './resolve-requests.ts'
import { resolveFreezes, resolveHolds } from './resolve-stops.ts'
import { KINDS } from './schemas.ts'
import type { ReadBlobs, Snapshot } from './snapshot.ts'
import { type StrayFile, surveyTree, type TreeFile, type TreeSurvey } from './tree.ts'

// biome-ignore lint/performance/noBarrelFile: the entrance of this room: who loads needs the cache and the two questions about paths.
export { type DocumentCache, documentCache } from './document-cache.ts'
export { isRulesPath, requestPathParts } from './paths.ts'

export interface LoadInput {
  /** Everything but requests/ is taken from here. */
  rules: Snapshot
  /** requests/ is taken from here; usually the same snapshot. Its commit is the commit of the result. */
  requests: Snapshot
  readBlobs: ReadBlobs
  cache: DocumentCache
}

/**
 * A snapshot → everything it asks for, and a finding for everything wrong with it. Reads only blobs that the cache does not know.
 * Users' mistakes never throw; it rejects only when `readBlobs` does, or when it withholds a blob it was asked for.
 */
export async function loadDesiredState(input: LoadInput): Promise<DesiredState> {
  const survey = surveyTree(input.rules, input.requests)
  const files = await readFiles(survey.files, input)
  return resolve(survey, files, input)
}

/** Blobs asked for at once: bounds the memory that is held, and lets other work run in between. */
const BLOBS_AT_ONCE = 250

async function readFiles(files: readonly TreeFile[], input: LoadInput): Promise<ConfigFiles> {
  const { cache } = input
  const unknown = files.filter((file) => !file.defect && !cache.get(file.blob, file.kind))
  for (let at = 0; at < unknown.length; at += BLOBS_AT_ONCE) {
    const batch = unknown.slice(at, at + BLOBS_AT_ONCE)
    const blobs = await input.readBlobs([...new Set(batch.map((file) => file.blob))])
    for (const { blob, kind, path } of batch) {
      const bytes = blobs.get(blob)
      if (!bytes) throw new Error(`blob ${blob} of ${path} was not read`)
      if (!cache.get(blob, kind)) cache.set(blob, parseDocument(bytes, kind))
    }
  }
  const read = files.map((file): ConfigFile => {
    const { path, blob, kind, names, defect } = file
    const document = defect ? refused(kind, null, [defect]) : (cache.get(blob, kind) ?? refused(kind, null, []))
    return { path, blob, kind, names, document }
  })
  const byKind = groupBy(read, (file) => file.kind)
  return Object.fromEntries(KINDS.map((kind) => [kind, byKind.get(kind) ?? []])) as unknown as ConfigFiles
}

function resolve(survey: TreeSurvey, files: ConfigFiles, input: LoadInput): DesiredState {
  const known = knownNames(files)
  const repository = resolveRepository(files.ConfigRepository)
  const access = resolveTheAccess(files.Access, known, input.cache)
  const policies = resolvePolicies(files.Policy, input.cache)
  const projects = resolveProjects(files.Project, environmentNames(files))
  const environments = resolveEnvironments(files.Environment, projects, policies)
  const freezes = resolveFreezes(files.Freeze, known)
  const holds = resolveHolds(files.Hold, known)
  const keys = new Set(files.Environment.map((file) => environmentKey(file.names[0]!, file.names[1]!)))
  const requests = resolveRequests(files.DeployRequest, keys, input.cache)
  const strays = survey.strays.map((stray) => ({ stray, finding: findingFrom(stray.defect, stray.path, null) }))
  const tree = survey.refusal ? [findingFrom(survey.refusal, 'draven.yaml', null)] : []
  const closed = [
    ...tree,
    ...errorsOf(repository.findings),
    ...errorsOf(access.findings),
    ...freezes.closing,
    ...holds.closing,
    ...strays.filter(({ stray }) => CLOSING_PARTS.has(stray.part)).map(({ finding }) => finding),
  ]
  const findings = [
    ...(survey.refusal ? tree : [...repository.findings, ...access.findings]),
    ...[...policies.values(), ...projects.values()].flatMap((resolved) => resolved.findings),
    ...environments.findings,
    // Without an access.yaml that can be read that is what is wrong, once.
    ...(hasErrors(access.findings)
      ? []
      : approverFindings(files.Environment, { ...access, environments: environments.environments })),
    ...freezes.findings,
    ...holds.findings,
    ...requests.findings,
    ...strays.map(({ finding }) => finding),
  ]
  return {
    commit: input.requests.commit,
    repository: repository.repository,
    people: access.people,
    bindings: access.bindings,
    projects: new Map([...projects].flatMap(([name, { project }]) => (project ? [[name, project]] : []))),
    unusableProjects: new Set([...projects].flatMap(([name, { project }]) => (project ? [] : [name]))),
    environments: environments.environments,
    unusableEnvironments: environments.unusable,
    freezes: freezes.stops,
    holds: holds.stops,
    requests: requests.requests,
    unusableRequests: new Map([...requests.unusable, ...strays.flatMap(strayRequest)]),
    findings: inFileOrder(findings),
    closed: inFileOrder(closed),
  }
}

/** A file there that we do not read may forbid something. */
const CLOSING_PARTS: ReadonlySet<string> = new Set(['freezes', 'holds'])

function errorsOf(findings: readonly Finding[]): Finding[] {
  return findings.filter((finding) => finding.severity === 'error')
}

function strayRequest({ stray, finding }: { stray: StrayFile; finding: Finding }): [string, UnusableRequest][] {
  if (stray.part !== 'requests') return []
  return [[stray.path, { path: stray.path, blob: stray.blob, project: null, environment: null, findings: [finding] }]]
}

/** Names that exist as files. A broken file still has its name, so that one mistake does not become many. */
function knownNames(files: ConfigFiles): KnownNames {
  const projects = [...files.Project, ...files.Environment].map((file) => file.names[0]!)
  return {
    projects: [...new Set(projects)].sort(),
    environments: [...new Set(files.Environment.map((file) => file.names[1]!))].sort(),
  }
}

function environmentNames(files: ConfigFiles): ReadonlyMap<string, readonly string[]> {
  const byProject = groupBy(files.Environment, projectOf)
  return new Map([...byProject].map(([project, family]) => [project, family.map((file) => file.names[1]!)]))
}

function projectOf(file: ConfigFile): string {
  return file.names[0]!
}

const DEFAULT_APPROVAL_EXPIRY_HOURS = 168
const DEFAULT_QUEUE_EXPIRY_HOURS = 24

function resolveRepository(files: readonly ConfigFile<'ConfigRepository'>[]): {
  repository: Repository
  findings: readonly Finding[]
} {
  const [file] = files
  const content = file && contentOf(file)
  const defaults = content?.defaults
  const repository: Repository = {
    id: content?.id ?? '',
    title: content?.title ?? content?.id ?? '',
    approvalExpiryMs: (defaults?.approval_expiry_hours ?? DEFAULT_APPROVAL_EXPIRY_HOURS) * HOUR_MS,
    queueExpiryMs: (defaults?.queue_expiry_hours ?? DEFAULT_QUEUE_EXPIRY_HOURS) * HOUR_MS,
  }
  if (file) return { repository, findings: files.flatMap(ownFindings) }
  const missing = missingFile('draven.yaml', {
    message: 'the file draven.yaml is missing',
    help: 'add it with `apiVersion: draven/v1`, `kind: ConfigRepository` and an `id` that never changes',
  })
  return { repository, findings: [missing] }
}

function resolveTheAccess(files: readonly ConfigFile<'Access'>[], known: KnownNames, cache: DocumentCache): ResolvedAccess {
  const [file] = files
  if (file && files.length === 1) {
    return cache.derived(file.document, JSON.stringify([file.path, known]), () => resolveAccess(file, known))
  }
  const nobody = { people: new Map(), bindings: [] }
  if (file) return { ...nobody, findings: files.flatMap(ownFindings) }
  const missing = missingFile('access.yaml', {
    message: 'the file access.yaml is missing, so nobody holds a role',
    help: 'add it with `apiVersion: draven/v1`, `kind: Access`, people and bindings',
  })
  return { ...nobody, findings: [missing] }
}

/** By file, line and column; the same finding only once. */
function inFileOrder(findings: readonly Finding[]): readonly Finding[] {
  const unique = new Map(
    findings.map((finding) => [
      `${finding.place.file}:${finding.place.line}:${finding.place.column}:${finding.code}:${finding.message}`,
      finding,
    ]),
  )
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  return [...unique.values()].sort(
    (a, b) => compare(a.place.file, b.place.file) || a.place.line - b.place.line || a.place.column - b.place.column,
  )
}

import { MINUTE_MS } from '../clock.ts'
import {
  type ConfigFile,
  canonicalOf,
  contentOf,
  findingAt,
  hasErrors,
  missingFile,
  ownFindings,
  placeAt,
} from './config-file.ts'
import type { Environment, PipelineSelector, Project } from './desired-state.ts'
import type { EnvironmentDocument, ProjectDocument } from './documents.ts'
import type { Finding } from './finding.ts'
import { groupBy } from './group-by.ts'
import { type EnvironmentKey, environmentKey } from './names.ts'
import { quoted } from './printable.ts'
import { traitsOf } from './provider-traits.ts'
import type { ResolvedPolicy } from './resolve-policies.ts'
import { unknownName } from './unknown-name.ts'

export interface ResolvedProject {
  file: ConfigFile<'Project'>
  project: Project | null
  findings: readonly Finding[]
}

export interface ResolvedEnvironments {
  environments: ReadonlyMap<EnvironmentKey, Environment>
  unusable: ReadonlyMap<EnvironmentKey, readonly Finding[]>
  /** What is wrong with the environments themselves; not repeated for each when the cause is another file's. */
  findings: readonly Finding[]
}

const DEFAULT_MAX_RUN_MINUTES = 60

/** `environments`: names of the environment files of each project, usable or not. */
export function resolveProjects(
  files: readonly ConfigFile<'Project'>[],
  environments: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, ResolvedProject> {
  return new Map(files.map((file) => [file.names[0]!, resolveProject(file, environments.get(file.names[0]!) ?? [])]))
}

function resolveProject(file: ConfigFile<'Project'>, environments: readonly string[]): ResolvedProject {
  const content = contentOf(file)
  if (!content) return { file, project: null, findings: ownFindings(file) }
  const name = file.names[0]!
  const findings: Finding[] = []
  if (content.name !== undefined && content.name !== name) {
    findings.push(contradiction(file, '/name', content.name, name))
  }
  for (const pipeline of Object.keys(content.integration.pipelines)) {
    if (environments.includes(pipeline)) continue
    const pointer = `/integration/pipelines/${pipeline}`
    findings.push({
      ...unknownName(file, pointer, 'environment', pipeline, environments, 'warning'),
      place: placeAt(file, pointer, true),
    })
  }
  findings.push(...selectorFindings(file, content))
  return { file, project: hasErrors(findings) ? null : projectOf(file, name, content), findings }
}

/** A pipeline that its provider cannot mean would be refused at the first trigger, after everybody approved. */
function selectorFindings(file: ConfigFile, { integration }: ProjectDocument): Finding[] {
  const { pattern, allowed, example } = traitsOf(integration.provider).selector
  return Object.entries(integration.pipelines).flatMap(([environment, pipeline]) => {
    const selector = typeof pipeline === 'string' ? pipeline : pipeline.selector
    if (pattern.test(selector)) return []
    const pointer = `/integration/pipelines/${environment}${typeof pipeline === 'string' ? '' : '/selector'}`
    return [
      findingAt(file, 'DRV1309', pointer, {
        message: `${quoted(selector)} names no pipeline of ${integration.provider}`,
        allowed,
        help: `write it like \`${example}\`; docs/${integration.provider}.md has more`,
      }),
    ]
  })
}

/** A name that is given in the document and differs from the one in the path. */
export function contradiction(file: ConfigFile, pointer: string, found: string, wanted: string): Finding {
  return findingAt(file, 'DRV1213', pointer, {
    message: `${quoted(found)} contradicts the path, which says ${quoted(wanted)}`,
    allowed: wanted,
    help: 'remove the key, or move the file',
  })
}

function projectOf(file: ConfigFile, name: string, content: ProjectDocument): Project {
  const { integration, ci } = content
  const code = integration.code ?? null
  const pipelines = Object.entries(integration.pipelines).map(([environment, pipeline]): [string, PipelineSelector] => [
    environment,
    typeof pipeline === 'string'
      ? { selector: pipeline, workflowRef: null }
      : { selector: pipeline.selector, workflowRef: pipeline.workflow_ref ?? null },
  ])
  return {
    name,
    description: content.description,
    active: content.active,
    owner: content.owner,
    integration: {
      provider: integration.provider,
      apiUrl: integration.api_url ?? null,
      repoFullName: integration.repo_full_name,
      defaultBranch: integration.default_branch,
      pipelines: new Map(pipelines),
      credentialRef: integration.credential_ref ?? null,
      webhookSecretRef: integration.webhook_secret_ref ?? null,
      callbacks: integration.callbacks ?? false,
      code: code && { provider: code.provider, apiUrl: code.api_url ?? null, credentialRef: code.credential_ref ?? null },
      ci: {
        requiredChecks: ci?.required_checks ?? [],
        apps: ci?.apps ?? traitsOf(code?.provider ?? integration.provider).ciApps,
      },
    },
    place: placeAt(file, ''),
  }
}

interface Neighbours {
  projects: ReadonlyMap<string, ResolvedProject>
  policies: ReadonlyMap<string, ResolvedPolicy>
  /** All environment files of the same project, by name. */
  siblings: ReadonlyMap<string, ConfigFile<'Environment'>>
}

export function resolveEnvironments(
  files: readonly ConfigFile<'Environment'>[],
  projects: ReadonlyMap<string, ResolvedProject>,
  policies: ReadonlyMap<string, ResolvedPolicy>,
): ResolvedEnvironments {
  const environments = new Map<EnvironmentKey, Environment>()
  const unusable = new Map<EnvironmentKey, readonly Finding[]>()
  const findings: Finding[] = []
  const byProject = groupBy(files, (file) => file.names[0]!)
  for (const family of byProject.values()) {
    const siblings = new Map(family.map((file) => [file.names[1]!, file]))
    for (const file of family) {
      const key = environmentKey(file.names[0]!, file.names[1]!)
      const result = resolveEnvironment(file, { projects, policies, siblings })
      if ('environment' in result) environments.set(key, result.environment)
      else unusable.set(key, [...result.own, ...result.inherited])
      findings.push(...result.own)
    }
  }
  return { environments, unusable, findings }
}

type EnvironmentResult =
  | { environment: Environment; own: readonly Finding[] }
  | { own: readonly Finding[]; inherited: readonly Finding[] }

function resolveEnvironment(file: ConfigFile<'Environment'>, near: Neighbours): EnvironmentResult {
  const content = contentOf(file)
  if (!content) return { own: ownFindings(file), inherited: [] }
  const [projectName, name] = file.names as [string, string]
  const project = near.projects.get(projectName)
  const policy = near.policies.get(content.policy)
  const own = [
    ...(project ? [] : [missingProject(projectName, [...near.projects.keys()])]),
    ...(policy ? [] : [unknownName(file, '/policy', 'policy', content.policy, [...near.policies.keys()])]),
    ...pipelineFindings(file, project),
    ...ciFindings(file, project, policy),
    ...promotionFindings(file, content, near.siblings),
  ]
  const inherited = [...brokenCause(file, '', 'project', project), ...brokenCause(file, '/policy', 'policy', policy)]
  if (own.length > 0 || inherited.length > 0 || !policy?.policy) return { own, inherited }
  return {
    environment: {
      key: environmentKey(projectName, name),
      project: projectName,
      name,
      policy: policy.policy,
      enabled: content.enabled,
      lockStrategy: content.lock_strategy ?? 'exclusive',
      maxRunMs: (content.max_run_minutes ?? DEFAULT_MAX_RUN_MINUTES) * MINUTE_MS,
      promoteFrom: content.promote_from ?? null,
      url: content.url ?? null,
      canonical: canonicalOf(file),
      place: placeAt(file, ''),
    },
    own: stopFindings(file, content, project),
  }
}

function missingProject(project: string, known: readonly string[]): Finding {
  return missingFile(`projects/${project}/project.yaml`, {
    message: `the project ${quoted(project)} has environments but no project.yaml`,
    allowed: known.length > 0 ? `environments of ${known.join(', ')}` : null,
    help: `add projects/${project}/project.yaml, or move the environments to the project they belong to`,
  })
}

/** The file that this one needs has errors of its own, which are told once, there. */
function brokenCause(
  file: ConfigFile,
  pointer: string,
  what: string,
  cause: ResolvedPolicy | ResolvedProject | undefined,
): Finding[] {
  if (!cause) return []
  const first = cause.findings.find((finding) => finding.severity === 'error')
  if (!first) return []
  return [
    findingAt(file, 'DRV1307', pointer, {
      message: `the ${what} ${quoted(cause.file.names[0])} cannot be used: ${first.message}`,
      related: { label: what, place: first.place },
      help: `mend ${cause.file.path} first`,
    }),
  ]
}

function pipelineFindings(file: ConfigFile, project: ResolvedProject | undefined): Finding[] {
  const name = file.names[1]!
  if (!project?.project || project.project.integration.pipelines.has(name)) return []
  return [
    findingAt(file, 'DRV1303', '/kind', {
      message: `the project has no pipeline for the environment ${quoted(name)}`,
      allowed: `pipelines exist for: ${[...project.project.integration.pipelines.keys()].join(', ')}`,
      related: { label: 'pipelines', place: placeAt(project.file, '/integration/pipelines') },
      help: `add \`${name}: deploy.yml\` (your workflow) to integration.pipelines in ${project.file.path}`,
    }),
  ]
}

function ciFindings(file: ConfigFile, project: ResolvedProject | undefined, policy: ResolvedPolicy | undefined): Finding[] {
  if (!project?.project || !policy?.policy?.requireCiSuccess) return []
  const { provider, code, ci } = project.project.integration
  const codeProvider = code?.provider ?? provider
  const required = { label: 'policy', place: placeAt(policy.file, '/require_ci_success') }
  if (traitsOf(codeProvider).ciApps.length === 0) {
    return [
      findingAt(file, 'DRV1310', '/policy', {
        message: `the policy ${quoted(policy.policy.name)} requires CI success, and ${codeProvider} has no CI whose results could be read`,
        allowed: 'a policy with `require_ci_success: false`',
        related: required,
        help: 'let the pipeline itself check what it deploys, or keep the code where CI results can be read',
      }),
    ]
  }
  if (ci.requiredChecks.length > 0) return []
  return [
    findingAt(file, 'DRV1304', '/policy', {
      message: `the policy ${quoted(policy.policy.name)} requires CI success, but the project names no check`,
      allowed: 'a policy with `require_ci_success: false`, or at least one required check in the project',
      related: required,
      help: `add \`ci: { required_checks: [build] }\` (the names of your checks) to ${project.file.path}`,
    }),
  ]
}

function stopFindings(file: ConfigFile, content: EnvironmentDocument, project: ResolvedProject | undefined): Finding[] {
  const provider = project?.project?.integration.provider
  if (provider === undefined || traitsOf(provider).stopsRuns) return []
  const pointer = content.max_run_minutes === undefined ? '/kind' : '/max_run_minutes'
  return [
    findingAt(file, 'DRV1311', pointer, {
      severity: 'warning',
      message: `${provider} offers no way to stop a run, so one over its time keeps the lock until it ends by itself`,
      allowed: null,
      help: 'give the steps of its workflow a timeout of their own',
    }),
  ]
}

function promotionFindings(
  file: ConfigFile,
  content: EnvironmentDocument,
  siblings: ReadonlyMap<string, ConfigFile<'Environment'>>,
): Finding[] {
  const first = content.promote_from
  if (first === undefined) return []
  if (!siblings.has(first)) return [unknownName(file, '/promote_from', 'environment', first, [...siblings.keys()])]
  const circle = promotionCircle(file.names[1]!, first, siblings)
  if (!circle) return []
  return [
    findingAt(file, 'DRV1305', '/promote_from', {
      message: `promotion goes in a circle: ${circle.join(' waits for ')}`,
      allowed: 'an order with a first environment',
      help: 'remove `promote_from` from the environment that comes first',
    }),
  ]
}

/** The names from an environment back to itself; null when the chain ends (or enters a circle of others, who are told). */
function promotionCircle(
  start: string,
  first: string,
  siblings: ReadonlyMap<string, ConfigFile<'Environment'>>,
): string[] | null {
  const chain = [start]
  let next: string | undefined = first
  while (next !== undefined && next !== start && !chain.includes(next)) {
    chain.push(next)
    const sibling = siblings.get(next)
    next = sibling && contentOf(sibling)?.promote_from
  }
  return next === start ? [...chain, start] : null
}

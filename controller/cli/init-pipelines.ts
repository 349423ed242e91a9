import { parse } from 'yaml'

/** Where forges look for pipelines. */
export const CI_FILES = {
  names: ['.gitlab-ci.yml', 'bitbucket-pipelines.yml', 'Jenkinsfile'],
  folders: ['.github/workflows', '.gitea/workflows', '.forgejo/workflows'],
} as const

export const FORGES = ['github', 'gitlab', 'bitbucket', 'gitea', 'forgejo'] as const
export type ForgeName = (typeof FORGES)[number]

/** What DRAVEN tells a pipeline. */
export const INPUTS = ['JOB_ID', 'ENV', 'REF', 'TYPE', 'SHA'] as const

/** How a project's pipeline would be triggered, read from the files that define it. */
export interface PipelineProposal {
  selector: string
  /** The file that was read for it; null when there is none and the selector is only what is usual. */
  file: string | null
  /** Inputs that the pipeline does not take yet. */
  missing: readonly string[]
  /** Names of the jobs that check a commit before it is deployed. */
  checks: readonly string[]
}

/** Text of files by path → proposal. Files that are no YAML are passed over: their forge says what is wrong with them. */
type ReadPipelines = (files: ReadonlyMap<string, string>) => PipelineProposal

const READERS: Readonly<Record<ForgeName, ReadPipelines>> = {
  github: (files) => fromWorkflows(files, '.github/workflows'),
  gitlab: fromGitlabCi,
  bitbucket: fromBitbucketPipelines,
  gitea: (files) => fromWorkflows(files, '.gitea/workflows'),
  forgejo: (files) => fromWorkflows(files, '.forgejo/workflows'),
}

export function proposePipeline(forge: ForgeName, files: ReadonlyMap<string, string>): PipelineProposal {
  return READERS[forge](files)
}

/** Whose forge a repository is on: by the vendor's host, else by whose pipeline files it has. Null when both leave it open. */
export function forgeOf(host: string, files: ReadonlyMap<string, string>): ForgeName | null {
  const vendor = new Map<string, ForgeName>([
    ['github.com', 'github'],
    ['gitlab.com', 'gitlab'],
    ['bitbucket.org', 'bitbucket'],
    ['gitea.com', 'gitea'],
    ['codeberg.org', 'forgejo'],
  ]).get(host)
  if (vendor !== undefined) return vendor
  const has = (start: string) => [...files.keys()].some((path) => path.startsWith(start))
  if (has('.forgejo/')) return 'forgejo'
  if (has('.gitea/')) return 'gitea'
  if (has('.gitlab-ci.yml')) return 'gitlab'
  if (has('.github/')) return 'github'
  return null
}

/** A deploy workflow is one that can be dispatched and takes our inputs, or at least is called so. */
function fromWorkflows(files: ReadonlyMap<string, string>, folder: string): PipelineProposal {
  const workflows = [...files].flatMap(([path, text]) => {
    const definition = path.startsWith(`${folder}/`) ? record(read(text)) : null
    return definition === null ? [] : [{ path, name: path.slice(folder.length + 1), definition, on: triggers(definition['on']) }]
  })
  const candidates = workflows.flatMap(({ path, name, on }) => {
    if (!('workflow_dispatch' in on)) return []
    const declared = Object.keys(record(record(on['workflow_dispatch'])?.['inputs']) ?? {})
    return [{ path, name, missing: INPUTS.filter((input) => !declared.includes(input)) }]
  })
  const named = candidates.filter(({ name, missing }) => missing.length < INPUTS.length || /deploy|release/i.test(name))
  const best = named.sort((a, b) => a.missing.length - b.missing.length || (a.name < b.name ? -1 : 1))[0]
  const checks = workflows.flatMap(({ definition, on }) =>
    'push' in on || 'pull_request' in on ? checkNames(record(definition['jobs']) ?? {}) : [],
  )
  return {
    selector: best?.name ?? 'deploy.yml',
    file: best?.path ?? null,
    missing: best?.missing ?? INPUTS,
    checks: [...new Set(checks)],
  }
}

/** `on: push`, `on: [push]` and `on: { push: … }` mean the same. */
function triggers(on: unknown): Readonly<Record<string, unknown>> {
  if (typeof on === 'string') return { [on]: null }
  if (Array.isArray(on)) return Object.fromEntries(on.map((event) => [String(event), null]))
  return record(on) ?? {}
}

/** What a job's check is called. The names of a matrix are made up by each run, so they cannot be asked for. */
function checkNames(jobs: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(jobs).flatMap(([id, value]) => {
    const job = record(value)
    if (job === null || record(job['strategy'])?.['matrix'] !== undefined) return []
    const name = job['name'] ?? id
    return typeof name === 'string' && !name.includes('${{') ? [name] : []
  })
}

function fromGitlabCi(files: ReadonlyMap<string, string>): PipelineProposal {
  const file = '.gitlab-ci.yml'
  const text = files.get(file)
  if (text === undefined) return { selector: 'variables', file: null, missing: INPUTS, checks: [] }
  const header = record(read(text.split(/^---\s*$/m)[0] ?? ''))
  const inputs = record(record(header?.['spec'])?.['inputs'])
  const declared = inputs === null ? INPUTS.filter((name) => text.includes(name)) : Object.keys(inputs)
  return {
    selector: inputs === null ? 'variables' : 'inputs',
    file,
    missing: INPUTS.filter((name) => !declared.includes(name)),
    // All jobs together: which of them a commit runs is decided by rules that only GitLab can follow.
    checks: ['pipeline'],
  }
}

function fromBitbucketPipelines(files: ReadonlyMap<string, string>): PipelineProposal {
  const file = 'bitbucket-pipelines.yml'
  const text = files.get(file)
  if (text === undefined) return { selector: 'custom:deploy', file: null, missing: INPUTS, checks: [] }
  const pipelines = record(record(read(text))?.['pipelines']) ?? {}
  const custom = Object.keys(record(pipelines['custom']) ?? {})
  const runsOnPush = ['default', 'branches', 'tags'].some((kind) => pipelines[kind] !== undefined)
  const name = custom.find((one) => one === 'deploy') ?? custom.find((one) => /deploy|release/i.test(one))
  // Variables need no declaration there: whoever does not use one does not see it.
  const missing = name === undefined ? INPUTS : INPUTS.filter((input) => !text.includes(input))
  return {
    selector: `custom:${name ?? 'deploy'}`,
    file: name === undefined ? null : file,
    missing,
    checks: runsOnPush ? ['pipeline'] : [],
  }
}

function read(text: string): unknown {
  try {
    return parse(text, { logLevel: 'silent' })
  } catch {
    return null
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null
}

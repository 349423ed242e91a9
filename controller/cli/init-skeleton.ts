import { Document } from 'yaml'
import { KINDS, SCHEMAS } from '../model/schemas.ts'
import type { ForgeName } from './init-pipelines.ts'

/** Everything that the first config repository of somebody needs to know. */
export interface SkeletonOptions {
  /** Never changed later: job ids are derived from it. */
  id: string
  provider: ForgeName
  project: {
    name: string
    repoFullName: string
    defaultBranch: string
    /** Null where the forge has one address for all. */
    apiUrl: string | null
    selector: string
    checks: readonly string[]
  }
  /** The first admin. */
  admin: { person: string; name: string; login: string; email: string | null }
  /** IANA zone of the production window. */
  zone: string
}

const ENVIRONMENTS = ['stage', 'demo', 'prod'] as const

/** Files of a new config repository by path: rules that hold from the first day, one project, and no request. */
export function skeleton(options: SkeletonOptions): ReadonlyMap<string, string> {
  const { project } = options
  const files = new Map<string, string>([
    [
      'draven.yaml',
      yaml('', 'config-repository', { kind: 'ConfigRepository', id: options.id, title: `Deploys of ${project.name}` }),
    ],
    ['access.yaml', access(options)],
    ...ENVIRONMENTS.map((name): [string, string] => [`policies/${name}.yaml`, policy(name, options)]),
    [`projects/${project.name}/project.yaml`, projectFile(options)],
    ...ENVIRONMENTS.map((name): [string, string] => [
      `projects/${project.name}/environments/${name}.yaml`,
      yaml('../../../', 'environment', {
        kind: 'Environment',
        policy: name,
        enabled: true,
        lock_strategy: 'exclusive',
        max_run_minutes: 60,
      }),
    ]),
    ['.gitattributes', '* text=auto eol=lf\n'],
    ['.vscode/settings.json', `${JSON.stringify(EDITOR, null, 2)}\n`],
    ['README.md', readme(options)],
  ])
  // Bitbucket asks default reviewers, which are set in the repository.
  if (options.provider !== 'bitbucket') files.set('CODEOWNERS', codeowners(options))
  for (const [path, text] of pullRequestTemplate(options.provider)) files.set(path, text)
  for (const kind of KINDS) files.set(`schemas/${fileName(kind)}.schema.json`, `${JSON.stringify(SCHEMAS[kind], null, 2)}\n`)
  return files
}

/** `DeployRequest` → `deploy-request`. */
function fileName(kind: string): string {
  return kind.replace(/\B[A-Z]/g, '-$&').toLowerCase()
}

/** One document with its schema for editors. `up`: the way to the root of the repository. */
function yaml(up: string, schema: string, content: Readonly<Record<string, unknown>>): string {
  const document = new Document({ apiVersion: 'draven/v1', ...content })
  return `# yaml-language-server: $schema=${up}schemas/${schema}.schema.json\n${document.toString({ lineWidth: 0 })}`
}

function access({ admin, provider }: SkeletonOptions): string {
  const { person, name, login, email } = admin
  return yaml('', 'access', {
    kind: 'Access',
    people: { [person]: { name, accounts: { [provider]: login }, ...(email === null ? {} : { emails: [email] }) } },
    groups: { platform: [person] },
    bindings: [{ role: 'admin', groups: ['platform'] }],
  })
}

/** The three baselines: quick on stage, one colleague for demo, two of them and working hours for prod. */
function policy(name: (typeof ENVIRONMENTS)[number], { project, zone }: SkeletonOptions): string {
  const main = project.defaultBranch.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const ci = project.checks.length > 0
  const rules = {
    stage: {
      allowed_ref_types: ['branch'],
      allowed_branches: [...new Set([main, 'develop', 'feature/.*', 'bugfix/.*'])],
      require_approval: false,
      require_ci_success: ci,
      allow_rollback: true,
      allow_force_deploy: true,
    },
    demo: {
      allowed_ref_types: ['branch'],
      allowed_branches: [main, 'release/.*'],
      require_approval: true,
      approvals_required: 1,
      require_ci_success: ci,
      allow_rollback: true,
      allow_force_deploy: false,
    },
    prod: {
      allowed_ref_types: ['tag'],
      allowed_tags: ['v\\d+\\.\\d+\\.\\d+'],
      require_approval: true,
      approvals_required: 2,
      require_ci_success: ci,
      allow_rollback: true,
      allow_force_deploy: false,
      restrict_deploy_window: { tz: zone, days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri'], from: '09:00', to: '19:00' },
    },
  }[name]
  return yaml('../', 'policy', { kind: 'Policy', ...rules })
}

function projectFile({ provider, project }: SkeletonOptions): string {
  return yaml('../../', 'project', {
    kind: 'Project',
    description: `Deploys of ${project.name}`,
    active: true,
    owner: 'platform',
    integration: {
      provider,
      ...(project.apiUrl === null ? {} : { api_url: project.apiUrl }),
      repo_full_name: project.repoFullName,
      default_branch: project.defaultBranch,
      pipelines: Object.fromEntries(ENVIRONMENTS.map((name) => [name, project.selector])),
    },
    ...(project.checks.length === 0 ? {} : { ci: { required_checks: [...project.checks] } }),
  })
}

function codeowners({ admin }: SkeletonOptions): string {
  return `# Who must review what. DRAVEN checks approvals itself as well; this asks the right people early.\n* @${admin.login}\n`
}

const TEMPLATE = `## What goes where

<!-- One request file per pull request keeps approvals simple: requests/<project>/<environment>/<date>-<slug>.yaml -->

## Why now

## How we notice that it went wrong
`

/** Where each forge looks for it. Bitbucket keeps its template in the repository's settings. */
function pullRequestTemplate(provider: ForgeName): [string, string][] {
  const path = {
    github: '.github/pull_request_template.md',
    gitlab: '.gitlab/merge_request_templates/Default.md',
    bitbucket: null,
    gitea: '.gitea/pull_request_template.md',
    forgejo: '.forgejo/pull_request_template.md',
  }[provider]
  return path === null ? [] : [[path, TEMPLATE]]
}

const EDITOR = {
  'yaml.schemas': {
    './schemas/config-repository.schema.json': '/draven.yaml',
    './schemas/access.schema.json': '/access.yaml',
    './schemas/policy.schema.json': '/policies/*.y*ml',
    './schemas/project.schema.json': '/projects/*/project.y*ml',
    './schemas/environment.schema.json': '/projects/*/environments/*.y*ml',
    './schemas/freeze.schema.json': '/freezes/*.y*ml',
    './schemas/hold.schema.json': '/holds/*.y*ml',
    './schemas/deploy-request.schema.json': '/requests/*/*/*.y*ml',
  },
}

function readme({ project }: SkeletonOptions): string {
  return `# Deploys of ${project.name}

Everything that runs was asked for here. A deploy is a pull request that adds one file.

| to do this | change this |
|---|---|
| deploy | add \`requests/<project>/<environment>/<date>-<slug>.yaml\`; \`draven request ${project.name} stage ${project.defaultBranch}\` writes it |
| go back | the same, with \`type: rollback\` |
| call a job off | delete its request file before it ends |
| stop everything for a while | add a file to \`holds/\` (now) or \`freezes/\` (planned) |
| change what may go where | change \`policies/\`, with the approval of an admin |
| let somebody in | change \`access.yaml\`, with the approval of an admin |

\`draven validate\` says what is wrong before you push; the pull request then shows what would happen and what it still waits for.
`
}

import { DEPLOY_WORKFLOW } from '../sandbox/forge-fixture.ts'

export const CONFIG_REPO = 'acme/deploy-config'
export const CONFIG_REPO_ID = 'acme-deploys'
export const SHOP_REPO = 'acme/shop'

/** alice: operator (her second account: alice-at-home); bob, carol, dave: approvers; erin and frank: admins; mallory: nobody. */
export const PEOPLE = ['alice', 'alice-at-home', 'bob', 'carol', 'dave', 'erin', 'frank', 'mallory'] as const

/** The plain config repository of the scenarios: one project, three environments, the three baseline policies. */
export function configFiles(): Record<string, string> {
  return {
    'README.md': '# Deploys of ACME\n',
    'draven.yaml': document('ConfigRepository', `id: ${CONFIG_REPO_ID}\ntitle: ACME deploys\n`),
    'access.yaml': ACCESS,
    'policies/stage.yaml': STAGE_POLICY,
    'policies/demo.yaml': DEMO_POLICY,
    'policies/prod.yaml': PROD_POLICY,
    'projects/shop/project.yaml': SHOP_PROJECT,
    'projects/shop/environments/stage.yaml': environmentFile('stage'),
    'projects/shop/environments/demo.yaml': environmentFile('demo'),
    'projects/shop/environments/prod.yaml': environmentFile('prod'),
  }
}

export function shopFiles(): Record<string, string> {
  return { 'README.md': '# Shop\n', '.github/workflows/deploy.yml': DEPLOY_WORKFLOW }
}

export function document(kind: string, body: string): string {
  return `apiVersion: draven/v1\nkind: ${kind}\n${body}`
}

export function environmentFile(policy: string, more = ''): string {
  return document('Environment', `policy: ${policy}\nenabled: true\nlock_strategy: exclusive\nmax_run_minutes: 30\n${more}`)
}

/** A request file. `ref` like `tag: v1.4.2`; null for a rollback to the one before. */
export function requestFile(
  ref: string | null,
  options: { type?: 'deploy' | 'rollback' | 'dry_run'; reason?: string; more?: string } = {},
): string {
  const { type = 'deploy', reason = 'November release', more = '' } = options
  return document('DeployRequest', `type: ${type}\n${ref === null ? '' : `ref: { ${ref} }\n`}reason: ${reason}\n${more}`)
}

export const ACCESS = document(
  'Access',
  `people:
  alice:
    name: Alice Rossi
    accounts: { github: alice }
    emails: [alice@work.example, alice-at-home@users.noreply.github.com]
  bob: { name: Bob Lind, accounts: { github: bob } }
  carol: { name: Carol Mendes, accounts: { github: carol } }
  dave: { name: Dave Okafor, accounts: { github: dave } }
  erin: { name: Erin Hansen, accounts: { github: erin } }
  frank: { name: Frank Novak, accounts: { github: frank } }
groups:
  approvers: [bob, carol, dave]
bindings:
  - { role: operator, people: [alice] }
  - { role: approver, groups: [approvers] }
  - { role: admin, people: [erin, frank] }
`,
)

export const STAGE_POLICY = document(
  'Policy',
  `allowed_ref_types: [branch]
allowed_branches: [develop, "feature/.*", "bugfix/.*"]
require_approval: false
require_ci_success: true
allow_rollback: true
allow_force_deploy: true
`,
)

export const DEMO_POLICY = document(
  'Policy',
  `allowed_ref_types: [branch]
allowed_branches: [main, "release/.*"]
require_approval: true
approvals_required: 1
require_ci_success: true
allow_rollback: true
allow_force_deploy: false
`,
)

export const PROD_POLICY = document(
  'Policy',
  `allowed_ref_types: [tag]
allowed_tags: ['v\\d+\\.\\d+\\.\\d+']
require_approval: true
approvals_required: 2
require_ci_success: true
allow_rollback: true
allow_force_deploy: false
restrict_deploy_window:
  tz: Europe/Rome
  days: [Mon, Tue, Wed, Thu, Fri]
  from: "09:00"
  to: "19:00"
`,
)

export const SHOP_PROJECT = document(
  'Project',
  `description: Web shop
active: true
owner: team-shop
integration:
  provider: github
  repo_full_name: ${SHOP_REPO}
  default_branch: main
  pipelines:
    stage: deploy.yml
    demo: deploy.yml
    prod: deploy.yml
ci:
  required_checks: [build]
`,
)

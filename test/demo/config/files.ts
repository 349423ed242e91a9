import { DEMO_POLICY, document, environmentFile, PROD_POLICY, STAGE_POLICY } from '../../scenarios/config-files.ts'
import type { ForgeDocuments } from '../forges/story-forge.ts'
import { CONFIG_REPO_ID, ENVIRONMENTS, PRODUCTS, type Product } from './repositories.ts'

/** Login → name. Alice and Emil ask, Bob, Carla and Dana approve, Fatima and Greta look after the rules. */
export const PEOPLE = {
  alice: 'Alice Rossi',
  emil: 'Emil Novák',
  bob: 'Bob Lindqvist',
  carla: 'Carla Mendes',
  dana: 'Dana Okafor',
  fatima: 'Fatima El Idrissi',
  greta: 'Greta Hansen',
} as const

export type Login = keyof typeof PEOPLE

/** `Alice`: how the narration calls people. */
export function firstName(login: Login): string {
  return PEOPLE[login].split(' ')[0]!
}

/** The config repository of the demo: three products with three environments each, four policies, a December freeze. */
export function configFiles(forge: ForgeDocuments): Record<string, string> {
  return {
    'README.md': '# Deploys of ACME\n\nAdd a file under `requests/`, open a pull request, and DRAVEN does the rest.\n',
    'draven.yaml': document('ConfigRepository', `id: ${CONFIG_REPO_ID}\ntitle: ACME deploys\n`),
    'access.yaml': access(forge),
    'policies/stage.yaml': STAGE_POLICY,
    'policies/demo.yaml': DEMO_POLICY,
    'policies/prod.yaml': PROD_POLICY,
    'policies/docs-prod.yaml': DOCS_PROD_POLICY,
    'freezes/2026-christmas.yaml': CHRISTMAS,
    ...Object.fromEntries(PRODUCTS.flatMap((product) => Object.entries(productDocuments(product, forge)))),
  }
}

function productDocuments(product: Product, forge: ForgeDocuments): Record<string, string> {
  const folder = `projects/${product.name}`
  const environments = ENVIRONMENTS.map((name) => {
    const policy = name === 'prod' ? product.prodPolicy : name
    return [
      `${folder}/environments/${name}.yaml`,
      environmentFile(policy).replace(/max_run_minutes: \d+/, 'max_run_minutes: 1440'),
    ]
  })
  return { [`${folder}/project.yaml`]: projectDocument(product, forge), ...Object.fromEntries(environments) }
}

function projectDocument(
  { description, owner, repo }: Product,
  { provider, apiUrl, selector, requiredCheck }: ForgeDocuments,
): string {
  const pipelines = ENVIRONMENTS.map((name) => `    ${name}: ${selector}\n`).join('')
  return document(
    'Project',
    `description: ${description}
active: true
owner: ${owner}
integration:
  provider: ${provider}
${apiUrl === null ? '' : `  api_url: ${apiUrl}\n`}  repo_full_name: ${repo}
  default_branch: main
  pipelines:
${pipelines}ci:
  required_checks: [${JSON.stringify(requiredCheck)}]
`,
  )
}

function access({ provider, account }: ForgeDocuments): string {
  const people = Object.entries(PEOPLE).map(
    ([login, name]) => `  ${login}: { name: ${name}, accounts: { ${provider}: ${account(login as Login)} } }\n`,
  )
  return document('Access', `people:\n${people.join('')}${BINDINGS}`)
}

const BINDINGS = `groups:
  developers: [alice, emil]
  release-managers: [bob, carla, dana]
  platform: [fatima, greta]
bindings:
  - { role: operator, groups: [developers] }
  - { role: approver, groups: [release-managers] }
  - { role: admin, groups: [platform] }
`

const DOCS_PROD_POLICY = document(
  'Policy',
  `allowed_ref_types: [tag]
allowed_tags: ['v\\d+\\.\\d+\\.\\d+']
require_approval: true
approvals_required: 1
require_ci_success: true
allow_rollback: true
allow_force_deploy: false
restrict_deploy_window:
  tz: Europe/Rome
  days: [Tue, Thu]
  from: "10:00"
  to: "12:00"
`,
)

const CHRISTMAS = document(
  'Freeze',
  `reason: "Christmas: nobody is there to mend what breaks"
from: 2026-12-20 00:00
to: 2027-01-07 08:00
tz: Europe/Rome
environments: [prod]
`,
)

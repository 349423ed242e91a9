/** One product of the demo's company: its repository on the emulated forge, and what is already released of it. */
export interface Product {
  name: string
  repo: string
  description: string
  owner: string
  /** Policy of its prod environment. */
  prodPolicy: 'prod' | 'docs-prod'
  /** Who asks for its deploys. */
  developer: string
  /** Tag that runs in prod when the story begins. */
  released: string
}

export const CONFIG_REPO = 'acme/deploy-config'
export const CONFIG_REPO_ID = 'acme-deploys'

export const PRODUCTS: readonly Product[] = [
  {
    name: 'billing',
    repo: 'acme/billing',
    description: 'Invoices and payments',
    owner: 'team-billing',
    prodPolicy: 'prod',
    developer: 'emil',
    released: 'v3.1.0',
  },
  {
    name: 'docs',
    repo: 'acme/docs',
    description: 'Public documentation',
    owner: 'team-docs',
    prodPolicy: 'docs-prod',
    developer: 'emil',
    released: 'v2.0.0',
  },
  {
    name: 'shop',
    repo: 'acme/shop',
    description: 'Web shop',
    owner: 'team-shop',
    prodPolicy: 'prod',
    developer: 'alice',
    released: 'v1.4.1',
  },
]

export const ENVIRONMENTS = ['stage', 'demo', 'prod'] as const

/** Where the pipeline finds things on this machine. */
export interface PipelinePlaces {
  /** Bare repository of the product. */
  gitDirectory: string
  /** While `<rolloutsDirectory>/<product>-<environment>` exists, a rollout there goes on: the cast decides how long it takes. */
  rolloutsDirectory: string
}

/** The product's pipeline: it fetches the very commit that was approved, runs that commit's own smoke test, and fails with it. */
export function deployWorkflow(product: string, places: PipelinePlaces): string {
  return `name: Deploy
run-name: Deploy \${{ inputs.REF }} to \${{ inputs.ENV }} (\${{ inputs.JOB_ID }})
on:
  workflow_dispatch:
    inputs:
      JOB_ID: { required: true }
      ENV: { required: true }
      REF: { required: true }
      TYPE: { required: true }
      SHA: { required: true }
jobs:
  deploy:
    steps:
      - name: Roll out and ask the new version how it does
        run: |
          while [ -e "${places.rolloutsDirectory}/${product}-$INPUT_ENV" ]; do sleep 0.2; done
          git --git-dir "${places.gitDirectory}" show "$INPUT_SHA:smoke-test.sh" | bash
`
}

/** What a commit of a product holds: its smoke test says which version answers. */
export function productFiles(product: string, version: string, broken: string | null = null): Record<string, string> {
  const verdict = broken === null ? 'echo "$what answers: 200 OK"' : `echo "$what: ${broken}"\nexit 1`
  return { 'smoke-test.sh': `what="${product} ${version}"\n${verdict}\n`, VERSION: `${version}\n` }
}

export function productNamed(name: string): Product {
  const product = PRODUCTS.find((each) => each.name === name)
  if (product === undefined) throw new Error(`the demo has no product ${name}`)
  return product
}

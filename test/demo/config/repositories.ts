import type { Login } from './files.ts'

/** One product of the demo's company: its repository on the emulated forge, and what is already released of it. */
export interface Product {
  name: string
  repo: string
  description: string
  owner: string
  /** Policy of its prod environment. */
  prodPolicy: 'prod' | 'docs-prod'
  /** Who asks for its deploys. */
  developer: Login
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

/** What a product's pipeline does: it asks the very commit that was approved for its smoke test, runs it, and fails with it. */
export function rollout(product: string, places: PipelinePlaces): readonly string[] {
  return [
    `while [ -e "${places.rolloutsDirectory}/${product}-$ENV" ]; do sleep 0.2; done`,
    `git --git-dir "${places.gitDirectory}" show "$SHA:smoke-test.sh" | bash`,
  ]
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

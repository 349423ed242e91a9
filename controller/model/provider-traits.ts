import type { ProjectDocument } from './documents.ts'

type ProviderName = ProjectDocument['integration']['provider']

/**
 * What documents may ask of a provider, as far as that is known without asking it: so that a rule which cannot be kept there is
 * said when it is written, instead of when something waits for it. Each fact is explained on the provider's page in docs/.
 */
export interface ProviderTraits {
  /** What names a pipeline there. */
  selector: { pattern: RegExp; allowed: string; example: string }
  /** Who reports the CI of its repositories, unless a project says otherwise. Empty: it has none. */
  ciApps: readonly string[]
  /** False where a run cannot be stopped from outside, so that one over its time keeps its lock until it ends. */
  stopsRuns: boolean
  /** A pull request takes no review once it is merged. */
  closesReviews?: true
}

const WORKFLOW = { allowed: 'the file of a workflow, e.g. `deploy.yml`', example: 'deploy.yml' }
const OF_GITHUB = /^(?:\.github\/workflows\/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.ya?ml$/
/** A server looks into one folder only, so its name tells nothing. */
const OF_GITEA = /^(?:\.(?:gitea|forgejo|github)\/workflows\/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.ya?ml$/
const PATH = /^[^/\s](?:\S*[^/\s])?$/

const PROVIDER_TRAITS: Readonly<Record<ProviderName, ProviderTraits>> = {
  github: { selector: { ...WORKFLOW, pattern: OF_GITHUB }, ciApps: ['github-actions'], stopsRuns: true },
  gitlab: {
    selector: {
      pattern: /^(?:variables|inputs)$/,
      allowed: '`variables` or `inputs`: how the pipeline is told',
      example: 'variables',
    },
    ciApps: ['gitlab-ci'],
    stopsRuns: true,
  },
  bitbucket: {
    selector: { pattern: /^(?:custom:)?[^:]+$/, allowed: 'a custom pipeline, e.g. `custom:deploy`', example: 'custom:deploy' },
    ciApps: ['bitbucket-pipelines'],
    stopsRuns: true,
  },
  gitea: { selector: { ...WORKFLOW, pattern: OF_GITEA }, ciApps: ['gitea-actions'], stopsRuns: false, closesReviews: true },
  forgejo: { selector: { ...WORKFLOW, pattern: OF_GITEA }, ciApps: ['forgejo-actions'], stopsRuns: true, closesReviews: true },
  jenkins: {
    selector: { pattern: PATH, allowed: 'a job with its folders, e.g. `shop/deploy`', example: 'shop/deploy' },
    ciApps: [],
    stopsRuns: true,
  },
  http: {
    selector: { pattern: PATH, allowed: 'the path below `api_url`, e.g. `shop/deploy`', example: 'shop/deploy' },
    ciApps: [],
    stopsRuns: true,
  },
  local: {
    selector: { pattern: /^\S+$/, allowed: 'the name of a command of the controller', example: 'deploy' },
    ciApps: [],
    stopsRuns: true,
  },
}

/** Of a provider that a project names: the schema lets no other word pass. */
export function traitsOf(provider: string): ProviderTraits {
  return PROVIDER_TRAITS[provider as ProviderName]
}

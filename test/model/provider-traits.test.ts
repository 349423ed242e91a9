import { describe, expect, it, test } from 'vitest'
import { traitsOf } from '../../controller/model/provider-traits.ts'
import { customPipeline } from '../../controller/providers/bitbucket/states.ts'
import { workflowFile } from '../../controller/providers/github/workflow.ts'
import { pipelineMode } from '../../controller/providers/gitlab/states.ts'
import { PROVIDERS } from '../../controller/providers/table.ts'
import { EXAMPLE_CONFIG, exampleWith, load, readDirectory } from './snapshot-directory.ts'

const example = readDirectory(EXAMPLE_CONFIG)
const textOf = (path: string) => Buffer.from(example[path] as Uint8Array).toString()

const SELECTORS = [
  'deploy.yml',
  'deploy.yaml',
  '.github/workflows/deploy.yml',
  '.gitea/workflows/deploy.yml',
  '.git/workflows/deploy.yml',
  'deploy',
  '-deploy.yml',
  'a/deploy.yml',
  '../deploy.yml',
  'variables',
  'inputs',
  'variables ',
  'custom:deploy',
  'custom:',
  'branch:main',
  'custom:a:b',
  'custom:deploy all',
]

/** What each provider itself says, at the first trigger at the latest. */
const ASKED: Readonly<Record<string, (selector: string) => unknown>> = {
  github: workflowFile,
  gitlab: pipelineMode,
  bitbucket: customPipeline,
}

function takes(ask: (selector: string) => unknown, selector: string): boolean {
  try {
    ask(selector)
    return true
  } catch {
    return false
  }
}

describe('what validation believes of a provider', () => {
  it('is known of each that there is', () => {
    for (const name of Object.keys(PROVIDERS)) expect(traitsOf(name), name).toBeDefined()
  })

  it.each(Object.entries(ASKED))('names the same pipelines as %s does', (provider, ask) => {
    const { pattern, example } = traitsOf(provider).selector
    for (const selector of [...SELECTORS, example]) expect(pattern.test(selector), selector).toBe(takes(ask, selector))
    expect(pattern.test(example)).toBe(true)
  })
})

describe('a rule that a provider cannot keep is said when it is written', () => {
  const project = (name: string, from: string, to: string) => {
    const path = `projects/${name}/project.yaml`
    expect(textOf(path)).toContain(from)
    return load(exampleWith({ [path]: textOf(path).replace(from, to) }))
  }

  test('a pipeline that GitLab cannot mean makes the project unusable, with what it could be', async () => {
    const { findings, projects } = await project('mobile-api', 'stage: variables', 'stage: deploy.yml')
    expect(projects.has('mobile-api')).toBe(false)
    expect(findings[0]).toMatchObject({
      code: 'DRV1309',
      message: '`deploy.yml` names no pipeline of gitlab',
      allowed: expect.stringContaining('`variables` or `inputs`'),
      place: { file: 'projects/mobile-api/project.yaml', line: 15 },
    })
    const nested = await project('shop', 'selector: deploy-prod.yml', 'selector: deploy-prod')
    expect(nested.findings[0]).toMatchObject({ code: 'DRV1309', message: '`deploy-prod` names no pipeline of github' })
  })

  test('CI is not asked for where no result can be read, whoever would be believed', async () => {
    const { findings, unusableEnvironments } = await project('warehouse-sync', '  code: { provider: github }', '  # none')
    const named = findings.filter(({ code }) => code === 'DRV1310')
    expect(named.map(({ place }) => place.file)).toEqual(
      ['demo', 'prod', 'stage'].map((name) => `projects/warehouse-sync/environments/${name}.yaml`),
    )
    expect(named[0]!.message).toContain('requires CI success, and local has no CI whose results could be read')
    expect([...unusableEnvironments.keys()]).toHaveLength(3)
  })

  test('a run of Gitea that cannot be stopped is a warning beside its time limit, and of Forgejo none', async () => {
    const on = (provider: string) =>
      project('shop', 'provider: github\n', `provider: ${provider}\n  api_url: https://git.acme.example/api/v1\n`)
    const gitea = (await on('gitea')).findings
    expect(gitea.map(({ code, severity }) => `${code} ${severity}`)).toEqual([
      'DRV1311 warning',
      'DRV1311 warning',
      'DRV1311 warning',
    ])
    expect(gitea[0]!.message).toContain('gitea offers no way to stop a run')
    expect((await on('forgejo')).findings).toEqual([])
  })
})

describe('a policy that asks for more approvals than people may give', () => {
  const withAccess = (bindings: string) => {
    const text = textOf('access.yaml')
    return load(exampleWith({ 'access.yaml': `${text.slice(0, text.indexOf('bindings:'))}bindings:\n${bindings}` }))
  }

  test('is a warning that names them', async () => {
    const { findings } = await withAccess(
      '  - { role: admin, people: [alice] }\n  - { role: operator, groups: [shop-developers] }\n',
    )
    const about = findings.filter(({ code }) => code === 'DRV1312')
    expect(about.map(({ place, severity }) => `${severity} ${place.file}`)).toContain(
      'warning projects/shop/environments/prod.yaml',
    )
    expect(about[0]!.message).toMatch(/^the policy needs 2 approvals, and only alice may approve here$/)
    expect(about.some(({ place }) => place.file.endsWith('stage.yaml'))).toBe(false)
  })

  test('says when nobody may, and nothing beside an access.yaml that cannot be used', async () => {
    const { findings } = await withAccess('  - { role: viewer, people: [alice] }\n')
    expect(findings.find(({ code }) => code === 'DRV1312')!.message).toContain('nobody may approve here')
    const broken = await load(exampleWith({ 'access.yaml': 'a: [' }))
    expect(broken.findings.map(({ code }) => code)).not.toContain('DRV1312')
  })
})

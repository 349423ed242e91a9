import { describe, expect, test } from 'vitest'
import type { DesiredState } from '../../controller/model/desired-state.ts'
import { documentCache, isRulesPath, loadDesiredState, requestPathParts } from '../../controller/model/load.ts'
import { type BlobId, commitSha } from '../../controller/model/names.ts'
import { EXAMPLE_CONFIG, exampleWith, load, readDirectory, snapshotOf } from './snapshot-directory.ts'

const example = readDirectory(EXAMPLE_CONFIG)
const textOf = (path: string) => Buffer.from(example[path] as Uint8Array).toString()
const edited = (path: string, from: string, to: string) => {
  expect(textOf(path)).toContain(from)
  return load(exampleWith({ [path]: textOf(path).replace(from, to) }))
}
const codes = (desired: DesiredState) => desired.findings.map((finding) => finding.code)
const unusable = (desired: DesiredState) => [...desired.unusableEnvironments.keys()].sort()
const IN_PROD = ['billing/prod', 'docs-site/prod', 'mobile-api/prod', 'shop/prod', 'warehouse-sync/prod']
const OF_SHOP = ['shop/demo', 'shop/prod', 'shop/stage']

describe('a broken file affects only what depends on it', () => {
  test.each<[string, Record<string, string | null>, string[], string]>([
    ['a policy that is not YAML', { 'policies/prod.yaml': 'a: [' }, IN_PROD, 'DRV1115'],
    [
      'a policy with a misspelt key',
      { 'policies/prod.yaml': textOf('policies/prod.yaml').replace('approvals_required', 'approval_required') },
      IN_PROD,
      'DRV1206',
    ],
    ['a policy that is gone', { 'policies/prod.yaml': null }, IN_PROD, 'DRV1301'],
    [
      'a policy with a bad pattern',
      { 'policies/prod.yaml': textOf('policies/prod.yaml').replace('v\\d+', '(?=v)') },
      IN_PROD,
      'DRV1401',
    ],
    [
      'a policy with a bad time zone',
      { 'policies/prod.yaml': textOf('policies/prod.yaml').replace('Europe/Rome', 'Europe/Atlantis') },
      IN_PROD,
      'DRV1404',
    ],
    ['a project that is not YAML', { 'projects/shop/project.yaml': 'a: [' }, OF_SHOP, 'DRV1115'],
    ['a project that is gone', { 'projects/shop/project.yaml': null }, OF_SHOP, 'DRV1008'],
    [
      'an environment with a wrong value',
      { 'projects/shop/environments/demo.yaml': textOf('projects/shop/environments/demo.yaml').replace('true', 'maybe') },
      ['shop/demo'],
      'DRV1208',
    ],
  ])('%s', async (_, changes, hurt, code) => {
    const desired = await load(exampleWith(changes))
    expect(unusable(desired)).toEqual(hurt)
    expect(desired.environments.size).toBe(15 - hurt.length)
    expect(codes(desired)).toContain(code)
    expect(desired.closed).toEqual([])
    expect(desired.people.size).toBe(7)
    expect(desired.requests.size).toBe(6)
    for (const findings of desired.unusableEnvironments.values())
      expect(findings.some((finding) => finding.severity === 'error')).toBe(true)
  })

  test('a broken request becomes an unusable one and leaves the others alone', async () => {
    const path = 'requests/shop/prod/2026-11-21-v1.4.2.yaml'
    const desired = await edited(path, 'v1.4.2', '1.10')
    expect(desired.requests.size).toBe(5)
    expect(desired.unusableRequests.get(path)).toMatchObject({
      project: 'shop',
      environment: 'prod',
      findings: [{ code: 'DRV1207' }],
    })
  })

  test.each([
    ['access.yaml is not YAML', { 'access.yaml': 'a: [' }],
    ['access.yaml is gone', { 'access.yaml': null }],
    ['a group names nobody', { 'access.yaml': textOf('access.yaml').replace('[alice, bob]', '[alice, bbo]') }],
    ['one account belongs to two', { 'access.yaml': textOf('access.yaml').replace('boblq', 'DOkafor') }],
  ])('nobody holds a role and nothing starts when %s', async (_, changes) => {
    const desired = await load(exampleWith(changes))
    expect([desired.people.size, desired.bindings.length]).toEqual([0, 0])
    expect(desired.closed.map((finding) => finding.place.file)).toEqual(['access.yaml'])
    expect(desired.environments.size).toBe(15)
  })

  test.each([
    ['a freeze', 'freezes/2026-christmas.yaml'],
    ['a hold', 'holds/billing-prod.yaml'],
  ])('nothing starts when %s cannot be read', async (_, path) => {
    const desired = await load(exampleWith({ [path]: 'a: [' }))
    expect(desired.closed.map((finding) => [finding.code, finding.place.file])).toEqual([['DRV1115', path]])
    expect(desired.people.size).toBe(7)
  })

  test('without a readable draven.yaml no job can be named', async () => {
    for (const content of [null, 'a: [', 'apiVersion: draven/v1\nkind: ConfigRepository\n']) {
      const desired = await load(exampleWith({ 'draven.yaml': content }))
      expect(desired.repository.id).toBe('')
      expect(desired.closed.map((finding) => finding.place.file)).toEqual(['draven.yaml'])
    }
  })

  test('deleting each file in turn never makes anything more allowed', async () => {
    const whole = await load(example)
    for (const path of Object.keys(example).filter((name) => name.endsWith('.yaml'))) {
      const desired = await load(exampleWith({ [path]: null }))
      const isStop = path.startsWith('freezes/') || path.startsWith('holds/')
      for (const key of desired.environments.keys()) expect(whole.environments.has(key)).toBe(true)
      expect(desired.bindings.length).toBeLessThanOrEqual(whole.bindings.length)
      if (!isStop) expect([desired.freezes.length, desired.holds.length]).toEqual([1, 1])
    }
  })
})

describe('references', () => {
  test('an environment without a pipeline cannot be used', async () => {
    const desired = await edited('projects/billing/project.yaml', '    demo: deploy.yml\n', '')
    expect(unusable(desired)).toEqual(['billing/demo'])
    expect(desired.unusableEnvironments.get('billing/demo' as never)![0]).toMatchObject({
      code: 'DRV1303',
      related: { label: 'pipelines' },
    })
  })

  test('a policy that requires CI needs a check in the project: no checks are not all checks', async () => {
    for (const none of ['[]', '']) {
      const source = textOf('projects/shop/project.yaml')
      const without = none === '' ? source.slice(0, source.indexOf('ci:')) : source.replace('[build, test, e2e]', none)
      const desired = await load(exampleWith({ 'projects/shop/project.yaml': without }))
      expect(unusable(desired)).toEqual(OF_SHOP)
      expect(codes(desired)).toEqual(['DRV1304', 'DRV1304', 'DRV1304'])
    }
  })

  const JENKINS = 'provider: jenkins\n  api_url: https://jenkins.acme.example\n'

  test('a project whose pipelines run elsewhere names where its code is, and what CI it believes follows from that', async () => {
    const whole = `${JENKINS}  callbacks: true\n  code: { provider: github }\n`
    const desired = await edited('projects/shop/project.yaml', 'provider: github\n', whole)
    expect(desired.findings).toEqual([])
    expect(desired.projects.get('shop')!.integration).toMatchObject({
      provider: 'jenkins',
      callbacks: true,
      code: { provider: 'github', apiUrl: null, credentialRef: null },
      ci: { apps: ['github-actions'] },
    })
    const without = await edited('projects/shop/project.yaml', 'provider: github\n', JENKINS)
    expect(without.findings.map((finding) => finding.message).join()).toContain('hold no code')
    expect(unusable(without)).toEqual(OF_SHOP)
  })

  test('promotion from nowhere or in a circle cannot be used', async () => {
    const nowhere = await edited('projects/shop/environments/prod.yaml', 'promote_from: demo', 'promote_from: demmo')
    expect(unusable(nowhere)).toEqual(['shop/prod'])
    expect(nowhere.findings[0]).toMatchObject({ code: 'DRV1301', help: 'did you mean `demo`?' })
    const circle = await load(
      exampleWith({
        'projects/shop/environments/demo.yaml': `${textOf('projects/shop/environments/demo.yaml')}promote_from: prod\n`,
      }),
    )
    expect(unusable(circle)).toEqual(['shop/demo', 'shop/prod'])
    expect(codes(circle)).toEqual(['DRV1305', 'DRV1305'])
    const self = await edited('projects/shop/environments/prod.yaml', 'promote_from: demo', 'promote_from: prod')
    expect(codes(self)).toEqual(['DRV1305'])
  })

  test('a scope that names something unknown is widened, never narrowed', async () => {
    const hold = await edited('holds/billing-prod.yaml', '[billing]', '[biling]')
    expect(hold.holds[0]!.scope).toEqual({ projects: null, environments: ['prod'] })
    expect(hold.findings).toMatchObject([{ code: 'DRV1301', severity: 'error', help: 'did you mean `billing`?' }])
    const binding = await edited('access.yaml', 'projects: [warehouse-sync]', 'projects: [warehouse-snyc]')
    expect(binding.bindings[3]!.projects).toEqual([])
    expect(binding.findings).toMatchObject([{ code: 'DRV1301', severity: 'warning' }])
  })

  test('fewer than two admins are a warning', async () => {
    const desired = await edited('access.yaml', 'platform: [alice, bob]', 'platform: [alice]')
    expect(desired.findings).toMatchObject([{ code: 'DRV1306', severity: 'warning' }])
    expect(desired.people.size).toBe(7)
  })

  test('a request for an environment that does not exist stays a request, with a warning', async () => {
    const path = 'requests/shop/pord/a.yaml'
    const desired = await load(exampleWith({ [path]: textOf('requests/shop/prod/2026-11-21-v1.4.2.yaml') }))
    expect(desired.requests.get(path)).toMatchObject({ project: 'shop', environment: 'pord' })
    expect(desired.findings).toMatchObject([{ code: 'DRV1308', severity: 'warning', help: 'did you mean `prod`?' }])
  })
})

describe('times', () => {
  test('a freeze is taken in its own time zone', async () => {
    const [freeze] = (await load(example)).freezes
    expect(new Date(freeze!.fromAt).toISOString()).toBe('2026-12-19T23:00:00.000Z')
    expect(new Date(freeze!.toAt).toISOString()).toBe('2027-01-07T07:00:00.000Z')
  })

  test.each([
    ['2027-03-28 02:30', 'Europe/Rome', 'DRV1405', 'does not exist'],
    ['2026-10-25 02:30', 'Europe/Rome', 'DRV1405', 'exists twice'],
    ['2026-02-30 00:00', 'Europe/Rome', 'DRV1405', 'not a date'],
    ['2026-12-01 00:00', 'EST', 'DRV1210', '`EST`'],
    ['2026-12-01 00:00', 'Etc/GMT+5', 'DRV1404', 'not a time zone'],
    ['2026-12-01 00:00', 'Europe/Atlantis', 'DRV1404', 'not a time zone'],
    ['2027-01-08 00:00', 'UTC', 'DRV1406', 'not after'],
  ])('a freeze from %s in %s is refused and closes', async (from, tz, code, words) => {
    const source = textOf('freezes/2026-christmas.yaml').replace('2026-12-20 00:00', from).replace('Europe/Rome', tz)
    const desired = await load(exampleWith({ 'freezes/2026-christmas.yaml': source }))
    expect(codes(desired)).toEqual([code])
    expect(desired.closed[0]!.message).toContain(words)
  })
})

describe('reading', () => {
  test('only blobs that changed are read, and bad ones are judged once', async () => {
    const cache = documentCache()
    const asked: BlobId[] = []
    const loadOnce = async (files: typeof example) => {
      const { snapshot, blobs } = snapshotOf(files)
      const readBlobs = async (ids: readonly BlobId[]) => {
        asked.push(...ids)
        return blobs
      }
      return loadDesiredState({ rules: snapshot, requests: snapshot, readBlobs, cache })
    }
    const bad = exampleWith({ 'requests/shop/prod/bad.yaml': '[[' })
    const first = await loadOnce(bad)
    expect(asked.length).toBeGreaterThan(20)
    asked.length = 0
    expect(await loadOnce(bad)).toMatchObject({ findings: first.findings })
    expect(asked).toEqual([])
    await loadOnce({
      ...bad,
      'holds/all.yaml': 'apiVersion: draven/v1\nkind: Hold\nreason: x\n',
      'holds/same.yaml': 'apiVersion: draven/v1\nkind: Hold\nreason: x\n',
    })
    expect(asked).toHaveLength(1)
  })

  test('equal content at two paths is told at both', async () => {
    const desired = await load(exampleWith({ 'requests/shop/prod/a.yaml': 'a: [', 'requests/shop/demo/b.yaml': 'a: [' }))
    expect(desired.findings.map((finding) => finding.place.file)).toEqual([
      'requests/shop/demo/b.yaml',
      'requests/shop/prod/a.yaml',
    ])
  })

  test('requests are taken from one snapshot and rules from the other', async () => {
    const head = snapshotOf(
      exampleWith({
        'policies/prod.yaml': textOf('policies/stage.yaml'),
        'access.yaml': null,
        'requests/shop/prod/new.yaml': textOf('requests/shop/prod/2026-11-21-v1.4.2.yaml'),
      }),
    )
    const base = snapshotOf(example)
    const requests = { ...head.snapshot, commit: commitSha('d'.repeat(40)) }
    const readBlobs = async () => new Map([...base.blobs, ...head.blobs])
    const desired = await loadDesiredState({ rules: base.snapshot, requests, readBlobs, cache: documentCache() })
    expect(desired.commit).toBe('d'.repeat(40))
    expect(desired.requests.has('requests/shop/prod/new.yaml')).toBe(true)
    expect(desired.environments.get('shop/prod' as never)!.policy.approvalsRequired).toBe(2)
    expect(desired.people.size).toBe(7)
    expect(desired.findings).toEqual([])
  })

  test('a blob that is withheld is an error of the reader, not of the user', async () => {
    const { snapshot } = snapshotOf(example)
    await expect(
      loadDesiredState({ rules: snapshot, requests: snapshot, readBlobs: async () => new Map(), cache: documentCache() }),
    ).rejects.toThrow(/was not read/)
  })

  test('layout and comments do not change what is approved, values do', async () => {
    const path = 'requests/shop/prod/2026-11-21-v1.4.2.yaml'
    const canonicalOf = async (content: string) => (await load(exampleWith({ [path]: content }))).requests.get(path)!.canonical
    const one = await canonicalOf('apiVersion: draven/v1\nkind: DeployRequest\ntype: deploy\nref: { tag: v1.4.2 }\nreason: x\n')
    expect(one).toBe('{"apiVersion":"draven/v1","kind":"DeployRequest","reason":"x","ref":{"tag":"v1.4.2"},"type":"deploy"}')
    expect(
      await canonicalOf('# why\nreason: "x"\nref:\n  tag: v1.4.2\ntype: deploy\nkind: DeployRequest\napiVersion: draven/v1\n'),
    ).toBe(one)
    expect(
      await canonicalOf('apiVersion: draven/v1\nkind: DeployRequest\ntype: deploy\nref: { tag: v1.4.3 }\nreason: x\n'),
    ).not.toBe(one)
  })

  test('places of a request and a policy are found by dotted key', async () => {
    const desired = await load(example)
    const request = desired.requests.get('requests/shop/prod/2026-11-21-v1.4.2.yaml')!
    expect(request.places.get('ref.tag')).toMatchObject({ file: request.path, line: 5, column: 13 })
    expect(desired.environments.get('shop/prod' as never)!.policy.places.get('allowed_tags')).toMatchObject({
      file: 'policies/prod.yaml',
      line: 5,
      column: 1,
    })
  })
})

test.each([
  ['draven.yaml', true],
  ['access.yml', true],
  ['policies/prod.yaml', true],
  ['Policies/prod.yaml', true],
  ['projects/shop/environments/prod.yaml', true],
  ['projects/shop', true],
  ['freezes/x.yaml', true],
  ['holds/x.yaml', true],
  ['requests/shop/prod/a.yaml', false],
  ['projects/shop/README.md', false],
  ['README.md', false],
  ['.github/workflows/ci.yml', false],
  ['other.yaml', false],
])('a change of %s changes the rules: %s', (path, wanted) => {
  expect(isRulesPath(path)).toBe(wanted)
})

test('a request path tells its project and environment, other paths do not', () => {
  expect(requestPathParts('requests/shop/prod/2026-11-21-v1.4.2.yaml')).toEqual({ project: 'shop', environment: 'prod' })
  for (const path of [
    'requests/shop/prod.yaml',
    'requests/Shop/prod/a.yaml',
    'requests/shop/prod/a.json',
    'policies/prod.yaml',
    'requests/shop/prod/x/a.yaml',
  ]) {
    expect(requestPathParts(path)).toBeNull()
  }
})

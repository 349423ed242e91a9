import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Subject, subjectDigest } from '../../controller/approvals/subject.ts'
import { blobId } from '../../controller/model/names.ts'
import { deployRequest, environment, OTHER_SHA, place, policy, prodPolicy, project, SHA } from '../policy/fixtures.ts'

function subject(overrides: Partial<Subject> = {}): Subject {
  return { request: deployRequest(), sha: SHA, environment: environment(), project: project(), ...overrides }
}

const pipelines = (selector: string, workflowRef: string | null = null) => new Map([['prod', { selector, workflowRef }]])

const codeAt = (apiUrl: string | null) => ({ provider: 'github', apiUrl, credentialRef: null })

describe('subjectDigest', () => {
  it('is what it was before the code could be elsewhere', () => {
    expect(subjectDigest(subject())).toBe('e11eaa3da3bf10a02c10899eb20fdd3fd135c035eb825ada9cdbb8e5102965b6')
  })

  it('tells code at one address from code at another', () => {
    const at = (apiUrl: string | null) => subjectDigest(subject({ project: project({ integration: { code: codeAt(apiUrl) } }) }))
    expect(at('https://ghe.acme.test')).not.toBe(at(null))
  })

  it('is 64 hexadecimal digits, the same for equal subjects', () => {
    expect(subjectDigest(subject())).toMatch(/^[0-9a-f]{64}$/)
    expect(subjectDigest(subject())).toBe(subjectDigest(subject()))
  })

  it.each<[string, Partial<Subject>]>([
    ['the request says something else', { request: deployRequest({ reason: 'December release' }) }],
    [
      'the request is another file',
      { request: deployRequest({ path: 'requests/shop/prod/again.yaml', canonical: deployRequest().canonical }) },
    ],
    ['the ref points at another commit', { sha: OTHER_SHA }],
    ['it is a rollback', { request: deployRequest({ type: 'rollback', canonical: deployRequest().canonical }) }],
    ['the environment changes', { environment: environment({ enabled: false }) }],
    ['the policy changes', { environment: environment({ policy: prodPolicy({ approvalsRequired: 1 }) }) }],
    ['another policy is named', { environment: environment({ policy: policy() }) }],
    ['the provider changes', { project: project({ integration: { provider: 'local' } }) }],
    ['the provider is at another address', { project: project({ integration: { apiUrl: 'https://ghe.acme.test' } }) }],
    ['the code is elsewhere', { project: project({ integration: { code: codeAt(null) } }) }],
    ['the repository changes', { project: project({ integration: { repoFullName: 'evil/shop' } }) }],
    ['the pipeline changes', { project: project({ integration: { pipelines: pipelines('other.yaml') } }) }],
    [
      'the pipeline is taken from another branch',
      { project: project({ integration: { pipelines: pipelines('deploy.yaml', 'dev') } }) },
    ],
    ['the pipeline is gone', { project: project({ integration: { pipelines: new Map() } }) }],
  ])('changes when %s', (_, overrides) => {
    expect(subjectDigest(subject(overrides))).not.toBe(subjectDigest(subject()))
  })

  it.each<[string, Partial<Subject>]>([
    [
      'the request only moves within its file',
      { request: deployRequest({ place: place('elsewhere'), blob: blobId('9'.repeat(40)) }) },
    ],
    [
      'another environment has another pipeline',
      {
        project: project({
          integration: { pipelines: new Map([...pipelines('deploy.yaml'), ['stage', { selector: 'x', workflowRef: null }]]) },
        }),
      },
    ],
    ['the pipeline is told how to reach us', { project: project({ integration: { callbacks: true } }) }],
    ['the project is described otherwise', { project: project({ description: 'The shop', owner: 'somebody' }) }],
  ])('stays when %s', (_, overrides) => {
    expect(subjectDigest(subject(overrides))).toBe(subjectDigest(subject()))
  })

  it('is the same exactly when every part is the same', () => {
    // Few letters, so that parts often agree, with quotes and commas that would let a careless join run parts together.
    const text = fc.string({ unit: fc.constantFrom('a', '"', ','), maxLength: 2 })
    const parts = fc.record({
      path: text,
      request: text,
      environment: text,
      policy: text,
      repository: text,
      selector: text,
      workflowRef: fc.option(text),
      sha: fc.constantFrom(SHA, OTHER_SHA),
      type: fc.constantFrom('deploy' as const, 'rollback' as const),
    })
    type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never
    const digest = (of: Parts) =>
      subjectDigest({
        request: deployRequest({ path: of.path, canonical: of.request, type: of.type }),
        sha: of.sha,
        environment: environment({ canonical: of.environment, policy: policy({ canonical: of.policy }) }),
        project: project({ integration: { repoFullName: of.repository, pipelines: pipelines(of.selector, of.workflowRef) } }),
      })
    const pair = parts.chain((one) =>
      fc
        .tuple(fc.constant(one), fc.record({ keep: fc.subarray(Object.keys(one) as (keyof Parts)[]), other: parts }))
        .map(([first, { keep, other }]): [Parts, Parts] => [
          first,
          { ...other, ...Object.fromEntries(keep.map((key) => [key, first[key]])) },
        ]),
    )
    let equal = 0
    fc.assert(
      fc.property(pair, ([one, other]) => {
        const same = JSON.stringify(Object.entries(one).toSorted()) === JSON.stringify(Object.entries(other).toSorted())
        if (same) equal++
        expect(digest(one) === digest(other)).toBe(same)
      }),
      { numRuns: 500 },
    )
    expect(equal).toBeGreaterThan(0)
  })
})

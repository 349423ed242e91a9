import { describe, expect, test } from 'vitest'
import { documentCache, loadDesiredState } from '../../controller/model/load.ts'
import { type BlobId, commitSha } from '../../controller/model/names.ts'
import type { TreeEntry } from '../../controller/model/snapshot.ts'
import { exampleWith, gitBlobId, load } from './snapshot-directory.ts'

const ID = gitBlobId(Buffer.from('never read'))
const entry = (path: string, mode = '100644', size: number | null = 10): TreeEntry => ({ path, mode, id: ID, size })
const REQUEST = 'apiVersion: draven/v1\nkind: DeployRequest\ntype: deploy\nref: { tag: v1.4.2 }\nreason: x\n'
const codesAt = (findings: readonly { code: string; place: { file: string } }[], file: string) =>
  findings.filter((finding) => finding.place.file === file).map((finding) => finding.code)

describe('an entry that is not a regular file is refused and not read', () => {
  test.each([
    ['a symbolic link as a request', entry('requests/shop/prod/evil.yaml', '120000')],
    ['a submodule as a request', entry('requests/shop/prod/evil.yaml', '160000', null)],
    ['a symbolic link without extension', entry('requests/shop/demo2', '120000')],
    ['a submodule in place of a folder', entry('projects/evil', '160000', null)],
    ['a tree entry of an odd mode', entry('requests/shop/prod/evil.yaml', '100664')],
    ['a link that spells a folder otherwise', entry('Policies', '120000')],
  ])('%s', async (_, extra) => {
    const desired = await load(exampleWith({}), [extra])
    expect(codesAt(desired.findings, extra.path)).toEqual(['DRV1003'])
    expect(desired.requests.size).toBe(6)
  })

  test('a link in freezes/ closes everything, because we cannot know what it forbids', async () => {
    const desired = await load(exampleWith({}), [entry('freezes/evil.yaml', '120000')])
    expect(desired.closed.map((finding) => finding.code)).toEqual(['DRV1003'])
  })

  test('a link in docs/ is nobody else’s business', async () => {
    expect((await load(exampleWith({}), [entry('docs/link', '120000'), entry('vendor', '160000', null)])).findings).toEqual([])
  })
})

describe('paths that are the same to some file systems are both refused', () => {
  test.each([
    ['letters of another case', 'requests/shop/prod/a.yaml', 'requests/shop/prod/A.yaml'],
    ['a folder of another case', 'requests/shop/prod/a.yaml', 'requests/Shop/prod/a.yaml'],
    ['both spellings of the extension', 'requests/shop/prod/a.yaml', 'requests/shop/prod/a.yml'],
    ['composed and decomposed letters', 'requests/shop/prod/\u00e9.yaml', 'requests/shop/prod/e\u0301.yaml'],
    ['a reserved folder of another case', 'requests/shop/prod/a.yaml', 'Requests/shop/prod/a.yaml'],
  ])('%s', async (_, one, other) => {
    const desired = await load(exampleWith({ [one]: REQUEST, [other]: REQUEST }))
    expect(desired.requests.has(one)).toBe(false)
    expect(desired.requests.has(other)).toBe(false)
    expect(codesAt(desired.findings, one)).not.toEqual([])
    expect(codesAt(desired.findings, other)).not.toEqual([])
    expect(desired.findings.map((finding) => finding.code)).toContain(/\u00e9/.test(one) ? 'DRV1002' : 'DRV1004')
  })

  test('two policies: the environments of neither are usable', async () => {
    const { 'policies/prod.yaml': prod } = exampleWith({})
    const desired = await load(exampleWith({ 'policies/prod.yml': prod! }))
    expect([...desired.unusableEnvironments.keys()].filter((key) => !key.endsWith('/prod'))).toEqual([])
    expect(desired.unusableEnvironments.size).toBe(5)
  })

  test('two access files: nobody holds a role and nothing starts', async () => {
    const { 'access.yaml': access } = exampleWith({})
    const desired = await load(exampleWith({ 'access.yml': access! }))
    expect(desired.people.size).toBe(0)
    expect(desired.closed.map((finding) => finding.code)).toEqual(['DRV1004', 'DRV1004'])
  })
})

describe('names and places of files', () => {
  test.each([
    ['a homoglyph in a project', 'requests/sh\u043ep/prod/a.yaml', 'DRV1002'],
    ['a zero-width space in a name', 'requests/shop/prod/a\u200b.yaml', 'DRV1002'],
    ['a direction mark in a name', 'requests/shop/prod/\u202ea.yaml', 'DRV1002'],
    ['more than 200 characters', `requests/shop/prod/${'a'.repeat(200)}.yaml`, 'DRV1002'],
    ['upper case', 'requests/shop/prod/Release.yaml', 'DRV1005'],
    ['a name that begins with a dash', 'requests/shop/prod/--help.yaml', 'DRV1005'],
    ['a name of dots', 'requests/shop/prod/...yaml', 'DRV1005'],
    ['an extension in upper case', 'requests/shop/prod/a.YAML', 'DRV1005'],
    ['an underscore in an environment', 'requests/shop/prod_eu/a.yaml', 'DRV1005'],
    ['a folder too few', 'requests/shop/a.yaml', 'DRV1006'],
    ['a folder too many', 'requests/shop/prod/2026/a.yaml', 'DRV1006'],
    ['nine levels', 'requests/a/b/c/d/e/f/g/h.yaml', 'DRV1002'],
  ])('a request with %s cannot be used', async (_, path, code) => {
    const desired = await load(exampleWith({ [path]: REQUEST }))
    expect(desired.requests.has(path)).toBe(false)
    expect(desired.unusableRequests.get(path)!.findings.map((finding) => finding.code)).toEqual([code])
  })

  test('notes and other people’s files are left alone', async () => {
    const others = {
      'docs/a.yaml': 'x: [',
      'projects/shop/README.md': '# x',
      '.github/workflows/ci.yml': 'on: push',
      'mkdocs.yml': 'a: &b c',
      'requests/.gitkeep': '',
    }
    expect((await load(exampleWith(others))).findings).toEqual([])
  })

  test('a YAML file that is not read is a warning among projects and closes everything among freezes', async () => {
    const projects = await load(exampleWith({ 'projects/shop/notes.yaml': 'a: 1' }))
    expect(projects.findings.map(({ code, severity }) => [code, severity])).toEqual([['DRV1006', 'warning']])
    expect(projects.closed).toEqual([])
    const freezes = await load(exampleWith({ 'freezes/2027/easter.yaml': 'a: 1' }))
    expect(freezes.closed.map((finding) => finding.code)).toEqual(['DRV1006'])
  })

  test.each(['hold/stop.yaml', 'holds.yaml', 'hold.yml', 'Freeze/easter.yaml', 'freezes.yaml'])(
    '%s, where somebody meant to stop something, closes everything',
    async (path) => {
      const { closed } = await load(exampleWith({ [path]: 'reason: Incident 42' }))
      expect(closed.map(({ code, place }) => [code, place.file])).toEqual([['DRV1006', path]])
      expect(closed[0]!.allowed).toMatch(/^(holds|freezes)\/<name>\.yaml$/)
    },
  )
})

describe('limits', () => {
  test('a file is refused by its size alone', async () => {
    const path = 'requests/shop/prod/large.yaml'
    const desired = await load(exampleWith({}), [entry(path, '100644', 5_000_000)])
    expect(codesAt(desired.findings, path)).toEqual(['DRV1007'])
  })

  test('a hundred thousand entries are refused before any is read, in moments', async () => {
    const entries = Array.from({ length: 100_000 }, (_, index) => entry(`requests/shop/prod/r${index}.yaml`))
    const snapshot = { commit: commitSha('a'.repeat(40)), entries }
    const asked: BlobId[] = []
    const desired = await loadDesiredState({
      rules: snapshot,
      requests: snapshot,
      cache: documentCache(),
      readBlobs: async (ids) => {
        asked.push(...ids)
        return new Map()
      },
    })
    expect(asked).toEqual([])
    expect(desired.closed.map((finding) => finding.code)).toContain('DRV1001')
    expect(desired.findings.map((finding) => finding.code)).toEqual(['DRV1001'])
    expect(desired.repository.id).toBe('')
  })

  test('more than 64 MiB together are refused', async () => {
    const entries = Array.from({ length: 1_100 }, (_, index) => entry(`requests/shop/prod/r${index}.yaml`, '100644', 65_000))
    expect((await load({}, entries)).findings.map((finding) => finding.code)).toEqual(['DRV1001'])
  })

  test('entries that are not ours do not count', async () => {
    const others = Array.from({ length: 100_000 }, (_, index) => entry(`docs/page-${index}.md`))
    expect((await load(exampleWith({}), others)).findings).toEqual([])
  })
})

import { describe, expect, it } from 'vitest'
import {
  field,
  isInConfig,
  movedBranch,
  NOT_CONFIG,
  parseJson,
  pullRequestNudge,
  repositoryOf,
  runNudge,
} from '../../controller/webhooks/payload.ts'

describe('JSON', () => {
  it('is read from exactly the bytes that are given, to sixty-four levels', () => {
    const within = Buffer.from('xx{"a":"ö"}xx')
    expect(parseJson(within.subarray(2, within.length - 2))).toEqual({ a: 'ö' })
    expect(parseJson(Buffer.from(`${'['.repeat(64)}${']'.repeat(64)}`))).toBeDefined()
    expect(parseJson(Buffer.from(`${'['.repeat(65)}${']'.repeat(65)}`))).toBeUndefined()
    expect(parseJson(Buffer.from('{"a":'))).toBeUndefined()
  })
})

describe('a field', () => {
  it('is only ever its own', () => {
    expect(field({ a: 1 }, 'a')).toBe(1)
    for (const value of [Object.create({ a: 1 }), null, undefined, 'a', 7, () => 1]) expect(field(value, 'a')).toBeUndefined()
    expect(field('text', 'length')).toBeUndefined()
  })
})

describe('the config repository', () => {
  it('is known by its name in any letters, and by no name where there is none', () => {
    const config = { fullName: 'acme/Config', branch: 'main' }
    expect(isInConfig('ACME/config', config)).toBe(true)
    expect(isInConfig('acme/shop', config)).toBe(false)
    expect(isInConfig('acme/config', null)).toBeNull()
    expect(NOT_CONFIG).toEqual({ fullName: '', branch: '' })
  })
})

describe('a number of a pull request', () => {
  it.each([1, 7, 2 ** 31 - 1])('may be %d', (number) => {
    expect(pullRequestNudge(number)).toEqual({ kind: 'pull_request', number })
  })

  it.each([0, -1, 1.5, 2 ** 31, Number.NaN, '7', null, undefined, [7]])('is never %j', (number) => {
    expect(pullRequestNudge(number)).toBeNull()
  })
})

describe('the id of a run', () => {
  it.each([
    [1, '1'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    ['9007199254740993', '9007199254740993'],
    ['1'.repeat(20), '1'.repeat(20)],
  ])('may be %j', (id, externalId) => {
    expect(runNudge(id)).toEqual({ kind: 'run', externalId })
  })

  it.each([0, -1, 1.5, 2 ** 53, '0', '07', '7x', 'x7', '', '1'.repeat(21), ['7'], null, undefined])('is never %j', (id) => {
    expect(runNudge(id)).toBeNull()
  })
})

describe('the branch that moved', () => {
  it.each([
    [{ ref: 'refs/heads/main' }, 'main'],
    [{ ref: 'refs/heads/a/b' }, 'a/b'],
    [{ ref: 'main', ref_type: 'branch' }, 'main'],
  ])('of %j is %s', (payload, branch) => {
    expect(movedBranch(payload)).toBe(branch)
  })

  it.each([
    { ref: 'refs/tags/main' },
    { ref: 'refs/heads/main', ref_type: 'tag' },
    { ref: 'x/refs/heads/main' },
    { ref: 'refs/heads/' },
    { ref: 'refs/heads/main\nx' },
    { ref: ['refs/heads/main'] },
    { ref: ['main'], ref_type: 'branch' },
    {},
  ])('is none in %j', (payload) => {
    expect(movedBranch(payload)).toBeNull()
  })
})

describe('the name of a repository', () => {
  const named = (full_name: unknown) => repositoryOf({ repository: { full_name } })

  it('has two parts of at most a hundred characters', () => {
    for (const name of ['acme/shop', 'A.b-c_1/x.y', `${'a'.repeat(100)}/${'b'.repeat(100)}`]) expect(named(name)).toBe(name)
  })

  it.each([
    'shop',
    'a/b/c',
    '/b',
    'a/',
    'a b/c',
    `${'a'.repeat(101)}/b`,
    `a/${'b'.repeat(101)}`,
    'acme/shop\n',
    ['acme/shop'],
    7,
  ])('is never %j', (name) => {
    expect(named(name)).toBeNull()
  })
})

import { describe, expect, it } from 'vitest'
import { isPrivateRef, isSafeBranchName, isSafeRefName, privateRef } from '../../controller/source/ref-names.ts'

const LONGEST = 'a'.repeat(200)

describe('a branch name', () => {
  it.each(['main', 'release/2.0', 'Feature/X_1+b-2', '0', 'v1.2', 'a.lockx', 'x.lock.y', LONGEST])('%s may reach Git', (name) => {
    expect(isSafeBranchName(name)).toBe(true)
    expect(isSafeRefName(`refs/${name.slice(0, 190)}`)).toBe(true)
  })

  it.each([
    ['is empty', ''],
    ['looks like an option', '-x'],
    ['begins with a dot', '.a'],
    ['begins with a slash', '/a'],
    ['is longer than 200 characters', `${LONGEST}a`],
    ['holds a space', 'a b'],
    ['holds a character of the shell', 'a$(id)'],
    ['begins with one', '$a'],
    ['ends with one', 'a;'],
    ['holds a wildcard', 'a*'],
    ['goes over two lines', 'a\nb'],
    ['holds a letter that only looks like one of ours', 'm\u0430in'],
    ['holds two dots', 'a..b'],
    ['holds two slashes', 'a//b'],
    ['has a hidden part', 'a/.b'],
    ['has a part that ends with a dot', 'a./b'],
    ['ends with a slash', 'a/'],
    ['ends with a dot', 'a.'],
    ['ends like a lock file', 'a.lock'],
    ['has a part that ends like a lock file', 'a.lock/b'],
    ['has a part that looks like an option', 'a/-b'],
  ])('that %s never does', (_, name) => {
    expect(isSafeBranchName(name)).toBe(false)
    expect(isSafeRefName(name)).toBe(false)
    expect(isSafeRefName(`refs/heads/${name}`)).toBe(false)
  })
})

describe('a full ref name', () => {
  it('begins with refs/, and is otherwise as sound as a branch name', () => {
    expect(isSafeRefName('refs/pull/7/head')).toBe(true)
    expect(isSafeRefName('main')).toBe(false)
    expect(isSafeRefName('heads/refs/main')).toBe(false)
  })
})

describe('a private ref', () => {
  it('is flat, so that a and a/b do not get in each other’s way', () => {
    expect(privateRef('heads', 'a/b')).toBe('refs/draven/heads/a%2Fb')
    expect(privateRef('pulls', 'refs/pull/7/head')).toBe('refs/draven/pulls/refs%2Fpull%2F7%2Fhead')
  })

  it.each(['heads', 'pulls', 'commits'] as const)('among %s is known again', (namespace) => {
    expect(isPrivateRef(privateRef(namespace, 'release/2.0_x-1'))).toBe(true)
  })

  it.each([
    'refs/heads/main',
    'refs/draven/heads/',
    'refs/draven/tags/a',
    'refs/draven/heads/a/b',
    'refs/draven/heads/a b',
    'refs/draven/heads/a ',
    'x/refs/draven/heads/a',
    'refs/draven/heads/a\nb',
  ])('is not %j', (name) => {
    expect(isPrivateRef(name)).toBe(false)
  })
})

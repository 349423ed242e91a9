import { describe, expect, test } from 'vitest'
import { MAX_DEPTH, MAX_KEYS, prescan } from '../../controller/model/prescan.ts'

const codeOf = (text: string) => prescan(text).defect?.code ?? null

describe('the limits are exact', () => {
  test.each([
    ['brackets', (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`],
    ['dashes', (depth: number) => `${'- '.repeat(depth - 1)}a`],
    ['steps of keys', (depth: number) => Array.from({ length: depth }, (_, level) => `${' '.repeat(level)}a:`).join('\n')],
  ])('%s may be 32 deep, not 33', (_, nested) => {
    expect(codeOf(nested(MAX_DEPTH))).toBeNull()
    expect(codeOf(nested(MAX_DEPTH + 1))).toBe('DRV1105')
  })

  test('a document may have 1,000 keys, not 1,001', () => {
    const keys = (count: number) => Array.from({ length: count }, (_, index) => `k${index}: 1\n`).join('')
    expect(codeOf(keys(MAX_KEYS))).toBeNull()
    expect(codeOf(keys(MAX_KEYS + 1))).toBe('DRV1106')
  })

  test('depth is forgotten when a branch ends', () => {
    expect(codeOf('a: [[[]]]\n'.repeat(100))).toBeNull()
    expect(codeOf('a:\n  - - - b\n'.repeat(100))).toBeNull()
  })
})

test('text inside quotes, blocks and comments is never taken for structure', () => {
  expect(codeOf(`a: "${'['.repeat(200)}"\nb: '&x *y !z'\nc: |\n  ${'- '.repeat(100)}\n  --- \n# &a *b !c ? {{{{\n`)).toBeNull()
})

test('a refusal points at the place', () => {
  expect(prescan('a: 1\nb: &x 2\n').defect).toMatchObject({ code: 'DRV1107', mark: { line: 2, column: 4, endColumn: 6 } })
})

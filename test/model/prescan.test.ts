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

  test('the commas of a map begin keys, those of a list do not', () => {
    const entries = 'a, '.repeat(MAX_KEYS)
    expect(codeOf(`[${entries}]`)).toBeNull()
    expect(codeOf(`{${entries}}`)).toBeNull()
    expect(codeOf(`{${entries}a,}`)).toBe('DRV1106')
  })

  test('a document may have 12,000 tokens, not 12,001', () => {
    expect(codeOf('\n'.repeat(12_000))).toBeNull()
    expect(codeOf('\n'.repeat(12_001))).toBe('DRV1106')
  })

  test('depth is forgotten when a branch ends', () => {
    expect(codeOf('a: [[[]]]\n'.repeat(100))).toBeNull()
    expect(codeOf('a:\n  - - - b\n'.repeat(100))).toBeNull()
  })
})

test('text inside quotes, blocks and comments is never taken for structure', () => {
  expect(codeOf(`a: "${'['.repeat(200)}"\nb: '&x *y !z'\nc: |\n  ${'- '.repeat(100)}\n  --- \n# &a *b !c ? {{{{\n`)).toBeNull()
})

test('plain text that begins with a percent sign is no directive', () => {
  expect(codeOf('a: %x\n')).toBeNull()
})

test('a refusal points at the place', () => {
  expect(prescan('a: 1\nb: &x 2\n').defect).toMatchObject({ code: 'DRV1107', mark: { line: 2, column: 4, endColumn: 6 } })
})

test('a refusal behind text over several lines points at its place', () => {
  const text = 'a: |\n  &x\n  *y\nb: "c\n  d"\ne: !f g\n'
  expect(prescan(text).defect).toMatchObject({ code: 'DRV1108', mark: { line: 6, column: 4, endColumn: 6 } })
})

describe('a document start', () => {
  test.each(['---\n', '\n---\n', '# why\n---\n', '  # why\n\n---\n'])('may stand below nothing but comments: %j', (head) => {
    expect(codeOf(`${head}a: 1\n`)).toBeNull()
  })

  test.each(['a: 1\n---\n', '---\n---\n', '"a"\n---\n', '- \n---\n', '...\n', '---\n...\n'])(
    'stands there once, and nothing ends the document: %j is refused',
    (text) => {
      expect(codeOf(text)).toBe('DRV1111')
    },
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Pattern } from '../../controller/model/desired-state.ts'
import { anchorsOneAlternative, compilePattern } from '../../controller/model/patterns.ts'

const PLACE = { file: 'policies/prod.yaml', line: 1, column: 1, endColumn: 2 }
const compile = (source: string) => compilePattern(source, PLACE) as Pattern

test.each([
  ['v\\d+\\.\\d+\\.\\d+', 'v1.2.3', true],
  ['v\\d+\\.\\d+\\.\\d+', 'evil-v1.2.3-x', false],
  ['^develop|release/.*$', 'developer-evil', false],
  ['^develop|release/.*$', 'evil-release/1', false],
  ['^develop|release/.*$', 'release/1', true],
  ['a|ab', 'ab', true],
  ['feature/.*', 'feature/x\nmain', false],
  ['main', 'main\n', false],
  ['', 'x', false],
])('%s matches %j: %s', (source, text, wanted) => {
  expect(compile(source).matches(text)).toBe(wanted)
})

test.each([
  ['^develop|release/.*$', true],
  ['develop|release/.*$', true],
  ['^(develop|release/.*)$', false],
  ['develop|release/.*', false],
  ['^main$', false],
  ['a\\|^', false],
  ['[|]^', false],
  ['a|b\\$', false],
  ['a|b\\\\$', true],
  ['a|b\\', false],
])('%s anchors one alternative only: %s', (source, wanted) => {
  expect(anchorsOneAlternative(source)).toBe(wanted)
})

test('patterns that are no RE2 expression or grow too large are refused', () => {
  for (const source of ['(?=a)', '(?<!a)b', '(a)\\1', '[', '(', 'a{1,1000}{1,1000}'])
    expect(compilePattern(source, PLACE)).toMatchObject({ kind: 'syntax' })
  for (const source of ['(.{0,200}){5}x', '[a-z]{1000}'])
    expect(compilePattern(source, PLACE)).toMatchObject({ kind: 'too_large' })
})

test('no pattern of 256 characters makes matching a name of 200 take long', () => {
  const piece = fc.constantFrom('(a+)+', '(a|a)*', '.*', 'a{9}', '(a*)*', '[ab]+', '(.*a)+', 'a?', '\\w+', '|', '$', '^')
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 40 }), (pieces) => {
      const pattern = compilePattern(pieces.join('').slice(0, 256), PLACE)
      if ('kind' in pattern) return
      const text = `${'a'.repeat(199)}!`
      pattern.matches(text)
      const times = [1, 2, 3, 4, 5].map(() => {
        const begin = performance.now()
        pattern.matches(text)
        return performance.now() - begin
      })
      expect(Math.min(...times), pattern.source).toBeLessThan(25)
    }),
    { numRuns: 300 },
  )
})

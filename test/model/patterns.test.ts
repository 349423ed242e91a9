import { expect, test } from 'vitest'
import type { Pattern } from '../../controller/model/desired-state.ts'
import { anchorsOneAlternative, compilePattern, MAX_PATTERN_STEPS } from '../../controller/model/patterns.ts'

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
  ['^a|b', true],
  ['a|^b', true],
  ['a^|b', false],
  ['a|$', true],
  ['a|b$c', false],
  ['[|^]', false],
  ['[a|^]', false],
  ['[a]|^b', true],
  ['(a)|^b', true],
  ['(a|^b)', false],
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

test('a pattern that cannot be read is told why, in few words', () => {
  expect(compilePattern('[', PLACE)).toEqual({ kind: 'syntax', why: 'missing closing ]: `[`' })
})

test('a pattern may have a thousand steps, not one more', () => {
  expect(compilePattern('a'.repeat(MAX_PATTERN_STEPS - 2), PLACE)).toMatchObject({ place: PLACE })
  expect(compilePattern('a'.repeat(MAX_PATTERN_STEPS - 1), PLACE)).toEqual({ kind: 'too_large', steps: MAX_PATTERN_STEPS + 1 })
})

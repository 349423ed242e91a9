import { expect, test } from 'vitest'
import { allOf, anyOf, refLabel } from '../../controller/policy/wording.ts'
import { SHA } from './fixtures.ts'

test('a list is read out, an empty one as what it allows', () => {
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(anyOf)).toEqual(['nothing', 'a', 'a or b', 'a, b or c'])
  expect(allOf([], 'nobody')).toBe('nobody')
  expect(allOf(['a', 'b', 'c'])).toBe('a, b and c')
})

test('a commit is named by its first twelve characters, a branch or tag in full', () => {
  expect(refLabel({ type: 'sha', name: SHA })).toBe('commit aaaaaaaaaaaa')
  expect(refLabel({ type: 'tag', name: 'v1.4.2-of-november' })).toBe('tag v1.4.2-of-november')
})

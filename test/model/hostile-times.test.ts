import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ParsedDocument, parseDocument } from '../../controller/model/document.ts'
import { compilePattern } from '../../controller/model/patterns.ts'
import { HOSTILE_DOCUMENTS } from './hostile-documents.ts'
import { repeatedPieces } from './repeated-pieces.ts'

/* What hostile input costs in time; what it is told is asserted beside. */

const PLACE = { file: 'policies/prod.yaml', line: 1, column: 1, endColumn: 2 }
const parse = (content: string | Uint8Array): ParsedDocument =>
  parseDocument(typeof content === 'string' ? Buffer.from(content) : content, 'DeployRequest')

/** Best of three, in milliseconds of work: what else the machine has to do is not counted. */
function bestTime(work: () => void): number {
  const times = [1, 2, 3].map(() => {
    const begin = performance.now()
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    return Math.min(performance.now() - begin, (user + system) / 1_000)
  })
  return Math.min(...times)
}

test.each(HOSTILE_DOCUMENTS)('a hostile document is refused within 100 ms: $name', ({ content }) => {
  expect(bestTime(() => parse(content))).toBeLessThan(100)
})

describe('whatever the bytes are', () => {
  test('repeating any short piece up to the size limit takes no noticeable time', () => {
    fc.assert(
      fc.property(repeatedPieces, (text) => {
        const content = Buffer.from(text)
        expect(bestTime(() => parse(content))).toBeLessThan(100)
      }),
      { numRuns: 150 },
    )
  })
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

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ParsedDocument, parseDocument } from '../../controller/model/document.ts'
import { GOOD_REQUEST, HOSTILE_DOCUMENTS } from './hostile-documents.ts'

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

describe('a hostile document', () => {
  test.each(HOSTILE_DOCUMENTS)('is refused with $code within 100 ms: $name', ({ content, code }) => {
    const document = parse(content)
    expect(document.value).toBeNull()
    expect(document.defects.map((found) => found.code)).toContain(code)
    expect(bestTime(() => parse(content))).toBeLessThan(100)
  })

  test('is one of at least sixty', () => {
    expect(HOSTILE_DOCUMENTS.length).toBeGreaterThanOrEqual(60)
    expect(new Set(HOSTILE_DOCUMENTS.map((hostile) => hostile.name)).size).toBe(HOSTILE_DOCUMENTS.length)
  })

  test('never makes the process fail later: the deepest one can be parsed again and again', () => {
    for (let round = 0; round < 50; round++) expect(parse('['.repeat(2_000)).value).toBeNull()
    expect(parse(GOOD_REQUEST).value).not.toBeNull()
  })
})

describe('odd keys', () => {
  test.each([
    ['a list', '{[a]: b}', '`[a]` cannot be a key'],
    ['one with an invisible letter', '"a\\u202eb": 1', 'invisible character U+202E'],
    ['one without a value', GOOD_REQUEST.replace(/reason:.*/, 'reason: {a}'), 'reason'],
  ])('are told: %s', (_what, content, words) => {
    const { value, defects } = parse(content)
    expect(value).toBeNull()
    expect(defects.map(({ message }) => message).join()).toContain(words)
  })
})

describe('a good document', () => {
  test('becomes frozen data without prototypes', () => {
    const { value } = parse(GOOD_REQUEST)
    expect(JSON.parse(JSON.stringify(value))).toEqual({
      apiVersion: 'draven/v1',
      kind: 'DeployRequest',
      type: 'deploy',
      ref: { tag: 'v1.4.2' },
      reason: 'November release',
    })
    expect(Object.getPrototypeOf(value)).toBeNull()
    expect(Object.isFrozen(value)).toBe(true)
    expect(Object.isFrozen(value!['ref'])).toBe(true)
  })

  test.each([
    ['Windows line ends', GOOD_REQUEST.replaceAll('\n', '\r\n')],
    ['a document start', `---\n${GOOD_REQUEST}`],
    ['a comment above the document start', `# why\n---\n${GOOD_REQUEST}`],
    ['brackets and signs inside quotes', GOOD_REQUEST.replace('November release', `'[[{{ &x *y !z % <<: ? - #'`)],
    [
      'brackets inside a block of text',
      GOOD_REQUEST.replace('November release', `|\n  ${'['.repeat(200)}\n  - - - ? &a *b !c\n  ---x`),
    ],
    ['a joiner inside a word', GOOD_REQUEST.replace('November', 'می\u200cخواهم')],
    ['keys of its own and a schema', `$schema: ../x.json\nx-ticket: { id: 7 }\n${GOOD_REQUEST}`],
    ['a quoted number as a tag', GOOD_REQUEST.replace('v1.4.2', '"1.10"')],
    ['JSON', JSON.stringify({ apiVersion: 'draven/v1', kind: 'DeployRequest', type: 'rollback', reason: 'x' })],
  ])('may have %s', (_, content) => {
    const document = parse(content)
    expect(document.defects).toEqual([])
    expect(document.value).not.toBeNull()
  })

  test('knows where everything stands, with Windows line ends too', () => {
    for (const content of [GOOD_REQUEST, GOOD_REQUEST.replaceAll('\n', '\r\n')]) {
      const { marks, keyMarks } = parse(content)
      expect(marks.get('/ref/tag')).toEqual({ line: 4, column: 13, endColumn: 19 })
      expect(keyMarks.get('/ref/tag')).toEqual({ line: 4, column: 8, endColumn: 11 })
      expect(marks.get('/ref')).toEqual({ line: 4, column: 1, endColumn: 4 })
      expect(marks.get('/reason')).toEqual({ line: 5, column: 9, endColumn: 25 })
    }
  })
})

describe('whatever the bytes are', () => {
  test('repeating any short piece up to the size limit takes no noticeable time', () => {
    const sign = fc.constantFrom(...'[]{},:?-&*!|>\'"%@#~\n \ta1'.split(''))
    fc.assert(
      fc.property(
        fc.array(sign, { minLength: 1, maxLength: 5 }),
        fc.constantFrom('', 'a: ', 'a:\n  ', 'a: |\n ', '- '),
        (signs, before) => {
          const unit = signs.join('')
          const content = Buffer.from(before + unit.repeat(Math.floor(65_000 / unit.length)))
          const best = bestTime(() => parse(content))
          expect(best, JSON.stringify(before + unit)).toBeLessThan(100)
        },
      ),
      { numRuns: 150 },
    )
  })
})

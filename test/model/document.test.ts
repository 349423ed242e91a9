import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Defect } from '../../controller/model/defect.ts'
import { type ParsedDocument, parseDocument } from '../../controller/model/document.ts'
import { pathRole } from '../../controller/model/paths.ts'
import { KINDS } from '../../controller/model/schemas.ts'
import { MAX_DOCUMENT_BYTES } from '../../controller/model/source-text.ts'
import { GOOD_REQUEST, HOSTILE_DOCUMENTS } from './hostile-documents.ts'

const parse = (content: string | Uint8Array): ParsedDocument =>
  parseDocument(typeof content === 'string' ? Buffer.from(content) : content, 'DeployRequest')

const GOLDEN = fileURLToPath(new URL('../golden/hostile-documents.txt', import.meta.url))

/** `DRV1107 4:13-16 "&t" is a YAML anchor; allowed: plain values; help: …`. */
function defectLine({ code, mark, message, allowed, help }: Defect): string {
  const place = `${mark.line}:${mark.column}-${mark.endColumn}`
  const words = [message, allowed && `allowed: ${allowed}`, help && `help: ${help}`].filter(Boolean).join('; ')
  // What is hard to see is written out.
  return `${code} ${place} ${words.replace(/[^\x20-\x7e…]/gu, (sign) => `<U+${sign.codePointAt(0)!.toString(16)}>`)}`
}

describe('a hostile document', () => {
  test.each(HOSTILE_DOCUMENTS)('is refused with $code: $name', ({ content, code }) => {
    const document = parse(content)
    expect(document.value).toBeNull()
    expect(document.defects.map((found) => found.code)).toContain(code)
  })

  test('is told what is wrong, where, what is allowed and what to do, as the golden file has it', () => {
    const told = HOSTILE_DOCUMENTS.map(({ name, content }) => [`# ${name}`, ...parse(content).defects.map(defectLine)].join('\n'))
    const text = `${told.join('\n\n')}\n`
    if (process.env['UPDATE_GOLDEN']) writeFileSync(GOLDEN, text)
    expect(text).toBe(readFileSync(GOLDEN, 'utf8'))
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

test('an invisible character is told at its place, with Windows line ends too', () => {
  for (const lineEnd of ['\n', '\r\n'])
    expect(parse(`a: 1${lineEnd}b: x\u202ey${lineEnd}`).defects).toMatchObject([{ mark: { line: 2, column: 5, endColumn: 6 } }])
})

describe('the head of a document', () => {
  const told = (content: string) => parse(content).defects.map(defectLine)

  test('is asked for where it is missing', () => {
    expect(told('type: deploy\n')).toEqual([
      'DRV1201 1:1-2 the key `apiVersion` is missing; allowed: draven/v1; help: write `apiVersion: draven/v1`',
      expect.stringMatching(/^DRV1202 1:1-2 the key `kind` is missing; .*help: a file at this path is `kind: DeployRequest`$/),
    ])
  })

  test('with a kind that nobody knows is told the one that was probably meant', () => {
    expect(told('apiVersion: draven/v1\nkind: DeployReqest\n')).toEqual([
      expect.stringMatching(/^DRV1202 2:7-19 `kind` is `DeployReqest`, .*help: did you mean `DeployRequest`\?$/),
    ])
  })

  test('with a kind that is no text is told the one that belongs here', () => {
    expect(told('apiVersion: draven/v1\nkind: 7\n')).toEqual([
      expect.stringMatching(/^DRV1202 2:7-8 `kind` is `7`, .*help: a file at this path is `kind: DeployRequest`$/),
    ])
  })

  test.each(KINDS)('of a %s at the path of another kind is sent to a path that is right for it', (kind) => {
    const other = kind === 'Hold' ? 'Freeze' : 'Hold'
    const [found] = parseDocument(Buffer.from(`apiVersion: draven/v1\nkind: ${kind}\n`), other).defects
    expect(found).toMatchObject({ code: 'DRV1204', mark: { line: 2, column: 7 }, allowed: other })
    const home = /^move the file to `(.*)`$/.exec(found!.help!)![1]!
    expect(pathRole(home.replaceAll(/<\w+>/g, 'x'))).toMatchObject({ is: 'document', kind })
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
    ['as many bytes as are allowed', GOOD_REQUEST + '#'.repeat(MAX_DOCUMENT_BYTES - GOOD_REQUEST.length)],
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
      expect([...keyMarks.keys()]).toEqual(['/apiVersion', '/kind', '/type', '/ref', '/ref/tag', '/reason'])
    }
  })
})

import { describe, expect, test } from 'vitest'
import { prescan } from '../../controller/model/prescan.ts'
import { readYaml, type YamlTree } from '../../controller/model/yaml-tree.ts'

function read(text: string): YamlTree {
  const { syntax } = prescan(text)
  return readYaml(text, syntax!)
}

describe('a mistake in YAML is told in words, at the word where it shows', () => {
  test.each([
    ['a bracket that is not closed', 'a: { b: 1', '1:10-11', 'a bracket that was opened above is not closed'],
    ['a bracket around everything that is not closed', '{ a: 1', '1:7-8', 'a bracket that was opened above is not closed'],
    ['a tab', 'a:\n\t- b\n', '2:1-2', 'a tab is used to indent'],
    ['steps that do not fit', 'a:\n  - b\n c: 1\n', '3:1-2', 'the indentation does not fit the lines above'],
    ['a missing colon', 'a: 1\nb\nc: 2\n', '2:1-2', 'something is missing here'],
    ['two colons', 'a: b: c\n', '1:4-5', 'a second `: ` on one line'],
    ['a key over two lines', '"a\n b": 1\n', '1:1-3', 'a key goes over more than one line'],
    ['a sign that begins no text', 'a: @home b\n', '1:4-9', 'plain text cannot begin with this character'],
    ['an escape that is none', 'a: "\\d"\n', '1:5-8', 'this escape is not known in double quotes'],
    ['anything else', 'a: "x"yz\n', '1:7-9', 'not valid YAML: Unexpected scalar at node end'],
    ['the last word of all', 'a: @home', '1:4-9', 'plain text cannot begin with this character'],
  ])('%s', (_, text, place, words) => {
    const { value, defects } = read(text)
    const { code, mark, message, help } = defects[0]!
    expect(value).toBeNull()
    expect(`${mark.line}:${mark.column}-${mark.endColumn}`).toBe(place)
    expect(code).toBe('DRV1115')
    expect(message).toContain(words)
    expect(help === null).toBe(words.startsWith('not valid YAML'))
  })

  test('and only the first two of them', () => {
    expect(read('a: @b\nc: @d\ne: @f\n').defects.map(({ mark }) => mark.line)).toEqual([1, 2])
  })
})

test('the same mistake is told ten times, and does not hide another', () => {
  const codes = read(`${'a: 1\n'.repeat(13)}prototype: 1\n`).defects.map(({ code }) => code)
  expect(codes).toEqual([...Array.from({ length: 10 }, () => 'DRV1114'), 'DRV1113'])
})

test('a place is named by a JSON pointer, with the signs of pointers in keys escaped', () => {
  const { spots } = read('a/b~c: [x, { d: 1 }]\n')
  expect([...spots.keys()]).toEqual(['', '/a~1b~0c', '/a~1b~0c/0', '/a~1b~0c/1', '/a~1b~0c/1/d'])
})

test('a scalar is kept as it is written, a collection is not, and what is missing stands where its key does', () => {
  const { value, spots } = read('a: 1.10\nb: { c }\n')
  expect(value).toEqual({ a: 1.1, b: { c: null } })
  expect(spots.get('/a')).toMatchObject({ source: '1.10', isCollection: false })
  expect(spots.get('/b')).toMatchObject({ source: '', isCollection: true })
  const mark = { line: 2, column: 6, endColumn: 7 }
  expect(spots.get('/b/c')).toEqual({ key: mark, value: mark, isCollection: false, source: '' })
})

test('errors of YAML cost no stacks, and those of others have theirs afterwards', () => {
  const { stackTraceLimit } = Error
  try {
    Error.stackTraceLimit = 7
    read('a: @b\n')
    expect(Error.stackTraceLimit).toBe(7)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
})

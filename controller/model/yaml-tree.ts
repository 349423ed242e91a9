import { Composer, type CST, type Document, isMap, isScalar, isSeq, type Pair, type ParsedNode, type YAMLError } from 'yaml'
import { type Defect, type DefectWords, defect, FILE_START, lineStarts, type Mark, markOf } from './defect.ts'
import type { FindingCode } from './finding-codes.ts'
import { codePointName, deceptiveAt, quoted } from './printable.ts'

/** Plain data as YAML writes it: null-prototype maps and lists, deeply frozen. */
export type PlainValue = string | number | boolean | null | readonly PlainValue[] | PlainMap
export interface PlainMap {
  readonly [key: string]: PlainValue
}

/** Where one node of the document stands, by JSON pointer. */
export interface Spot {
  key: Mark | null
  value: Mark
  /** Maps and lists are shown by their key, scalars by themselves. */
  isCollection: boolean
  /** The scalar as it is written, e.g. `1.10` for the number 1.1. */
  source: string
}

export type Spots = ReadonlyMap<string, Spot>

export interface YamlTree {
  value: PlainMap | null
  spots: Spots
  defects: readonly Defect[]
}

const RESERVED_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** Syntax that passed the prescan → plain data and the place of each piece. YAML 1.2, strict; warnings are errors. */
export function readYaml(text: string, syntax: readonly CST.Token[]): YamlTree {
  const starts = lineStarts(text)
  const document = compose(text, syntax)
  const problems = [...document.errors, ...document.warnings]
  if (problems.length > 0) return refused(syntaxDefects(problems, text, (from, to) => markOf(starts, text, from, to)))
  const root = document.contents
  if (!isMap(root)) return refused([emptyDocument(root ? markOf(starts, text, root.range[0], root.range[1]) : FILE_START)])
  const walk: Walk = { text, starts, spots: new Map(), defects: [] }
  const value = plain(walk, root, '', null) as PlainMap
  return { value: walk.defects.length > 0 ? null : value, spots: walk.spots, defects: walk.defects }
}

function refused(defects: readonly Defect[]): YamlTree {
  return { value: null, spots: new Map(), defects }
}

function compose(text: string, syntax: readonly CST.Token[]): Document.Parsed {
  // Keys are compared in plainMap: the composer compares each with every other.
  const composer = new Composer({ version: '1.2', strict: true, uniqueKeys: false, merge: false })
  const { stackTraceLimit } = Error
  try {
    // The composer can make an error of every three bytes. Nobody sees their stacks, which are nine tenths of what they cost.
    Error.stackTraceLimit = 0
    // Asked for one at any cost, the composer makes one even of nothing.
    const [document] = composer.compose(syntax, true, text.length)
    return document as Document.Parsed
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

function emptyDocument(mark: Mark): Defect {
  return defect('DRV1116', mark, {
    message: 'the file is not a map of keys and values',
    allowed: 'a document that begins with `apiVersion: draven/v1` and `kind: …`',
    help: 'see example-config/ for one file of every kind',
  })
}

/** One mistake in YAML makes many errors behind it: the first ones are the useful ones. */
const MOST_SYNTAX_DEFECTS = 2

function syntaxDefects(problems: readonly YAMLError[], text: string, mark: (from: number, to: number) => Mark): Defect[] {
  const markProblem = (problem: YAMLError) => mark(problem.pos[0], Math.max(problem.pos[1], wordEnd(text, problem.pos[0])))
  return problems.slice(0, MOST_SYNTAX_DEFECTS).map((problem) => {
    const words = wordsFor(problem) ?? {
      code: 'DRV1115',
      message: `not valid YAML: ${quoted(problem.message).slice(1, -1)}`,
      help: null,
    }
    return defect(words.code, markProblem(problem), words)
  })
}

function wordEnd(text: string, from: number): number {
  const width = text.slice(from).search(/[\s:,[\]{}]/)
  return width === -1 ? text.length : from + width
}

interface SyntaxWords extends DefectWords {
  code: FindingCode
}

function wordsFor(problem: YAMLError): SyntaxWords | undefined {
  if (problem.message.startsWith('Flow')) return UNCLOSED
  return SYNTAX_WORDS[problem.code]
}

const UNCLOSED: SyntaxWords = {
  code: 'DRV1115',
  message: 'a bracket that was opened above is not closed',
  allowed: 'as many closing brackets as opening ones',
  help: 'close it with } or ] on the line where it was opened',
}

const SYNTAX_WORDS: Partial<Record<string, SyntaxWords>> = {
  TAB_AS_INDENT: { code: 'DRV1115', message: 'a tab is used to indent', allowed: 'spaces', help: 'indent with two spaces' },
  BAD_INDENT: {
    code: 'DRV1115',
    message: 'the indentation does not fit the lines above',
    allowed: 'keys of one map, one below the other',
    help: 'indent the keys of one map by the same number of spaces',
  },
  MISSING_CHAR: {
    code: 'DRV1115',
    message: 'something is missing here: a colon after a key, a closing quote or a closing bracket',
    help: 'write `key: value`, with a space after the colon, and close every quote and bracket',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    code: 'DRV1115',
    message: 'a second `: ` on one line',
    allowed: 'one `key: value` on a line',
    help: 'put quotes around text that holds a colon followed by a space, or begin a new line',
  },
  MULTILINE_IMPLICIT_KEY: {
    code: 'DRV1115',
    message: 'a key goes over more than one line',
    help: 'the line above is probably missing its colon or its closing quote',
  },
  BAD_SCALAR_START: {
    code: 'DRV1115',
    message: 'plain text cannot begin with this character',
    help: 'put quotes around the text',
  },
  BAD_DQ_ESCAPE: {
    code: 'DRV1115',
    message: 'this escape is not known in double quotes',
    help: "use single quotes for patterns: '\\d' is taken as it stands",
  },
}

interface Walk {
  text: string
  starts: readonly number[]
  spots: Map<string, Spot>
  defects: Defect[]
}

function plain(walk: Walk, node: ParsedNode | null, pointer: string, key: Mark | null): PlainValue {
  // Only the value of a key can be missing, as in `{a}`: then it stands where the key does.
  const [from, to] = node ? node.range : [0, 0]
  const mark = node ? markOf(walk.starts, walk.text, from, to) : key!
  const isCollection = isMap(node) || isSeq(node)
  walk.spots.set(pointer, { key, value: mark, isCollection, source: isCollection ? '' : walk.text.slice(from, to) })
  if (isMap(node)) return plainMap(walk, node.items, pointer)
  if (isSeq(node)) {
    const items = node.items as ParsedNode[]
    return Object.freeze(items.map((item, index) => plain(walk, item, `${pointer}/${index}`, null)))
  }
  if (!isScalar(node)) return null
  const value = node.value as PlainValue
  if (typeof value === 'string') checkText(walk, value, mark)
  return value
}

function plainMap(walk: Walk, pairs: readonly Pair<ParsedNode, ParsedNode | null>[], pointer: string): PlainMap {
  const map: Record<string, PlainValue> = Object.create(null)
  for (const pair of pairs) {
    const [from, to] = pair.key.range
    const mark = markOf(walk.starts, walk.text, from, to)
    const key = isScalar(pair.key) ? pair.key.value : null
    const problem = keyDefect(key, mark, walk.text.slice(from, to), map)
    if (problem) report(walk, problem)
    else map[key as string] = plain(walk, pair.value, `${pointer}/${pointerSegment(key as string)}`, mark)
  }
  return Object.freeze(map)
}

/** The same mistake many times over is one mistake. */
const MOST_OF_A_KIND = 10

function report(walk: Walk, found: Defect): void {
  if (walk.defects.filter(({ code }) => code === found.code).length < MOST_OF_A_KIND) walk.defects.push(found)
}

function keyDefect(key: unknown, mark: Mark, source: string, before: PlainMap): Defect | null {
  if (typeof key !== 'string') {
    const help =
      source === '' ? 'write the key before the colon' : `put quotes around it if it is meant as text: "${source.slice(0, 40)}"`
    return defect('DRV1112', mark, {
      message: source === '' ? 'a key is missing before the colon' : `${quoted(source)} cannot be a key`,
      allowed: 'keys are text',
      help,
    })
  }
  if (key === '<<')
    return defect('DRV1110', mark, { message: '`<<` is a merge key', help: 'write the keys where they are meant' })
  if (RESERVED_KEYS.has(key))
    return defect('DRV1113', mark, { message: `${quoted(key)} is reserved and cannot be a key`, help: 'use another name' })
  if (deceptiveAt(key) !== -1) return hiddenCharacter(key, mark)
  if (key in before) {
    return defect('DRV1114', mark, {
      message: `the key ${quoted(source)} was given before in the same map`,
      allowed: 'every key once',
      help: 'keep one of the two',
    })
  }
  return null
}

/** Escapes in double quotes can make what the text itself may not hold. */
function checkText(walk: Walk, value: string, mark: Mark): void {
  if (deceptiveAt(value) !== -1) walk.defects.push(hiddenCharacter(value, mark))
  else if (value.normalize('NFC') !== value) {
    walk.defects.push(
      defect('DRV1104', mark, {
        message: 'the text holds a letter in decomposed form',
        help: 'use the composed letter (Unicode NFC)',
      }),
    )
  }
}

function hiddenCharacter(text: string, mark: Mark): Defect {
  return defect('DRV1103', mark, {
    message: `the text holds the invisible character ${codePointName(text, deceptiveAt(text))}`,
    allowed: 'visible characters only',
    help: 'remove the escape; it makes the text look different from what is read',
  })
}

/** One step of a JSON pointer (RFC 6901), as the schema validator writes it. */
export function pointerSegment(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

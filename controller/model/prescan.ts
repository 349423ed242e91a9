import { CST, Lexer, Parser } from 'yaml'
import { type Defect, type DefectWords, defect, lineStarts, markOf } from './defect.ts'
import type { FindingCode } from './finding-codes.ts'
import { quoted } from './printable.ts'

/**
 * Lists and maps inside each other, and a plain value inside them. The composer of the yaml package overflows the stack at about 800,
 * and Node 20 may then abort.
 */
export const MAX_DEPTH = 32
/** Far more than people write and review; it bounds whatever looks at every key. */
export const MAX_KEYS = 1_000
/** Bounds everything else that costs time per piece, errors included. A full document of 1,000 keys has about 9,000. */
const MAX_TOKENS = 12_000

export type Prescan = { syntax: readonly CST.Token[]; defect: null } | { syntax: null; defect: Defect }

/**
 * Looks at each of the lexer's tokens before the parser gets it, and at how deep the parser then stands, before the composer gets
 * anything: the lexer is linear and does not recurse (measured on hostile input), the parser keeps a stack of its own, and the composer
 * recurses. Depth is not reckoned from columns: what is inside what is for the parser alone to say, and mistakes in a document change it.
 */
export function prescan(text: string): Prescan {
  const state: ScanState = { offset: 0, scalarNext: false, tokens: 0, keys: 0, flow: [], began: false }
  const parser = new Parser()
  const syntax: CST.Token[] = []
  for (const token of new Lexer().lex(text)) {
    let refusal = look(state, token)
    if (!refusal) {
      syntax.push(...parser.next(token))
      refusal = depthRefusal(parser)
    }
    if (refusal) {
      const mark = markOf(lineStarts(text), text, state.offset, state.offset + token.length)
      return { syntax: null, defect: defect(refusal.code, mark, refusal) }
    }
    advance(state, token)
  }
  syntax.push(...parser.end())
  return { syntax, defect: null }
}

interface ScanState {
  offset: number
  /** The next token is the text of a scalar, whatever it looks like. */
  scalarNext: boolean
  tokens: number
  keys: number
  /** Flow collections that are open. */
  flow: ('[' | '{')[]
  /** Something other than comments and blank lines was seen. */
  began: boolean
}

type Refusal = { code: FindingCode } & DefectWords

/** Zero-width signs that the lexer puts between tokens. */
const DOCUMENT_BEGINS = '\x02'
const SCALAR_FOLLOWS = '\x1f'

function advance(state: ScanState, token: string): void {
  const isSign = !state.scalarNext && (token === DOCUMENT_BEGINS || token === SCALAR_FOLLOWS)
  state.scalarNext = isSign && token === SCALAR_FOLLOWS
  if (!isSign) state.offset += token.length
}

/** What may stand above `---`. */
const BLANK = new Set<string | null>(['comment', 'newline', 'space', 'doc-mode'])

function look(state: ScanState, token: string): Refusal | null {
  state.tokens += 1
  if (state.tokens > MAX_TOKENS) return tooMany(`more than ${MAX_TOKENS} YAML tokens`)
  const type = state.scalarNext ? null : CST.tokenType(token)
  const isFirst = !state.began
  state.began ||= !BLANK.has(type)
  switch (type) {
    case 'anchor':
    case 'alias':
      return {
        code: 'DRV1107',
        message: `${quoted(token)} is a YAML ${type}`,
        allowed: 'plain values',
        help: 'write the value itself; quote text that begins with & or *',
      }
    case 'tag':
      return {
        code: 'DRV1108',
        message: `${quoted(token)} is a YAML tag`,
        allowed: 'plain values',
        help: 'remove it; put quotes around text that begins with !',
      }
    case 'directive-line':
      return {
        code: 'DRV1109',
        message: `${quoted(token)} is a YAML directive`,
        allowed: 'YAML 1.2 without directives',
        help: 'remove the line',
      }
    case 'explicit-key-ind':
      return { code: 'DRV1112', message: '`?` begins a complex key', allowed: 'keys are plain words', help: 'write `key: value`' }
    case 'doc-start':
    case 'doc-end':
      return isFirst && type === 'doc-start' ? null : documentMark(token)
    case 'map-value-ind':
      state.keys += 1
      return keysRefusal(state)
    case 'flow-map-start':
    case 'flow-seq-start':
      state.flow.push(token as '[' | '{')
      return null
    case 'flow-map-end':
    case 'flow-seq-end':
      return close(state, token)
    case 'flow-error-end':
      return {
        code: 'DRV1115',
        message: 'a bracket that was opened above is not closed',
        allowed: 'as many closing brackets as opening ones',
        help: 'close it with } or ] on the line where it was opened',
      }
    case 'comma':
      // `{ a, b }` are keys, too.
      if (state.flow.at(-1) === '{') state.keys += 1
      return keysRefusal(state)
  }
  return null
}

function documentMark(token: string): Refusal {
  return {
    code: 'DRV1111',
    message: `\`${token}\` ends the document`,
    allowed: 'one document in a file',
    help: 'put what follows into a file of its own',
  }
}

function close(state: ScanState, token: string): Refusal | null {
  const opened = state.flow.pop()
  if (opened === (token === ']' ? '[' : '{')) return null
  const message = opened ? `\`${token}\` cannot close \`${opened}\`` : `\`${token}\` closes nothing`
  return { code: 'DRV1115', message, help: 'put quotes around text that begins with a bracket' }
}

/** On the parser's stack stand the document, the collections that are open, and a value that is being read. */
function depthRefusal({ stack }: Parser): Refusal | null {
  if (stack.length <= 1 + MAX_DEPTH) return null
  return {
    code: 'DRV1105',
    message: `nested more than ${MAX_DEPTH} deep`,
    allowed: `at most ${MAX_DEPTH} levels`,
    help: 'documents here are three or four levels deep: look for a stray bracket or dash',
  }
}

function keysRefusal({ keys }: ScanState): Refusal | null {
  return keys > MAX_KEYS ? tooMany(`more than ${MAX_KEYS} keys`) : null
}

function tooMany(what: string): Refusal {
  return { code: 'DRV1106', message: `the file has ${what}`, help: 'split the document; every file has limits of its own' }
}

import { CST, Lexer } from 'yaml'
import { type Defect, type DefectWords, defect, lineStarts, markOf } from './defect.ts'
import type { FindingCode } from './finding-codes.ts'
import { quoted } from './printable.ts'

/** Lists and maps inside each other. The yaml package overflows the stack at about 800, and Node 20 may then abort. */
export const MAX_DEPTH = 32
/** Far more than people write and review; it bounds whatever looks at every key. */
export const MAX_KEYS = 1_000
/** Bounds everything else that costs time per piece, errors included. A full document of 1,000 keys has about 9,000. */
const MAX_TOKENS = 12_000

export type Prescan = { tokens: readonly string[]; defect: null } | { tokens: null; defect: Defect }

/**
 * Looks at the lexer's tokens before any parser does: the lexer is linear and does not recurse (measured on hostile input),
 * the parser and composer behind it are neither. As they get these very tokens, nothing can be hidden from this look.
 */
export function prescan(text: string): Prescan {
  const tokens: string[] = []
  const state: ScanState = {
    offset: 0,
    lineStart: 0,
    scalarNext: false,
    keys: 0,
    columns: [],
    flow: [],
    atNode: true,
    began: false,
    closed: false,
  }
  for (const token of new Lexer().lex(text)) {
    tokens.push(token)
    const refusal = tokens.length > MAX_TOKENS ? tooMany(`more than ${MAX_TOKENS} YAML tokens`) : look(state, token)
    if (refusal) {
      const width = Math.max(token.length, 1)
      const mark = markOf(lineStarts(text), text, state.offset, state.offset + width)
      return { tokens: null, defect: defect(refusal.code, mark, refusal) }
    }
    advance(state, token)
  }
  return { tokens, defect: null }
}

interface ScanState {
  offset: number
  lineStart: number
  /** The next token is the text of a scalar, whatever it looks like. */
  scalarNext: boolean
  keys: number
  /** Columns of the block collections that are open. */
  columns: number[]
  /** Flow collections that are open. */
  flow: ('[' | '{')[]
  /** A node may begin here: start of a line, or after `- ` or `: `. */
  atNode: boolean
  /** Something other than comments and blank lines was seen. */
  began: boolean
  /** The token before, spaces left out, closed a flow collection. */
  closed: boolean
}

type Refusal = { code: FindingCode } & DefectWords

/** Zero-width signs that the lexer puts between tokens: document start, end of a broken flow collection, scalar follows. */
const CONTROL_TOKENS = new Set(['\x02', '\x18', '\x1f'])

function advance(state: ScanState, token: string): void {
  if (!/^[ \t]/.test(token) || state.scalarNext) state.closed = !state.scalarNext && (token === ']' || token === '}')
  if (state.scalarNext) {
    state.scalarNext = false
  } else if (CONTROL_TOKENS.has(token)) {
    state.scalarNext = token === '\x1f'
    return
  }
  const newline = token.lastIndexOf('\n')
  if (newline !== -1) {
    state.lineStart = state.offset + newline + 1
    state.atNode = true
  }
  state.offset += token.length
}

function look(state: ScanState, token: string): Refusal | null {
  const type = state.scalarNext ? 'text' : CST.tokenType(token)
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
      return lookAtDocumentMark(state, token)
    case 'seq-item-ind':
      return lookAtNode(state, true)
    case 'map-value-ind':
      if (state.closed && state.flow.length === 0) {
        return {
          code: 'DRV1112',
          message: 'a list or map cannot be a key',
          allowed: 'keys are plain words',
          help: 'write `key: value`',
        }
      }
      state.keys += 1
      // Its value may begin a list on the same line.
      return state.keys > MAX_KEYS ? tooMany(`more than ${MAX_KEYS} keys`) : lookAtNode(state, true)
    case 'flow-map-start':
    case 'flow-seq-start':
      return open(state, token as '[' | '{')
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
      return state.keys > MAX_KEYS ? tooMany(`more than ${MAX_KEYS} keys`) : null
    case 'text':
    case 'single-quoted-scalar':
    case 'double-quoted-scalar':
    case 'block-scalar-header':
      return lookAtNode(state, false)
    default:
      return null
  }
}

function lookAtDocumentMark(state: ScanState, token: string): Refusal | null {
  if (token === '---' && !state.began) {
    state.began = true
    return null
  }
  return {
    code: 'DRV1111',
    message: `\`${token}\` ends the document`,
    allowed: 'one document in a file',
    help: 'put what follows into a file of its own',
  }
}

/** A node begins. The level of a plain value is counted, too: one more than there is, at most. */
function lookAtNode(state: ScanState, opensAnother: boolean): Refusal | null {
  const column = endBlocks(state)
  const wasAtNode = state.atNode
  state.atNode = opensAnother
  if (state.flow.length > 0 || !wasAtNode) return null
  state.columns.push(column)
  return depthRefusal(state)
}

/** Block collections at this column or to the right of it are over. */
function endBlocks(state: ScanState): number {
  state.began = true
  const column = state.offset - state.lineStart
  if (state.flow.length === 0 && state.atNode) while ((state.columns.at(-1) ?? -1) >= column) state.columns.pop()
  return column
}

function open(state: ScanState, token: '[' | '{'): Refusal | null {
  endBlocks(state)
  state.atNode = false
  state.flow.push(token)
  return depthRefusal(state)
}

function close(state: ScanState, token: string): Refusal | null {
  const opened = state.flow.pop()
  if (opened === (token === ']' ? '[' : '{')) return null
  const message = opened ? `\`${token}\` cannot close \`${opened}\`` : `\`${token}\` closes nothing`
  return { code: 'DRV1115', message, help: 'put quotes around text that begins with a bracket' }
}

function depthRefusal(state: ScanState): Refusal | null {
  if (state.columns.length + state.flow.length <= MAX_DEPTH) return null
  return {
    code: 'DRV1105',
    message: `nested more than ${MAX_DEPTH} deep`,
    allowed: `at most ${MAX_DEPTH} levels`,
    help: 'documents here are three or four levels deep: look for a stray bracket or dash',
  }
}

function tooMany(what: string): Refusal {
  return { code: 'DRV1106', message: `the file has ${what}`, help: 'split the document; every file has limits of its own' }
}

import type { Finding } from './finding.ts'
import type { FindingCode } from './finding-codes.ts'
import { visibleLine } from './printable.ts'

/** Where something stands in a text. Lines and columns start at 1, columns count UTF-16 units, the end is exclusive. */
export interface Mark {
  line: number
  column: number
  endColumn: number
}

/** A finding that does not know its file yet: the same content may lie at several paths and is judged once. */
export interface Defect {
  code: FindingCode
  severity: 'error' | 'warning'
  message: string
  mark: Mark
  allowed: string | null
  help: string | null
  /** The place may hold a secret: it must not be copied into reports. */
  hidden?: true
}

export interface DefectWords {
  message: string
  allowed?: string | null
  help?: string | null
  severity?: 'error' | 'warning'
  hidden?: boolean
}

export const FILE_START: Mark = { line: 1, column: 1, endColumn: 2 }

export function defect(code: FindingCode, mark: Mark, words: DefectWords): Defect {
  return {
    code,
    severity: words.severity ?? 'error',
    message: words.message,
    mark,
    allowed: words.allowed ?? null,
    help: words.help ?? null,
    ...(words.hidden ? { hidden: true } : {}),
  }
}

/** Offsets at which lines begin. */
export function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** Mark of text[from, to), cut at the end of its first line and at least one column wide. */
export function markOf(starts: readonly number[], text: string, from: number, to: number): Mark {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (starts[middle]! <= from) low = middle
    else high = middle - 1
  }
  const begin = starts[low]!
  const nextLine = starts[low + 1]
  const lineEnd = nextLine === undefined ? text.length : nextLine - 1
  const end = Math.max(Math.min(to, lineEnd), from + 1)
  return { line: low + 1, column: from - begin + 1, endColumn: end - begin + 1 }
}

const LONGEST_EXCERPT = 400

/** One line of the text without its line end; null when there is no such line. */
function excerptOf(text: string | null, mark: Mark): string | null {
  if (text === null) return null
  const line = text.split('\n', mark.line)[mark.line - 1]
  if (line === undefined || line.trim() === '' || mark.column > LONGEST_EXCERPT) return null
  return visibleLine(line.replace(/\r$/, '').slice(0, LONGEST_EXCERPT))
}

/** Says in which file the defect is. */
export function findingFrom(found: Defect, file: string, text: string | null): Finding {
  const { mark, hidden, ...rest } = found
  const excerpt = excerptOf(text, mark)
  return {
    ...rest,
    place: { file, ...mark },
    excerpt: hidden && excerpt !== null ? masked(excerpt, mark) : excerpt,
    related: null,
  }
}

function masked(line: string, mark: Mark): string {
  return line.slice(0, mark.column - 1) + '*'.repeat(mark.endColumn - mark.column) + line.slice(mark.endColumn - 1)
}

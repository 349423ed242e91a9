import type { Clock } from '../../controller/clock.ts'

/** Tells the story, line by line, at a pace that can be read. */
export interface Narrator {
  heading(title: string): Promise<void>
  /** `Alice    opens pull request #5`. A line that is too long goes on under itself. */
  say(who: string, text: string): Promise<void>
  /** A remark of the storyteller. */
  note(text: string): Promise<void>
  /** A file as somebody adds it. */
  file(path: string, text: string): Promise<void>
  /** Text that is shown exactly as it is. */
  block(text: string): Promise<void>
  /** The first row is the head; the last column takes what is left of the line. */
  table(rows: readonly (readonly string[])[]): Promise<void>
  line(text?: string): Promise<void>
}

export interface NarratorOptions {
  write: (text: string) => void
  color: boolean
  /** Pause after each line. */
  beatMs: number
  clock: Pick<Clock, 'sleep'>
  /** Ends every pause. */
  signal: AbortSignal
  columns: number
}

const NAME_WIDTH = 10
const INDENT = '  '

type Style = 'bold' | 'dim' | 'cyan' | 'green' | 'red' | 'yellow'
/** ECMA-48 codes; nothing is told by colour alone. */
const CODES: Readonly<Record<Style, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 }

export function narrator({ write, color, beatMs, clock, signal, columns }: NarratorOptions): Narrator {
  const paint = (style: Style, text: string) => (color ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text)
  const marks = (text: string) =>
    text.replace(/[✓✅]/gu, (mark) => paint('green', mark)).replace(/[✗❌]/gu, (mark) => paint('red', mark))
  const beat = () => clock.sleep(beatMs, signal)

  async function show(lines: readonly string[]): Promise<void> {
    write(`${lines.join('\n')}\n`)
    await beat()
  }

  return {
    async heading(title) {
      const rule = '─'.repeat(Math.max(3, columns - title.length - 4))
      await show(['', `${paint('bold', `── ${title}`)} ${paint('dim', rule)}`])
    },
    async say(who, text) {
      const [first = '', ...rest] = wrapped(shortIds(text), columns - NAME_WIDTH - INDENT.length)
      const name = who.padEnd(NAME_WIDTH)
      const lines = [`${INDENT}${paint(who === 'DRAVEN' ? 'cyan' : 'bold', name)}${marks(first)}`]
      await show([...lines, ...rest.map((line) => `${INDENT}${' '.repeat(NAME_WIDTH)}${marks(line)}`)])
    },
    async note(text) {
      await show(wrapped(text, columns - INDENT.length).map((line) => `${INDENT}${paint('dim', line)}`))
    },
    async file(path, text) {
      const body = text.trimEnd().split('\n')
      await show([`${INDENT}${paint('yellow', path)}`, ...body.map((line) => `${INDENT}${paint('dim', '│')} ${line}`)])
      await beat()
    },
    async block(text) {
      await show(
        text
          .trimEnd()
          .split('\n')
          .map((line) => (line === '' ? '' : `${INDENT}${line}`)),
      )
      await beat()
    },
    async table(rows) {
      const lines = tableLines(
        rows.map((row) => row.map(shortIds)),
        columns - INDENT.length,
      )
      await show(lines.map((line, at) => `${INDENT}${at === 0 ? paint('bold', line) : marks(line)}`))
    },
    line: (text = '') => show([text === '' ? '' : `${INDENT}${marks(text)}`]),
  }
}

/** Job ids by their first eight digits, as the story's table of jobs lists them. */
export function shortIds(text: string): string {
  return text.replaceAll(/\b([0-9a-f]{8})-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '$1')
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

const GAP = 2
/** Less than this is no column that anybody could read. */
const NARROWEST = 24

function tableLines(rows: readonly (readonly string[])[], columns: number): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)))
  const fixed = widths.slice(0, -1)
  const left = fixed.reduce((sum, width) => sum + width + GAP, 0)
  const rest = Math.max(columns - left, NARROWEST)
  return rows.flatMap((row) => {
    const start = fixed.map((width, at) => (row[at] ?? '').padEnd(width + GAP)).join('')
    const [first = '', ...more] = wrapped(row.at(-1) ?? '', rest)
    return [`${start}${first}`.trimEnd(), ...more.map((line) => `${' '.repeat(left)}${line}`)]
  })
}

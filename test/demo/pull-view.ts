import type { ForgeWords, Shown, ShownCheck } from './forges/story-forge.ts'

/** What people see on a pull request. */
export interface PullView {
  /** All that the forge is to show is there, on the commit that is the head now. */
  complete: boolean
  validate: CheckView
  gate: CheckView
  /** DRAVEN's comment, as Markdown. */
  comment: string
}

/** Absent: not shown. A gate's title is then what the comment says. */
type CheckView = Omit<ShownCheck, 'state'> & { state: ShownCheck['state'] | 'absent' }

/** A line of the comment's list of reviews. */
export interface ReviewLine {
  who: string
  counted: boolean
  text: string
}

export function viewOf({ validate, gate, comment }: Shown, { silence }: ForgeWords): PullView {
  return {
    validate: validate ?? absent(''),
    gate: gate ?? absent(standingIn(comment) ?? ''),
    comment,
    complete: validate !== null && comment !== '' && (gate !== null || silence !== null),
  }
}

function absent(title: string): CheckView {
  return { state: 'absent', title, annotations: null }
}

/** Where the first request of the comment stands. */
function standingIn(comment: string): string | null {
  const [, standing] = /^\S+ \*\*.*?\*\* — (.+)$/m.exec(comment) ?? []
  return standing === undefined ? null : plain(standing)
}

/** `✓ draven/gate: 1 of 2 approvals`. */
export function checkLine(name: string, { state, title }: CheckView): string {
  if (state === 'absent') return `… ${title} (in the comment)`
  const mark = state === 'success' ? '✓' : state === 'failure' ? '✗' : '…'
  return `${mark} draven/${name}: ${title}`
}

/** Who reviewed and whether it counts, as the comment lists it. */
export function reviewLines(comment: string): readonly ReviewLine[] {
  return [...comment.matchAll(/^- (✅|➖) `([^`]+)` .* — (?:does not count: )?(.+)$/gmu)].map(([, mark, who, text]) => ({
    who: who!,
    counted: mark === '✅',
    text: plain(text!),
  }))
}

/** The value beside a name in the comment's table of facts; null when it has no such row. */
export function factOf(comment: string, name: string): string | null {
  const row = comment.split('\n').find((line) => line.startsWith(`| ${name} |`))
  return row === undefined ? null : plain(row.split('|').slice(2, -1).join('|').trim())
}

function plain(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*\\]/g, '')
}

import type { Forge } from '../sandbox/forge.ts'
import { CONFIG_REPO } from './config/repositories.ts'

/** What people see on a pull request, read from the forge's API like any visitor would. */
export interface PullView {
  /** Both checks and the comment are there, on the commit that is the head now. */
  complete: boolean
  validate: CheckView
  gate: CheckView
  /** DRAVEN's comment, as Markdown. */
  comment: string
}

export interface CheckView {
  /** `success`, `failure`, `queued` … */
  state: string
  title: string
  annotations: number
}

/** A line of the comment's list of reviews. */
export interface ReviewLine {
  who: string
  counted: boolean
  text: string
}

const ABSENT: CheckView = { state: 'absent', title: '', annotations: 0 }

export function pullReader(forge: Forge): (pull: number, head: string) => Promise<PullView> {
  const authorization = `Bearer ${forge.token('greta', { scopes: ['read'] })}`

  async function read<T>(path: string): Promise<T> {
    const answer = await fetch(`${forge.apiUrl}/repos/${CONFIG_REPO}${path}`, { headers: { authorization } })
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return (await answer.json()) as T
  }

  return async (pull, head) => {
    const { check_runs: checks } = await read<{ check_runs: CheckBody[] }>(`/commits/${head}/check-runs`)
    const comments = await read<{ body: string }[]>(`/issues/${pull}/comments`)
    const validate = checkView(checks, 'draven/validate')
    const gate = checkView(checks, 'draven/gate')
    const comment = comments.find(({ body }) => body.includes('### DRAVEN'))?.body ?? ''
    return { validate, gate, comment, complete: validate !== ABSENT && gate !== ABSENT && comment !== '' }
  }
}

interface CheckBody {
  name: string
  status: string
  conclusion: string | null
  output: { title: string | null; annotations_count: number }
}

function checkView(checks: readonly CheckBody[], name: string): CheckView {
  const check = checks.find((each) => each.name === name)
  if (check === undefined) return ABSENT
  const { title, annotations_count: annotations } = check.output
  return { state: check.conclusion ?? check.status, title: title ?? '', annotations }
}

/** `✓ draven/gate: 1 of 2 approvals`. */
export function checkLine(name: string, { state, title }: CheckView): string {
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

import type { Ref } from '../model/desired-state.ts'
import type { CommitSha } from '../model/names.ts'

/** `tag v1.4.2`, `commit 1a2b3c4d5e6f`. */
export function refLabel(ref: Ref): string {
  return ref.type === 'sha' ? `commit ${ref.name.slice(0, 12)}` : `${ref.type} ${ref.name}`
}

export function shaLabel(sha: CommitSha): string {
  return sha.slice(0, 12)
}

/** `a`, `a or b`, `a, b or c`; `nothing` for an empty list, because an empty list allows nothing. */
export function anyOf(items: readonly string[]): string {
  return joined(items, 'or', 'nothing')
}

/** `a`, `a and b`, `a, b and c`; `nobody` fits lists of people. */
export function allOf(items: readonly string[], none = 'none'): string {
  return joined(items, 'and', none)
}

/** `1 approval`, `2 approvals`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`
}

function joined(items: readonly string[], word: string, none: string): string {
  if (items.length < 2) return items[0] ?? none
  return `${items.slice(0, -1).join(', ')} ${word} ${items[items.length - 1]}`
}

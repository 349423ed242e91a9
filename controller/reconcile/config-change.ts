import type { BlobId } from '../model/names.ts'
import type { Snapshot } from '../model/snapshot.ts'

/** A file that differs between two commits; null where it is absent. */
export interface PathChange {
  path: string
  before: BlobId | null
  after: BlobId | null
}

/** Compares two trees by object id: no file is read. */
export function changedPaths(before: Snapshot, after: Snapshot): readonly PathChange[] {
  const old = new Map(before.entries.map((entry) => [entry.path, `${entry.mode} ${entry.id}`]))
  const changes: PathChange[] = []
  for (const entry of after.entries) {
    const was = old.get(entry.path)
    old.delete(entry.path)
    if (was !== `${entry.mode} ${entry.id}`) changes.push({ path: entry.path, before: idOf(was), after: entry.id })
  }
  for (const [path, was] of old) changes.push({ path, before: idOf(was), after: null })
  return changes
}

function idOf(modeAndId: string | undefined): BlobId | null {
  return modeAndId === undefined ? null : (modeAndId.slice(modeAndId.indexOf(' ') + 1) as BlobId)
}

/** Files that say who may do what where: a change to them needs an admin's approval. */
const GUARDED = [/^draven\.ya?ml$/, /^access\.ya?ml$/, /^policies\//, /^projects\//, /^freezes\//, /^holds\//]

export function isGuardedPath(path: string): boolean {
  return GUARDED.some((pattern) => pattern.test(path))
}

/**
 * Changes that need an admin's approval before they are in force. A new freeze or hold does not: it only ever takes
 * rights away, and a person who stops deploys in an emergency must not have to find an admin first.
 */
export function guardedChanges(changes: readonly PathChange[]): readonly PathChange[] {
  return changes.filter(
    (change) => isGuardedPath(change.path) && !(change.before === null && /^(freezes|holds)\//.test(change.path)),
  )
}

import { createHash } from 'node:crypto'
import type { Instant } from '../../controller/clock.ts'
import { type BlobId, blobId, type CommitSha, commitSha } from '../../controller/model/names.ts'
import type { Snapshot } from '../../controller/model/snapshot.ts'
import { type Rules, ruleFiles } from './rules.ts'

/** A commit of the config repository: its rules as data, its requests as text, and who wrote it. */
export interface Commit {
  id: CommitSha
  parents: readonly CommitSha[]
  rules: Rules
  requests: ReadonlyMap<string, string>
  author: string
}

/** The config repository as it is at its host: all commits there ever were, and where the branch was at what time. */
export interface Remote {
  commit(id: CommitSha): Commit | undefined
  add(of: Omit<Commit, 'id'>): Commit
  head(): Commit
  /** Where the branch was, oldest first. */
  moves: { at: Instant; head: CommitSha }[]
  move(at: Instant, head: CommitSha): void
  headAt(at: Instant): Commit
  isAncestor(ancestor: CommitSha, descendant: CommitSha): boolean
  /** Are commits that no branch contains any more kept from whoever asks for them? */
  hides: boolean
}

export function createRemote(at: Instant, rules: Rules): Remote {
  const commits = new Map<CommitSha, Commit>()
  const ancestors = new Map<CommitSha, ReadonlySet<CommitSha>>()
  const remote: Remote = {
    moves: [],
    hides: false,
    commit: (id) => commits.get(id),
    add(of) {
      const id = commitSha((commits.size + 1).toString(16).padStart(40, 'c0ffee'))
      const commit: Commit = { ...of, id }
      commits.set(id, commit)
      ancestors.set(id, new Set([id, ...of.parents.flatMap((parent) => [...ancestors.get(parent)!])]))
      return commit
    },
    head: () => commits.get(remote.moves.at(-1)!.head)!,
    move: (when, head) => void remote.moves.push({ at: when, head }),
    headAt: (when) => commits.get((remote.moves.findLast((move) => move.at <= when) ?? remote.moves[0]!).head)!,
    isAncestor: (ancestor, descendant) => ancestors.get(descendant)?.has(ancestor) ?? false,
  }
  remote.move(at, remote.add({ parents: [], rules, requests: new Map(), author: 'erin' }).id)
  return remote
}

/** Text of a path at a commit; undefined when it is not there. */
export function textAt(commit: Commit, path: string): string | undefined {
  return commit.requests.get(path) ?? ruleFiles(commit.rules).get(path)
}

const blobs = new Map<string, BlobId>()
const texts = new Map<BlobId, Uint8Array>()

export function blobOf(text: string): BlobId {
  const known = blobs.get(text)
  if (known !== undefined) return known
  const id = blobId(createHash('sha1').update(text).digest('hex'))
  blobs.set(text, id)
  texts.set(id, Buffer.from(text))
  return id
}

export function bytesOf(id: BlobId): Uint8Array {
  return texts.get(id)!
}

const snapshots = new WeakMap<Commit, Snapshot>()

export function snapshotOf(commit: Commit): Snapshot {
  const known = snapshots.get(commit)
  if (known !== undefined) return known
  const entries = [...ruleFiles(commit.rules), ...commit.requests]
    .map(([path, text]) => ({ path, mode: '100644', id: blobOf(text), size: Buffer.byteLength(text) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  const snapshot = { commit: commit.id, entries }
  snapshots.set(commit, snapshot)
  return snapshot
}

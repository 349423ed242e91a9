import type { BlobId, CommitSha } from './names.ts'

/** One entry of a commit's tree, as `git ls-tree -r -l -z` prints it. */
export interface TreeEntry {
  path: string
  /** `100644`, `100755`, `120000` (symlink), `160000` (submodule) … */
  mode: string
  /** Object id: a blob's, or a commit's for a submodule. */
  id: BlobId
  /** Bytes; null for a submodule. */
  size: number | null
}

/** All files of the config repository at one commit. Contents are read separately, by blob id, so that unchanged files cost nothing. */
export interface Snapshot {
  commit: CommitSha
  entries: readonly TreeEntry[]
}

export type ReadBlobs = (ids: readonly BlobId[]) => Promise<ReadonlyMap<BlobId, Uint8Array>>

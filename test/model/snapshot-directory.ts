import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DesiredState } from '../../controller/model/desired-state.ts'
import { type DocumentCache, documentCache, loadDesiredState } from '../../controller/model/load.ts'
import { type BlobId, blobId, commitSha } from '../../controller/model/names.ts'
import type { Snapshot, TreeEntry } from '../../controller/model/snapshot.ts'

/** Path → content, as text or bytes. */
export type Files = Readonly<Record<string, string | Uint8Array>>

export interface MemorySnapshot {
  snapshot: Snapshot
  blobs: Map<BlobId, Uint8Array>
}

export const EXAMPLE_CONFIG = fileURLToPath(new URL('../../example-config/', import.meta.url))

/** A snapshot made of the given files; ids are those Git would give. `extra` adds entries of other modes or sizes. */
export function snapshotOf(files: Files, extra: readonly TreeEntry[] = []): MemorySnapshot {
  const blobs = new Map<BlobId, Uint8Array>()
  const entries = Object.entries(files).map(([path, content]): TreeEntry => {
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content
    const id = gitBlobId(bytes)
    blobs.set(id, bytes)
    return { path, mode: '100644', id, size: bytes.length }
  })
  return { snapshot: { commit: commitSha('c'.repeat(40)), entries: [...entries, ...extra] }, blobs }
}

export function gitBlobId(bytes: Uint8Array): BlobId {
  return blobId(createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex'))
}

export function readDirectory(root: string): Files {
  const paths = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  return Object.fromEntries(paths.map((path) => [relative(root, path).split(sep).join('/'), readFileSync(path)]))
}

/** Loads the files as both rules and requests. */
export function load(
  files: Files,
  extra: readonly TreeEntry[] = [],
  cache: DocumentCache = documentCache(),
): Promise<DesiredState> {
  const { snapshot, blobs } = snapshotOf(files, extra)
  return loadDesiredState({ rules: snapshot, requests: snapshot, readBlobs: async () => blobs, cache })
}

/** The example repository with some files changed, added, or (null) removed. */
export function exampleWith(changes: Readonly<Record<string, string | Uint8Array | null>>): Files {
  const all: Record<string, string | Uint8Array | null> = { ...readDirectory(EXAMPLE_CONFIG), ...changes }
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string | Uint8Array] => entry[1] !== null))
}

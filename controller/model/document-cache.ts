import type { ParsedDocument } from './document.ts'
import type { Kind } from './documents.ts'
import type { BlobId } from './names.ts'

/**
 * Parsed documents by content and kind, so that a load reads and parses only what changed. A bad file is judged once, too.
 * Shared by all loads of a process: the branch, and the heads of open pull requests, which have most files in common.
 */
export interface DocumentCache {
  get(blob: BlobId, kind: Kind): ParsedDocument | undefined
  set(blob: BlobId, document: ParsedDocument): void
  /** What `make` made of this document before, at this path and with whatever else `key` names; it must depend on nothing else. */
  derived<T extends object>(document: ParsedDocument, key: string, make: () => T): T
}

/** Twice the largest repository: the branch and one pull request that changes everything. */
const MOST_DOCUMENTS = 40_000

/** An empty cache that forgets what was unused for longest. */
export function documentCache(most = MOST_DOCUMENTS): DocumentCache {
  // A Map keeps insertion order: re-inserting on use makes its first entry the one unused for longest.
  const documents = new Map<string, ParsedDocument>()
  const derivations = new WeakMap<ParsedDocument, Map<string, object>>()
  return {
    get(blob, kind) {
      const key = `${kind}:${blob}`
      const document = documents.get(key)
      if (document) {
        documents.delete(key)
        documents.set(key, document)
      }
      return document
    },
    set(blob, document) {
      documents.set(`${document.kind}:${blob}`, document)
      if (documents.size <= most) return
      const [oldest] = documents.keys()
      if (oldest !== undefined) documents.delete(oldest)
    },
    derived<T extends object>(document: ParsedDocument, key: string, make: () => T): T {
      let byKey = derivations.get(document)
      if (!byKey) {
        byKey = new Map()
        derivations.set(document, byKey)
      }
      const known = byKey.get(key)
      if (known) return known as T
      const made = make()
      byKey.set(key, made)
      return made
    },
  }
}

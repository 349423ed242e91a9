import { blobId } from '../model/names.ts'
import type { TreeEntry } from '../model/snapshot.ts'

/** `<mode> <type> <id> <size, padded, or ->`; the path follows after a tab. */
const ENTRY = /^(\d{6}) [a-z]+ ([0-9a-f]{40,64}) +(\d+|-)$/

/**
 * Reads `git ls-tree -z -l`. Entries end in NUL, so paths may hold anything else, newlines and quotes included.
 * Bytes that are not UTF-8 arrive as U+FFFD; no document may have such a name anyway.
 * Null when the text was cut off, or shows an object that is not there (`BAD` in place of its size).
 */
export function parseTree(listing: string): TreeEntry[] | null {
  const entries: TreeEntry[] = []
  for (let start = 0; start < listing.length; ) {
    const end = listing.indexOf('\0', start)
    const tab = listing.indexOf('\t', start)
    const match = end > tab && tab > 0 ? ENTRY.exec(listing.slice(start, tab)) : null
    if (!match) return null
    const [, mode = '', id = '', size = ''] = match
    entries.push({ path: listing.slice(tab + 1, end), mode, id: blobId(id), size: size === '-' ? null : Number(size) })
    start = end + 1
  }
  return entries
}

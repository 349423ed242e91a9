import { type Defect, defect, FILE_START } from './defect.ts'
import type { Kind } from './documents.ts'
import { groupBy } from './group-by.ts'
import type { BlobId } from './names.ts'
import { foldedPath, isRequestPath, type PathRole, pathDefect, pathRole, reservedPart } from './paths.ts'
import { quoted } from './printable.ts'
import type { Snapshot, TreeEntry } from './snapshot.ts'
import { MAX_DOCUMENT_BYTES, tooLarge } from './source-text.ts'

/** Documents in a repository, and their bytes together. */
const MAX_FILES = 20_000
const MAX_TOTAL_BYTES = 64 * 1024 * 1024

/** A file that is a document by its path. With a defect it is not read. */
export interface TreeFile {
  path: string
  blob: BlobId
  kind: Kind
  names: readonly string[]
  defect: Defect | null
}

/** Something in a reserved folder that is no document and ought to be looked at. */
export interface StrayFile {
  path: string
  /** `freezes`, `policies`, … or the root file that it stands in for. */
  part: string
  blob: BlobId
  defect: Defect
}

export interface TreeSurvey {
  files: readonly TreeFile[]
  strays: readonly StrayFile[]
  /** The tree as a whole is refused: nothing of it is read. */
  refusal: Defect | null
}

/** Judges everything that path, mode and size alone can tell, before any content is read. Requests are taken from `requests`, the rest from `rules`. */
export function surveyTree(rules: Snapshot, requests: Snapshot): TreeSurvey {
  const relevant = relevantEntries(rules, requests)
  const entries = relevant.map(({ entry }) => entry)
  const refusal = limitDefect(entries)
  if (refusal) return { files: [], strays: [], refusal }
  const twins = collidingPaths(entries)
  const files: TreeFile[] = []
  const strays: StrayFile[] = []
  for (const { entry, role } of relevant) {
    const problem = modeDefect(entry) ?? twinDefect(entry.path, twins) ?? sizeDefect(entry)
    if (role.is === 'document' || role.is === 'misnamed') {
      const named = role.is === 'misnamed' ? role.defect : null
      files.push({ path: entry.path, blob: entry.id, kind: role.kind, names: role.names, defect: named ?? problem })
    } else if (role.is === 'stray' || problem) {
      const part = role.is === 'stray' ? role.folder : (reservedPart(entry.path) ?? entry.path)
      strays.push({
        path: entry.path,
        blob: entry.id,
        part,
        defect: problem ?? pathDefect(entry.path) ?? strayDefect(entry.path, part),
      })
    }
  }
  return { files, strays, refusal: null }
}

interface RelevantEntry {
  entry: TreeEntry
  role: PathRole
}

/** Files that we read by their path, and whatever is not a regular file where we would read one. */
function relevantEntries(rules: Snapshot, requests: Snapshot): RelevantEntry[] {
  const found: RelevantEntry[] = []
  const collect = (entries: readonly TreeEntry[], wantsRequests: boolean) => {
    for (const entry of entries) {
      if (isRequestPath(entry.path) !== wantsRequests) continue
      const role = pathRole(entry.path)
      if (role.is !== 'ignored' || (!isRegular(entry) && reservedPart(entry.path) !== null)) found.push({ entry, role })
    }
  }
  collect(rules.entries, false)
  collect(requests.entries, true)
  return found
}

function isRegular(entry: TreeEntry): boolean {
  return entry.mode === '100644' || entry.mode === '100755'
}

function limitDefect(entries: readonly TreeEntry[]): Defect | null {
  const bytes = entries.reduce((sum, entry) => sum + (entry.size ?? 0), 0)
  if (entries.length <= MAX_FILES && bytes <= MAX_TOTAL_BYTES) return null
  return defect('DRV1001', FILE_START, {
    message: `the repository holds ${entries.length} documents with ${bytes} bytes`,
    allowed: `at most ${MAX_FILES} documents with ${MAX_TOTAL_BYTES} bytes`,
    help: 'remove request files whose jobs ended long ago; the audit keeps what they did',
  })
}

function collidingPaths(entries: readonly TreeEntry[]): ReadonlyMap<string, readonly TreeEntry[]> {
  return groupBy(entries, (entry) => foldedPath(entry.path))
}

function twinDefect(path: string, byFold: ReadonlyMap<string, readonly TreeEntry[]>): Defect | null {
  const other = byFold.get(foldedPath(path))?.find((entry) => entry.path !== path)
  if (!other) return null
  return defect('DRV1004', FILE_START, {
    message: `this path is the same as ${quoted(other.path)} on some file systems; neither is used`,
    help: 'keep one of the files',
  })
}

function modeDefect(entry: TreeEntry): Defect | null {
  if (isRegular(entry)) return null
  const what =
    entry.mode === '120000'
      ? 'a symbolic link'
      : entry.mode === '160000'
        ? 'a submodule'
        : `an entry of mode ${quoted(entry.mode)}`
  return defect('DRV1003', FILE_START, {
    message: `${quoted(entry.path)} is ${what}`,
    allowed: 'regular files',
    help: 'commit the content itself; links are never followed',
  })
}

function sizeDefect(entry: TreeEntry): Defect | null {
  return entry.size !== null && entry.size > MAX_DOCUMENT_BYTES ? tooLarge(entry.size) : null
}

const STRAY_PLACES: Readonly<Record<string, string>> = {
  policies: 'policies/<name>.yaml',
  projects: 'projects/<project>/project.yaml and projects/<project>/environments/<environment>.yaml',
  freezes: 'freezes/<name>.yaml',
  holds: 'holds/<name>.yaml',
  requests: 'requests/<project>/<environment>/<name>.yaml',
}

function strayDefect(path: string, part: string): Defect {
  return defect('DRV1006', FILE_START, {
    // A freeze that is not read is a freeze that somebody relies on; a request that is not read is a person who waits.
    severity: part === 'freezes' || part === 'holds' || part === 'requests' ? 'error' : 'warning',
    message: `no document is read from ${quoted(path)}`,
    allowed: STRAY_PLACES[part] ?? null,
    help: 'move the file to one of these places, or elsewhere',
  })
}

import { type DefectWords, defect, FILE_START, findingFrom } from './defect.ts'
import type { ParsedDocument } from './document.ts'
import type { DocumentByKind, Kind } from './documents.ts'
import type { Finding, Place } from './finding.ts'
import type { FindingCode } from './finding-codes.ts'
import type { BlobId } from './names.ts'

/** A document at its path. */
export interface ConfigFile<K extends Kind = Kind> {
  path: string
  blob: BlobId
  kind: K
  /** The variable parts of the path, e.g. project and environment. */
  names: readonly string[]
  document: ParsedDocument
}

/** All files of a snapshot by kind. */
export type ConfigFiles = { readonly [K in Kind]: readonly ConfigFile<K>[] }

/** The document as its generated type, or null when it has errors. */
export function contentOf<K extends Kind>(file: ConfigFile<K>): DocumentByKind[K] | null {
  // The schema of kind K has vouched for the value.
  return file.document.value as unknown as DocumentByKind[K] | null
}

/** What is wrong with the file by itself. */
export function ownFindings(file: ConfigFile): readonly Finding[] {
  return file.document.defects.map((found) => findingFrom(found, file.path, file.document.text))
}

/** Place of a value by JSON pointer; of its key when it is a map or list, or when `key` is asked for. */
export function placeAt(file: ConfigFile, pointer: string, key = false): Place {
  const { marks, keyMarks } = file.document
  const mark = (key ? keyMarks.get(pointer) : marks.get(pointer)) ?? marks.get(pointer) ?? marks.get('') ?? FILE_START
  return { file: file.path, ...mark }
}

export interface FindingWords extends DefectWords {
  related?: Finding['related']
  /** Point at the key, not at the value. */
  key?: boolean
}

/** A finding at one place of a document that is well formed by itself. */
export function findingAt(file: ConfigFile, code: FindingCode, pointer: string, words: FindingWords): Finding {
  const place = placeAt(file, pointer, words.key)
  const { file: _, ...mark } = place
  return { ...findingFrom(defect(code, mark, words), file.path, file.document.text), related: words.related ?? null }
}

/** A finding about a file that is not there. */
export function missingFile(path: string, words: DefectWords): Finding {
  return findingFrom(defect('DRV1008', FILE_START, words), path, null)
}

/** Every place of a document by dotted key: `ref.tag`, `allowed_tags.0`. */
export function placesOf(file: ConfigFile): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>()
  for (const [pointer, mark] of file.document.marks) {
    if (pointer !== '') places.set(pointer.slice(1).replaceAll('/', '.'), { file: file.path, ...mark })
  }
  return places
}

/** The document as JSON with sorted keys: equal documents give equal text, whatever their layout and comments. */
export function canonicalOf(file: ConfigFile): string {
  return canonicalJson(file.document.value)
}

export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
}

export function hasErrors(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.severity === 'error')
}

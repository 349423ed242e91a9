import { type Defect, defect, FILE_START, type Mark } from './defect.ts'
import type { Kind } from './documents.ts'
import { prescan } from './prescan.ts'
import { quoted } from './printable.ts'
import { KINDS } from './schemas.ts'
import { displayMark, shapeDefects } from './shape.ts'
import { decodeText } from './source-text.ts'
import { didYouMean, listWords } from './suggest.ts'
import { type PlainMap, readYaml, type Spots } from './yaml-tree.ts'

/**
 * One file's content after all checks that need no other file. Holds no syntax tree (11 kB a document), only data and places.
 * It does not know its path: equal content at two paths is one of these.
 */
export interface ParsedDocument {
  kind: Kind
  /** For excerpts; null when the bytes are not text. */
  text: string | null
  /** Null when there are errors. Deeply frozen; maps have no prototype. */
  value: PlainMap | null
  defects: readonly Defect[]
  /** By JSON pointer: where a value stands, or its key when it is a map or list. */
  marks: ReadonlyMap<string, Mark>
  /** By JSON pointer: where a key stands. */
  keyMarks: ReadonlyMap<string, Mark>
}

/** Where each kind lives; the path is the boundary that code owners guard. */
const KIND_HOMES: Readonly<Record<Kind, string>> = {
  ConfigRepository: 'draven.yaml',
  Access: 'access.yaml',
  Policy: 'policies/<name>.yaml',
  Project: 'projects/<project>/project.yaml',
  Environment: 'projects/<project>/environments/<environment>.yaml',
  Freeze: 'freezes/<name>.yaml',
  Hold: 'holds/<name>.yaml',
  DeployRequest: 'requests/<project>/<environment>/<name>.yaml',
}

/**
 * Bytes → checked document, or defects. `kind` is what the path asks for. Never throws, and takes milliseconds whatever the bytes are:
 * size and characters → linear pre-scan → YAML → kind → schema, each only if the one before it found nothing.
 */
export function parseDocument(bytes: Uint8Array, kind: Kind): ParsedDocument {
  const source = decodeText(bytes)
  if (source.defect) return refused(kind, source.text, [source.defect])
  const scanned = prescan(source.text)
  if (scanned.defect) return refused(kind, source.text, [scanned.defect])
  const { value, spots, defects } = readYaml(source.text, scanned.syntax)
  if (!value) return refused(kind, source.text, defects)
  const header = headerDefects(kind, value, spots)
  const found = header.length > 0 ? header : shapeDefects(kind, value, spots)
  if (found.length > 0) return refused(kind, source.text, found)
  return { kind, text: source.text, value, defects: [], ...placesOf(spots) }
}

export function refused(kind: Kind, text: string | null, defects: readonly Defect[]): ParsedDocument {
  return { kind, text, value: null, defects, marks: new Map(), keyMarks: new Map() }
}

function placesOf(spots: Spots): Pick<ParsedDocument, 'marks' | 'keyMarks'> {
  const marks = new Map<string, Mark>()
  const keyMarks = new Map<string, Mark>()
  for (const [pointer, spot] of spots) {
    marks.set(pointer, displayMark(spots, pointer))
    if (spot.key) keyMarks.set(pointer, spot.key)
  }
  return { marks, keyMarks }
}

/** `apiVersion` and `kind` decide which schema is asked, so they are judged before it. */
function headerDefects(kind: Kind, value: PlainMap, spots: Spots): Defect[] {
  const found = value['kind']
  const kindMark = spots.get('/kind')?.value ?? FILE_START
  const defects: Defect[] = []
  if (value['apiVersion'] !== 'draven/v1') {
    const given =
      value['apiVersion'] === undefined ? 'the key `apiVersion` is missing' : `\`apiVersion\` is ${quoted(value['apiVersion'])}`
    const mark = spots.get('/apiVersion')?.value ?? FILE_START
    defects.push(defect('DRV1201', mark, { message: given, allowed: 'draven/v1', help: 'write `apiVersion: draven/v1`' }))
  }
  if (!(KINDS as readonly unknown[]).includes(found)) {
    const given = found === undefined ? 'the key `kind` is missing' : `\`kind\` is ${quoted(found)}, which is not known`
    const help = typeof found === 'string' ? didYouMean(found, KINDS) : null
    defects.push(
      defect('DRV1202', kindMark, {
        message: given,
        allowed: listWords(KINDS),
        help: help ?? `a file at this path is \`kind: ${kind}\``,
      }),
    )
  } else if (found !== kind) {
    defects.push(
      defect('DRV1204', kindMark, {
        message: `a ${found} does not belong at this path, which is for a ${kind}`,
        allowed: kind,
        help: `move the file to \`${KIND_HOMES[found as Kind]}\``,
      }),
    )
  }
  return defects
}

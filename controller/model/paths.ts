import { type Defect, defect, FILE_START } from './defect.ts'
import type { Kind } from './documents.ts'
import { quoted } from './printable.ts'

/** Longest path, in characters, and deepest, in segments. */
const MAX_PATH_LENGTH = 200
const MAX_PATH_DEPTH = 8

/** What a path says about its file. `names` are the variable parts of the path: `requests/shop/prod/a.yaml` → shop, prod, a. */
export type PathRole =
  | { is: 'document'; kind: Kind; names: readonly string[] }
  /** It would be a document of this kind, but the path itself is wrong. */
  | { is: 'misnamed'; kind: Kind; names: readonly string[]; defect: Defect }
  /** A YAML file at no known place in a reserved folder, or where one was probably meant. */
  | { is: 'stray'; folder: string }
  | { is: 'ignored' }

const YAML = /\.ya?ml$/i
const FOLDERS = ['policies', 'projects', 'freezes', 'holds', 'requests']
/** Where somebody who wants to stop deploys in a hurry may put the file instead: it must not do nothing. */
const NEARLY: Readonly<Record<string, string>> = { hold: 'holds', holds: 'holds', freeze: 'freezes', freezes: 'freezes' }
const ROOT_FILES: Readonly<Record<string, Kind>> = { draven: 'ConfigRepository', access: 'Access' }
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/
const REQUEST_NAME = /^[a-z0-9][a-z0-9._-]{0,119}$/

/** Kinds are typed by path: the same content at another place means something else, or nothing. */
export function pathRole(path: string): PathRole {
  if (!YAML.test(path)) return { is: 'ignored' }
  const segments = path.split('/')
  const folder = segments[0]!
  if (segments.length === 1) {
    const kind = ROOT_FILES[stem(path)]
    return kind ? documentRole(path, kind, []) : strayOr(NEARLY[stem(path).toLowerCase()])
  }
  if (!FOLDERS.includes(folder.toLowerCase())) return strayOr(NEARLY[folder.toLowerCase()])
  const found = folder === folder.toLowerCase() ? documentAt(segments) : null
  return found ? documentRole(path, found.kind, found.names) : { is: 'stray', folder: folder.toLowerCase() }
}

function strayOr(folder: string | undefined): PathRole {
  return folder === undefined ? { is: 'ignored' } : { is: 'stray', folder }
}

function documentAt(segments: readonly string[]): { kind: Kind; names: readonly string[] } | null {
  const [folder, ...rest] = segments
  const name = stem(rest.at(-1)!)
  if (folder === 'policies' && rest.length === 1) return { kind: 'Policy', names: [name] }
  if (folder === 'freezes' && rest.length === 1) return { kind: 'Freeze', names: [name] }
  if (folder === 'holds' && rest.length === 1) return { kind: 'Hold', names: [name] }
  if (folder === 'projects' && rest.length === 2 && name === 'project') return { kind: 'Project', names: [rest[0]!] }
  if (folder === 'projects' && rest.length === 3 && rest[1] === 'environments')
    return { kind: 'Environment', names: [rest[0]!, name] }
  if (folder === 'requests' && rest.length === 3) return { kind: 'DeployRequest', names: [rest[0]!, rest[1]!, name] }
  return null
}

function documentRole(path: string, kind: Kind, names: readonly string[]): PathRole {
  const problem = pathDefect(path) ?? namesDefect(kind, names, path)
  return problem ? { is: 'misnamed', kind, names, defect: problem } : { is: 'document', kind, names }
}

/** Length, depth and alphabet of a path. */
export function pathDefect(path: string): Defect | null {
  const allowed = `at most ${MAX_PATH_LENGTH} ASCII characters and ${MAX_PATH_DEPTH} levels`
  if (!/^[\x20-\x7e]*$/.test(path)) {
    return defect('DRV1002', FILE_START, {
      message: `the path ${quoted(path)} holds characters that are not plain ASCII`,
      allowed,
      help: 'rename the file; look-alike letters are the usual reason',
    })
  }
  if (path.length > MAX_PATH_LENGTH || path.split('/').length > MAX_PATH_DEPTH) {
    return defect('DRV1002', FILE_START, {
      message: `the path ${quoted(path)} is too long or too deep`,
      allowed,
      help: 'use shorter names',
    })
  }
  return null
}

function namesDefect(kind: Kind, names: readonly string[], path: string): Defect | null {
  const wrong = names.find((name, index) => !(kind === 'DeployRequest' && index === 2 ? REQUEST_NAME : NAME).test(name))
  const extension = /\.(?:yaml|yml)$/.test(path)
  if (wrong === undefined && extension) return null
  return defect('DRV1005', FILE_START, {
    message:
      wrong === undefined
        ? `the extension of ${quoted(path)} is not in lower case`
        : `the name ${quoted(wrong)} in the path is not allowed`,
    allowed:
      kind === 'DeployRequest'
        ? 'lower-case letters, digits and - . _ (projects and environments: no . and _)'
        : 'lower-case letters, digits and dashes, at most 63',
    help: `rename it, e.g. to \`${path.toLowerCase().replace(/[^a-z0-9./-]+/g, '-')}\``,
  })
}

function stem(fileName: string): string {
  return fileName.replace(YAML, '')
}

/** What is the same on file systems that ignore case, Unicode form or the two spellings of the extension. */
export function foldedPath(path: string): string {
  return path.normalize('NFC').toLowerCase().replace(YAML, '')
}

/** The reserved folder or root file that a path lies in or is, whatever its extension; null when nothing of ours is there. */
export function reservedPart(path: string): string | null {
  const first = path.split('/', 1)[0]!.toLowerCase()
  if (FOLDERS.includes(first)) return first
  return first === path.toLowerCase() && YAML.test(path) && ROOT_FILES[stem(first)] ? first : null
}

/** In requests/, however that is spelt: such a path is never a rule. */
export function isRequestPath(path: string): boolean {
  return /^requests(?:\/|$)/i.test(path)
}

/** True when a change of this path may change what is allowed: everything we read but requests. Generous: notes in these folders count, `.md` files do not. */
export function isRulesPath(path: string): boolean {
  const part = reservedPart(path)
  return part !== null && part !== 'requests' && !path.toLowerCase().endsWith('.md')
}

/** Project and environment of a well-formed request path; null for every other path. */
export function requestPathParts(path: string): { project: string; environment: string } | null {
  const role = pathRole(path)
  if (role.is !== 'document' || role.kind !== 'DeployRequest') return null
  return { project: role.names[0]!, environment: role.names[1]! }
}

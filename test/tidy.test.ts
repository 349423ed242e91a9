import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

/**
 * Style rules as tests: who may import whom, no dead files, no leftovers. Plain reading of `from '…'` lines,
 * because TypeScript 7 has no compiler API to ask.
 */
const ROOT = resolve(import.meta.dirname, '..')
const CONTROLLER = join(ROOT, 'controller')

/**
 * Rooms and what each may import as values. Decide rooms import nothing below them; only main.ts and cli/ know adapters.
 * controller/README.md shows the same table; a test below keeps them equal.
 */
const VALUE_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  approvals: ['model'],
  policy: ['model', 'approvals'],
  audit: [],
  jobs: ['model', 'policy', 'approvals', 'audit'],
  secrets: [],
  source: ['model'],
  providers: ['model', 'jobs', 'secrets'],
  webhooks: ['model', 'secrets'],
  store: ['model', 'jobs', 'audit'],
  notify: ['model', 'policy', 'jobs'],
  reconcile: ['model', 'policy', 'approvals', 'jobs', 'audit', 'notify'],
  'status-page': ['model', 'policy', 'jobs', 'audit'],
}

/** Ports are types: an adapter may name the room whose port it implements without running a line of it. */
const TYPE_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  approvals: [],
  policy: [],
  audit: [],
  jobs: [],
  secrets: [],
  source: ['reconcile'],
  providers: ['policy', 'approvals', 'notify', 'reconcile'],
  webhooks: ['jobs'],
  store: ['approvals', 'policy', 'webhooks', 'status-page'],
  notify: ['approvals'],
  reconcile: ['status-page'],
  'status-page': ['approvals'],
}

/** Files directly under controller/ that every room may use. */
const SHARED = new Set(['clock.ts', 'errors.ts', 'log.ts', 'version.ts'])
/** Rooms where everything comes together. */
const COMPOSITION = new Set(['cli', ''])

interface Import {
  from: string
  to: string
  typeOnly: boolean
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('/generated'))
    .map((entry) => join(entry.parentPath, entry.name))
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const found: Import[] = []
  for (const [, keyword, names, path] of text.matchAll(/^(import|export)\s([^;'"]*?from\s)?['"](\.[^'"]+)['"]/gms)) {
    const typeOnly = /^type\s/.test(names ?? '') || onlyTypes(names ?? '')
    found.push({ from: file, to: resolve(dirname(file), path!), typeOnly: typeOnly && keyword !== undefined })
  }
  for (const [, path] of text.matchAll(/import\(['"](\.[^'"]+)['"]\)|new URL\(['"](\.[^'"]+)['"]/g)) {
    if (path !== undefined) found.push({ from: file, to: resolve(dirname(file), path), typeOnly: false })
  }
  return found
}

/** `{ type A, type B } from` imports nothing at run time. */
function onlyTypes(names: string): boolean {
  const inner = /\{([^}]*)\}/s.exec(names)?.[1] ?? ''
  const named = inner
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
  return named.length > 0 && named.every((name) => name.startsWith('type '))
}

function room(file: string): string {
  const parts = relative(CONTROLLER, file).split('/')
  return parts.length === 1 ? '' : parts[0]!
}

/** The shortest way from a file over what it imports to itself; null when there is none. */
function wayBack(file: string, next: (from: string) => readonly string[]): string[] | null {
  const cameFrom = new Map<string, string>()
  const queue = [file]
  for (const at of queue) {
    for (const to of next(at)) {
      if (cameFrom.has(to)) continue
      cameFrom.set(to, at)
      queue.push(to)
    }
  }
  const way = [file]
  for (let at = cameFrom.get(file); at !== undefined; at = at === file ? undefined : cameFrom.get(at)) way.unshift(at)
  return way.length === 1 ? null : way
}

const files = sourceFiles(CONTROLLER)
const imports = files.flatMap(importsOf)

describe('the house', () => {
  it('has only imports that the table allows', () => {
    const forbidden = imports.flatMap(({ from, to, typeOnly }) => {
      const [source, target] = [room(from), room(to)]
      if (to.startsWith(join(ROOT, 'schemas'))) return source === 'model' ? [] : [`${relative(ROOT, from)} → schemas`]
      if (source === target || COMPOSITION.has(source) || (target === '' && SHARED.has(relative(CONTROLLER, to)))) return []
      const allowed = [...(VALUE_IMPORTS[source] ?? []), ...(typeOnly ? (TYPE_IMPORTS[source] ?? []) : [])]
      return allowed.includes(target) ? [] : [`${relative(ROOT, from)} → ${relative(ROOT, to)}${typeOnly ? ' (type)' : ''}`]
    })
    expect(forbidden).toEqual([])
  })

  it('has no two files that need each other, by types neither', () => {
    const needs = new Map(files.map((file) => [file, imports.filter(({ from }) => from === file)]))
    const circles = files.flatMap((file) => {
      const way = wayBack(file, (from) => (needs.get(from) ?? []).map(({ to }) => to))
      return way === null ? [] : [way.map((each) => relative(CONTROLLER, each)).join(' → ')]
    })
    expect(circles).toEqual([])
  })

  it('has a row in the table for every room', () => {
    const rooms = new Set(files.map(room).filter((name) => !COMPOSITION.has(name)))
    expect([...rooms].sort()).toEqual(Object.keys(VALUE_IMPORTS).sort())
  })

  it('has no file that nobody imports', () => {
    const entries = new Set(['controller/cli/main.ts', 'controller/providers/local/supervisor.ts'])
    const imported = new Set(imports.map(({ to }) => to))
    const dead = files.filter((file) => !imported.has(file)).map((file) => relative(ROOT, file))
    expect(dead.filter((file) => !entries.has(file))).toEqual([])
  })

  it('shows the import table in its map as it is enforced here', () => {
    const map = readFileSync(join(CONTROLLER, 'README.md'), 'utf8')
    for (const [name, allowed] of Object.entries(VALUE_IMPORTS)) {
      const types = TYPE_IMPORTS[name] ?? []
      const row = `| ${name} | ${allowed.join(', ') || '–'} | ${types.join(', ') || '–'} |`
      expect(map, `row of ${name}`).toContain(row)
    }
  })

  it('reads the clock, randomness and the environment only at its edges', () => {
    const edges = new Set([
      'controller/clock.ts',
      'controller/main.ts',
      'controller/providers/local/supervisor.ts',
      'controller/source/git-environment.ts',
    ])
    const offenders = files
      .filter((file) => !edges.has(relative(ROOT, file)) && room(file) !== 'cli')
      .filter((file) =>
        /Date\.now\(\)|Math\.random\(\)|randomUUID\(\)|process\.env\b/.test(withoutComments(readFileSync(file, 'utf8'))),
      )
    expect(offenders.map((file) => relative(ROOT, file))).toEqual([])
  })

  it('has no leftovers', () => {
    const marker = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].map((word) => `\\b${word}\\b`).join('|'))
    const all = [...files, ...sourceFiles(join(ROOT, 'test'))]
    expect(all.filter((file) => marker.test(readFileSync(file, 'utf8'))).map((file) => relative(ROOT, file))).toEqual([])
  })
})

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
}

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const SOURCES = readdirSync(join(ROOT, 'controller'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('/generated'))
  .map((entry) => join(entry.parentPath, entry.name))
  .map((path) => ({
    file: relative(ROOT, path),
    code: readFileSync(path, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ''),
  }))

/** What never stands in the source, and the only files that may be an exception. */
const NEVER: readonly [what: string, pattern: RegExp, exceptions: readonly string[]][] = [
  ['a shell is never started', /\bshell:\s*true|\bexecSync\(|import \{[^}]*\bexec\b[^}]*\} from 'node:child_process'/, []],
  [
    'programs are started in these places only',
    /from 'node:child_process'/,
    [
      'controller/cli/doctor-machine.ts',
      'controller/providers/local/pipeline.ts',
      'controller/providers/local/refs.ts',
      'controller/providers/local/supervisor.ts',
      'controller/source/blob-reader.ts',
    ],
  ],
  ['text never becomes code', /\beval\(|new Function\(|from 'node:vm'/, []],
  ['no folder is served over HTTP', /serve-static|serveStatic/, []],
  [
    'markup is never built around the escaping template',
    /\braw\(text\)|dangerouslySetInnerHTML|\.innerHTML/,
    ['controller/status-page/markup.ts'],
  ],
  ['expressions from documents never reach the backtracking engine', /new RegExp\(/, ['controller/model/printable.ts']],
  ['SQL is never glued together by the client', /\$(?:queryRaw|executeRaw)Unsafe/, []],
]

describe('the source', () => {
  it.each(NEVER)('keeps the rule: %s', (_what, pattern, exceptions) => {
    const found = SOURCES.filter(({ code }) => pattern.test(code)).map(({ file }) => file)
    expect(found.filter((file) => !exceptions.includes(file))).toEqual([])
    expect(
      exceptions.filter((file) => !found.includes(file)),
      'exceptions that are none any more',
    ).toEqual([])
  })

  it('compares signatures in constant time and in no other way', () => {
    const { code } = SOURCES.find(({ file }) => file === 'controller/webhooks/signature.ts')!
    expect(code).toContain('timingSafeEqual(expected, claimed)')
    expect(code).not.toMatch(/(?:digest|claimed|expected)\s*[!=]==?(?![=\s]*undefined)/)
  })
})

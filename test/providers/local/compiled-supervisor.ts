import { execFileSync } from 'node:child_process'
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** Compiles the supervisor, which is a program of its own, into a temporary folder. The caller removes the folder. */
export function compileSupervisor(): { folder: string; program: string } {
  const folder = mkdtempSync(join(tmpdir(), 'draven-supervisor-'))
  const root = resolve(import.meta.dirname, '../../..')
  execFileSync(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      '--ignoreConfig',
      ...['--outDir', folder, '--rootDir', join(root, 'controller/providers/local')],
      ...['--target', 'es2023', '--module', 'nodenext', '--types', 'node', '--typeRoots', join(root, 'node_modules/@types')],
      ...['--skipLibCheck', '--rewriteRelativeImportExtensions'],
      join(root, 'controller/providers/local/supervisor.ts'),
    ],
    { cwd: root, stdio: 'pipe' },
  )
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return { folder, program: join(folder, 'supervisor.js') }
}

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'

const EXAMPLE = resolve(import.meta.dirname, '../../example-config')

/** A copy of the example config with further files, and without those that are null; it goes away with the test. */
export function exampleCopy(files: Readonly<Record<string, string | null>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'draven-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(EXAMPLE, folder, { recursive: true })
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    if (text === null) rmSync(join(folder, path))
    else writeFileSync(join(folder, path), text)
  }
  return folder
}

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { REASON_CODES } from '../../controller/model/reason.ts'
import { VERSION } from '../../controller/version.ts'
import { configReference, ROOT, settingsTable } from './documents.ts'

const update = process.env['UPDATE_GOLDEN'] === '1'

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

describe('the documents', () => {
  it('show every setting in the README as the controller reads it', () => {
    const wanted = `## Settings\n\n${settingsTable()}\n\n## More`
    const readme = read('README.md')
    const mended = readme.replace(/## Settings\n[\s\S]*?\n## More/, wanted)
    if (update) writeFileSync(join(ROOT, 'README.md'), mended)
    expect(update ? mended : readme).toContain(wanted)
  })

  it('describe every key of every document, made from the schemas', () => {
    const wanted = configReference()
    if (update) writeFileSync(join(ROOT, 'docs/config.md'), wanted)
    expect(read('docs/config.md')).toBe(wanted)
  })

  it('explain every reason code, and no other', () => {
    const headings = [...read('docs/reasons.md').matchAll(/^### `(\w+)`$/gm)].map((match) => match[1])
    expect(headings.toSorted()).toEqual([...REASON_CODES].toSorted())
  })

  it.each([
    'README.md',
    'CHANGELOG.md',
    'controller/README.md',
    'docs/config.md',
    'docs/reasons.md',
    'docs/github.md',
    'docs/callbacks.md',
    'docs/http.md',
    'docs/jenkins.md',
    'docs/local.md',
    'docs/gitea.md',
    'docs/threats.md',
    'example-config/README.md',
  ])('have only links in %s that lead somewhere', (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map((match) => match[1]!)
    expect(links.filter((link) => !existsSync(join(ROOT, dirname(file), link)))).toEqual([])
  })

  it('name the version of package.json', () => {
    expect((JSON.parse(read('package.json')) as { version: string }).version).toBe(VERSION)
  })

  it('name only npm scripts that exist', () => {
    const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts)
    const named = ['README.md', 'docs/github.md', 'controller/README.md'].flatMap((file) =>
      [...read(file).matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1]!),
    )
    expect(named.filter((name) => !scripts.includes(name))).toEqual([])
  })
})

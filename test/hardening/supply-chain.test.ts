import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')

interface Locked {
  version: string
  integrity?: string
  hasInstallScript?: boolean
  link?: boolean
}
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> }
const locked = Object.entries(lock.packages).filter(([path]) => path !== '')

/** The oldest versions without a flaw that would matter here, each with what it mends. */
const FLOORS: Readonly<Record<string, readonly [floor: string, mends: string]>> = {
  'simple-git': ['3.36.0', 'CVE-2026-28292 and its kin: options that run programs'],
  yaml: ['2.8.3', 'CVE-2026-33532: deep nesting'],
  ajv: ['8.18.0', 'CVE-2025-69873: $data patterns'],
  hono: ['4.13.5', 'path and header parsing'],
  '@hono/node-server': ['1.19.15', 'GHSA-92pp-h63x-v22m'],
  '@octokit/rest': ['21.1.1', 'CVE-2025-25288, CVE-2025-25289: slow patterns'],
  '@octokit/webhooks': ['12.0.4', 'CVE-2023-50728: a body that ends the process'],
}

describe('what is installed', () => {
  it('is pinned by content, every single package', () => {
    expect(locked.filter(([, { integrity, link }]) => !link && !integrity).map(([path]) => path)).toEqual([])
    expect(locked.length).toBeGreaterThan(100)
  })

  it('runs no code of a package while it is installed', () => {
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m)
    // Both belong to the generator of the database client, whose script would download a program.
    expect(locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)).toEqual([
      'node_modules/@prisma/engines',
      'node_modules/prisma',
    ])
  })

  it.each(Object.entries(FLOORS))('%s is at least as new as its last known flaw asks (%s)', (name, [floor]) => {
    const versions = locked.filter(([path]) => path.endsWith(`node_modules/${name}`)).map(([, { version }]) => version)
    expect(versions).not.toEqual([])
    for (const version of versions) expect(compare(version, floor), version).toBeGreaterThanOrEqual(0)
  })

  it('reads no other YAML than with the one parser that stands behind the pre-scan', () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: object }
    expect(Object.keys(dependencies).filter((name) => /yaml|toml|ini/.test(name))).toEqual(['yaml'])
  })

  it('works with a Git that knows of the attacks of 2024', () => {
    const version = /(\d+\.\d+\.\d+)/.exec(execFileSync('git', ['--version'], { encoding: 'utf8' }))?.[1]
    expect(compare(version!, '2.39.4')).toBeGreaterThanOrEqual(0)
  })
})

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(/[.-]/).slice(0, 3).map(Number))
  return left!.map((part, index) => part - right![index]!).find((difference) => difference !== 0) ?? 0
}

import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { requestFile } from '../scenarios/config-files.ts'
import { exampleCopy } from './example-copy.ts'
import { draven } from './run.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const MISTAKES = 'test/fixtures/config/mistakes'

describe('draven validate', () => {
  it('finds nothing in the example config and says what it looked at', async () => {
    expect(await draven(['validate', 'example-config'], { cwd: ROOT })).toEqual({
      code: 0,
      stdout: '5 projects, 15 environments, 6 requests: no findings\n',
      stderr: '',
    })
  })

  it('looks at the directory it stands in', async () => {
    expect((await draven(['validate'], { cwd: join(ROOT, 'example-config') })).code).toBe(0)
  })

  it('exits with 1 on errors, shows as many as asked for and counts all of them once', async () => {
    const { code, stdout } = await draven(['validate', MISTAKES, '--max', '3'], { cwd: ROOT })
    expect(code).toBe(1)
    expect(stdout.match(/^(error|warning)\[DRV\d+\]/gm)).toHaveLength(3)
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(
      /^1 project, 4 environments, \d+ requests: … and \d+ more not shown; \d+ errors and \d+ warnings in all$/,
    )
  })

  it('prints findings as JSON', async () => {
    const { code, stdout } = await draven(['validate', '--json', MISTAKES], { cwd: ROOT })
    const findings: { severity: string; place: { file: string } }[] = JSON.parse(stdout)
    expect(code).toBe(1)
    expect(findings.length).toBeGreaterThan(50)
    expect(new Set(findings.map(({ severity }) => severity))).toEqual(new Set(['error', 'warning']))
  })

  it('lets warnings pass', async () => {
    const cwd = exampleCopy({ 'requests/shop/prd/a.yaml': requestFile('tag: v1.4.2') })
    const { code, stdout } = await draven(['validate'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toContain('warning[DRV1308]')
    expect(stdout).toMatch(/^5 projects, 15 environments, 7 requests: 1 warning$/m)
  })

  it('uses colour at a terminal only, and not for somebody who set NO_COLOR', async () => {
    const colored = '\u001b['
    expect((await draven(['validate', MISTAKES], { cwd: ROOT, color: true })).stdout).toContain(colored)
    expect((await draven(['validate', MISTAKES], { cwd: ROOT, color: true, env: { NO_COLOR: '1' } })).stdout).not.toContain(
      escape,
    )
    expect((await draven(['validate', MISTAKES], { cwd: ROOT })).stdout).not.toContain(colored)
  })

  it('exits with 3 when the directory cannot be read', async () => {
    const { code, stdout, stderr } = await draven(['validate', 'no-such-folder'], { cwd: ROOT })
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toMatch(/There is no folder \S+no-such-folder\.\n {3}fix: Name a directory/)
  })
})

describe('the command line', () => {
  it('prints help with examples and exit codes', async () => {
    const { code, stdout } = await draven(['--help'])
    expect(code).toBe(0)
    for (const word of ['validate', 'request', 'plan', 'explain', 'serve', 'doctor', 'audit', 'Exit codes', 'Examples']) {
      expect(stdout).toContain(word)
    }
  })

  it.each(['validate', 'request', 'plan', 'explain', 'serve', 'doctor', 'audit verify'])(
    'helps with %s by example',
    async (command) => {
      const { code, stdout } = await draven([...command.split(' '), '--help'])
      expect(code).toBe(0)
      expect(stdout).toMatch(/Examples?:\n {2}(draven|DRAVEN_)/)
      expect(stdout).toContain('--json')
    },
  )

  it('prints its version', async () => {
    expect((await draven(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/)
  })

  it.each([[['serv']], [['validate', '--max', 'few']], [['validate', 'a', 'b']], [[]], [['request', 'shop']]])(
    'exits with 2 for %j',
    async (args) => {
      const { code, stdout, stderr } = await draven(args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).not.toBe('')
    },
  )
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { inferRefType, requestName, requestText } from '../../controller/cli/request-file.ts'
import type { Pattern, RefType } from '../../controller/model/desired-state.ts'
import { compilePattern } from '../../controller/model/patterns.ts'
import { exampleCopy } from './example-copy.ts'
import { draven, SATURDAY } from './run.ts'

const REASON = ['--reason', 'December release']

describe('draven request', () => {
  it('writes the file and tells what it will have to pass', async () => {
    const cwd = exampleCopy()
    const { code, stdout, stderr } = await draven(['request', 'shop', 'prod', 'v1.5.0', ...REASON], { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    await expect(stdout).toMatchFileSnapshot('../golden/cli/request.txt')
    expect(readFileSync(join(cwd, 'requests/shop/prod/2026-11-21-v1.5.0.yaml'), 'utf8')).toContain('ref: { tag: v1.5.0 }\n')
    expect((await draven(['validate'], { cwd })).stdout).toContain('7 requests: no findings')
  })

  it('writes a rollback to the one before without asking for a ref', async () => {
    const cwd = exampleCopy()
    const { code, stdout } = await draven(['request', 'billing', 'prod', '--type', 'rollback', ...REASON], { cwd })
    expect(code).toBe(0)
    expect(stdout).toContain('billing/prod is held: Year-end closing')
    expect(readFileSync(join(cwd, 'requests/billing/prod/2026-11-21-rollback-one-before.yaml'), 'utf8')).not.toContain('ref:')
  })

  it('names the directory in file and commands when it is not this one', async () => {
    const dir = exampleCopy()
    const { stdout } = await draven(['request', 'shop', 'stage', 'develop', '--dir', dir, ...REASON])
    expect(stdout).toContain(`Wrote ${dir}/requests/shop/stage/2026-11-21-develop.yaml`)
    expect(stdout).toContain(`  cd '${dir}'\n`)
  })

  it.each([
    ['in a folder that is no config repository', { 'draven.yaml': null }, 'the file draven.yaml is missing.'],
    ['where draven.yaml has to be mended', { 'draven.yaml': 'kind: ConfigRepository\n' }, 'the key `apiVersion` is missing.'],
  ])('writes nothing %s, and names folder and fix', async (_, files, why) => {
    const cwd = exampleCopy(files)
    const { code, stderr } = await draven(['request', 'shop', 'stage', 'develop', ...REASON], { cwd })
    expect({ code, stderr }).toEqual({
      code: 4,
      stderr: `draven: ${cwd} is no config repository that can be used: ${why}\n   fix: Name another folder (--dir), or mend this one: draven validate tells how.\n`,
    })
  })

  it('tells the same as JSON', async () => {
    const { stdout } = await draven(['request', 'shop', 'stage', 'develop', '--json', ...REASON], { cwd: exampleCopy() })
    const told = JSON.parse(stdout)
    expect(told.path).toBe('requests/shop/stage/2026-11-21-develop.yaml')
    expect(told.gates.map(({ gate }: { gate: string }) => gate)).toEqual(['role', 'ref', 'ci', 'freeze', 'lock'])
  })

  it('asks for the reason at a terminal, and only there', async () => {
    const args = ['request', 'shop', 'stage', 'develop']
    expect((await draven(args, { cwd: exampleCopy(), answer: 'Because' })).stdout).toContain('reason: Because\n')
    expect((await draven(args, { cwd: exampleCopy(), answer: '  ' })).code).toBe(2)
    expect(await draven(args, { cwd: exampleCopy() })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('needs a reason'),
    })
  })

  it.each([
    ['a ref that the policy never takes', ['shop', 'prod', 'main'], 'tag main does not match'],
    [
      'a kind of ref that it never takes',
      ['shop', 'prod', 'main', '--branch'],
      'shop/prod takes tag, and the request names a branch.',
    ],
    ['an environment that is not there', ['shop', 'prd', 'v1.5.0'], 'fix: did you mean `prod`?'],
    ['a project that is not there', ['shp', 'prod', 'v1.5.0'], 'There is no project shp.'],
    ['a short commit id', ['shop', 'stage', 'abc123f', '--sha'], 'all 40 or 64'],
    ['a ref that is a path', ['shop', 'stage', 'feature/../x'], 'does not have the form'],
    ['a name that leads elsewhere', ['shop', 'stage', 'develop', '--name', '../../../out'], 'fix:'],
    ['a project that leads elsewhere', ['../..', 'stage', 'develop'], 'fix:'],
  ])('refuses %s and writes nothing', async (_what, args, words) => {
    const cwd = exampleCopy()
    const before = readdirSync(cwd, { recursive: true }).sort()
    const { code, stdout, stderr } = await draven(['request', ...args, ...REASON], { cwd })
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toContain(words)
    expect(readdirSync(cwd, { recursive: true }).sort()).toEqual(before)
    expect(existsSync(join(cwd, '../out.yaml'))).toBe(false)
  })

  it('never overwrites a request', async () => {
    const cwd = exampleCopy()
    const args = ['request', 'shop', 'prod', 'v1.4.2', ...REASON]
    const path = join(cwd, 'requests/shop/prod/2026-11-21-v1.4.2.yaml')
    const before = readFileSync(path, 'utf8')
    expect(await draven(args, { cwd })).toMatchObject({ code: 4, stderr: expect.stringContaining('--name') })
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect((await draven([...args, '--name', '2026-11-21-again'], { cwd })).code).toBe(0)
  })

  it.each([
    ['without a ref', ['shop', 'prod']],
    ['with two kinds of ref', ['shop', 'prod', 'a', '--tag', '--branch']],
    ['with a type that is none', ['shop', 'prod', 'a', '--type', 'force']],
  ])('exits with 2 %s', async (_what, args) => {
    expect((await draven(['request', ...args, ...REASON], { cwd: exampleCopy() })).code).toBe(2)
  })

  it('exits with 3 when there is no directory', async () => {
    expect((await draven(['request', 'shop', 'prod', 'v1', '--dir', '/no/such', ...REASON])).code).toBe(3)
  })
})

function policy(allowedRefTypes: RefType[], branches: string[], tags: string[]) {
  const compiled = (sources: string[]) =>
    sources.map((source) => compilePattern(source, { file: 'p', line: 1, column: 1, endColumn: 1 }) as Pattern)
  return { allowedRefTypes, allowedBranches: compiled(branches), allowedTags: compiled(tags) }
}

const BOTH = policy(['branch', 'tag'], ['main', 'v.*'], ['v\\d+.*'])

describe('the kind of a bare ref', () => {
  it.each([
    ['a'.repeat(40), BOTH, 'sha'],
    ['main', BOTH, 'branch'],
    ['v1.2.3', BOTH, 'tag'],
    ['v1', BOTH, null],
    ['nothing-fits', BOTH, 'branch'],
    ['2.0.1', policy(['branch', 'tag'], [], []), 'tag'],
    ['main', policy(['tag'], [], ['v.*']), 'tag'],
    ['v1.0.0', policy(['branch'], ['main'], []), 'branch'],
  ] as const)('of %s is as expected', (name, rules, type) => {
    expect(inferRefType(name, rules)).toBe(type)
  })
})

describe('the text of a request', () => {
  it('quotes what YAML would read as something else than text', () => {
    const text = requestText({ type: 'deploy', ref: { type: 'branch', name: '1.0' }, reason: 'yes: no # not a comment' }, false)
    expect(text).toContain('ref: { branch: "1.0" }')
    expect(text).toContain('reason: "yes: no # not a comment"')
  })

  it('has a name that a path can hold', () => {
    expect(requestName(SATURDAY, { type: 'dry_run', ref: { type: 'branch', name: 'Feature/Cart_+x' } })).toBe(
      '2026-11-21-dry-run-feature-cart-x',
    )
  })
})

import { rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { requestFile } from '../scenarios/config-files.ts'
import { exampleCopy } from './example-copy.ts'
import { draven } from './run.ts'

describe('draven plan on files alone', () => {
  it('shows each request with the first gate that holds it', async () => {
    const { code, stdout } = await draven(['plan'], { cwd: exampleCopy() })
    expect(code).toBe(0)
    await expect(stdout).toMatchFileSnapshot('../golden/cli/plan.txt')
  })

  it('refuses in the same words as everywhere, and as the first of all', async () => {
    const cwd = exampleCopy({
      'requests/shop/prod/branch.yaml': requestFile('branch: main'),
      'requests/shop/prd/nowhere.yaml': requestFile('tag: v1.4.2'),
      'requests/shop/prod/broken.yaml': 'kind: DeployRequest\n',
    })
    const { stdout } = await draven(['plan', '--json'], { cwd })
    const { source, requests } = JSON.parse(stdout) as { source: string; requests: Record<string, unknown>[] }
    const row = (name: string) => requests.find(({ request }) => String(request).endsWith(`${name}.yaml`))
    expect(source).toBe('files')
    expect(row('branch')).toMatchObject({ verdict: 'deny', gate: 'ref', reason: { code: 'ref_type_not_allowed' } })
    const gates = (row('2026-11-21-v1.4.2') as { gates: Record<string, unknown>[] }).gates
    expect(gates).toContainEqual({ gate: 'window', verdict: 'wait', saw: 'closed', wanted: 'Mon–Fri 09:00–19:00 Europe/Rome' })
    expect(row('2026-11-21-v1.4.2')).toMatchObject({ asked: ['role', 'ref', 'order', 'ci', 'approval'] })
    expect(row('nowhere')).toMatchObject({ verdict: 'deny', gate: 'request', reason: { code: 'environment_unknown' } })
    expect(row('broken')).toMatchObject({ verdict: 'deny', gate: 'request', reason: { code: 'invalid_request' } })
  })

  it('says so when there is nothing', async () => {
    const cwd = exampleCopy()
    rmSync(`${cwd}/requests`, { recursive: true })
    expect((await draven(['plan'], { cwd })).stdout).toBe('Nothing waits and nothing runs.\n')
  })

  it('does not say that nothing waits where there is no config repository', async () => {
    const cwd = exampleCopy({ 'draven.yaml': null })
    const { code, stdout, stderr } = await draven(['plan'], { cwd })
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toContain('the file draven.yaml is missing')
  })

  it('exits with 3 when directory, data directory or controller cannot be read', async () => {
    const cwd = exampleCopy()
    expect((await draven(['plan', '/no/such/folder'])).code).toBe(3)
    expect((await draven(['plan', '--data-dir', 'none'], { cwd })).code).toBe(3)
    expect((await draven(['plan', '--url', 'http://127.0.0.1:1'], { cwd })).code).toBe(3)
  })

  it('exits with 2 for two sources at once', async () => {
    expect((await draven(['plan', '--url', 'http://127.0.0.1:1', '--data-dir', '.'])).code).toBe(2)
  })
})

import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkDataDirectory, checkGit, checkNode, judgeGit } from '../../controller/cli/doctor-machine.ts'
import { accessChecks, approverCheck, clockCheck, localCheck } from '../../controller/cli/doctor-reports.ts'
import type { AccessReport } from '../../controller/providers/access.ts'
import { EXAMPLE_CONFIG, load, readDirectory } from '../model/snapshot-directory.ts'

describe('the programs', () => {
  it.each([
    ['20.18.9', 'fail'],
    ['18.20.4', 'fail'],
    ['20.19.0', 'ok'],
    ['22.13.1', 'ok'],
    ['24.1.0', 'ok'],
  ])('Node %s is judged as %s', (version, status) => {
    expect(checkNode(version).status).toBe(status)
  })

  it.each([
    ['git version 2.39.5', 'ok'],
    ['git version 2.39.3 (Apple Git-146)', 'fail'],
    ['git version 2.50.0.windows.1', 'ok'],
    ['git version 2.9', 'fail'],
    ['something else', 'warn'],
  ])('%s is judged as %s', (said, status) => {
    expect(judgeGit(said).status).toBe(status)
  })

  it('a Git that is not there fails with what to install', async () => {
    expect(await checkGit('no-such-git')).toMatchObject({ status: 'fail', fix: expect.stringContaining('Install Git') })
  })
})

async function dataChecks(directory: string) {
  const checks = []
  for await (const check of checkDataDirectory(directory, { kind: 'sqlite' })) checks.push(check)
  return checks
}

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'draven-data-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

describe('the data directory', () => {
  it('is tried with a database of its own, of which nothing is left', async () => {
    const folder = scratch()
    const checks = await dataChecks(folder)
    expect(checks.map(({ name, status }) => [name, status])).toEqual([
      ['data directory', 'ok'],
      ['database', 'ok'],
    ])
    expect(checks[1]!.detail).toMatch(/journal WAL, synchronous FULL$/)
    expect(readdirSync(folder)).toEqual([])
  })

  it('may not exist yet, and is not made by a look', async () => {
    const folder = scratch()
    expect((await dataChecks(join(folder, 'a/b')))[0]).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('no database yet'),
    })
    expect(readdirSync(folder)).toEqual([])
  })

  it('fails where nothing can be written', async () => {
    const file = join(scratch(), 'a-file')
    writeFileSync(file, '')
    chmodSync(file, 0o400)
    expect(await dataChecks(file)).toMatchObject([{ name: 'data directory', status: 'fail' }])
  })
})

const REPORT: AccessReport = {
  provider: 'github',
  repository: 'acme/shop',
  auth: 'token',
  missing: [],
  rateLimit: { limit: 5_000, remaining: 4_000, resetAt: Date.parse('2026-11-21T12:00:00Z') },
  clockSkewMs: 0,
  notes: [],
}

describe('a report of access', () => {
  it.each([
    ['is fine', {}, ['ok'], '4000 of 5000 calls left'],
    ['lacks a right', { missing: ['checks: write'] }, ['fail'], 'missing: checks: write'],
    ['has no credential', { auth: 'none' as const }, ['warn'], 'no credential'],
    ['is odd', { notes: ['Rights cannot be told.'] }, ['ok', 'warn'], 'Rights cannot be told.'],
    [
      'has few calls left',
      { rateLimit: { ...REPORT.rateLimit!, remaining: 20 } },
      ['ok', 'warn'],
      'only 20 calls are left until 2026-11-21 12:00 UTC',
    ],
  ])('that %s is told so', (_what, change, statuses, words) => {
    const checks = accessChecks('access shop', { ...REPORT, ...change })
    expect(checks.map(({ status }) => status)).toEqual(statuses)
    expect(checks.map(({ detail }) => detail).join('\n')).toContain(words)
  })
})

describe('the clock', () => {
  it.each([
    [[0, 400], 'ok', 'agrees with the forge'],
    [[-3_000], 'ok', '3 seconds ahead of the forge'],
    [[1_000, 20_000], 'warn', '20 seconds behind the forge'],
    [[-61_000, 5_000], 'fail', '61 seconds ahead of the forge'],
  ])('skewed by %j ms is judged as %s', (skews, status, detail) => {
    expect([...clockCheck(skews.map((clockSkewMs) => ({ ...REPORT, clockSkewMs })))]).toMatchObject([
      { name: 'clock', status, detail },
    ])
  })

  it('is not judged when nobody told the time', () => {
    expect([...clockCheck([{ ...REPORT, clockSkewMs: null }])]).toEqual([])
  })
})

describe('who can approve', () => {
  const remote = (provider: string) => ({
    config: { kind: 'remote', url: 'https://git.acme.example/x.git', branch: 'main', provider, repoFullName: 'acme/x' } as const,
  })

  it('is asked of the accounts at the host where reviews are given', async () => {
    const desired = await load(readDirectory(EXAMPLE_CONFIG))
    expect(approverCheck(remote('github'), desired)).toMatchObject({ status: 'ok' })
    const check = approverCheck(remote('bitbucket'), desired)
    expect(check).toMatchObject({ status: 'warn', fix: expect.stringContaining('accounts.bitbucket') })
    expect(check!.detail).toContain('shop/prod needs 2 and has ')
    expect(approverCheck(remote('forgejo'), desired)!.detail).toContain('shop/demo needs 1 and has 0')
  })

  it('is nobody in a plain directory, which only matters where approval is asked for', async () => {
    const desired = await load(readDirectory(EXAMPLE_CONFIG))
    const config = { kind: 'directory', directory: '/config', branch: 'main' } as const
    expect(approverCheck({ config }, desired)).toMatchObject({
      status: 'warn',
      detail: expect.stringContaining('nobody can review'),
    })
    const free = new Map([...desired.environments].filter(([, { policy }]) => !policy.requireApproval))
    expect(approverCheck({ config }, { ...desired, environments: free })).toBeNull()
  })
})

describe('a project of this machine', () => {
  const commands = { 'sync-stage': { argv: ['sync'] }, 'sync-demo': { argv: ['sync'] }, 'sync-prod': { argv: ['sync'] } } as const
  it.each([
    ['with every command', commands, null, 'ok', 'commands sync-stage, sync-demo, sync-prod'],
    ['without one of its commands', { 'sync-stage': commands['sync-stage'] }, null, 'fail', 'no command sync-demo, sync-prod'],
    ['with a command by an inherited name', {}, 'constructor', 'fail', 'no command constructor'],
  ] as const)('%s is told so', async (_, known, selector, status, words) => {
    const project = (await load(readDirectory(EXAMPLE_CONFIG))).projects.get('warehouse-sync')!
    const pipelines = new Map([['stage', { selector: selector!, workflowRef: null }]])
    const { integration } = project
    const asked = selector === null ? project : { ...project, integration: { ...integration, pipelines } }
    const check = localCheck('access warehouse-sync', asked, { commands: known, repositories: {} })
    expect(check).toMatchObject({ status, detail: expect.stringContaining(words) })
  })

  it('needs a repository there when no forge has its code', async () => {
    const project = (await load(readDirectory(EXAMPLE_CONFIG))).projects.get('warehouse-sync')!
    const here = { ...project, integration: { ...project.integration, code: null } }
    const check = (repositories: Record<string, string>) => localCheck('access warehouse-sync', here, { commands, repositories })
    expect(check({})).toMatchObject({ status: 'fail', detail: 'this machine has no repository acme/warehouse-sync' })
    expect(check({ 'acme/warehouse-sync': '/srv/git/warehouse-sync.git' })).toMatchObject({ status: 'ok' })
  })
})

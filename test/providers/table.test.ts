import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { LocalSettings } from '../../controller/providers/provider.ts'
import { PROVIDERS } from '../../controller/providers/table.ts'
import { redactor } from '../../controller/secrets/redaction.ts'
import { CANARY_TOKEN, connect, project, trigger } from './fixtures.ts'

const dataDirectory = mkdtempSync(join(tmpdir(), 'draven-table-'))
afterAll(() => rmSync(dataDirectory, { recursive: true }))

const local: LocalSettings = {
  commands: { deploy: { argv: ['/bin/true'] } },
  repositories: { 'acme/shop': dataDirectory },
  dataDirectory,
  supervisor: '/nowhere/supervisor.js',
}
const localProject = (more = {}) => project({ provider: 'local', ...more })

describe('the table of providers', () => {
  it('lists what documents may name', () => {
    expect(Object.keys(PROVIDERS)).toEqual(['bitbucket', 'forgejo', 'gitea', 'github', 'gitlab', 'http', 'jenkins', 'local'])
  })

  it('connects a local project to the commands and repositories of the controller only', async () => {
    const { connections } = connect({ local })
    expect(connections.deployments(localProject())).toBeNull()
    expect(
      await connections.pipeline(localProject()).start(trigger({ selector: { selector: 'rm', workflowRef: null } })),
    ).toMatchObject({ kind: 'refused' })
    for (const repoFullName of ['acme/other', '../shop', '/etc', 'constructor']) {
      expect(() => connections.refs(localProject({ repoFullName }))).toThrow(/no local repository named/)
    }
  })

  it('looks for code where it is, and starts pipelines where they run', () => {
    const { connections } = connect({ local })
    const code = { provider: 'github', apiUrl: null, credentialRef: null }
    expect(connections.deployments(localProject({ code }))).not.toBeNull()
    expect(connections.deployments(localProject({ code: { ...code, provider: 'local' } }))).toBeNull()
    expect(() => connections.refs(localProject({ code: { ...code, apiUrl: 'https://evil.example' } }))).toThrow(/allowed origins/)
    expect(() => connections.pipeline(localProject({ code: { ...code, provider: 'gitea' } }))).not.toThrow()
  })

  it('runs commands here for code that is elsewhere, without a repository of it here', async () => {
    const { connections } = connect({ local: { ...local, repositories: {} } })
    const elsewhere = localProject({ code: { provider: 'github', apiUrl: null, credentialRef: null } })
    expect(
      await connections.pipeline(elsewhere).start(trigger({ selector: { selector: 'rm', workflowRef: null } })),
    ).toMatchObject({ kind: 'refused', why: expect.stringContaining('no local command named "rm"') })
    expect(connections.refs(elsewhere)).toBeDefined()
  })

  it('runs nothing locally unless the operator configured it', () => {
    expect(() => connect({}).connections.pipeline(localProject())).toThrow(/runs no local commands/)
  })

  it('reports that a local project needs no credentials', async () => {
    expect(await connect({ local }).describeAccess(localProject())).toMatchObject({
      provider: 'local',
      auth: 'none',
      missing: [],
    })
    expect(await connect({ local }).describeAccess('config')).toBeNull()
  })

  it('has a host for a config repository on GitHub, and refuses one it does not know', () => {
    expect(connect({ configRepo: { provider: 'github', fullName: 'acme/config' } }).configHost?.provider).toBe('github')
    expect(() => connect({ configRepo: { provider: 'sourceforge', fullName: 'acme/config' } })).toThrow(
      /sourceforge is not supported yet/,
    )
    expect(() => connect({ configRepo: { provider: 'jenkins', fullName: 'acme/config' } })).toThrow(/no pull requests/)
    expect(() => connect({ configRepo: { provider: 'gitea', fullName: 'acme/config' } })).toThrow(/knows no Gitea/)
  })

  it('gives git the same credential, in a form that the redactor knows', async () => {
    const scrubber = redactor()
    const { gitAuthorization } = connect({ redactor: scrubber, configRepo: { provider: 'github', fullName: 'acme/config' } })
    const header = await gitAuthorization('https://github.com/acme/config.git')?.()
    expect(Buffer.from(header?.split(' ')[1] ?? '', 'base64').toString()).toBe(`x-access-token:${CANARY_TOKEN}`)
    expect(scrubber.redact(`header ${header?.split(' ')[1]}`)).toBe('header ***')
  })

  it.each([
    'https://evil.example/acme/config.git',
    'https://github.com.evil.example/acme/config.git',
    'ssh://git@github.com/acme/config.git',
    'git@github.com:acme/config.git',
  ])('gives the credential to git for no other place: not for %s', (url) => {
    expect(connect({ configRepo: { provider: 'github', fullName: 'acme/config' } }).gitAuthorization(url)).toBeNull()
  })
})

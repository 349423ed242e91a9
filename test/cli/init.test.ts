import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { proposePipeline } from '../../controller/cli/init-pipelines.ts'
import { draven } from './run.ts'

const WORKFLOW = `on:
  workflow_dispatch:
    inputs: { JOB_ID: {}, ENV: {}, REF: {}, TYPE: {}, SHA: {} }
jobs: { deploy: { steps: [] } }
`
const CI = 'on: [push]\njobs: { build: {}, test: { name: Unit tests }, all: { strategy: { matrix: { node: [20, 22] } } } }\n'

/** A folder with a checked-out project in `shop`. */
function checkout(remote: string | null, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'init-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const shop = join(root, 'shop')
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(shop, path)), { recursive: true })
    writeFileSync(join(shop, path), text)
  }
  mkdirSync(shop, { recursive: true })
  const git = (...args: string[]) => execFileSync('git', ['-C', shop, ...args], { stdio: 'pipe' })
  git('init', '-q', '-b', 'trunk')
  git('config', 'user.name', 'Alice Rossi')
  git('config', 'user.email', 'alice@acme.example')
  if (remote !== null) git('remote', 'add', 'origin', remote)
  return root
}

const ARGS = ['init', 'deploys', '--from', 'shop', '--admin', 'arossi']
const GITHUB = { '.github/workflows/deploy.yml': WORKFLOW, '.github/workflows/ci.yml': CI }

describe('draven init', () => {
  it('writes a config repository without an error in it and says what comes next', async () => {
    const cwd = checkout('git@github.com:acme/shop.git', GITHUB)
    const { code, stdout, stderr } = await draven(ARGS, { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    await expect(stdout.replaceAll(cwd, '')).toMatchFileSnapshot('../golden/cli/init.txt')
    const validated = await draven(['validate', 'deploys'], { cwd })
    // One admin is enough to begin with, and worth a warning for as long as nobody else can approve.
    expect(validated).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 project, 3 environments, 0 requests: 2 warnings'),
    })
    expect(validated.stdout).toContain('only one person is an admin everywhere')
    expect(validated.stdout).toContain('the policy needs 2 approvals, and only arossi may approve here')
    const remote = execFileSync('git', ['-C', join(cwd, 'deploys'), 'remote', 'get-url', 'origin'], { encoding: 'utf8' })
    expect(remote).toBe('git@github.com:acme/deploys.git\n')
  })

  it.each([
    [['--zone', 'Rome'], '--zone Rome is no time zone.', 'Name one as IANA does: --zone Europe/Rome, or --zone UTC.'],
    [
      ['--config-repo', 'x'],
      '--config-repo x is no full name of a repository.',
      'Write it as on the forge: --config-repo acme/shop.',
    ],
    [['--repo', 'shop'], '--repo shop is no full name of a repository.', 'Write it as on the forge: --repo acme/shop.'],
    [['--admin', 'Alice Rossi'], 'Alice Rossi is no login of an account at GitHub.', 'Give the login of your account at GitHub'],
  ])('writes nothing for %j, and says what is wrong with it', async (args, wrong, fix) => {
    const cwd = checkout('git@github.com:acme/shop.git', GITHUB)
    const { code, stderr } = await draven([...ARGS, ...args], { cwd })
    expect(code).toBe(2)
    expect(stderr).toMatch(`draven: ${wrong}\n   fix: ${fix}`)
    expect(existsSync(join(cwd, 'deploys'))).toBe(false)
  })

  it('takes a request for the default branch on stage at once', async () => {
    const cwd = checkout('git@github.com:acme/shop.git', GITHUB)
    await draven(ARGS, { cwd })
    const args = ['request', 'shop', 'stage', 'trunk', '--branch', '--dir', 'deploys', '--reason', 'First deploy']
    expect(await draven(args, { cwd })).toMatchObject({ code: 0, stderr: '' })
  })

  it.each([
    ['https://github.com/acme/shop.git', 'github', 'acme/shop', 'https://github.com/acme/deploys.git'],
    ['ssh://git@gitlab.com/acme/web/shop.git', 'gitlab', 'acme/web/shop', 'ssh://git@gitlab.com/acme/web/deploys.git'],
    ['git@bitbucket.org:acme/shop.git', 'bitbucket', 'acme/shop', 'git@bitbucket.org:acme/deploys.git'],
    ['https://codeberg.org/acme/shop', 'forgejo', 'acme/shop', 'https://codeberg.org/acme/deploys'],
  ])('reads from %s that it is %s', async (url, forge, repo, remote) => {
    const cwd = checkout(url, {})
    const admin = forge === 'bitbucket' ? '{8b1f2c04-6d0e-4f5b-9a3c-2f7e1d6c5b4a}' : 'arossi'
    const { code, stdout } = await draven([...ARGS.slice(0, -1), admin, '--json'], { cwd })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ forge, repo, settings: { DRAVEN_CONFIG_REPO_URL: remote } })
    expect((await draven(['validate', 'deploys'], { cwd })).code).toBe(0)
  })

  it('tells an own server by its pipelines, and names its API', async () => {
    const cwd = checkout('git@git.acme.example:acme/shop.git', { '.gitlab-ci.yml': 'build: { script: make }\n' })
    const told = JSON.parse((await draven([...ARGS, '--json'], { cwd })).stdout)
    expect(told).toMatchObject({
      forge: 'gitlab',
      pipeline: { selector: 'variables', missing: expect.arrayContaining(['JOB_ID']) },
    })
    expect(told.settings).toMatchObject({
      DRAVEN_CONFIG_PROVIDER: 'gitlab',
      DRAVEN_GITLAB_API_URL: 'https://git.acme.example/api/v4',
    })
    expect(told.toDo).toEqual([expect.stringContaining('docs/gitlab.md')])
  })

  it.each([
    ['a folder that is not empty', ['init', 'shop', '--from', 'shop', '--admin', 'arossi'], 4, 'nothing is overwritten'],
    ['a checkout that is not there', ['init', 'deploys', '--from', 'nowhere', '--admin', 'arossi'], 3, 'no git checkout'],
    ['no admin', ['init', 'deploys', '--from', 'shop'], 2, '--admin arossi'],
    ['an admin that is no login', ['init', 'deploys', '--from', 'shop', '--admin', 'a b'], 2, '--admin arossi'],
  ])('refuses %s and writes nothing', async (_what, args, exit, words) => {
    const cwd = checkout('git@github.com:acme/shop.git', GITHUB)
    const { code, stdout, stderr } = await draven(args, { cwd })
    expect({ code, stdout }).toEqual({ code: exit, stdout: '' })
    expect(stderr).toContain(words)
    expect(existsSync(join(cwd, 'deploys'))).toBe(false)
    expect(readdirSync(join(cwd, 'shop')).sort()).toEqual(['.git', '.github'])
  })

  it('asks for the UUID of an account on Bitbucket, where anybody may take any name', async () => {
    const cwd = checkout('git@bitbucket.org:acme/shop.git', {})
    expect(await draven(ARGS, { cwd })).toMatchObject({ code: 2, stderr: expect.stringContaining('UUID') })
  })

  it.each([
    ['no remote', null, {}, 'no remote'],
    ['a host that nobody knows', 'git@git.acme.example:acme/shop.git', {}, '--forge: github, gitlab'],
  ])('asks where the project is when there is %s', async (_what, remote, files, words) => {
    const { code, stderr } = await draven(ARGS, { cwd: checkout(remote, files) })
    expect(code).toBe(2)
    expect(stderr).toContain(words)
  })

  it('has the baseline policies of the example, but for CI that nobody has yet and the own default branch', async () => {
    const cwd = checkout('git@github.com:acme/shop.git', {})
    await draven([...ARGS, '--zone', 'Europe/Rome'], { cwd })
    for (const name of ['stage', 'demo', 'prod']) {
      const { parse } = await import('yaml')
      const ours = parse(readFileSync(join(cwd, `deploys/policies/${name}.yaml`), 'utf8'))
      const example = parse(readFileSync(join(import.meta.dirname, `../../example-config/policies/${name}.yaml`), 'utf8'))
      expect({ ...ours, require_ci_success: true, allowed_branches: null }).toEqual({ ...example, allowed_branches: null })
    }
  })
})

describe('the pipeline that is proposed', () => {
  const github = (files: Readonly<Record<string, string>>) => proposePipeline('github', new Map(Object.entries(files)))

  it('is the workflow that takes most of what it is told', () => {
    const files = {
      '.github/workflows/release.yml': 'on: { workflow_dispatch: {} }\n',
      '.github/workflows/ship.yml': 'on: { workflow_dispatch: { inputs: { JOB_ID: {}, ENV: {} } } }\n',
      '.github/workflows/lint.yml': 'on: workflow_dispatch\n',
    }
    expect(github(files)).toMatchObject({ selector: 'ship.yml', missing: ['REF', 'TYPE', 'SHA'] })
  })

  it('is only what is usual where nothing can be dispatched, or what there is is no YAML', () => {
    const files = {
      '.github/workflows/ci.yml': CI,
      '.github/workflows/deploy.yml': ': : {[',
      '.github/workflows/list.yml': '- a\n',
    }
    expect(github(files)).toEqual({
      selector: 'deploy.yml',
      file: null,
      missing: ['JOB_ID', 'ENV', 'REF', 'TYPE', 'SHA'],
      checks: ['build', 'Unit tests'],
    })
  })

  it('is told by inputs where GitLab declares them', () => {
    const text = 'spec:\n  inputs: { JOB_ID: {}, ENV: {}, REF: {}, TYPE: {}, SHA: {} }\n---\ndeploy: { script: make }\n'
    expect(proposePipeline('gitlab', new Map([['.gitlab-ci.yml', text]]))).toMatchObject({ selector: 'inputs', missing: [] })
  })

  it('is the custom pipeline of Bitbucket that deploys', () => {
    const text =
      'pipelines:\n  custom:\n    nightly: []\n    deploy-all: [{ step: { script: [echo $JOB_ID $ENV $REF $TYPE $SHA] } }]\n'
    const proposal = proposePipeline('bitbucket', new Map([['bitbucket-pipelines.yml', text]]))
    expect(proposal).toMatchObject({ selector: 'custom:deploy-all', missing: [], checks: [] })
    const withCi = proposePipeline('bitbucket', new Map([['bitbucket-pipelines.yml', `${text}  default: []\n`]]))
    expect(withCi.checks).toEqual(['pipeline'])
  })
})

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { draven, start } from '../cli/run.ts'
import { SHOP_REPO } from './config-files.ts'
import { green, openScene } from './scene.ts'

const README = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8')
const DEPLOYS = 'acme/deploys'
const CI = 'on: [push]\njobs: { build: { steps: [] } }\n'

it('gets a first real deploy out of an empty folder in the five actions of the README', async () => {
  const scene = await openScene({ idle: true, as: 'user' })
  const { forge, env } = scene
  const cwd = mkdtempSync(join(tmpdir(), 'first-deploy-'))
  onTestFinished(async () => {
    await scene.close()
    rmSync(cwd, { recursive: true, force: true })
  })
  await forge.createRepo(DEPLOYS, { files: null })
  for (const login of ['alice', 'draven-bot']) forge.addCollaborator(DEPLOYS, login, 'maintain')
  await forge.commit(SHOP_REPO, 'main', { '.github/workflows/ci.yml': CI }, { as: 'alice' })
  green(forge, await forge.sha(SHOP_REPO, 'refs/heads/main'))

  const basic = Buffer.from(`alice:${forge.token('alice')}`).toString('base64')
  const shell = async (command: string, from = cwd) => {
    const config = [`http.extraHeader=Authorization: Basic ${basic}`, 'user.name=Alice', 'user.email=alice@acme.test']
    const settings = config.flatMap((line, at) => [
      [`GIT_CONFIG_KEY_${at}`, line.slice(0, line.indexOf('='))],
      [`GIT_CONFIG_VALUE_${at}`, line.slice(line.indexOf('=') + 1)],
    ])
    const options = {
      cwd: from,
      env: { ...process.env, GIT_CONFIG_COUNT: String(config.length), ...Object.fromEntries(settings) },
    }
    return (await promisify(execFile)('sh', ['-ec', command], options)).stdout
  }
  await shell(`git clone -q ${forge.gitUrl(SHOP_REPO)} shop`)

  // 1. Begin the config repository.
  const begun = await draven(['init', 'deploys', '--from', 'shop', '--admin', 'alice'], { cwd })
  expect(begun).toMatchObject({ code: 0, stderr: '' })
  expect(begun.stdout).not.toContain('First\n')

  // 2. Push it. What the command prints is what is done.
  const push = /^ {2}(cd .* && git push .*)$/m.exec(begun.stdout)![1]!
  expect(README).toContain(push.slice(push.indexOf('git add')))
  await shell(push)

  // 3. Start the controller, with the settings that were printed and what belongs to this emulated forge.
  const printed = Object.fromEntries(
    [...begun.stdout.matchAll(/^ {2}export (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  )
  expect(printed).toMatchObject({ DRAVEN_CONFIG_REPO_URL: forge.gitUrl(DEPLOYS), DRAVEN_CONFIG_REPO: DEPLOYS })
  const settings = {
    ...env,
    ...printed,
    DRAVEN_GITHUB_API_URL: forge.apiUrl,
    DRAVEN_SECRET_GITHUB_TOKEN: env['DRAVEN_SECRET_GITHUB_TOKEN']!,
  }
  const serving = start(['serve'], {
    clock: scene.clock,
    env: { ...settings, DRAVEN_POLL_SECONDS: '1', DRAVEN_RUN_POLL_SECONDS: '1' },
  })
  await scene.eventually('the controller to be up', () => serving.stdout() !== '' || serving.stderr() !== '')
  const url = /http:\/\/\S+?:\d+/.exec(serving.stdout())![0]

  await scene.eventually('the page to show the project', async () => (await (await fetch(url)).text()).includes('shop'))

  // 4. Ask for a deploy.
  const request = /^ {2}draven (request .*)$/m.exec(begun.stdout)![1]!
  expect(README).toContain(`draven ${request}`)
  const args = [...request.replace(' --reason "First deploy"', '').split(' '), '--reason', 'First deploy']
  const asked = await draven(args, { cwd: join(cwd, 'deploys'), clock: scene.clock })
  expect(asked).toMatchObject({ code: 0, stderr: '' })

  // 5. Open the pull request and merge it.
  const commands = /Open the pull request with:\n((?: {2}git .*\n)+)/.exec(asked.stdout)![1]!
  await shell(commands, join(cwd, 'deploys'))
  const branch = /git switch -c (\S+)/.exec(commands)![1]!
  const pull = await forge.openPull(DEPLOYS, { head: branch, title: 'First deploy', author: 'alice' })
  await forge.merge(DEPLOYS, pull, { by: 'alice', method: 'squash' })

  const jobs = async () => {
    const answer = (await (await fetch(`${url}/api/v1/jobs`)).json()) as { jobs: { status: string }[] }
    return answer.jobs
  }
  await scene
    .eventually('the job to end', async () => ['success', 'failed', 'expired'].includes((await jobs())[0]?.status ?? ''))
    .catch(async (error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(await jobs())}`)
    })
  expect(await jobs()).toEqual([expect.objectContaining({ status: 'success' })])
  expect(forge.runs(SHOP_REPO)).toEqual([
    expect.objectContaining({ inputs: expect.objectContaining({ ENV: 'stage', REF: 'main', TYPE: 'deploy' }) }),
  ])
  serving.signal('SIGTERM')
  expect(await serving.ended).toBe(0)
  forge.assertClean()
}, 60_000)

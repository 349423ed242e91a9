import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { requestFile } from '../scenarios/config-files.ts'
import { openScene } from '../scenarios/scene.ts'

/** The built program as people start it: a process of its own, with pipes, signals and exit codes. */
const ROOT = resolve(import.meta.dirname, '../..')
const MAIN = join(ROOT, 'dist/controller/cli/main.js')
const BUILD_TIMEOUT_MS = 180_000

beforeAll(async () => {
  // Type errors are for the type check to tell; what counts here is that there is a program.
  await promisify(execFile)(process.execPath, ['scripts/build.mjs'], { cwd: ROOT }).catch(() => {})
}, BUILD_TIMEOUT_MS)

interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

type Child = ChildProcessByStdio<null, Readable, Readable>

function launch(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = ROOT,
): { child: Child; finished: Promise<Finished> } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text
  })
  const finished = new Promise<Finished>((done) => child.once('close', (code) => done({ code, ...said })))
  return { child, finished }
}

describe('the built program', () => {
  it('validates the example config, plainly', async () => {
    expect(await launch(['validate', 'example-config'], { FORCE_COLOR: '1' }).finished).toEqual({
      code: 0,
      stdout: '5 projects, 15 environments, 6 requests: no findings\n',
      stderr: '',
    })
  })

  it.each([
    [1, ['validate', 'test/fixtures/config/mistakes']],
    [2, ['valdate']],
    [3, ['validate', '/no/such/folder']],
    [4, ['request', 'shop', 'prod', 'main', '--reason', 'x', '--dir', 'example-config']],
  ])('exits with %i for %j', async (code, args) => {
    expect((await launch(args).finished).code).toBe(code)
  })

  it('ends quietly when its reader leaves early', async () => {
    const { child, finished } = launch(['validate', '--json', 'test/fixtures/config/mistakes'])
    child.stdout.destroy()
    expect((await finished).stderr).toBe('')
  })

  it('ends, and leaves no loop behind, when its port is taken', async () => {
    const scene = await openScene({ idle: true, startAt: Date.now() })
    onTestFinished(() => scene.close())
    const taken = createServer()
    onTestFinished(() => void taken.close())
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done))
    const { port } = taken.address() as AddressInfo
    const { child, finished } = launch(['serve'], { ...scene.env, DRAVEN_LISTEN: `127.0.0.1:${port}` })
    onTestFinished(() => void child.kill('SIGKILL'))
    expect(await finished).toMatchObject({ code: 2, stderr: expect.stringContaining(`127.0.0.1:${port} is in use.`) })
  })

  it('serves until it is told to stop; others explain, verify and plan beside it', async () => {
    const scene = await openScene({ idle: true, startAt: Date.now() })
    onTestFinished(() => scene.close())
    const { child, finished } = launch(['serve'], { ...scene.env, DRAVEN_POLL_SECONDS: '1' })
    onTestFinished(() => void child.kill('SIGKILL'))
    const url = await new Promise<string>((found, gone) => {
      child.stdout.on('data', (text: string) => {
        const address = /is up at (\S+)/.exec(text)?.[1]
        if (address !== undefined) found(address)
      })
      void finished.then(({ stderr }) => gone(new Error(stderr)))
    })
    await scene.eventually('it to be ready', async () => (await fetch(`${url}/readyz`)).ok)
    const pull = await scene.propose({ 'requests/shop/prod/2026-11-21-v1.4.2.yaml': requestFile('tag: v1.4.2') })
    await scene.merge(pull)
    await scene.eventually('the job to wait for approval', async () => {
      const answer = await fetch(`${url}/api/v1/environments/shop/prod`)
      return (await answer.text()).includes('0 of 2 approvals')
    })
    const explained = await launch(['explain', 'shop/prod'], { DRAVEN_URL: url }).finished
    expect(explained).toMatchObject({ code: 0, stdout: expect.stringContaining('0 of 2 approvals') })
    const data = scene.env['DRAVEN_DATA_DIR']!
    expect(await launch(['audit', 'verify', '--data-dir', data]).finished).toMatchObject({ code: 0, stderr: '' })
    const plan = await launch(['plan', 'example-config', '--data-dir', data]).finished
    expect(plan.stdout).toMatch(/^2026-11-21-v1\.4\.2 .*waits \(approval\): 0 of 2 approvals/m)
    expect(await launch(['serve'], scene.env).finished).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is in use by process'),
    })

    child.kill('SIGTERM')
    const { code, stdout } = await finished
    expect(code).toBe(0)
    expect(stdout).toMatch(/Stopping after what is under way/)
    // It closed its database in order: nothing is left beside it but what is whole.
    expect(await launch(['audit', 'verify', '--data-dir', data]).finished).toMatchObject({ code: 0 })
  }, 60_000)

  it('prints no credential when DEBUG asks its libraries to tell everything', async () => {
    const scene = await openScene({ idle: true, startAt: Date.now(), as: 'user' })
    onTestFinished(() => scene.close())
    const { child, finished } = launch(['serve'], { ...scene.env, DEBUG: '*', DRAVEN_LOG_LEVEL: 'debug' })
    onTestFinished(() => void child.kill('SIGKILL'))
    await new Promise((up) => child.stdout.once('data', up))
    child.kill('SIGTERM')
    const { stdout, stderr } = await finished
    expect(stderr).toContain('controller started')
    expect(stderr).not.toContain('simple-git')
    const token = scene.env['DRAVEN_SECRET_GITHUB_TOKEN']!
    for (const spelling of [token, Buffer.from(`x-access-token:${token}`).toString('base64')]) {
      expect(stdout + stderr).not.toContain(spelling)
    }
  }, 60_000)
})

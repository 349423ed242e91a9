import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Hono } from 'hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConfigFault } from '../../controller/errors.ts'
import { openHttpServer } from '../../controller/http-server.ts'
import { openScene, type Scene } from '../scenarios/scene.ts'
import { draven, type Running, start } from './run.ts'

async function idleScene(): Promise<Scene> {
  const scene = await openScene({ idle: true })
  onTestFinished(() => scene.close())
  return scene
}

async function up(scene: Scene, running: Running): Promise<string> {
  await scene.eventually('the controller to be up', () => running.stdout() !== '')
  return /http:\/\/\S+?:\d+/.exec(running.stdout())![0]
}

describe('draven serve', () => {
  it('prints one friendly line, answers, and stops at a signal', async () => {
    const scene = await idleScene()
    const running = start(['serve'], { clock: scene.clock, env: scene.env })
    const url = await up(scene, running)
    expect(running.stdout()).toMatch(
      /^DRAVEN \S+ is up at http:\/\/127\.0\.0\.1:\d+ and watches http:\S+ \(main\)\. Ctrl-C stops it\.\n$/,
    )
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    running.signal('SIGTERM')
    expect(await running.ended).toBe(0)
    await expect(fetch(`${url}/livez`)).rejects.toThrow()
    expect(running.exits).toEqual([])
  })

  it('tells where it listens as JSON, and exits at once at the second signal', async () => {
    const scene = await idleScene()
    const running = start(['serve', '--json'], { clock: scene.clock, env: scene.env })
    await up(scene, running)
    expect(JSON.parse(running.stdout())).toMatchObject({
      url: expect.stringMatching(/^http:/),
      watches: expect.stringContaining('(main)'),
    })
    running.signal('SIGINT')
    running.signal('SIGINT')
    expect(running.exits).toEqual([130])
    await running.ended
  })

  it('logs what nobody caught and exits with 1', async () => {
    const scene = await idleScene()
    const running = start(['serve'], { clock: scene.clock, env: scene.env })
    await up(scene, running)
    running.crash(new Error('a loose end'))
    expect(running.exits).toEqual([1])
    expect(running.stderr()).toMatch(/"level":50.*a loose end.*an error was not caught/)
    running.signal('SIGTERM')
    await running.ended
  })

  it('logs no secret with what nobody caught, not even one that was never used', async () => {
    const scene = await idleScene()
    const env = { ...scene.env, DRAVEN_SECRET_UNUSED: 'canary-of-a-secret' }
    const running = start(['serve'], { clock: scene.clock, env })
    await up(scene, running)
    const seen = Buffer.from(`user:${env.DRAVEN_SECRET_UNUSED}`).toString('base64')
    running.crash(new Error(`could not use ${env.DRAVEN_SECRET_UNUSED} as in Authorization: Basic ${seen}`))
    expect(running.stderr()).toContain('could not use ***')
    expect(running.stderr()).not.toContain('canary')
    expect(running.stderr()).not.toContain(seen.slice(8, 24))
    running.signal('SIGTERM')
    await running.ended
  })

  it.each([
    ['DRAVEN_LISTEN', 'nowhere', 'Set it to HOST:PORT, e.g. 127.0.0.1:8080.'],
    ['DRAVEN_ACCEPT_HISTORY', 'abc1234', 'Set it to the full id of a commit, 40 hexadecimal digits.'],
  ])('exits with 2 and the fix, without a stack, when %s is wrong', async (name, value, fix) => {
    const { code, stdout, stderr } = await draven(['serve'], { env: { DRAVEN_CONFIG_DIR: '/tmp', [name]: value } })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toBe(`draven: ${name} is "${value}".\n   fix: ${fix}\n`)
  })

  it.each([
    ['is in use', '127.0.0.1', 'Set DRAVEN_LISTEN to a free address.'],
    ['is no address of this machine', '192.0.2.1', 'Set DRAVEN_LISTEN to one that it has, or to 0.0.0.0:PORT for all of them.'],
  ])('an address that %s is a fault of the settings with its fix', async (what, host, fix) => {
    const first = await openHttpServer(new Hono(), { host: '127.0.0.1', port: 0 })
    onTestFinished(() => first.close())
    const port = Number(new URL(first.url).port)
    await expect(openHttpServer(new Hono(), { host, port })).rejects.toThrow(new ConfigFault(`${host}:${port} ${what}.`, fix))
  })

  it.each([
    ['the data folder is a file', 'a-file', /^draven: The data folder \S+a-file cannot be made: it is a file, not a folder\.$/m],
    [
      'the data folder lies below a file',
      'a-file/data',
      /^draven: The data folder \S+ cannot be made: a part of its path is a file/m,
    ],
    [
      'its database cannot be written',
      'blocked',
      /^draven: \S+draven\.db\.lock cannot be written: it is a folder, not a file\.$/m,
    ],
  ])('exits with 2 and names DRAVEN_DATA_DIR, without a stack, when %s', async (_, path, said) => {
    const scene = await idleScene()
    writeFileSync(join(scene.root, 'a-file'), '')
    mkdirSync(join(scene.root, 'blocked/draven.db.lock'), { recursive: true })
    const env = { ...scene.env, DRAVEN_DATA_DIR: join(scene.root, path) }
    const { code, stderr } = await draven(['serve'], { clock: scene.clock, env })
    expect(code).toBe(2)
    expect(stderr).toMatch(said)
    expect(stderr).toMatch(/\n {3}fix: .*DRAVEN_DATA_DIR.*\n$/)
    expect(stderr).not.toContain('    at ')
  })

  it('exits with 2 when another process has the database', async () => {
    const scene = await idleScene()
    scene.controller = await scene.start()
    const { code, stderr } = await draven(['serve'], { clock: scene.clock, env: scene.env })
    expect(code).toBe(2)
    expect(stderr).toMatch(/draven\.db is in use by .*\n {3}fix: Run one controller per SQLite file/)
  })
})

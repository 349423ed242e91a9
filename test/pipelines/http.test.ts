import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CONFIG_REPO, requestFile, SHOP_PROJECT, SHOP_REPO } from '../scenarios/config-files.ts'
import { openScene, type Scene } from '../scenarios/scene.ts'
import { AT_COMMIT, fetchUrl, GATE, noCurl, PIPELINES, reachable } from './files.ts'

const SECRET = `whsec_${randomBytes(24).toString('base64')}`
/** Deploys until it is told to end, where the ref says so. */
const COMMAND =
  'case "$REF" in develop) echo "bringing $(git rev-parse HEAD) to $ENV"; cat CHANGES.md;; *) echo waiting; sleep 60;; esac'

describe.skipIf(noCurl)('the receiver for plain HTTP, with the gate, against a real controller', () => {
  let scene: Scene
  let receiver: ChildProcess
  let output = ''

  beforeAll(async () => {
    // A receiver refuses what is not of today.
    scene = await openScene({ idle: true, startAt: Date.now() })
    const repository = fetchUrl(scene.forge, SHOP_REPO)
    const command = ['sh', AT_COMMIT, repository, 'sh', GATE, 'run', '--', 'sh', '-c', COMMAND]
    receiver = spawn(process.execPath, [join(PIPELINES, 'http-receiver.mjs'), ...command], {
      env: { PATH: process.env['PATH'], HOOK_SECRET: SECRET, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const port = await new Promise<string>((resolve) => {
      receiver.stdout!.on('data', (text: Buffer) => {
        output += text
        const port = /listening on (\d+)/.exec(output)?.[1]
        if (port !== undefined) resolve(port)
      })
    })
    const origin = `http://127.0.0.1:${port}`
    const project = SHOP_PROJECT.replace(
      '  provider: github\n',
      `  provider: http\n  api_url: ${origin}/hooks\n  credential_ref: env:DRAVEN_SECRET_HOOK\n  callbacks: true\n  code: { provider: github }\n`,
    ).replaceAll('deploy.yml', 'shop/deploy')
    await scene.forge.commit(CONFIG_REPO, 'main', { 'projects/shop/project.yaml': project }, { as: 'erin' })
    await reachable(scene.env)
    Object.assign(scene.env, { DRAVEN_SECRET_HOOK: SECRET, DRAVEN_ALLOWED_ORIGINS: origin })
    await scene.begin()
  })
  afterAll(async () => {
    receiver.kill()
    await scene.close()
  })

  it('deploys what GitHub holds, and tells how it went', async () => {
    const path = 'requests/shop/stage/hook.yaml'
    await scene.merge(await scene.propose({ [path]: requestFile('branch: develop') }))
    const job = await scene.ended(path)
    expect(job).toMatchObject({ status: 'success', attempt: 1 })
    const { lines, runs } = (await scene.controller.store.views.job(job.id))!
    expect(lines.map(({ text }) => text)).toEqual([`bringing ${job.pin!.sha} to stage`, 'develop', 'exit code 0'])
    expect(runs).toMatchObject([{ checkedOutSha: job.pin!.sha }])
    expect(
      scene.controller.engine.connections.deployments(scene.controller.engine.memory.desired!.projects.get('shop')!),
    ).not.toBeNull()
  })

  it('stops when its request is withdrawn, and the lock is free again', async () => {
    const { forge } = scene
    await forge.commit('acme/shop', 'feature/slow', { SLOW: 'x' }, { as: 'alice', message: 'Slow' })
    forge.setCheck('acme/shop', (await forge.sha('acme/shop', 'refs/heads/feature/slow'))!, {
      name: 'build',
      conclusion: 'success',
    })
    const path = 'requests/shop/stage/slow.yaml'
    await scene.merge(await scene.propose({ [path]: requestFile('branch: feature/slow') }))
    await scene.eventually('the command to wait', () => output.includes('waiting'))
    await scene.merge(await scene.propose({ [path]: null as unknown as string }))
    const job = await scene.ended(path)
    expect(job.status).toBe('canceled')
    expect(await scene.controller.store.state.unit('test.locks', (tx) => tx.locks.all())).toEqual([])
  })
})

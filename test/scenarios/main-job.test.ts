import { createHmac, randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { requestFile, SHOP_PROJECT } from './config-files.ts'
import { openScene, type Scene, WEBHOOK_SECRET } from './scene.ts'

let scene: Scene
afterEach(async () => {
  await scene.close()
})

describe('the main job', () => {
  it('turns a merged stage request into one run, followed to its end and released', async () => {
    scene = await openScene()
    const path = 'requests/shop/stage/2026-11-18-develop.yaml'
    const pull = await scene.propose({ [path]: requestFile('branch: develop') })
    await scene.shown(pull)
    await scene.merge(pull)
    const job = await scene.ended(path)
    expect(job).toMatchObject({ status: 'success', requester: 'alice', attempt: 1 })
    expect(scene.forge.triggerCount(job.id)).toBe(1)
    expect(await scene.controller.store.state.unit('locks', (tx) => tx.locks.all())).toEqual([])
    scene.forge.assertClean()
  })

  it('starts a prod request once two others approved it', async () => {
    scene = await openScene()
    const path = 'requests/shop/prod/2026-11-18-v1.4.2.yaml'
    const pull = await scene.propose({ [path]: requestFile('tag: v1.4.2') })
    await scene.shown(pull)
    await scene.approve(pull, 'bob')
    await scene.merge(pull)
    const waiting = await scene.until(path, (job) => job.status === 'waiting_approval')
    expect(waiting.reason.code).toBe('approval_missing')
    await scene.approve(pull, 'carol')
    const job = await scene.ended(path)
    expect(job.status).toBe('success')
    expect(scene.forge.triggerCount(job.id)).toBe(1)
    scene.forge.assertClean()
  })
})

describe('a project with a webhook secret of its own', () => {
  it('is heard at its own address, with its own secret only', async () => {
    const file = 'projects/shop/project.yaml'
    const own = `${SHOP_PROJECT.trimEnd()}\n`.replace(
      '  default_branch: main\n',
      '  default_branch: main\n  webhook_secret_ref: env:DRAVEN_SECRET_SHOP_WEBHOOK\n',
    )
    scene = await openScene({ config: { [file]: own }, idle: true })
    await scene.begin({ env: { ...scene.env, DRAVEN_SECRET_SHOP_WEBHOOK: 'the secret of the shop' } })
    const send = (name: string, secret: string) => {
      const body = JSON.stringify({ ref: 'refs/heads/develop', repository: { full_name: 'acme/shop' } })
      const headers = {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': randomUUID(),
        'x-github-hook-id': '7',
        'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      }
      return fetch(`${scene.controller.url}/webhooks/${name}`, { method: 'POST', body, headers }).then((answer) => answer.status)
    }
    expect(await send('shop', 'the secret of the shop')).toBe(202)
    expect(await send('shop', WEBHOOK_SECRET)).toBe(401)
    expect(await send('github', 'the secret of the shop')).toBe(401)
    expect(await send('nothing', 'the secret of the shop')).toBe(404)
  })
})

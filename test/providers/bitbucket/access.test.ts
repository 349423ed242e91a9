import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type BitbucketScene, BOT, CONFIG, openBitbucketScene } from './bitbucket-scene.ts'

let scene: BitbucketScene
beforeAll(async () => {
  scene = await openBitbucketScene()
})
afterEach(() => scene.check())
afterAll(() => scene.close())

const report = (scopes: string, target: 'config' | 'project' = 'project') => {
  const connected = scene.connect(undefined, { text: scene.forge.token(BOT, 'access', scopes) })
  return connected.describeAccess(target === 'config' ? 'config' : scene.project())
}

describe('what a token for Bitbucket may do', () => {
  it.each([
    ['repository pipeline:write', []],
    ['repository:write pipeline:write', []],
    ['pullrequest pipeline:write', []],
    ['read:repository:bitbucket,write:pipeline:bitbucket', []],
    ['admin:repository:bitbucket admin:pipeline:bitbucket', []],
    ['pipeline:write', ['scope repository (read:repository:bitbucket)']],
    ['repository pipeline', ['scope pipeline:write (write:pipeline:bitbucket)']],
    ['read:repository:bitbucket read:pipeline:bitbucket', ['scope pipeline:write (write:pipeline:bitbucket)']],
  ])('on a project with the scopes %j lacks %j', async (scopes, missing) => {
    expect(await report(scopes)).toMatchObject({ provider: 'bitbucket', repository: 'acme/shop', auth: 'token', missing })
  })

  it('on the config repository includes words on pull requests', async () => {
    expect(await report('repository pullrequest', 'config')).toMatchObject({ repository: CONFIG, missing: [] })
    expect(await report('read:repository:bitbucket write:pullrequest:bitbucket', 'config')).toMatchObject({ missing: [] })
    expect(await report('repository', 'config')).toMatchObject({
      missing: ['scope pullrequest (read:pullrequest:bitbucket)'],
    })
  })

  it('is not known where Bitbucket does not tell, and that is said', async () => {
    const silent: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      const headers = new Headers(response.headers)
      headers.delete('x-oauth-scopes')
      return new Response(await response.text(), { status: response.status, headers })
    }
    expect(await scene.connect(silent).describeAccess('config')).toMatchObject({
      missing: [],
      notes: ['Bitbucket does not tell the scopes of this token.'],
    })
  })

  it('says how many calls are left of the hour', async () => {
    const connected = scene.connect()
    await connected.describeAccess(scene.project())
    expect(await connected.describeAccess(scene.project())).toMatchObject({
      rateLimit: { limit: 1_000, remaining: 997 },
      clockSkewMs: 0,
    })
  })

  it('says which webhook is switched off, or has no secret, where the token may see them', async () => {
    scene.forge.addHook(CONFIG, { url: 'https://draven.test/webhooks/bitbucket', secret: null })
    scene.forge.addHook(CONFIG, { url: 'https://draven.test/webhooks/shop', secret: 'x' })
    scene.forge.addHook(CONFIG, { url: 'https://chat.test/hook', secret: null })
    for (const hook of scene.forge.repository(CONFIG).hooks) hook.active = !hook.url.endsWith('/shop')
    expect((await report('repository:write pullrequest:write', 'config'))?.notes).toEqual([])
    scene.forge.addMember(CONFIG, BOT, 'admin')
    expect((await report('repository:write pullrequest:write', 'config'))?.notes).toEqual([
      'The webhook /webhooks/bitbucket has no secret, so its deliveries are refused.',
      'The webhook /webhooks/shop is switched off.',
    ])
    scene.forge.addMember(CONFIG, BOT, 'write')
    scene.forge.repository(CONFIG).hooks.length = 0
  })

  it('is trouble when the repository may not be seen', async () => {
    scene.forge.addMember(CONFIG, BOT, null)
    await expect(report('repository:write', 'config')).rejects.toMatchObject({ name: 'RefusedFault', status: 404 })
    scene.forge.addMember(CONFIG, BOT, 'write')
  })
})

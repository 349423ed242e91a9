import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../controller/clock.ts'
import { bitbucketLogin } from '../providers/bitbucket/code-host.ts'
import { type Bitbucket, startBitbucket } from '../sandbox/bitbucket/forge.ts'
import { ACCESS, configFiles, PEOPLE, requestFile, SHOP_PROJECT } from './config-files.ts'
import { type LiveController, startLive } from './live-controller.ts'
import { movedClock, WEDNESDAY_MORNING } from './scene.ts'

const CONFIG = 'acme/deploy-config'
const SHOP = 'acme/shop'
const SECRET = 'the secret of the webhooks'
const BOT = 'draven-bot'

const DEFINITION = `pipelines:
  custom:
    deploy:
      - step:
          script: [./deploy.sh]
`

/** The main job where everything is on Bitbucket: the same engine, the same config repository. */
describe('the main job on Bitbucket', () => {
  const clock = movedClock(WEDNESDAY_MORNING)
  let root: string
  let forge: Bitbucket
  let live: LiveController

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'draven-bitbucket-'))
    forge = await startBitbucket({ clock, root: join(root, 'forge'), pipelines: 'instant' })
    for (const person of PEOPLE) forge.user(person)
    const files = {
      ...configFiles(),
      'access.yaml': ACCESS.replace(/github: ([a-z-]+) \}/g, (_, login: string) => `bitbucket: ${bitbucketLogin(login)} }`),
      'projects/shop/project.yaml': SHOP_PROJECT.replace('provider: github', 'provider: bitbucket').replaceAll(
        'deploy.yml',
        'custom:deploy',
      ),
    }
    await forge.createRepo(CONFIG, { files })
    await forge.createRepo(SHOP, { files: { 'bitbucket-pipelines.yml': DEFINITION } })
    forge.user(BOT, { type: 'app_user' })
    for (const repo of [CONFIG, SHOP]) for (const person of [...PEOPLE, BOT]) forge.addMember(repo, person, 'write')
    for (const branch of ['main', 'develop']) {
      const sha = await forge.commit(SHOP, branch, { VERSION: branch }, { as: 'alice' })
      const { uuid } = forge.addPipeline(SHOP, { branch, sha, by: 'alice', steps: ['build'] })
      forge.setPipeline(uuid, 'SUCCESSFUL')
      if (branch === 'main') await forge.createTag(SHOP, 'v1.4.2', sha, { as: 'alice', message: 'v1.4.2' })
    }
    const env = {
      DRAVEN_CONFIG_REPO_URL: forge.gitUrl(CONFIG),
      DRAVEN_CONFIG_PROVIDER: 'bitbucket',
      DRAVEN_BITBUCKET_API_URL: forge.apiUrl,
      DRAVEN_SECRET_BITBUCKET_TOKEN: forge.token(BOT),
      DRAVEN_WEBHOOK_SECRET_REF: 'env:DRAVEN_SECRET_WEBHOOK',
      DRAVEN_SECRET_WEBHOOK: SECRET,
    }
    live = await startLive({ root, clock, config: CONFIG, env, pollMs: 1_000 })
    for (const repo of [CONFIG, SHOP]) forge.addHook(repo, { url: `${live.controller.url}/webhooks/bitbucket`, secret: SECRET })
  }, 60_000)
  afterEach(() => {
    forge.faults.clear()
    forge.assertClean()
    expect(live.log.join('')).not.toMatch(/ATCTT/)
  })
  afterAll(async () => {
    await live.controller.stop()
    await forge.close()
    await rm(root, { recursive: true, force: true })
  })

  const proposed = (path: string, content: string) => live.proposed(forge, path, content)

  it('turns a merged stage request into one pipeline on the resolved commit, followed to its end and released', async () => {
    const path = 'requests/shop/stage/develop.yaml'
    await forge.merge(CONFIG, await proposed(path, requestFile('branch: develop')), { by: 'erin' })
    const done = await live.ended(path)
    expect(done).toMatchObject({ status: 'success', requester: 'alice', attempt: 1 })
    expect(forge.triggerCount(done.id)).toBe(1)
    const sha = await forge.sha(SHOP, 'develop')
    const made = forge.pipelines(SHOP).find(({ variables }) => variables['JOB_ID'] === done.id)
    expect(made?.variables).toMatchObject({ ENV: 'stage', REF: 'develop', TYPE: 'deploy', SHA: sha })
    expect(made?.target).toMatchObject({ refType: 'branch', refName: 'develop', commit: sha })
    expect(await live.controller.store.state.unit('locks', (tx) => tx.locks.all())).toEqual([])
    expect(live.controller.engine.memory.health.lastWebhookAt).not.toBeNull()
  })

  it('starts a prod request once two others approved it, although its branch is gone, and tells the pull request', async () => {
    const path = 'requests/shop/prod/v1.4.2.yaml'
    const number = await proposed(path, requestFile('tag: v1.4.2'))
    // Bitbucket lets authors approve their own; it counts for nothing.
    for (const nickname of ['alice', 'mallory', BOT, 'bob']) forge.approve(CONFIG, number, nickname)
    await forge.merge(CONFIG, number, { by: 'erin', method: 'squash', closeSource: true })
    const waiting = await live.until(path, ({ status }) => status === 'waiting_approval')
    expect(waiting.reason.code).toBe('approval_missing')
    forge.approve(CONFIG, number, 'carol')
    const done = await live.ended(path)
    expect(done.status).toBe('success')
    expect(forge.triggerCount(done.id)).toBe(1)
    const made = forge.pipelines(SHOP).find(({ variables }) => variables['JOB_ID'] === done.id)
    expect(made?.target).toMatchObject({ refType: 'tag', refName: 'v1.4.2', commit: await forge.sha(SHOP, 'v1.4.2') })
    const ours = () => forge.pull(CONFIG, number).comments.filter(({ author }) => author.nickname === BOT)
    await live.eventually('the comment', ours, (comments) => comments.some(({ raw }) => raw.includes('success')))
    expect(ours()).toHaveLength(1)
  })

  it('starts no second pipeline when the answer to the first was lost', async () => {
    const path = 'requests/shop/stage/lost.yaml'
    forge.faults.add({ on: 'pipelines/create', kind: 'accept_then_drop' })
    await forge.merge(CONFIG, await proposed(path, requestFile('branch: develop')), { by: 'erin', method: 'ff' })
    const done = await live.ended(path)
    expect(done).toMatchObject({ status: 'success', attempt: 1 })
    expect(forge.triggerCount(done.id)).toBe(1)
  })

  it('looks less often rather than use up what Bitbucket allows, says so on the job, and goes on afterwards', async () => {
    const path = 'requests/shop/stage/slowly.yaml'
    const number = await proposed(path, requestFile('branch: develop'))
    forge.sayLimit(20)
    await forge.merge(CONFIG, number, { by: 'erin' })
    const waiting = await live.until(path, ({ reason }) => reason.code === 'check_unavailable')
    expect(waiting.reason.text).toMatch(/Bitbucket allows 20 calls an hour, and \d+ were made; looking goes on at /)
    expect(forge.triggerCount(waiting.id)).toBe(0)
    forge.sayLimit(1_000)
    clock.advance(61 * MINUTE_MS)
    expect((await live.ended(path)).status).toBe('success')
  })

  it('sees a merge whose webhook Bitbucket kept to itself because it was too large', async () => {
    const path = 'requests/shop/stage/large.yaml'
    const number = await proposed(path, requestFile('branch: develop'))
    await forge.settle()
    const [hook] = forge.repository(CONFIG).hooks
    const before = hook?.unsent ?? 0
    // The title becomes the message of the merge, and Bitbucket says nothing of a payload over 256 KB.
    forge.pull(CONFIG, number).title = 'x'.repeat(300_000)
    await forge.merge(CONFIG, number, { by: 'erin' })
    await forge.settle()
    expect(hook?.unsent).toBe(before + 2)
    expect((await live.ended(path)).status).toBe('success')
  })
})

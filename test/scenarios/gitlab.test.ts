import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Gitlab, startGitlab } from '../sandbox/gitlab/forge.ts'
import { DEVELOPER } from '../sandbox/gitlab/world.ts'
import { ACCESS, configFiles, PEOPLE, requestFile, SHOP_PROJECT } from './config-files.ts'
import { type LiveController, startLive } from './live-controller.ts'
import { movedClock, WEDNESDAY_MORNING } from './scene.ts'

/** Groups nest here. */
const CONFIG = 'acme/platform/deploy-config'
const SHOP = 'acme/shop'
const SIGNING = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
const BOT = 'project_7_bot_1'

const CI_FILE = `workflow:
  name: 'Deploy $REF to $ENV ($JOB_ID)'
deploy:
  script: [./deploy.sh]
`

/** The main job where everything is on GitLab, without approval rules: the same engine, the same config repository. */
describe('the main job on GitLab', () => {
  const clock = movedClock(WEDNESDAY_MORNING)
  let root: string
  let forge: Gitlab
  let live: LiveController

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'draven-gitlab-'))
    forge = await startGitlab({ clock, root: join(root, 'forge'), pipelines: 'instant' })
    for (const person of PEOPLE) forge.user(person)
    const files = {
      ...configFiles(),
      'access.yaml': ACCESS.replaceAll('github: ', 'gitlab: '),
      'projects/shop/project.yaml': SHOP_PROJECT.replace('provider: github', 'provider: gitlab').replaceAll(
        'deploy.yml',
        'variables',
      ),
    }
    await forge.createRepo(CONFIG, { files })
    await forge.createRepo(SHOP, { files: { '.gitlab-ci.yml': CI_FILE } })
    forge.user(BOT, { bot: true })
    for (const repo of [CONFIG, SHOP]) for (const person of [...PEOPLE, BOT]) forge.addMember(repo, person, DEVELOPER)
    for (const branch of ['main', 'develop']) {
      const sha = await forge.commit(SHOP, branch, { VERSION: branch }, { as: 'alice' })
      const { id } = forge.addPipeline(SHOP, { ref: branch, sha, source: 'push', by: 'alice', jobs: ['build'] })
      forge.setPipeline(id, 'success')
      if (branch === 'main') await forge.createTag(SHOP, 'v1.4.2', sha, { as: 'alice', message: 'v1.4.2' })
    }
    const env = {
      DRAVEN_CONFIG_REPO_URL: forge.gitUrl(CONFIG),
      DRAVEN_CONFIG_PROVIDER: 'gitlab',
      DRAVEN_GITLAB_API_URL: forge.apiUrl,
      DRAVEN_SECRET_GITLAB_TOKEN: forge.token(BOT),
      DRAVEN_WEBHOOK_SECRET_REF: 'env:DRAVEN_SECRET_WEBHOOK',
      DRAVEN_SECRET_WEBHOOK: SIGNING,
    }
    live = await startLive({ root, clock, config: CONFIG, env })
    for (const repo of [CONFIG, SHOP])
      forge.addHook(repo, { url: `${live.controller.url}/webhooks/gitlab`, signingToken: SIGNING })
  }, 60_000)
  afterEach(() => {
    forge.faults.clear()
    forge.assertClean()
    expect(live.log.join('')).not.toMatch(/glpat-|whsec_/)
  })
  afterAll(async () => {
    await live.controller.stop()
    await forge.close()
    await rm(root, { recursive: true, force: true })
  })

  const proposed = (path: string, content: string) => live.proposed(forge, path, content)

  it('turns a merged stage request into one pipeline, followed to its end and released', async () => {
    const path = 'requests/shop/stage/develop.yaml'
    await forge.merge(CONFIG, await proposed(path, requestFile('branch: develop')), { by: 'erin' })
    const done = await live.ended(path)
    expect(done).toMatchObject({ status: 'success', requester: 'alice', attempt: 1 })
    expect(forge.triggerCount(done.id)).toBe(1)
    const told = forge.pipelines(SHOP).find((each) => each.variables['JOB_ID'] === done.id)?.variables
    expect(told).toMatchObject({ ENV: 'stage', REF: 'develop', TYPE: 'deploy', SHA: await forge.sha(SHOP, 'develop') })
    expect(await live.controller.store.state.unit('locks', (tx) => tx.locks.all())).toEqual([])
    // Every delivery was signed, believed and accepted: four other answers, and GitLab would have stopped calling.
    expect(live.controller.engine.memory.health.lastWebhookAt).not.toBeNull()
    expect([CONFIG, SHOP].flatMap((repo) => forge.project(repo).hooks.map(({ failures }) => failures))).toEqual([0, 0])
    await live.eventually(
      'the deployment to be listed',
      () => forge.project(SHOP).deployments.map(({ environment, status }) => ({ environment, status })),
      (list) => JSON.stringify(list) === JSON.stringify([{ environment: 'stage', status: 'success' }]),
    )
  })

  it('starts a prod request once two others approved it, and tells the merge request', async () => {
    const path = 'requests/shop/prod/v1.4.2.yaml'
    const number = await proposed(path, requestFile('tag: v1.4.2'))
    // GitLab lets authors approve their own; it counts for nothing.
    for (const username of ['alice', 'mallory', BOT, 'bob']) forge.approve(CONFIG, number, username)
    await forge.merge(CONFIG, number, { by: 'erin', method: 'squash' })
    const waiting = await live.until(path, ({ status }) => status === 'waiting_approval')
    expect(waiting.reason.code).toBe('approval_missing')
    forge.approve(CONFIG, number, 'carol')
    const done = await live.ended(path)
    expect(done.status).toBe('success')
    expect(forge.triggerCount(done.id)).toBe(1)
    const request = forge.project(CONFIG).requests.find(({ iid }) => iid === number)
    const ours = () => request?.notes.filter((note) => note.author.username === BOT && !note.system) ?? []
    await live.eventually('the note', ours, (notes) => notes.some(({ body }) => body.includes('success')))
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
})

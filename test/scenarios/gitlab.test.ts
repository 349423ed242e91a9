import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { isTerminal, type Job } from '../../controller/jobs/job.ts'
import { jobIdFor } from '../../controller/jobs/job-id.ts'
import { type Controller, startController } from '../../controller/main.ts'
import { readSettings } from '../../controller/settings.ts'
import { type Gitlab, startGitlab } from '../sandbox/gitlab/forge.ts'
import { DEVELOPER } from '../sandbox/gitlab/world.ts'
import { ACCESS, CONFIG_REPO_ID, configFiles, PEOPLE, requestFile, SHOP_PROJECT } from './config-files.ts'
import { movedClock, READING_MS, WEDNESDAY_MORNING } from './scene.ts'

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
  const log: string[] = []
  let root: string
  let forge: Gitlab
  let controller: Controller

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
      DRAVEN_CONFIG_REPO: CONFIG,
      DRAVEN_CONFIG_PROVIDER: 'gitlab',
      DRAVEN_GITLAB_API_URL: forge.apiUrl,
      DRAVEN_SECRET_GITLAB_TOKEN: forge.token(BOT),
      DRAVEN_WEBHOOK_SECRET_REF: 'env:DRAVEN_SECRET_WEBHOOK',
      DRAVEN_SECRET_WEBHOOK: SIGNING,
      DRAVEN_DATA_DIR: join(root, 'data'),
      DRAVEN_LISTEN: '127.0.0.1:0',
      DRAVEN_ALLOW_LOOPBACK: 'true',
    }
    const timing = { pollMs: 400, runPollMs: 200, triggerLookupMs: 60_000 }
    controller = await startController(
      { ...readSettings(env), timing },
      {
        clock,
        env,
        write: (line) => log.push(line),
        onFatal(error) {
          throw error
        },
      },
    )
    for (const repo of [CONFIG, SHOP]) forge.addHook(repo, { url: `${controller.url}/webhooks/gitlab`, signingToken: SIGNING })
  }, 60_000)
  afterEach(() => {
    forge.faults.clear()
    forge.assertClean()
    expect(log.join('')).not.toMatch(/glpat-|whsec_/)
  })
  afterAll(async () => {
    await controller.stop()
    await forge.close()
    await rm(root, { recursive: true, force: true })
  })

  async function eventually<T>(what: string, look: () => Promise<T> | T, fits: (value: T) => boolean): Promise<T> {
    const deadline = Date.now() + 20_000
    for (;;) {
      const value = await look()
      if (fits(value)) return value
      if (Date.now() > deadline)
        throw new Error(`waited in vain for ${what}: ${JSON.stringify(value)}\n${log.slice(-10).join('')}`)
      await clock.sleep(25)
    }
  }
  const job = (path: string) => controller.store.state.unit('test', (tx) => tx.jobs.get(jobIdFor(CONFIG_REPO_ID, path)))
  const until = async (path: string, fits: (job: Job) => boolean) =>
    (await eventually(
      path,
      () => job(path),
      (found) => found !== null && fits(found),
    ))!
  const ended = (path: string) => until(path, ({ status }) => isTerminal(status))

  async function proposed(path: string, content: string): Promise<number> {
    const branch = path.replace(/\W/g, '-')
    await forge.commit(CONFIG, branch, { [path]: content }, { as: 'alice' })
    const number = await forge.openPull(CONFIG, { head: branch, author: 'alice' })
    const row = () => controller.store.state.unit('test', (tx) => tx.pulls.get(number))
    await eventually(`merge request ${number} to be judged`, row, (found) => found !== null)
    clock.advance(READING_MS)
    return number
  }

  it('turns a merged stage request into one pipeline, followed to its end and released', async () => {
    const path = 'requests/shop/stage/develop.yaml'
    await forge.merge(CONFIG, await proposed(path, requestFile('branch: develop')), { by: 'erin' })
    const done = await ended(path)
    expect(done).toMatchObject({ status: 'success', requester: 'alice', attempt: 1 })
    expect(forge.triggerCount(done.id)).toBe(1)
    const told = forge.pipelines(SHOP).find((each) => each.variables['JOB_ID'] === done.id)?.variables
    expect(told).toMatchObject({ ENV: 'stage', REF: 'develop', TYPE: 'deploy', SHA: await forge.sha(SHOP, 'develop') })
    expect(await controller.store.state.unit('locks', (tx) => tx.locks.all())).toEqual([])
    // Every delivery was signed, believed and accepted: four other answers, and GitLab would have stopped calling.
    expect(controller.engine.memory.health.lastWebhookAt).not.toBeNull()
    expect([CONFIG, SHOP].flatMap((repo) => forge.project(repo).hooks.map(({ failures }) => failures))).toEqual([0, 0])
    await eventually(
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
    const waiting = await until(path, ({ status }) => status === 'waiting_approval')
    expect(waiting.reason.code).toBe('approval_missing')
    forge.approve(CONFIG, number, 'carol')
    const done = await ended(path)
    expect(done.status).toBe('success')
    expect(forge.triggerCount(done.id)).toBe(1)
    const request = forge.project(CONFIG).requests.find(({ iid }) => iid === number)
    const ours = () => request?.notes.filter((note) => note.author.username === BOT && !note.system) ?? []
    await eventually('the note', ours, (notes) => notes.some(({ body }) => body.includes('success')))
    expect(ours()).toHaveLength(1)
  })

  it('starts no second pipeline when the answer to the first was lost', async () => {
    const path = 'requests/shop/stage/lost.yaml'
    forge.faults.add({ on: 'pipelines/create', kind: 'accept_then_drop' })
    await forge.merge(CONFIG, await proposed(path, requestFile('branch: develop')), { by: 'erin', method: 'ff' })
    const done = await ended(path)
    expect(done).toMatchObject({ status: 'success', attempt: 1 })
    expect(forge.triggerCount(done.id)).toBe(1)
  })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { DEPLOY_WORKFLOW } from '../sandbox/forge-fixture.ts'
import { type Gitea, startGitea } from '../sandbox/gitea/forge.ts'
import { ACCESS, CONFIG_REPO, configFiles, PEOPLE, requestFile, SHOP_PROJECT, SHOP_REPO } from './config-files.ts'
import { type LiveController, startLive } from './live-controller.ts'
import { movedClock, WEDNESDAY_MORNING } from './scene.ts'

const CONFIG = CONFIG_REPO
const SHOP = SHOP_REPO
const SECRET = 'a secret of webhooks, never logged'
const BOT = 'draven-bot'
/** As both servers call a job of their own CI. */
const BUILD = 'ci.yml / build (push)'

/** The main job where everything is on one server: the same engine, the same config repository. */
describe.each(['gitea', 'forgejo'] as const)('the main job on %s', (server) => {
  const clock = movedClock(WEDNESDAY_MORNING)
  let root: string
  let token: string
  let forge: Gitea
  let live: LiveController

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), `draven-${server}-`))
    forge = await startGitea({ server, clock, root: join(root, 'forge'), runs: 'instant' })
    for (const person of PEOPLE) forge.user(person)
    const files = {
      ...configFiles(),
      'access.yaml': ACCESS.replaceAll('github: ', `${server}: `),
      'projects/shop/project.yaml': SHOP_PROJECT.replace(
        'provider: github',
        `provider: ${server}\n  api_url: ${forge.apiUrl}`,
      ).replace('required_checks: [build]', `required_checks: ["${BUILD}"]`),
    }
    await forge.createRepo(CONFIG, { files })
    await forge.createRepo(SHOP, { files: { [`.${server}/workflows/deploy.yml`]: DEPLOY_WORKFLOW } })
    for (const repo of [CONFIG, SHOP]) for (const person of [...PEOPLE, BOT]) forge.addCollaborator(repo, person, 'write')
    for (const branch of ['main', 'develop']) {
      const sha = await forge.commit(SHOP, branch, { VERSION: branch }, { as: 'alice' })
      forge.holdRuns(true)
      const ci = forge.addRun(SHOP, { file: 'ci.yml', event: 'push', by: 'alice', sha, jobs: ['build'] })
      forge.setRun(ci.id, 'success')
      forge.holdRuns(false)
      if (branch === 'main') await forge.createTag(SHOP, 'v1.4.2', sha, { as: 'alice', message: 'v1.4.2' })
    }
    token = forge.token(BOT)
    const NAME = server.toUpperCase()
    const env = {
      DRAVEN_CONFIG_REPO_URL: forge.gitUrl(CONFIG),
      DRAVEN_CONFIG_PROVIDER: server,
      [`DRAVEN_${NAME}_API_URL`]: forge.apiUrl,
      [`DRAVEN_SECRET_${NAME}_TOKEN`]: token,
      DRAVEN_WEBHOOK_SECRET_REF: 'env:DRAVEN_SECRET_WEBHOOK',
      DRAVEN_SECRET_WEBHOOK: SECRET,
    }
    live = await startLive({ root, clock, config: CONFIG, env })
    for (const repo of [CONFIG, SHOP]) forge.addHook(repo, { url: `${live.controller.url}/webhooks/${server}`, secret: SECRET })
  }, 60_000)
  afterEach(() => {
    forge.faults.clear()
    forge.assertClean()
    for (const secret of [token, SECRET]) expect(live.log.join('')).not.toContain(secret)
  })
  afterAll(async () => {
    await live.controller.stop()
    await forge.close()
    await rm(root, { recursive: true, force: true })
  })

  const proposed = (path: string, content: string) => live.proposed(forge, path, content)
  const comments = (number: number) =>
    forge
      .repository(CONFIG)
      .pulls.find((each) => each.number === number)
      ?.comments.filter(({ author }) => author.login === BOT) ?? []

  it('turns a merged stage request into one run, followed to its end and released', async () => {
    const path = 'requests/shop/stage/develop.yaml'
    await forge.merge(CONFIG, await proposed(path, requestFile('branch: develop')), { by: 'erin' })
    const done = await live.ended(path)
    expect(done).toMatchObject({ status: 'success', requester: 'alice', attempt: 1 })
    expect(forge.triggerCount(done.id)).toBe(1)
    const told = forge.runs(SHOP).find(({ inputs }) => inputs['JOB_ID'] === done.id)?.inputs
    expect(told).toMatchObject({ ENV: 'stage', REF: 'develop', TYPE: 'deploy', SHA: await forge.sha(SHOP, 'develop') })
    expect(await live.controller.store.state.unit('locks', (tx) => tx.locks.all())).toEqual([])
    expect(live.controller.engine.memory.health.lastWebhookAt).not.toBeNull()
  })

  it('starts a prod request once two others approved it and it was merged, and tells the pull request', async () => {
    const path = 'requests/shop/prod/v1.4.2.yaml'
    const number = await proposed(path, requestFile('tag: v1.4.2'))
    for (const by of ['mallory', BOT, 'bob']) forge.review(CONFIG, number, { by, state: 'APPROVED' })
    const gate = () =>
      forge.repository(CONFIG).statuses.findLast(({ context, creator }) => context === 'draven/gate' && creator.login === BOT)
    await live.eventually(
      'the first approval to be counted',
      () => comments(number),
      (list) => list.some(({ body }) => /1 of 2/.test(body)),
    )
    expect(gate()?.state).toBe('pending')
    forge.review(CONFIG, number, { by: 'carol', state: 'APPROVED' })
    await live.eventually('the gate to open', gate, (status) => status?.state === 'success')
    await forge.merge(CONFIG, number, { by: 'erin', method: 'squash' })
    const done = await live.ended(path)
    expect(done.status).toBe('success')
    expect(forge.triggerCount(done.id)).toBe(1)
    await live.eventually(
      'the comment',
      () => comments(number),
      (list) => list.some(({ body }) => body.includes('success')),
    )
    expect(comments(number)).toHaveLength(1)
  })

  it('starts no second run when the answer to the first was lost', async () => {
    const path = 'requests/shop/stage/lost.yaml'
    forge.faults.add({ on: 'actions/create-workflow-dispatch', kind: 'accept_then_drop' })
    await forge.merge(CONFIG, await proposed(path, requestFile('branch: develop')), { by: 'erin', method: 'rebase' })
    const done = await live.ended(path)
    expect(done).toMatchObject({ status: 'success', attempt: 1 })
    expect(forge.triggerCount(done.id)).toBe(1)
  })

  it('holds the lock of a withdrawn request until its run is over, and says what to do where nobody can stop one', async () => {
    const path = 'requests/shop/stage/withdrawn.yaml'
    forge.holdRuns(true)
    await forge.merge(CONFIG, await proposed(path, requestFile('branch: develop')), { by: 'erin' })
    const { id } = await live.until(path, ({ status }) => status === 'running')
    const run = await live.eventually(
      'the run',
      () => forge.runs(SHOP).find(({ inputs }) => inputs['JOB_ID'] === id),
      (found) => found !== undefined,
    )
    forge.setRun(run!.id, 'running')
    await forge.commit(CONFIG, 'main', { [path]: null }, { as: 'erin' })
    const locks = () => live.controller.store.state.unit('locks', (tx) => tx.locks.all())
    if (server === 'gitea') {
      const stopping = await live.until(path, ({ reason }) => reason.code === 'cancel_pending')
      expect(stopping.reason.text).toMatch(/Refused: Gitea lets nobody stop a run from outside; stop run \d+ on its page/)
      // Asked again and again, in vain.
      for (let looks = 0; looks < 3; looks++) await clock.sleep(300)
      expect([(await live.job(path))?.status, await locks()]).toMatchObject(['running', [{ jobId: id }]])
      forge.setRun(run!.id, 'cancelled')
    }
    expect(await live.ended(path)).toMatchObject({ status: 'canceled' })
    expect(await locks()).toEqual([])
    expect(forge.runs(SHOP).find((each) => each.id === run!.id)?.state).toBe('cancelled')
    forge.holdRuns(false)
  })
})

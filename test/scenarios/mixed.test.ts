import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bitbucketLogin } from '../providers/bitbucket/code-host.ts'
import { type Bitbucket, startBitbucket } from '../sandbox/bitbucket/forge.ts'
import { type Forge, startForge } from '../sandbox/forge.ts'
import { type Gitea, startGitea } from '../sandbox/gitea/forge.ts'
import {
  ACCESS,
  CONFIG_REPO,
  configFiles,
  environmentFile,
  PEOPLE,
  requestFile,
  SHOP_PROJECT,
  shopFiles,
} from './config-files.ts'
import { type LiveController, startLive } from './live-controller.ts'
import { movedClock, WEDNESDAY_MORNING } from './scene.ts'

const CONFIG = CONFIG_REPO
const WEB = 'acme/web'
const API = 'acme/api'
const BOT = 'draven-bot'
const DEFINITION = 'pipelines: { custom: { deploy: [{ step: { script: [./deploy.sh] } }] } }\n'

/** Reviews are given on one forge, and what was approved runs on two others: each with its own words, one rule for all. */
describe('a config repository on Gitea, with a project on GitHub and one on Bitbucket', () => {
  const clock = movedClock(WEDNESDAY_MORNING)
  let root: string
  let gitea: Gitea
  let github: Forge
  let bitbucket: Bitbucket
  let live: LiveController

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'draven-mixed-'))
    gitea = await startGitea({ server: 'gitea', clock, root: join(root, 'gitea'), runs: 'instant' })
    github = await startForge({ clock, root: join(root, 'github'), actions: 'instant' })
    bitbucket = await startBitbucket({ clock, root: join(root, 'bitbucket'), pipelines: 'instant' })
    for (const person of PEOPLE) gitea.user(person)
    await gitea.createRepo(CONFIG, { files: config() })
    for (const person of [...PEOPLE, BOT]) gitea.addCollaborator(CONFIG, person, 'write')

    for (const login of ['acme', 'alice', BOT]) github.user(login)
    await github.createRepo(WEB, { files: shopFiles() })
    github.addCollaborator(WEB, 'alice', 'maintain')
    github.addCollaborator(WEB, BOT, 'write')
    const web = await github.commit(WEB, 'main', { VERSION: 'v1.4.2\n' }, { as: 'alice', message: 'Release' })
    await github.createTag(WEB, 'v1.4.2', web, { as: 'alice', message: 'v1.4.2' })
    github.setCheck(WEB, web, { name: 'build', conclusion: 'success' })

    bitbucket.user('alice')
    bitbucket.user(BOT, { type: 'app_user' })
    await bitbucket.createRepo(API, { files: { 'bitbucket-pipelines.yml': DEFINITION } })
    for (const person of ['alice', BOT]) bitbucket.addMember(API, person, 'write')
    const api = await bitbucket.commit(API, 'main', { VERSION: 'v1.4.2\n' }, { as: 'alice' })
    bitbucket.setPipeline(
      bitbucket.addPipeline(API, { branch: 'main', sha: api, by: 'alice', steps: ['build'] }).uuid,
      'SUCCESSFUL',
    )
    await bitbucket.createTag(API, 'v1.4.2', api, { as: 'alice', message: 'v1.4.2' })

    live = await startLive({
      root,
      clock,
      config: CONFIG,
      env: {
        DRAVEN_CONFIG_REPO_URL: gitea.gitUrl(CONFIG),
        DRAVEN_CONFIG_PROVIDER: 'gitea',
        DRAVEN_GITEA_API_URL: gitea.apiUrl,
        DRAVEN_SECRET_GITEA_TOKEN: gitea.token(BOT),
        DRAVEN_GITHUB_API_URL: github.apiUrl,
        DRAVEN_SECRET_GITHUB_TOKEN: github.token(BOT),
        DRAVEN_BITBUCKET_API_URL: bitbucket.apiUrl,
        DRAVEN_SECRET_BITBUCKET_TOKEN: bitbucket.token(BOT),
      },
    })
  }, 60_000)
  afterAll(async () => {
    await live.controller.stop()
    for (const forge of [gitea, github, bitbucket]) {
      forge.assertClean()
      await forge.close()
    }
    await rm(root, { recursive: true, force: true })
  })

  it.each([
    ['GitHub', 'web', () => github],
    ['Bitbucket', 'api', () => bitbucket],
  ] as const)(
    'starts what was approved on Gitea once on %s, and tells the pull request there',
    async (_where, project, forge) => {
      const path = `requests/${project}/prod/v1.4.2.yaml`
      const number = await live.proposed(gitea, path, requestFile('tag: v1.4.2'))
      for (const person of ['bob', 'carol']) await gitea.review(CONFIG, number, { by: person, state: 'APPROVED' })
      await gitea.merge(CONFIG, number, { by: 'erin' })
      const done = await live.ended(path)
      expect(done).toMatchObject({ status: 'success', requester: 'alice', reason: { code: 'run_succeeded' } })
      expect([gitea, github, bitbucket].map((each) => each.triggerCount(done.id))).toEqual(
        [gitea, github, bitbucket].map((each) => (each === forge() ? 1 : 0)),
      )
      const comments = () => gitea.repository(CONFIG).pulls.find((pull) => pull.number === number)?.comments ?? []
      await live.eventually('the comment', comments, (list) => list.some(({ body }) => body.includes('success')))
    },
  )
})

function config(): Record<string, string> {
  const { 'projects/shop/project.yaml': _project, ...rules } = configFiles()
  const files = Object.entries(rules).filter(([path]) => !path.startsWith('projects/'))
  const pipelines = (selector: string) => SHOP_PROJECT.replaceAll('deploy.yml', selector)
  return {
    ...Object.fromEntries(files),
    // Who reviews is known by the account on Gitea; the others are there to show that they do not matter.
    'access.yaml': ACCESS.replace(
      /github: ([a-z-]+) \}/g,
      (_, login: string) => `gitea: ${login}, bitbucket: ${bitbucketLogin(login)} }`,
    ),
    'projects/web/project.yaml': pipelines('deploy.yml').replace('acme/shop', WEB),
    'projects/api/project.yaml': pipelines('custom:deploy')
      .replace('acme/shop', API)
      .replace('provider: github', 'provider: bitbucket'),
    ...Object.fromEntries(['web', 'api'].map((name) => [`projects/${name}/environments/prod.yaml`, environmentFile('prod')])),
  }
}

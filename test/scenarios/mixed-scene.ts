import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Seams } from '../../controller/main.ts'
import { bitbucketLogin } from '../providers/bitbucket/code-host.ts'
import { DEPLOY, PARAMETERS } from '../providers/jenkins/jenkins-scene.ts'
import { startBitbucket } from '../sandbox/bitbucket/forge.ts'
import { startForge } from '../sandbox/forge.ts'
import { DEPLOY_WORKFLOW } from '../sandbox/forge-fixture.ts'
import { startGitea } from '../sandbox/gitea/forge.ts'
import { startGitlab } from '../sandbox/gitlab/forge.ts'
import { DEVELOPER } from '../sandbox/gitlab/world.ts'
import { startJenkins } from '../sandbox/jenkins/jenkins.ts'
import { startReceiver } from '../sandbox/receiver/receiver.ts'
import { ACCESS, CONFIG_REPO, configFiles, environmentFile, PEOPLE, SHOP_PROJECT, shopFiles } from './config-files.ts'
import { type LiveController, startLive } from './live-controller.ts'
import { type MovedClock, movedClock, WEDNESDAY_MORNING } from './scene.ts'

export const TAG = 'v1.4.2'
const BOT = 'draven-bot'
const BITBUCKET_PIPELINES = 'pipelines: { custom: { deploy: [{ step: { script: [./deploy.sh] } }] } }\n'
const GITLAB_CI = "workflow: { name: 'Deploy $REF to $ENV ($JOB_ID)' }\ndeploy: { script: [./deploy.sh] }\n"

/** A place where the pipelines of one project run. */
export interface Runner {
  provider: string
  project: string
  /** Where its API is. */
  origin: string
  /** Runs ever made for a job. */
  made(jobId: string): number
  /** Lets the run of a job end well, where it does not by itself. */
  succeed(jobId: string): void
}

/**
 * A config repository on Gitea, and a project each on GitHub, GitLab, Bitbucket, Forgejo, Jenkins and a receiver of webhooks (the
 * last two with their code on GitHub): each with credentials of its own, under one controller.
 */
export interface MixedScene {
  root: string
  clock: MovedClock
  live: LiveController
  runners: readonly Runner[]
  /** Where the API of the config repository's host is. */
  configOrigin: string
  /** What the controller was told, for commands that look at the same. */
  env: Readonly<Record<string, string>>
  /** Every secret that the controller was given, by the name of its variable. */
  secrets: ReadonlyMap<string, string>
  /**
   * Alice asks for the tag on prod, two others approve, Erin merges; gives the path and the number of the pull request.
   * `beforeMerge` is called when all has been approved.
   */
  approved(project: string, name: string, requestText: string, beforeMerge?: () => void): Promise<{ path: string; pull: number }>
  /** What a pull request shows of comments. */
  comments(pull: number): readonly string[]
  close(): Promise<void>
}

export async function openMixedScene(seams: Partial<Seams> = {}): Promise<MixedScene> {
  const clock = movedClock(WEDNESDAY_MORNING)
  const root = await mkdtemp(join(tmpdir(), 'draven-mixed-'))
  const hookSecret = `whsec_${Buffer.alloc(24, 5).toString('base64')}`
  const gitea = await startGitea({ server: 'gitea', clock, root: join(root, 'gitea'), runs: 'instant' })
  const github = await startForge({ clock, root: join(root, 'github'), actions: 'instant' })
  const gitlab = await startGitlab({ clock, root: join(root, 'gitlab'), pipelines: 'instant' })
  const bitbucket = await startBitbucket({ clock, root: join(root, 'bitbucket'), pipelines: 'instant' })
  const forgejo = await startGitea({ server: 'forgejo', clock, root: join(root, 'forgejo'), runs: 'instant' })
  const jenkins = await startJenkins({ clock })
  const receiver = await startReceiver({ clock, secret: hookSecret })
  jenkins.job(DEPLOY, PARAMETERS)

  for (const login of ['acme', 'alice', BOT]) github.user(login)
  for (const repo of ['acme/web', 'acme/batch']) {
    await github.createRepo(repo, { files: shopFiles() })
    for (const login of ['alice', BOT]) github.addCollaborator(repo, login, 'write')
    const sha = await github.commit(repo, 'main', { VERSION: TAG }, { as: 'alice', message: 'Release' })
    await github.createTag(repo, TAG, sha, { as: 'alice', message: TAG })
    github.setCheck(repo, sha, { name: 'build', conclusion: 'success' })
  }
  gitlab.user('alice')
  gitlab.user(BOT, { bot: true })
  await gitlab.createRepo('acme/site', { files: { '.gitlab-ci.yml': GITLAB_CI } })
  for (const person of ['alice', BOT]) gitlab.addMember('acme/site', person, DEVELOPER)
  const site = await gitlab.commit('acme/site', 'main', { VERSION: TAG }, { as: 'alice' })
  gitlab.setPipeline(
    gitlab.addPipeline('acme/site', { ref: 'main', sha: site, source: 'push', by: 'alice', jobs: ['build'] }).id,
    'success',
  )
  await gitlab.createTag('acme/site', TAG, site, { as: 'alice', message: TAG })
  bitbucket.user('alice')
  bitbucket.user(BOT, { type: 'app_user' })
  await bitbucket.createRepo('acme/api', { files: { 'bitbucket-pipelines.yml': BITBUCKET_PIPELINES } })
  for (const person of ['alice', BOT]) bitbucket.addMember('acme/api', person, 'write')
  const api = await bitbucket.commit('acme/api', 'main', { VERSION: TAG }, { as: 'alice' })
  bitbucket.setPipeline(
    bitbucket.addPipeline('acme/api', { branch: 'main', sha: api, by: 'alice', steps: ['build'] }).uuid,
    'SUCCESSFUL',
  )
  await bitbucket.createTag('acme/api', TAG, api, { as: 'alice', message: TAG })

  forgejo.user('alice')
  await forgejo.createRepo('acme/docs', { files: { '.forgejo/workflows/deploy.yml': DEPLOY_WORKFLOW } })
  for (const person of ['alice', BOT]) forgejo.addCollaborator('acme/docs', person, 'write')
  const docs = await forgejo.commit('acme/docs', 'main', { VERSION: TAG }, { as: 'alice' })
  forgejo.holdRuns(true)
  forgejo.setRun(
    forgejo.addRun('acme/docs', { file: 'ci.yml', event: 'push', by: 'alice', sha: docs, jobs: ['build'] }).id,
    'success',
  )
  forgejo.holdRuns(false)
  await forgejo.createTag('acme/docs', TAG, docs, { as: 'alice', message: TAG })

  for (const person of PEOPLE) gitea.user(person)
  await gitea.createRepo(CONFIG_REPO, { files: configRepository(jenkins.url, receiver.url, forgejo.apiUrl) })
  for (const person of [...PEOPLE, BOT]) gitea.addCollaborator(CONFIG_REPO, person, 'write')

  const secrets = new Map([
    ['DRAVEN_SECRET_GITEA_TOKEN', gitea.token(BOT)],
    ['DRAVEN_SECRET_GITHUB_TOKEN', github.token(BOT)],
    ['DRAVEN_SECRET_GITLAB_TOKEN', gitlab.token(BOT)],
    ['DRAVEN_SECRET_BITBUCKET_TOKEN', bitbucket.token(BOT)],
    ['DRAVEN_SECRET_FORGEJO_TOKEN', forgejo.token(BOT)],
    ['DRAVEN_SECRET_JENKINS', jenkins.account('draven')],
    ['DRAVEN_SECRET_HOOK', hookSecret],
    ['DRAVEN_SECRET_WEBHOOK', 'what-gitea-signs-its-webhooks-with'],
  ])
  const env = {
    DRAVEN_CONFIG_REPO: CONFIG_REPO,
    DRAVEN_CONFIG_REPO_URL: gitea.gitUrl(CONFIG_REPO),
    DRAVEN_DATA_DIR: join(root, 'data'),
    DRAVEN_ALLOW_LOOPBACK: 'true',
    DRAVEN_CONFIG_PROVIDER: 'gitea',
    DRAVEN_GITEA_API_URL: gitea.apiUrl,
    DRAVEN_GITHUB_API_URL: github.apiUrl,
    DRAVEN_GITLAB_API_URL: gitlab.apiUrl,
    DRAVEN_BITBUCKET_API_URL: bitbucket.apiUrl,
    DRAVEN_FORGEJO_API_URL: forgejo.apiUrl,
    DRAVEN_ALLOWED_ORIGINS: [jenkins.url, receiver.url].map((url) => new URL(url).origin).join(),
    // Nobody calls back here; what is told to pipelines is.
    DRAVEN_PUBLIC_URL: 'https://draven.example',
    DRAVEN_WEBHOOK_SECRET_REF: 'env:DRAVEN_SECRET_WEBHOOK',
    ...Object.fromEntries(secrets),
  }
  const live = await startLive({ root, clock, config: CONFIG_REPO, env, seams })
  const webhooks = { url: `${live.controller.url}/webhooks/gitea`, secret: secrets.get('DRAVEN_SECRET_WEBHOOK')! }
  gitea.addHook(CONFIG_REPO, webhooks)
  const itemOf = (jobId: string) => jenkins.items().filter(({ values }) => values['JOB_ID'] === jobId)
  const runner = (
    provider: string,
    project: string,
    url: string,
    made: Runner['made'],
    succeed: Runner['succeed'] = () => {},
  ) => ({
    provider,
    project,
    origin: new URL(url).origin,
    made,
    succeed,
  })
  return {
    root,
    clock,
    live,
    env,
    secrets,
    configOrigin: new URL(gitea.apiUrl).origin,
    runners: [
      runner('github', 'web', github.apiUrl, github.triggerCount),
      runner('gitlab', 'site', gitlab.apiUrl, gitlab.triggerCount),
      runner('bitbucket', 'api', bitbucket.apiUrl, bitbucket.triggerCount),
      runner('forgejo', 'docs', forgejo.apiUrl, forgejo.triggerCount),
      runner(
        'jenkins',
        'batch',
        jenkins.url,
        (jobId) => itemOf(jobId).length,
        (jobId) => jenkins.end(itemOf(jobId)[0]!.id, 'SUCCESS'),
      ),
      runner(
        'http',
        'hook',
        receiver.url,
        (jobId) => receiver.runs(jobId).length,
        (jobId) => receiver.bring(jobId, 'succeeded'),
      ),
    ],
    async approved(project, name, requestText, beforeMerge = () => {}) {
      const path = `requests/${project}/prod/${name}.yaml`
      const pull = await live.proposed(gitea, path, requestText)
      for (const person of ['bob', 'carol']) await gitea.review(CONFIG_REPO, pull, { by: person, state: 'APPROVED' })
      beforeMerge()
      await gitea.merge(CONFIG_REPO, pull, { by: 'erin' })
      return { path, pull }
    },
    comments: (pull) =>
      gitea
        .repository(CONFIG_REPO)
        .pulls.filter((each) => each.number === pull)
        .flatMap((each) => each.comments.map(({ body }) => body)),
    async close() {
      await live.controller.stop()
      for (const forge of [gitea, github, gitlab, bitbucket, forgejo]) await forge.close()
      await jenkins.stop()
      await receiver.close()
      await rm(root, { recursive: true, force: true })
      for (const forge of [gitea, github, gitlab, bitbucket, forgejo]) forge.assertClean()
      const complaints = [...jenkins.complaints, ...receiver.complaints]
      if (complaints.length > 0) throw new Error(complaints.join('\n'))
    },
  }
}

function configRepository(jenkinsUrl: string, receiverUrl: string, forgejoUrl: string): Record<string, string> {
  const rules = Object.entries(configFiles()).filter(([path]) => !path.startsWith('projects/'))
  const integration = (repo: string, selector: string, provider: string) =>
    SHOP_PROJECT.replaceAll('deploy.yml', selector)
      .replace('acme/shop', repo)
      .replace('provider: github', `provider: ${provider}`)
  const elsewhere = (provider: string, url: string, credential: string) =>
    `${provider}\n  api_url: ${url}\n  credential_ref: env:${credential}\n  callbacks: true\n  code: { provider: github }`
  const projects = {
    web: integration('acme/web', 'deploy.yml', 'github'),
    site: integration('acme/site', 'variables', 'gitlab'),
    api: integration('acme/api', 'custom:deploy', 'bitbucket'),
    docs: integration('acme/docs', 'deploy.yml', `forgejo\n  api_url: ${forgejoUrl}`).replace(
      '[build]',
      '["ci.yml / build (push)"]',
    ),
    batch: integration('acme/batch', DEPLOY, elsewhere('jenkins', jenkinsUrl, 'DRAVEN_SECRET_JENKINS')),
    hook: integration('acme/batch', 'hook/deploy', elsewhere('http', receiverUrl, 'DRAVEN_SECRET_HOOK')),
  }
  return {
    ...Object.fromEntries(rules),
    // Reviews are given on Gitea, so that is the account that matters; the others are there to show that they do not.
    'access.yaml': ACCESS.replace(
      /github: ([a-z-]+) \}/g,
      (_, login: string) => `gitea: ${login}, bitbucket: ${bitbucketLogin(login)} }`,
    ),
    ...Object.fromEntries(
      Object.entries(projects).flatMap(([name, text]) => [
        [`projects/${name}/project.yaml`, text],
        [`projects/${name}/environments/prod.yaml`, environmentFile('prod')],
      ]),
    ),
  }
}

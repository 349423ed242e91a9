import { startGitlab } from '../../sandbox/gitlab/forge.ts'
import { DEVELOPER, MAINTAINER, stateOf } from '../../sandbox/gitlab/world.ts'
import { PEOPLE } from '../config/files.ts'
import { readJson } from './read-json.ts'
import type { ForgeDocuments, ForgeWords, ShownCheck, StoryForge, StoryForgeOptions } from './story-forge.ts'

const WORDS: ForgeWords = {
  name: 'GitLab',
  pull: 'merge request',
  sign: '!',
  closes: 'closes',
  findings: 'each is in the comment, with its line',
  silence: 'GitLab would keep a pipeline running for a check that waits, so what is waited for stands in the comment alone.',
  refusesLateApprovals: false,
}

const DOCUMENTS: ForgeDocuments = {
  provider: 'gitlab',
  apiUrl: null,
  selector: 'variables',
  requiredCheck: 'build',
  account: (login) => login,
  pipeline: (script) => ({
    '.gitlab-ci.yml': `workflow:
  name: 'Deploy $REF to $ENV ($JOB_ID)'
deploy:
  rules:
    - if: $CI_PIPELINE_SOURCE == "api" && $JOB_ID
  retry: 0
  script:
${script.map((line) => `    - ${JSON.stringify(line)}\n`).join('')}`,
  }),
}

/** The controller's account, as GitLab names the bot of a group's access token. */
const BOT = 'group_7_bot_1'
const SIGNING_TOKEN = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

/** The emulated GitLab, without approval rules, as on Free. */
export async function onGitlab({ clock, root }: StoryForgeOptions): Promise<StoryForge> {
  const forge = await startGitlab({ clock, root, pipelines: 'process' })
  for (const login of Object.keys(PEOPLE)) forge.user(login, { email: `${login}@acme.example` })
  forge.user(BOT, { bot: true })
  const headers = { 'private-token': forge.token('greta') }
  return {
    words: WORDS,
    documents: DOCUMENTS,
    settings: {
      DRAVEN_GITLAB_API_URL: forge.apiUrl,
      DRAVEN_SECRET_GITLAB_TOKEN: forge.token(BOT),
      DRAVEN_SECRET_WEBHOOK: SIGNING_TOKEN,
    },
    faults: forge.faults,
    async createRepo(repo, files) {
      await forge.createRepo(repo, { files })
      for (const login of Object.keys(PEOPLE)) forge.addMember(repo, login, MAINTAINER)
      forge.addMember(repo, BOT, DEVELOPER)
    },
    addHook: (repo, _kind, url) => void forge.addHook(repo, { url, signingToken: SIGNING_TOKEN }),
    git: (repo) => forge.project(repo).git,
    gitUrl: forge.gitUrl,
    cloneUrl: (repo, by) => forge.gitUrl(repo).replace('://', `://${by}:${forge.token(by)}@`),
    commit: forge.commit,
    createTag: forge.createTag,
    passCi(repo, branch, sha, by) {
      const pipeline = { ref: branch, sha, source: 'push', by, jobs: [DOCUMENTS.requiredCheck] }
      forge.setPipeline(forge.addPipeline(repo, pipeline).id, 'success')
    },
    openPull: forge.openPull,
    headOf: async (repo, pull) => (await forge.sha(repo, `refs/merge-requests/${pull}/head`))!,
    approve: async (repo, pull, by) => forge.approve(repo, pull, by),
    merge: async (repo, pull, by) => void (await forge.merge(repo, pull, { by })),
    closePull: async (repo, pull, by) => forge.closePull(repo, pull, { by }),
    async shownOn(repo, pull, head) {
      const at = `${forge.apiUrl}/projects/${encodeURIComponent(repo)}`
      const statuses = await readJson<StatusBody[]>(`${at}/repository/commits/${head}/statuses?per_page=100`, headers)
      const notes = await readJson<{ body: string }[]>(`${at}/merge_requests/${pull}/notes?per_page=100`, headers)
      return {
        validate: checkOf(statuses, 'draven/validate'),
        gate: checkOf(statuses, 'draven/gate'),
        comment: notes.find(({ body }) => body.includes('### DRAVEN'))?.body ?? '',
      }
    },
    runsOf(repo, jobId) {
      const project = forge.project(repo)
      const own = project.pipelines.filter(({ variables }) => variables['JOB_ID'] === jobId)
      return own.map((pipeline) => ({
        state: pipeline.endedAt !== null ? 'ended' : stateOf(project, pipeline) === 'running' ? 'running' : 'queued',
        createdAt: pipeline.createdAt,
        endedAt: pipeline.endedAt,
        log: pipeline.jobs.map((job) => job.log).join(''),
      }))
    },
    triggerCount: forge.triggerCount,
    settle: forge.settle,
    contractKept() {
      forge.assertClean()
      return forge.specChecked ? 'every name in every call and answer is in GitLab’s published API description' : null
    },
    close: forge.close,
  }
}

interface StatusBody {
  name: string
  status: string
  description: string | null
}

function checkOf(statuses: readonly StatusBody[], name: string): ShownCheck | null {
  const status = statuses.find((each) => each.name === name)
  if (status === undefined) return null
  const state = status.status === 'success' ? 'success' : ['pending', 'running'].includes(status.status) ? 'pending' : 'failure'
  return { state, title: status.description ?? '', annotations: null }
}

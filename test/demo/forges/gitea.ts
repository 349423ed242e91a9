import { startGitea } from '../../sandbox/gitea/forge.ts'
import { isOver } from '../../sandbox/gitea/world.ts'
import { type Login, PEOPLE } from '../config/files.ts'
import { dispatchedWorkflow } from './dispatched-workflow.ts'
import { readJson } from './read-json.ts'
import type { ForgeDocuments, ForgeWords, ShownCheck, StoryForge, StoryForgeOptions } from './story-forge.ts'

const WORDS: ForgeWords = {
  name: 'Gitea',
  pull: 'pull request',
  sign: '#',
  closes: 'closes',
  findings: 'each is in the comment, with its line',
  silence: null,
  refusesLateApprovals: true,
}

const DOCUMENTS = {
  provider: 'gitea',
  selector: 'deploy.yml',
  // As Gitea calls a job of its own CI.
  requiredCheck: 'ci.yml / build (push)',
  account: (login: Login) => login,
  pipeline: (script: readonly string[]) => ({ '.gitea/workflows/deploy.yml': dispatchedWorkflow(script) }),
} satisfies Omit<ForgeDocuments, 'apiUrl'>

const BOT = 'draven-bot'
const WEBHOOK_SECRET = 'demo-webhook-secret'

/** The emulated Gitea with its own Actions. */
export async function onGitea({ clock, root }: StoryForgeOptions): Promise<StoryForge> {
  const forge = await startGitea({ server: 'gitea', clock, root, runs: 'process' })
  for (const login of Object.keys(PEOPLE)) forge.user(login, { email: `${login}@acme.example` })
  forge.user(BOT)
  const headers = { authorization: `token ${forge.token('greta')}` }
  return {
    words: WORDS,
    documents: { ...DOCUMENTS, apiUrl: forge.apiUrl },
    settings: {
      DRAVEN_GITEA_API_URL: forge.apiUrl,
      DRAVEN_SECRET_GITEA_TOKEN: forge.token(BOT),
      DRAVEN_SECRET_WEBHOOK: WEBHOOK_SECRET,
    },
    faults: forge.faults,
    async createRepo(repo, files) {
      await forge.createRepo(repo, { files })
      for (const login of [...Object.keys(PEOPLE), BOT]) forge.addCollaborator(repo, login, 'write')
    },
    addHook: (repo, _kind, url) => void forge.addHook(repo, { url, secret: WEBHOOK_SECRET }),
    git: (repo) => forge.repository(repo).git,
    gitUrl: forge.gitUrl,
    cloneUrl: (repo, by) => forge.gitUrl(repo).replace('://', `://${by}:${forge.token(by)}@`),
    commit: forge.commit,
    createTag: forge.createTag,
    passCi(repo, _branch, sha, by) {
      forge.holdRuns(true)
      const run = forge.addRun(repo, { file: 'ci.yml', event: 'push', by, sha, jobs: ['build'] })
      forge.setRun(run.id, 'success')
      forge.holdRuns(false)
    },
    openPull: forge.openPull,
    headOf: async (repo, pull) => (await forge.sha(repo, `refs/pull/${pull}/head`))!,
    approve: async (repo, pull, by) => void forge.review(repo, pull, { by, state: 'APPROVED' }),
    merge: async (repo, pull, by) => void (await forge.merge(repo, pull, { by })),
    closePull: async (repo, pull, by) => forge.closePull(repo, pull, { by }),
    async shownOn(repo, pull, head) {
      const at = `${forge.apiUrl}/repos/${repo}`
      const combined = await readJson<{ statuses: StatusBody[] | null }>(`${at}/commits/${head}/status`, headers)
      const comments = await readJson<{ body: string }[]>(`${at}/issues/${pull}/comments`, headers)
      return {
        validate: checkOf(combined.statuses ?? [], 'draven/validate'),
        gate: checkOf(combined.statuses ?? [], 'draven/gate'),
        comment: comments.find(({ body }) => body.includes('### DRAVEN'))?.body ?? '',
      }
    },
    runsOf: (repo, jobId) =>
      forge
        .runs(repo)
        .filter(({ inputs }) => inputs['JOB_ID'] === jobId)
        .map(({ state, createdAt, endedAt, log }) => ({
          state: isOver(state) ? 'ended' : state === 'running' ? 'running' : 'queued',
          createdAt,
          endedAt,
          log,
        })),
    triggerCount: forge.triggerCount,
    settle: forge.settle,
    contractKept() {
      forge.assertClean()
      return forge.specChecked ? 'every name in every call and answer is in Gitea’s published API description' : null
    },
    close: forge.close,
  }
}

interface StatusBody {
  context: string
  status: string
  description: string
}

function checkOf(statuses: readonly StatusBody[], name: string): ShownCheck | null {
  const status = statuses.find(({ context }) => context === name)
  if (status === undefined) return null
  const state = status.status === 'success' || status.status === 'pending' ? status.status : 'failure'
  return { state, title: status.description, annotations: null }
}
